package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/sbom"
)

const attachHelp = `Attaches a bill of materials to a plugin, as an artifact that refers to it (OCI 1.1); where a registry
has no referrers API, by the tag that takes its place. One of these says which:
  --sbom FILE      this one: SPDX or CycloneDX, in JSON; it has to be what it says it is
  --build-info     made of what the Go compiler wrote into the plugin
  --go-list FILE   made of what go list -deps -json, or tinygo list, prints in the plugin's folder, as
                   TinyGo writes nothing into the plugin

What is made is CycloneDX: the plugin with its SHA-256, and every Go module and the compiler in it. The
same input gives the same bytes; so it has a time only where SOURCE_DATE_EPOCH is set.

Standard output has the digest reference of what was attached, for publish sign.`

const attachExample = `  publish attach registry.example.com/team/routelens:1.0 --sbom routelens.spdx.json
  publish attach ghcr.io/team/plugin:1.0 --build-info
  tinygo list -target wasip1 -deps -json ./plugin | publish attach ghcr.io/team/plugin:1.0 --go-list -`

type attachOptions struct {
	connection   connection
	timeout      time.Duration
	sbom, goList string
	buildInfo    bool
}

func (a *app) attach() *cobra.Command {
	o := &attachOptions{}
	c := &cobra.Command{
		Use:     "attach REF --sbom FILE | --build-info | --go-list FILE",
		Short:   "Attach a bill of materials to a plugin",
		Long:    attachHelp,
		Example: attachExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f := c.Flags(); !oneOf(f.Changed("sbom"), f.Changed("go-list"), o.buildInfo) {
				return misuse("one of --sbom, --build-info and --go-list says which bill of materials")
			}
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			return a.runAttach(c.Context(), o, ref)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.sbom, "sbom", "", "attach this bill of materials: a `file`, or - for standard input")
	f.BoolVar(&o.buildInfo, "build-info", false, "make one of the build information in the plugin")
	f.StringVar(&o.goList, "go-list", "", "make one of what go list printed: a `file`, or - for standard input")
	o.connection.flags(f, "", "registry")
	within(f, &o.timeout)
	f.SetAnnotation("sbom", cobra.BashCompFilenameExt, []string{"json"})
	f.SetAnnotation("go-list", cobra.BashCompFilenameExt, []string{"json"})
	return c
}

func oneOf(given ...bool) bool {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	return n == 1
}

func (a *app) runAttach(ctx context.Context, o *attachOptions, ref registry.Reference) error {
	from, err := a.materials(o)
	if err != nil {
		return err
	}
	return a.writing(ctx, &o.connection, o.timeout, ref, func(ctx context.Context, store *registry.Store, root ocispec.Descriptor) error {
		doc, err := from(ctx, store, root)
		if err != nil {
			return err
		}
		attached, sent, err := sbom.Attach(ctx, store, root, doc)
		if err != nil {
			return err
		}
		if err := store.Commit(); err != nil {
			return err
		}
		done := "attached"
		if !sent {
			done = "attached before; nothing was sent"
		}
		a.say("%s: bill of materials, %s, %s: %s", ref, doc.Format, counted(doc.Parts, "component"), done)
		_, err = fmt.Fprintln(a.out, ref.At(attached.Digest))
		return err
	})
}

// source makes the bill of materials for what is in a store.
type source func(context.Context, *registry.Store, ocispec.Descriptor) (*sbom.Document, error)

// materials reads what the flags name, before anything is asked of a registry.
func (a *app) materials(o *attachOptions) (source, error) {
	file := o.sbom + o.goList // one of them
	if file == "-" && o.connection.passwordStdin {
		return nil, misuse("a file - and --password-stdin cannot both read standard input; publish login keeps the password")
	}
	created, err := artifact.Epoch(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return nil, usageError{err}
	}
	about := sbom.About{Created: created, Maker: strings.Trim(version(), "()")}
	if o.buildInfo {
		return made(about, sbom.FromPlugin), nil
	}
	data, err := a.readInput(file)
	if err != nil {
		return nil, err
	}
	if o.sbom != "" {
		doc, err := sbom.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("--sbom %s: %w", file, err)
		}
		return func(context.Context, *registry.Store, ocispec.Descriptor) (*sbom.Document, error) { return doc, nil }, nil
	}
	origin, err := sbom.FromGoList(data)
	if err != nil {
		return nil, fmt.Errorf("--go-list %s: %w", file, err)
	}
	return made(about, func([]byte) (*sbom.Origin, error) { return origin, nil }), nil
}

// made fetches the plugin, and describes it.
func made(about sbom.About, origin func(plugin []byte) (*sbom.Origin, error)) source {
	return func(ctx context.Context, store *registry.Store, root ocispec.Descriptor) (*sbom.Document, error) {
		manifest, err := artifact.Open(ctx, store, root)
		if err != nil {
			return nil, readError(store, err)
		}
		found, err := artifact.Find(&manifest.Manifest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w\nSee publish inspect %s", store.Ref, err, store.Ref)
		}
		if about.Plugin, err = found.Plugin(ctx, store); err != nil {
			return nil, readError(store, err)
		}
		about.Version = manifest.Annotations[ocispec.AnnotationVersion]
		of, err := origin(about.Plugin)
		if errors.Is(err, sbom.ErrNoBuildInfo) {
			return nil, fmt.Errorf("%s: the plugin: %w\nUse --go-list or --sbom.", store.Ref, err)
		}
		if err != nil {
			return nil, err
		}
		return sbom.Make(of, about)
	}
}
