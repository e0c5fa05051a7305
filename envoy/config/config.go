// Package config writes every Envoy configuration of this project: the demo's, the tests', the
// benchmark's and the examples that users copy. They all come from one template, bootstrap.yaml.tmpl,
// so that what is tested is what is shown.
//
//	err := config.Render(os.Stdout, config.Options{
//		Admin:    "127.0.0.1:9901",
//		Listen:   "127.0.0.1:10000",
//		Plugin:   &config.Plugin{File: "build/routelens.wasm", Config: `{"sink": {"cluster": "logs"}}`},
//		Routes:   []config.Route{{Name: "catalog", Prefix: "/catalog", Cluster: "catalog"}},
//		Clusters: []config.Cluster{{Name: "catalog", Address: "127.0.0.1:8080"}},
//		Sink:     &config.Cluster{Name: "logs", Address: "127.0.0.1:9428"},
//	})
package config

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// Options say what one Envoy serves and how the plugin watches it.
type Options struct {
	Title    string    // comment lines at the top of the file
	Admin    string    // host:port of the admin page
	Listen   string    // host:port of the entry, HTTP/1.1 and HTTP/2 alike
	Plugin   *Plugin   // nil: an Envoy without the plugin
	Routes   []Route   // tried in order
	Clusters []Cluster // the services behind the routes
	Sink     *Cluster  // the log store; nil: none
	TLS      *TLS      // nil: plain text
	Istio    *Istio    // nil: the Envoy is nobody's
	HTTP10   bool      // take HTTP/1.0 too, which Envoy by itself answers with 426
	// ListenersFile, if set, is where Envoy reads its listener from, as RenderListeners wrote it; Envoy
	// reads it again whenever another file is renamed over it.
	ListenersFile string
	// JSONLog and Lua are Envoy's own ways, for the benchmark to compare with: the file of a JSON access
	// log, and the script of a Lua filter. Empty: none.
	JSONLog, Lua string
	// StatsFlush is how often Envoy merges its workers' histograms, as in "1s"; empty: its default, 5s.
	StatsFlush string
}

// TLS are PEM files.
type TLS struct {
	Certificate, Key string // the listener's own
	ClientCA         string // signs the certificate that every client must show; empty: none is asked for
}

// Istio is what Istio's agent and control plane write for the Envoys that are theirs.
type Istio struct {
	NodeID   string // begins with sidecar~, router~ or waypoint~
	Node     string // its metadata, JSON
	Inbound  bool   // the listener takes what comes to the workload, not what goes out from it
	Peer     []byte // what stands for the object that Istio's own filter keeps as downstream_peer; nil: nothing
	Identity string // io.istio.peer_principal, which Istio's listeners for tunnels set; empty: none
}

// FilterState are the objects that the listener keeps for each request, in base64.
func (i *Istio) FilterState() map[string]string {
	objects := map[string]string{}
	for name, value := range map[string][]byte{"downstream_peer": i.Peer, "io.istio.peer_principal": []byte(i.Identity)} {
		if len(value) > 0 {
			objects[name] = base64.StdEncoding.EncodeToString(value)
		}
	}
	return objects
}

// Plugin is the one filter entry that loads Routelens.
type Plugin struct {
	File   string            // the .wasm
	Config string            // JSON, handed to the plugin as it is
	VMID   string            // plugins with the same vm_id, code and environment share their VMs
	Env    map[string]string // environment variables of the VM
}

// Route sends what it matches to a cluster, or answers by itself.
type Route struct {
	Name    string // becomes the label and http.route; may be empty
	Prefix  string // of the path
	Connect bool   // matches CONNECT instead of a prefix, and tunnels to the cluster
	Cluster string
	Status  int    // without a cluster: the status to answer with
	Rewrite string // replaces the prefix before the request goes on
	Timeout string // of the whole response, as in "2s" ("0s": none, for streams); empty: Envoy's 15s
}

// Cluster is one address under a name.
type Cluster struct {
	Name             string
	Address          string // host:port; a host that is not an IP address is looked up by DNS
	HTTP2            bool   // needed for gRPC
	CA               string // a PEM file, of who signs the server's certificate: it is reached by TLS; empty: in plain text
	Certificate, Key string // PEM files, what the Envoy shows to the server; empty: nothing
	SAN              string // the name that the server's certificate must have, an URI; empty: that of Address
	Istio, Workload  string // what Istio's control plane says of the cluster, JSON, and of the workload at its endpoint; empty: nothing
	// Credential is a file that holds the header authorization of what goes to the sink, for Envoy to add; empty: none.
	Credential string
}

// Discovery is Envoy's name for the way it learns the address.
func (c Cluster) Discovery() string {
	host, _, _ := net.SplitHostPort(c.Address)
	if net.ParseIP(host) == nil {
		return "STRICT_DNS"
	}
	return "STATIC"
}

// Host is the address without its port: the name that the server's certificate must have.
func (c Cluster) Host() string {
	host, _, _ := net.SplitHostPort(c.Address)
	return host
}

// Tunnels tells whether any route takes CONNECT.
func (o Options) Tunnels() bool {
	for _, r := range o.Routes {
		if r.Connect {
			return true
		}
	}
	return false
}

// Labels are the tags that Envoy takes out of the plugin's stat names.
func (o Options) Labels() []string {
	if o.Istio == nil {
		return metrics.Labels()
	}
	return slices.Concat(metrics.Labels(), record.IstioLabels)
}

// Render writes a whole bootstrap.
func Render(w io.Writer, o Options) error { return render(w, "bootstrap", o) }

// RenderListeners writes the listener alone, in the form that Options.ListenersFile is read in.
func RenderListeners(w io.Writer, o Options) error { return render(w, "listeners", o) }

//go:embed bootstrap.yaml.tmpl
var source string

var files = template.Must(template.New("").Funcs(template.FuncMap{
	"address": address, "yaml": scalar, "literal": literal, "comment": comment,
}).Parse(source))

func render(w io.Writer, name string, o Options) error {
	if err := files.ExecuteTemplate(w, name, o); err != nil {
		return fmt.Errorf("rendering Envoy's %s: %w", name, err)
	}
	return nil
}

func address(hostport string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("address %q must be host:port: %w", hostport, err)
	}
	return fmt.Sprintf("{socket_address: {address: %s, port_value: %s}}", scalar(host), port), nil
}

var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// scalar quotes what YAML might read as something else: a JSON string is a YAML one too.
func scalar(s string) string {
	if plain.MatchString(s) && s != "true" && s != "false" && s != "null" {
		return s
	}
	quoted, _ := json.Marshal(s)
	return string(quoted)
}

// literal shows JSON as it was written, as a block; anything else, such as the broken configurations
// of a test, is quoted.
func literal(indent int, s string) string {
	if !json.Valid([]byte(s)) {
		return scalar(s)
	}
	margin := "\n" + strings.Repeat(" ", indent)
	return "|" + margin + strings.ReplaceAll(strings.TrimSpace(s), "\n", margin)
}

func comment(s string) string {
	return "# " + strings.ReplaceAll(s, "\n", "\n# ")
}
