package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/sign"
	"github.com/routelens/routelens/publish/internal/wasm"
)

const inspectHelp = `Looks at an artifact: its layout, digests and annotations, the plugin in it (its ABI and what it
imports), what is signed or attached to it, and who can pull it, by the rules of their own fetchers.

The plugin is fetched for it, and checked. Signatures are listed, not verified: publish verify does that.`

const inspectExample = `  publish inspect registry.example.com/team/routelens:1.0
  publish inspect -o json oci-layout:dist:1.0 | jq .plugin.imports`

func (a *app) inspect() *cobra.Command {
	var c connection
	var timeout time.Duration
	var output string
	command := &cobra.Command{
		Use:     "inspect REF",
		Short:   "Look at an artifact, and say who can pull it",
		Long:    inspectHelp,
		Example: inspectExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			var r *report
			err = a.reading(command.Context(), &c, timeout, ref, func(ctx context.Context, store *registry.Store) (err error) {
				r, err = look(ctx, store)
				return err
			})
			if err != nil {
				return err
			}
			if output == "json" {
				return a.encode(r)
			}
			return a.show(r)
		},
	}
	f := command.Flags()
	f.SortFlags = false
	outputFlag(command, &output)
	c.flags(f, "", "registry")
	within(f, &timeout)
	return command
}

// outputFlag adds --output, for commands whose result is for people and for programs.
func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVarP(output, "output", "o", "text", "text or json")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return misuse("no output %q: there are text and json", output)
	}
	return nil
}

// encode writes a result for programs.
func (a *app) encode(v any) error {
	out := json.NewEncoder(a.out)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// report is what inspect found. Its JSON is for programs: keys are added, never changed.
type report struct {
	Reference   string            `json:"reference"`
	Digest      digest.Digest     `json:"digest"`
	Index       digest.Digest     `json:"index,omitempty"` // where the manifest was chosen from one
	MediaType   string            `json:"mediaType"`
	Layout      artifact.Layout   `json:"layout,omitempty"`
	Size        int64             `json:"size"` // of everything together
	Annotations map[string]string `json:"annotations"`
	Layers      []layer           `json:"layers"`
	Plugin      *plugin           `json:"plugin,omitempty"`
	Signatures  []attached        `json:"signatures"`
	Attached    []attached        `json:"attached"` // bills of materials, attestations and what else refers to it
	Consumers   []verdict         `json:"consumers"`
}

type layer struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
}

type plugin struct {
	Digest   digest.Digest `json:"digest"`
	Size     int           `json:"size"`
	ABI      string        `json:"abi"`
	Imports  []string      `json:"imports"`
	Exports  []string      `json:"exports"`
	Problems []string      `json:"problems"` // why Envoy would not load it
	imports  []wasm.Import
}

type attached struct {
	Kind   string        `json:"kind"`
	Type   string        `json:"type,omitempty"`
	Digest digest.Digest `json:"digest"`
	Tag    string        `json:"tag,omitempty"`
}

type verdict struct {
	Name   string `json:"name"`
	Can    bool   `json:"can"`
	Reason string `json:"reason,omitempty"`
}

// look gathers the report.
func look(ctx context.Context, store *registry.Store) (*report, error) {
	root, err := store.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	manifest, err := artifact.Open(ctx, store, root)
	if err != nil {
		return nil, readError(store, err)
	}
	r := &report{
		Reference: store.Ref.At(root.Digest).String(), Digest: manifest.Descriptor.Digest, MediaType: manifest.Descriptor.MediaType,
		Size: manifest.Descriptor.Size + manifest.Config.Size, Annotations: manifest.Annotations,
		Signatures: []attached{}, Attached: []attached{},
	}
	if manifest.Index != nil {
		r.Index = manifest.Index.Digest
	}
	counted := map[digest.Digest]bool{manifest.Config.Digest: true}
	for _, l := range manifest.Layers {
		r.Layers = append(r.Layers, layer{l.MediaType, l.Digest, l.Size})
		if !counted[l.Digest] {
			counted[l.Digest], r.Size = true, r.Size+l.Size
		}
	}
	problem, err := r.open(ctx, store, &manifest.Manifest)
	if err != nil {
		return nil, readError(store, err)
	}
	r.judge(store.Ref.Repository, &manifest.Manifest, problem)
	return r, r.attach(ctx, store, root)
}

// open looks into the plugin. problem is why Envoy would not load what was found.
func (r *report) open(ctx context.Context, store *registry.Store, manifest *ocispec.Manifest) (problem, err error) {
	found, err := artifact.Find(manifest)
	if err != nil {
		return nil, nil // every consumer will say why
	}
	r.Layout = found.Layout
	data, err := found.Plugin(ctx, store)
	if errors.Is(err, artifact.ErrNoPlugin) {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	r.Plugin = &plugin{Digest: digest.FromBytes(data), Size: len(data), Imports: []string{}, Exports: []string{}, Problems: []string{}}
	module, problem := wasm.Read(data)
	if problem == nil {
		r.Plugin.ABI, r.Plugin.imports = module.ABI(), module.Imports
		for _, i := range module.Imports {
			r.Plugin.Imports = append(r.Plugin.Imports, i.String())
		}
		for _, e := range module.Exports {
			r.Plugin.Exports = append(r.Plugin.Exports, e.Name)
		}
		problem = module.Check()
	}
	var problems wasm.Problems
	switch {
	case errors.As(problem, &problems):
		r.Plugin.Problems = problems
	case problem != nil:
		r.Plugin.Problems = []string{problem.Error()}
	}
	return problem, nil
}

// judge says who can pull it.
func (r *report) judge(repository string, manifest *ocispec.Manifest, problem error) {
	for _, c := range artifact.Consumers {
		found, err := c.In(repository, manifest)
		switch {
		case err != nil:
			r.Consumers = append(r.Consumers, verdict{c.Name, false, err.Error()})
		case problem != nil && found.Layout != artifact.CNCF: // whose readers are no proxies
			r.Consumers = append(r.Consumers, verdict{c.Name, false, "Envoy would not load the plugin"})
		default:
			r.Consumers = append(r.Consumers, verdict{c.Name, true, ""})
		}
	}
}

// attach lists what belongs to the artifact.
func (r *report) attach(ctx context.Context, store *registry.Store, root ocispec.Descriptor) error {
	belonging, err := registry.Belonging(ctx, store, root)
	if err != nil {
		return err
	}
	for _, b := range belonging {
		if b.ArtifactType == sign.BundleType && b.Annotations == nil { // the list that takes the place of a referrers API may leave them out
			data, err := store.Manifest(ctx, b.Descriptor)
			if err != nil {
				return err
			}
			var manifest ocispec.Manifest
			if err := json.Unmarshal(data, &manifest); err != nil {
				return fmt.Errorf("%s: %s is not a valid manifest: %w", store.Ref, b.Digest, err)
			}
			b.Annotations = manifest.Annotations
		}
		one := attached{kindOf(b), b.ArtifactType, b.Digest, b.Tag}
		if one.Kind == signature {
			r.Signatures = append(r.Signatures, one)
		} else {
			r.Attached = append(r.Attached, one)
		}
	}
	return nil
}

const signature = "signature"

// kindOf tells what belongs to an artifact apart, by cosign's tags and the media types in use.
func kindOf(b registry.Belongs) string {
	if sign.Signs(b) {
		return signature
	}
	kind := strings.ToLower(b.ArtifactType)
	if b.Tag != "" {
		kind = b.Tag[strings.LastIndexByte(b.Tag, '.'):]
	}
	switch {
	case strings.Contains(kind, "notary.signature"):
		return signature
	case kind == ".sbom", strings.Contains(kind, "spdx"), strings.Contains(kind, "cyclonedx"), strings.Contains(kind, "sbom"):
		return "sbom"
	case kind == ".att", strings.Contains(kind, "in-toto"), strings.Contains(kind, "sigstore.bundle"):
		return "attestation"
	}
	return "other"
}

// show writes the report for a person.
func (a *app) show(r *report) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	line("Reference", "%s", r.Reference)
	line("Layout", "%s", orNone(string(r.Layout)))
	line("Size", "%s", bytesOf(r.Size))
	if r.Index != "" {
		line("Manifest", "%s, the one of the index that Istio takes", r.Digest)
	}
	if r.Plugin != nil {
		line("Plugin", "%s, %s", r.Plugin.Digest, bytesOf(int64(r.Plugin.Size)))
		line("ABI", "%s", orNone(r.Plugin.ABI))
		for module, names := range byModule(r.Plugin.imports) {
			line("Imports", "%s: %s", module, strings.Join(names, ", "))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Annotations)) {
		line("Annotation", "%s=%s", key, r.Annotations[key])
	}
	for _, l := range r.Layers {
		line("Layer", "%s, %s, %s", l.Digest, bytesOf(l.Size), l.MediaType)
	}
	for _, s := range append(slices.Clone(r.Signatures), r.Attached...) {
		line(strings.ToUpper(s.Kind[:1])+s.Kind[1:], "%s", s.describe())
	}
	if len(r.Signatures) == 0 {
		line("Signature", "none")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\n%s\n", a.style.bold("Who can pull it"))
	for _, v := range r.Consumers {
		if fmt.Fprintf(a.out, "  %s: %s", v.Name, a.style.verdict(v.Can)); v.Reason != "" {
			fmt.Fprintf(a.out, ": %s", oneLine(v.Reason))
		}
		fmt.Fprintln(a.out)
	}
	if r.Plugin != nil && len(r.Plugin.Problems) > 0 {
		fmt.Fprintf(a.out, "\n%s\n%s\n", a.style.bold("Why Envoy would not load it"), indent(printable(strings.Join(r.Plugin.Problems, "\n")), "  "))
	}
	return nil
}

// oneLine is text that keeps to its line of the table.
func oneLine(text string) string { return printable(strings.Join(strings.Fields(text), " ")) }

func (s attached) describe() string {
	text := s.Digest.String()
	if s.Tag != "" {
		text += ", under cosign's tag"
	}
	if s.Type != "" {
		text += ", " + s.Type
	}
	return text
}

// byModule groups imports by the module that they are imported from, in the order of their names.
func byModule(imports []wasm.Import) func(func(string, []string) bool) {
	groups := map[string][]string{}
	for _, i := range imports {
		groups[i.Module] = append(groups[i.Module], i.Name)
	}
	return func(yield func(string, []string) bool) {
		for _, module := range slices.Sorted(maps.Keys(groups)) {
			if !yield(module, groups[module]) {
				return
			}
		}
	}
}
