// Package manifest writes the YAML that installs a plugin, pinned by its digest.
package manifest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// Kind is what is to install the plugin.
type Kind string

// The kinds.
const (
	Istio                 Kind = "istio"                   // a WasmPlugin
	IstioTrafficExtension Kind = "istio-traffic-extension" // a TrafficExtension, since Istio 1.30
	EnvoyGateway          Kind = "envoy-gateway"           // an EnvoyExtensionPolicy
	Envoy                 Kind = "envoy"                   // a whole configuration of one Envoy
)

// Kinds are all of them.
var Kinds = []Kind{Istio, IstioTrafficExtension, EnvoyGateway, Envoy}

// Options say what to write. Which of them a kind has no place for, the command line knows.
type Options struct {
	Kind      Kind
	Reference string // HOST/REPO@sha256:..., which never changes
	Name      string // of the resource and of the plugin
	Config    []byte // a JSON object, or nothing

	Namespace  string
	Selector   []Label
	Targets    []Target
	PullSecret string
	Phase      string

	File     string // where Envoy finds the plugin
	Upstream string // HOST:PORT of what Envoy stands before
	Sink     Sink
}

// Label is one that a proxy's workload must have.
type Label struct{ Key, Value string }

// Target is what a policy is attached to.
type Target struct{ Group, Kind, Name string }

// groups are the API groups of what there is to attach to.
var groups = map[string]string{
	"Gateway": gatewayAPI, "GatewayClass": gatewayAPI, "HTTPRoute": gatewayAPI, "GRPCRoute": gatewayAPI,
	"Service": "", "ServiceEntry": "networking.istio.io",
}

const gatewayAPI = "gateway.networking.k8s.io"

// targetKinds are what each kind can be attached to, by the rules of its own API.
var targetKinds = map[Kind][]string{
	Istio:                 {"Gateway", "GatewayClass", "Service", "ServiceEntry"},
	IstioTrafficExtension: {"Gateway", "GatewayClass", "Service", "ServiceEntry"},
	EnvoyGateway:          {"Gateway", "HTTPRoute", "GRPCRoute"},
}

// ParseTarget reads KIND/NAME.
func ParseTarget(kind Kind, s string) (Target, error) {
	of, name, _ := strings.Cut(s, "/")
	for _, k := range targetKinds[kind] {
		if strings.EqualFold(of, k) && name != "" {
			return Target{groups[k], k, name}, nil
		}
	}
	return Target{}, fmt.Errorf("target %q must be KIND/NAME, where KIND is one of %s", s, strings.Join(targetKinds[kind], ", "))
}

// ParseLabel reads key=value.
func ParseLabel(s string) (Label, error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" || value == "" {
		return Label{}, fmt.Errorf("label %q must be key=value", s)
	}
	return Label{key, value}, nil
}

// Sink is the cluster that the configuration sends records to, where it does.
type Sink struct {
	Cluster string
	Address string // HOST:PORT
}

// Make writes the YAML.
func Make(o Options) ([]byte, error) {
	config, err := block(o.Config)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the configuration %w", err)
	case o.Kind == Envoy:
		return o.envoy()
	}
	root := map[Kind]func(*yaml.Node) *yaml.Node{
		Istio: o.wasmPlugin, IstioTrafficExtension: o.trafficExtension, EnvoyGateway: o.extensionPolicy,
	}[o.Kind](config)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

const (
	istioOpen = `FAIL_OPEN: where the plugin cannot be fetched or started, traffic passes without it. The default, FAIL_CLOSE,
would answer 403 to all of it: what watches the traffic must not stop it.`
	gatewayOpen = `Where the plugin cannot be fetched or started, traffic passes without it. The default would answer 500 to all
of it: what watches the traffic must not stop it.`
	everywhere = `Neither selector nor targetRefs: every proxy of this namespace has it, and every one of the mesh if this is the
root namespace (istio-system, by default).`
	pinned = "By digest: this is what was looked at, whatever becomes of the tag."
)

func (o Options) wasmPlugin(config *yaml.Node) *yaml.Node {
	spec := o.attached()
	spec.add("", "phase", text(o.Phase))
	o.istio(spec, config)
	return o.resource("extensions.istio.io/v1alpha1", "WasmPlugin", spec)
}

func (o Options) trafficExtension(config *yaml.Node) *yaml.Node {
	spec, wasm := o.attached(), object()
	spec.add("", "phase", text(o.Phase))
	o.istio(wasm, config)
	spec.add("", "wasm", wasm.Node)
	return o.resource("extensions.istio.io/v1alpha1", "TrafficExtension", spec)
}

// istio adds what both of Istio's resources say of a plugin, in the same words.
func (o Options) istio(to mapping, config *yaml.Node) {
	to.add("", "pluginName", text(o.Name))
	to.add(pinned, "url", text("oci://"+o.Reference))
	to.add("In this namespace, of type kubernetes.io/dockerconfigjson.", "imagePullSecret", text(o.PullSecret))
	to.add(istioOpen, "failStrategy", text("FAIL_OPEN"))
	to.add("", "pluginConfig", config)
}

// attached says which proxies have the plugin.
func (o Options) attached() mapping {
	spec := object()
	switch {
	case len(o.Selector) > 0:
		labels, selector := object(), object()
		for _, l := range o.Selector {
			labels.add("", l.Key, text(l.Value))
		}
		selector.add("", "matchLabels", labels.Node)
		spec.add("", "selector", selector.Node)
	case len(o.Targets) > 0:
		spec.add("", "targetRefs", o.targets())
	default:
		spec.HeadComment = everywhere
	}
	return spec
}

func (o Options) targets() *yaml.Node {
	var all []*yaml.Node
	for _, t := range o.Targets {
		target := object()
		target.add("", "group", scalar(t.Group))
		target.add("", "kind", text(t.Kind))
		target.add("", "name", text(t.Name))
		all = append(all, target.Node)
	}
	return list(all...)
}

func (o Options) extensionPolicy(config *yaml.Node) *yaml.Node {
	image, code, wasm, spec := object(), object(), object(), object()
	image.add(pinned, "url", text(o.Reference))
	if o.PullSecret != "" {
		secret := object()
		secret.add("", "name", text(o.PullSecret))
		image.add("In this namespace, of type kubernetes.io/dockerconfigjson.", "pullSecretRef", secret.Node)
	}
	code.add("", "type", text("Image"))
	code.add("", "image", image.Node)
	wasm.add("", "name", text(o.Name))
	wasm.add("", "rootID", text(o.Name))
	wasm.add(gatewayOpen, "failOpen", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	wasm.add("", "code", code.Node)
	wasm.add("", "config", config)
	spec.add("", "targetRefs", o.targets())
	spec.add("", "wasm", list(wasm.Node))
	return o.resource("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy", spec)
}

func (o Options) resource(version, kind string, spec mapping) *yaml.Node {
	metadata, root := object(), object()
	metadata.add("", "name", text(o.Name))
	metadata.add("", "namespace", text(o.Namespace))
	root.add("", "apiVersion", text(version))
	root.add("", "kind", text(kind))
	root.add("", "metadata", metadata.Node)
	root.add("", "spec", spec.Node)
	return root.Node
}

//go:embed envoy.yaml.tmpl
var envoyText string

var envoyTemplate = template.Must(template.New("envoy").Funcs(template.FuncMap{"quote": quote, "address": address}).Parse(envoyText))

func (o Options) envoy() ([]byte, error) {
	config := o.Config
	if len(config) == 0 {
		config = []byte("{}")
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(config), strings.Repeat(" ", 20), "  "); err != nil {
		return nil, fmt.Errorf("the configuration is not valid JSON: %w", err)
	}
	var out bytes.Buffer
	err := envoyTemplate.Execute(&out, struct {
		Options
		Indented string
	}{o, indented.String()})
	return out.Bytes(), err
}

// ParseAddress reads HOST:PORT.
func ParseAddress(s string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("%q must be HOST:PORT", s)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q must be HOST:PORT, with a port from 1 to 65535", s)
	}
	return host, uint16(n), nil
}

func address(s string) (string, error) {
	host, port, err := ParseAddress(s)
	return fmt.Sprintf("{socket_address: {address: %s, port_value: %d}}", quote(host), port), err
}

// quote is a text in YAML, within quotes: a JSON string is one.
func quote(s string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.Encode(s) // of a string, into memory: it cannot fail
	return strings.TrimSpace(out.String())
}
