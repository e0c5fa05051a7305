package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/manifest"
	"github.com/routelens/routelens/publish/internal/registry"
)

const manifestHelp = `Prints the YAML that installs a plugin. The registry is asked what REF is now, and the YAML names it by
its digest. What the one it is for could not pull is refused, with the reason.

For:
  istio                     a WasmPlugin
  istio-traffic-extension   a TrafficExtension, which takes its place since Istio 1.30
  envoy-gateway             an EnvoyExtensionPolicy; it needs a --target
  envoy                     a whole configuration for one Envoy, which finds the plugin in a file

The configuration is a JSON file, read with the parser that is in the Routelens plugin itself: every
fault is named, and nothing is printed. It is for the configuration of Routelens alone: --no-check
takes any object, for any other plugin.

In Istio and Envoy Gateway the plugin fails open: where it cannot be fetched, traffic passes without
it. For a plugin that guards something, change that.`

const manifestExample = `  publish manifest registry.example.com/team/routelens:1.0 --for istio --config routelens.json \
    --namespace istio-system --selector istio=ingressgateway | kubectl apply -f -
  publish manifest registry.example.com/team/routelens:1.0 --for envoy-gateway --target HTTPRoute/checkout
  publish manifest oci-archive:routelens.tar:1.0 --for envoy --upstream 127.0.0.1:8080 > envoy.yaml`

type manifestOptions struct {
	connection connection
	timeout    time.Duration

	kind, configFile   string
	noCheck            bool
	selector, target   []string
	sinkAddress, phase string
	to                 manifest.Options
}

func (a *app) manifest() *cobra.Command {
	o := &manifestOptions{}
	c := &cobra.Command{
		Use:     "manifest REF --for KIND",
		Short:   "Print the YAML that installs a plugin, pinned by its digest",
		Long:    manifestHelp,
		Example: manifestExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			if err := o.complete(c.Flags(), ref); err != nil {
				return err
			}
			return a.runManifest(c.Context(), o, ref)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.kind, "for", "", "istio, istio-traffic-extension, envoy-gateway or envoy")
	f.StringVar(&o.configFile, "config", "", "the plugin's configuration: a JSON `file`, or - for standard input")
	f.BoolVar(&o.noCheck, "no-check", false, "the configuration is another plugin's: take any JSON object")
	f.StringVar(&o.to.Name, "name", "routelens", "name of the resource, and of the plugin in it")
	f.StringVarP(&o.to.Namespace, "namespace", "n", "", "namespace of the resource; else the one of whoever applies it")
	f.StringArrayVar(&o.selector, "selector", nil, "Istio: proxies of workloads with this label, `key=value`; may be repeated")
	f.StringArrayVar(&o.target, "target", nil, "attach it to this, `KIND/NAME`, such as Gateway/eg; may be repeated")
	f.StringVar(&o.to.PullSecret, "pull-secret", "", "secret with the registry's credentials, in the same namespace")
	f.StringVar(&o.phase, "phase", "STATS", "Istio: place among its filters, AUTHN, AUTHZ or STATS")
	f.StringVar(&o.to.File, "file", "", "Envoy: the plugin's file (default /etc/envoy/NAME.wasm)")
	f.StringVar(&o.to.Upstream, "upstream", "127.0.0.1:8080", "Envoy: where requests go, `HOST:PORT`")
	f.StringVar(&o.sinkAddress, "sink", "127.0.0.1:9428", "Envoy: where the configuration's sink.cluster is, `HOST:PORT`")
	o.connection.flags(f, "", "registry")
	within(f, &o.timeout)
	c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("phase", cobra.FixedCompletions(phases, cobra.ShellCompDirectiveNoFileComp))
	f.SetAnnotation("config", cobra.BashCompFilenameExt, []string{"json"})
	return c
}

var phases = []string{"AUTHN", "AUTHZ", "STATS"}

// meantFor says which kinds have a place for a flag. The others are for all.
var meantFor = map[string][]manifest.Kind{
	"namespace":   {manifest.Istio, manifest.IstioTrafficExtension, manifest.EnvoyGateway},
	"selector":    {manifest.Istio, manifest.IstioTrafficExtension},
	"target":      {manifest.Istio, manifest.IstioTrafficExtension, manifest.EnvoyGateway},
	"pull-secret": {manifest.Istio, manifest.IstioTrafficExtension, manifest.EnvoyGateway},
	"phase":       {manifest.Istio, manifest.IstioTrafficExtension},
	"file":        {manifest.Envoy},
	"upstream":    {manifest.Envoy},
	"sink":        {manifest.Envoy},
}

// consumers are the names, in artifact.Consumers, of those who pull. Envoy is not one of them: publish pull does it.
var consumers = map[manifest.Kind]string{
	manifest.Istio: "Istio", manifest.IstioTrafficExtension: "Istio", manifest.EnvoyGateway: "Envoy Gateway",
}

func kindNames() []string {
	var names []string
	for _, k := range manifest.Kinds {
		names = append(names, string(k))
	}
	return names
}

// resourceName is what Kubernetes takes as a resource's name.
var resourceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// complete checks what the flags say.
func (o *manifestOptions) complete(f *pflag.FlagSet, ref registry.Reference) error {
	kind := manifest.Kind(o.kind)
	if !slices.Contains(manifest.Kinds, kind) {
		return misuse("--for must be one of %s", strings.Join(kindNames(), ", "))
	}
	o.to.Kind = kind
	var stray error
	f.Visit(func(flag *pflag.Flag) {
		if kinds, some := meantFor[flag.Name]; stray == nil && some && !slices.Contains(kinds, kind) {
			stray = misuse("--%s has no meaning for %s", flag.Name, kind)
		}
	})
	if stray != nil {
		return stray
	}
	if o.to.Phase = strings.ToUpper(o.phase); !slices.Contains(phases, o.to.Phase) {
		return misuse("no phase %q: there are %s", o.phase, strings.Join(phases, ", "))
	}
	for flag, name := range map[string]string{"name": o.to.Name, "namespace": o.to.Namespace, "pull-secret": o.to.PullSecret} {
		if name != "" && !resourceName.MatchString(name) || flag == "name" && name == "" {
			return misuse("--%s %q is no name of a resource: lower-case letters, digits, dashes and dots", flag, name)
		}
	}
	if o.configFile == "-" && o.connection.passwordStdin {
		return misuse("--config - and --password-stdin cannot both read standard input; publish login keeps the password")
	}
	if kind == manifest.Envoy {
		return o.completeEnvoy()
	}
	if ref.Kind != registry.Remote {
		return misuse("%s: %s pulls from registries alone; publish copy brings it into one", ref, consumers[kind])
	}
	return o.completeAttachment()
}

func (o *manifestOptions) completeEnvoy() error {
	if o.to.File == "" {
		o.to.File = "/etc/envoy/" + o.to.Name + ".wasm"
	}
	if strings.ContainsAny(o.to.File, "\r\n") {
		return misuse("--file %q has an end of line in it", o.to.File)
	}
	for flag, address := range map[string]string{"upstream": o.to.Upstream, "sink": o.sinkAddress} {
		if _, _, err := manifest.ParseAddress(address); err != nil {
			return misuse("--%s: %w", flag, err)
		}
	}
	return nil
}

func (o *manifestOptions) completeAttachment() error {
	for _, s := range o.selector {
		label, err := manifest.ParseLabel(s)
		if err != nil {
			return usageError{err}
		}
		if slices.ContainsFunc(o.to.Selector, func(l manifest.Label) bool { return l.Key == label.Key }) {
			return misuse("label %s is given twice", label.Key)
		}
		o.to.Selector = append(o.to.Selector, label)
	}
	for _, s := range o.target {
		target, err := manifest.ParseTarget(o.to.Kind, s)
		if err != nil {
			return usageError{err}
		}
		o.to.Targets = append(o.to.Targets, target)
	}
	switch {
	case len(o.to.Selector) > 0 && len(o.to.Targets) > 0:
		return misuse("--selector and --target: Istio takes one of them")
	case o.to.Kind == manifest.EnvoyGateway && len(o.to.Targets) == 0:
		return misuse("--for envoy-gateway needs --target, such as --target Gateway/eg")
	}
	return nil
}

func (a *app) runManifest(ctx context.Context, o *manifestOptions, ref registry.Reference) error {
	if o.configFile != "" {
		data, err := a.readInput(o.configFile)
		if err != nil {
			return err
		}
		if err := a.configure(o, data); err != nil {
			return err
		}
	}
	err := a.reading(ctx, &o.connection, o.timeout, ref, func(ctx context.Context, store *registry.Store) (err error) {
		o.to.Reference, err = pin(ctx, store, consumers[o.to.Kind])
		return err
	})
	if err != nil {
		return err
	}
	text, err := manifest.Make(o.to)
	if err != nil {
		return err
	}
	_, err = a.out.Write(text)
	return err
}

// configure takes the configuration, if the plugin would.
func (a *app) configure(o *manifestOptions, data []byte) error {
	o.to.Config = data
	if o.noCheck {
		return nil
	}
	parsed, err := config.Parse(data)
	if err != nil {
		return faults(o.configFile, err)
	}
	if parsed.Redact.Key != "" || len(parsed.Sink.Headers) > 0 {
		a.say("%s: what redact.key and sink.headers hold is in the YAML as it stands: whoever reads it knows it", o.configFile)
	}
	o.to.Sink = manifest.Sink{Cluster: parsed.Sink.Cluster, Address: o.sinkAddress}
	return nil
}

// pin finds what a reference names now, and names it by its digest. Of an index that is the image which would be chosen: Envoy Gateway
// compares the digest of the reference with that of the image.
func pin(ctx context.Context, store *registry.Store, consumer string) (pinned string, err error) {
	ref := store.Ref
	root, err := store.Resolve(ctx)
	if err != nil {
		return "", err
	}
	found, err := artifact.Open(ctx, store, root)
	if err != nil {
		return "", readError(store, err)
	}
	if consumer == "" {
		if _, err := artifact.Find(&found.Manifest); err != nil {
			return "", fmt.Errorf("%s: %w\nSee publish inspect %s", ref, err, ref)
		}
	}
	for _, c := range artifact.Consumers {
		if c.Name != consumer {
			continue
		}
		if _, err := c.Find(&found.Manifest); err != nil {
			return "", fmt.Errorf("%s: %s could not pull it: %w\nPush the plugin with --format oci or compat.", ref, consumer, err)
		}
		if err := c.Repository(ref.Repository); err != nil {
			return "", fmt.Errorf("%s: %s could not pull it: %w\nCopy it to another repository: publish copy %s %s/NAME", ref, consumer, err, ref, ref.Host)
		}
	}
	return ref.At(found.Descriptor.Digest).String(), nil
}
