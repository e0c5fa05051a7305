package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/wasm"
)

const pushHelp = `Pushes a plugin, so that one reference installs it.

First the file is read: what no Envoy could load is refused, with every reason, and nothing is sent.
Then content that the registry has is not sent again, and the tag is moved last, in one step: a push
that fails leaves it as it was. In the end the artifact is looked for by the rules of those who will
pull it: the tag must give the manifest that was sent, and the registry must have every blob with
its digest and size. With --verify-whole every byte is pulled back and compared.

Formats:
  oci      two layers with media types of their own: what Istio and Envoy Gateway call an artifact
  compat   a container image with plugin.wasm in its last layer, for registries that take only images
  both     oci under each tag, and compat under each tag with -compat behind it
  cncf     for Wasm tools outside of proxies; neither Istio nor Envoy Gateway takes it

The same file with the same annotations has the same digest, wherever and whenever it is pushed. So
the time of creation is only said where SOURCE_DATE_EPOCH is set, and no annotation comes from this
machine.`

const pushExample = `  publish push build/routelens.wasm registry.example.com/team/routelens:1.0 latest
  publish push --format both --version 1.0 --licenses Apache-2.0 plugin.wasm ghcr.io/team/plugin:1.0
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) publish push plugin.wasm oci-layout:dist:1.0`

type pushOptions struct {
	connection connection
	timeout    time.Duration

	file        string
	tags        []string
	format      string
	meta        artifact.Metadata
	annotations []string
	noCheck     bool
	noVerify    bool
	verifyWhole bool
}

func (a *app) push() *cobra.Command {
	o := &pushOptions{}
	c := &cobra.Command{
		Use:     "push FILE REF [TAG...]",
		Short:   "Check a plugin, push it, and see who can pull it",
		Long:    pushHelp,
		Example: pushExample,
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = args[0]
			ref, err := reference(args[1])
			if err != nil {
				return err
			}
			if ref.Digest != "" {
				return misuse("%s: a push needs a tag; the digest follows from what is pushed", ref)
			}
			if o.noVerify && o.verifyWhole {
				return misuse("--no-verify and --verify-whole: one of them")
			}
			o.tags = append([]string{ref.Name()}, args[2:]...)
			return a.runPush(c.Context(), o, ref)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.format, "format", "oci", "oci, compat, both or cncf")
	f.StringVar(&o.meta.Source, "source", "", "annotation: URL of the source code")
	f.StringVar(&o.meta.Revision, "revision", "", "annotation: revision of the source code")
	f.StringVar(&o.meta.Version, "version", "", "annotation: version")
	f.StringVar(&o.meta.Licenses, "licenses", "", "annotation: licences, as an SPDX expression")
	f.StringVar(&o.meta.Description, "description", "", "annotation: what it is, for a person")
	f.StringArrayVar(&o.annotations, "annotation", nil, "another annotation, `key=value`; may be repeated")
	f.BoolVar(&o.noCheck, "no-check", false, "push a plugin that Envoy would not load, for another proxy or a newer one")
	f.BoolVar(&o.noVerify, "no-verify", false, "do not look whether it can be pulled")
	f.BoolVar(&o.verifyWhole, "verify-whole", false, "pull it back, and compare every byte")
	o.connection.flags(f, "", "registry")
	within(f, &o.timeout)
	c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"oci", "compat", "both", "cncf"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// compatSuffix sets the second tag of --format both apart: Istio cannot choose from an index.
const compatSuffix = "-compat"

func (a *app) runPush(ctx context.Context, o *pushOptions, ref registry.Reference) error {
	layouts, err := o.complete()
	if err != nil {
		return err
	}
	plugin, err := a.readPlugin(o.file, o.noCheck)
	if err != nil {
		return err
	}
	for _, layout := range layouts {
		if err := artifact.Fits(layout, len(plugin.Bytes)); err != nil {
			return refused(o.file, err)
		}
	}
	client, err := a.client(&o.connection, o.timeout)
	if err != nil {
		return err
	}
	ctx, stop := bounded(ctx, o.timeout)
	defer stop()
	back := &readBack{client: client, ref: ref, plugin: plugin.Bytes, whole: o.verifyWhole || ref.Kind != registry.Remote, progress: &o.connection.received, blobs: map[digest.Digest]func() error{}}
	done, err := a.send(ctx, client, o, ref, layouts, plugin, back)
	if err != nil {
		return err
	}
	for _, p := range done {
		if !o.noVerify {
			verdict, err := back.check(ctx, p)
			if err != nil {
				return err
			}
			a.say("%s: %s", ref.Tagged(p.tags[0]), verdict)
		}
		if _, err := fmt.Fprintln(a.out, ref.At(p.artifact.Manifest.Digest)); err != nil {
			return err
		}
	}
	return nil
}

// pushed is an artifact with its tags.
type pushed struct {
	artifact *artifact.Artifact
	tags     []string
}

// complete checks what the flags say.
func (o *pushOptions) complete() ([]artifact.Layout, error) {
	layouts, err := artifact.ParseFormat(o.format)
	if err != nil {
		return nil, usageError{err}
	}
	o.meta.Extra = map[string]string{}
	for _, text := range o.annotations {
		key, value, err := artifact.ParseAnnotation(text)
		if err != nil {
			return nil, usageError{err}
		}
		o.meta.Extra[key] = value
	}
	if o.meta.Created, err = artifact.Epoch(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return nil, usageError{err}
	}
	all := o.tags
	if len(layouts) > 1 {
		all = append(slices.Clone(all), suffixed(o.tags)...)
	}
	for i, tag := range all {
		if err := registry.CheckTag(tag); err != nil {
			return nil, usageError{err}
		}
		if slices.Contains(all[:i], tag) {
			return nil, misuse("tag %s is given twice", tag)
		}
	}
	return layouts, nil
}

func suffixed(tags []string) []string {
	with := make([]string, len(tags))
	for i, t := range tags {
		with[i] = t + compatSuffix
	}
	return with
}

// readPlugin reads the file and says what it is, or why it is not pushed.
func (a *app) readPlugin(file string, noCheck bool) (plugin artifact.Plugin, err error) {
	f, err := os.Open(file)
	if err != nil {
		return plugin, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return plugin, err
	case info.IsDir():
		return plugin, fmt.Errorf("%s is a folder; push wants a plugin, such as build/routelens.wasm", file)
	case info.Size() > wasm.MaxSize:
		return plugin, refused(file, wasm.Problems{fmt.Sprintf("it has %d bytes, and Istio and Envoy Gateway take no more than %d (256 MiB); strip its debug information", info.Size(), wasm.MaxSize)})
	}
	if plugin.Bytes, plugin.Digest, err = readDigested(f, info.Size()); err != nil {
		return plugin, fmt.Errorf("read %s: %w", file, err)
	}
	if plugin.Module, err = wasm.Read(plugin.Bytes); err != nil {
		return plugin, refused(file, wasm.Problems{err.Error()})
	}
	if err := plugin.Module.Check(); err != nil {
		if !noCheck {
			return plugin, fmt.Errorf("%w\nTo push it all the same, for another proxy or a newer one: --no-check", refused(file, err))
		}
		a.say("%s: pushed unchecked, and Envoy would not load it:\n%s", file, indent(err.Error(), "  "))
	}
	a.say("%s: %s, proxy-wasm ABI %s, %s", file, bytesOf(info.Size()), orNone(plugin.Module.ABI()), counted(len(plugin.Module.Imports), "import"))
	return plugin, nil
}

// readDigested reads so many bytes, and computes their digest beside that: either takes about as long.
func readDigested(from io.Reader, size int64) (data []byte, sum digest.Digest, err error) {
	const piece = 1 << 20
	data = inLargePages(make([]byte, size))
	pieces, done := make(chan []byte, size/piece+1), make(chan digest.Digest)
	go func() {
		digester := digest.Canonical.Digester()
		for p := range pieces {
			digester.Hash().Write(p)
		}
		done <- digester.Digest()
	}()
	for at := int64(0); at < size && err == nil; at += piece {
		p := data[at:min(at+piece, size)]
		if _, err = io.ReadFull(from, p); err == nil {
			pieces <- p
		}
	}
	close(pieces)
	return data, <-done, err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// refused says why a file is not pushed.
func refused(file string, why error) error {
	return fmt.Errorf("%s is not pushed:\n%s", file, indent(why.Error(), "  "))
}

// send pushes the plugin in each layout to one place, which is asked for the tags while digests are computed.
func (a *app) send(ctx context.Context, client *registry.Client, o *pushOptions, ref registry.Reference, layouts []artifact.Layout, plugin artifact.Plugin, back *readBack) (done []pushed, err error) {
	store, err := client.Open(ref, registry.Write)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	store.Ahead(ctx, o.tags)
	for i, layout := range layouts {
		built, err := artifact.Build(layout, plugin, o.meta)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.file, err)
		}
		p := pushed{built, o.tags}
		if i > 0 { // --format both
			p.tags = suffixed(o.tags)
		}
		o.connection.sent.start("pushing", built.Size())
		var there []func(registry.Content)
		if !o.noVerify && ref.Kind == registry.Remote { // a folder or a file has nothing before it is committed
			there = append(there, func(b registry.Content) { back.begin(ctx, store, artifact.Blob(b)) })
		}
		sent, err := registry.Push(ctx, store, p.blobs(), registry.Content(built.Manifest), p.tags, there...)
		o.connection.sent.stop()
		if err != nil {
			return nil, err
		}
		a.say("%s: %s", ref.Place(), p.report(sent))
		done = append(done, p)
	}
	return done, store.Commit()
}

func (p pushed) blobs() []registry.Content {
	var blobs []registry.Content
	for _, b := range p.artifact.Blobs {
		blobs = append(blobs, registry.Content(b))
	}
	return blobs
}

// report says what a push had to do.
func (p pushed) report(sent registry.Sent) string {
	tags := "tag " + strings.Join(p.tags, ", ")
	if len(p.tags) > 1 {
		tags = "tags " + strings.Join(p.tags, ", ")
	}
	switch {
	case sent.Blobs == 0 && sent.Tags == 0:
		return fmt.Sprintf("nothing to upload (%s), %s as before", p.artifact.Layout, tags)
	case sent.Blobs == 0:
		return fmt.Sprintf("nothing to upload (%s), %s set", p.artifact.Layout, tags)
	}
	return fmt.Sprintf("%s uploaded in %s (%s), %s set", bytesOf(sent.Bytes), counted(sent.Blobs, "blob"), p.artifact.Layout, tags)
}
