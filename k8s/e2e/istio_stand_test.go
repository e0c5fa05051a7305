//go:build istio

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/routelens/routelens/envoy/lab"
)

// control is istiod with the resources of a folder.
type control struct {
	*lab.Process
	mesh
	store   *lab.Store
	pki     *pki
	address string
	dir     string // the folder
	command lab.Command
}

// meshConfig turns off what needs Istio's own build of Envoy.
const meshConfig = `
defaultProviders: {}
enableAutoMtls: false
enablePrometheusMerge: false
trustDomain: cluster.local
`

// pullSecrets are credentials by NAMESPACE/NAME of the secret.
type pullSecrets map[string]string

// pullSecret is what kubectl create secret docker-registry makes.
const pullSecret = `apiVersion: v1
kind: Secret
type: kubernetes.io/dockerconfigjson
metadata: {namespace: %s, name: %s}
data: {.dockerconfigjson: %s}
`

// openControl starts istiod, over the shop and the store.
func openControl(t testing.TB, secrets pullSecrets) *control {
	t.Helper()
	store := openStore(t)
	c := &control{mesh: newMesh(t, openShop(t)), store: store, pki: newPKI(t), dir: t.TempDir()}
	c.apply(t, "mesh", c.mesh.yaml(t))
	c.apply(t, "store", strings.Replace(storeResource, "PORT", must(port(store.Address))(t), 1))
	var err error
	c.address, err = lab.FreeAddress(0)
	require.NoError(t, err)
	home := t.TempDir()
	write(t, home, "mesh.yaml", meshConfig+fmt.Sprintf("proxyListenPort: %d\nproxyInboundListenPort: %d\n", freePort(t), freePort(t)))
	for name, credentials := range secrets {
		namespace, name, _ := strings.Cut(name, "/")
		write(t, home, "secrets/"+namespace+"."+name+".yaml", fmt.Sprintf(pullSecret, namespace, name, base64.StdEncoding.EncodeToString([]byte(credentials))))
	}
	c.command = lab.Command{
		Name: "istiod", Binary: needed(t, "ROUTELENS_ISTIOD"), Dir: home, In: true,
		Args: []string{"-resources", c.dir, "-mesh", "mesh.yaml", "-secrets", "secrets", "-listen", c.address, "-pki", c.pki.dir},
		Env: []string{
			"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH"), "POD_NAME=istiod-0", "POD_NAMESPACE=istio-system",
			"PILOT_CERT_PROVIDER=none", "ENABLE_CA_SERVER=false",
			// Filters that a plain Envoy has not.
			"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false",
		},
	}
	c.start(t)
	t.Cleanup(func() {
		assert.NoError(t, c.Stop())
		showIfFailed(t, c.Process)
	})
	return c
}

func (c *control) start(t testing.TB) {
	var err error
	c.Process, err = lab.Start(c.command)
	require.NoError(t, err)
	require.NoError(t, c.Serves(t.Context(), time.Minute, listening(c.address)))
}

// restart is as if the next istiod had taken over: proxies connect anew, as they do every half hour by default.
func (c *control) restart(t testing.TB) {
	require.NoError(t, c.Stop())
	c.start(t)
}

// apply puts resources in the folder under a name, in one step; what was there under it goes.
func (c *control) apply(t testing.TB, name, resources string) {
	t.Helper()
	write(t, c.dir, name+".new", resources) // not .yaml: not read
	require.NoError(t, os.Rename(filepath.Join(c.dir, name+".new"), filepath.Join(c.dir, name+".yaml")))
}

// proxy is pilot-agent and its Envoy.
type proxy struct {
	*lab.Envoy
	control   *control
	agent     string // URL of its pages
	takesNone bool   // a configuration that is refused is meant to be
}

// proxyOptions say which pod it stands for.
type proxyOptions struct {
	kind        string // router or sidecar
	namespace   string
	labels      map[string]string
	config      map[string]any    // of the mesh's default proxyConfig
	annotations map[string]string // of the pod
	trust       string            // file of authorities
}

func gateway(t testing.TB) proxyOptions {
	values := labelsOfTheMesh(t)
	return proxyOptions{
		kind: "router", namespace: "istio-system", labels: map[string]string{"istio": "ingressgateway"},
		config: values.MeshConfig.DefaultConfig, annotations: values.Injector.Annotations,
	}
}

func sidecar(t testing.TB) proxyOptions {
	return proxyOptions{kind: "sidecar", namespace: "shop", labels: map[string]string{"app": "checkout"}, annotations: labelsOfTheWorkload(t)}
}

// startProxy does not wait until it serves. Its data folder is a fixed one, so it gets one of its own, which goes with it.
func (c *control) startProxy(t testing.TB, o proxyOptions) *proxy {
	t.Helper()
	home := t.TempDir()
	admin, status := freePort(t), freePort(t)
	settings := map[string]any{
		"binaryPath": needed(t, "ROUTELENS_ENVOY"), "configPath": filepath.Join(home, "proxy"), "discoveryAddress": c.address,
		"controlPlaneAuthPolicy": "MUTUAL_TLS", "proxyAdminPort": admin, "statusPort": status, "concurrency": 2, "terminationDrainDuration": "1s",
	}
	for key, value := range o.config {
		settings[key] = value
	}
	c.pki.workload(t, home, o.namespace, "default")
	write(t, home, "var/run/secrets/istio/root-cert.pem", string(read(t, c.pki.dir+"/ca.crt")))
	write(t, home, "var/run/secrets/tokens/istio-token", "none")
	write(t, home, "etc/istio/pod/labels", downward(o.labels))
	write(t, home, "etc/istio/pod/annotations", downward(o.annotations))
	template := read(t, filepath.Join(needed(t, "ROUTELENS_ISTIO"), "tools/packaging/common/envoy_bootstrap.json"))
	require.Contains(t, string(template), everywhere)
	write(t, home, "bootstrap.json", strings.ReplaceAll(string(template), everywhere, "127.0.0.1"))
	require.NoError(t, os.MkdirAll(filepath.Join(home, "proxy"), 0o755))
	process, err := lab.Start(lab.Command{
		Name: "pilot-agent", Binary: "/bin/sh", Dir: home, In: true, Alone: true,
		Args: []string{
			"-c", `mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/istio/data && exec "$@"`, "sh",
			needed(t, "ROUTELENS_PILOT_AGENT"), "proxy", o.kind, "--domain", o.namespace + ".svc.cluster.local", "--log_output_level=default:info,wasm:debug",
		},
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "SSL_CERT_FILE=" + o.trust,
			"PROXY_CONFIG=" + string(must(json.Marshal(settings))(t)), "ISTIO_BOOTSTRAP=" + home + "/bootstrap.json",
			"POD_NAME=proxy-0", "POD_NAMESPACE=" + o.namespace, "INSTANCE_IP=127.0.0.2", "SERVICE_ACCOUNT=default", "TRUST_DOMAIN=cluster.local",
			"ISTIO_META_CLUSTER_ID=Kubernetes", "ISTIO_META_MESH_ID=cluster.local", "ISTIO_META_UNPRIVILEGED_POD=true", "ISTIO_META_INTERCEPTION_MODE=REDIRECT",
			"JWT_POLICY=third-party-jwt", "PROV_CERT=" + home, "XDS_ROOT_CA=" + c.pki.dir + "/ca.crt", "CA_ROOT_CA=" + c.pki.dir + "/ca.crt", "ISTIOD_SAN=" + istiodName,
			fmt.Sprintf("ENVOY_STATUS_PORT=%d", freePort(t)), fmt.Sprintf("ENVOY_PROMETHEUS_PORT=%d", freePort(t)),
		},
	})
	require.NoError(t, err, "namespaces of its own need root, or a Linux that gives users some")
	p := &proxy{
		Envoy:   &lab.Envoy{Process: process, Entry: c.entry(o), Admin: fmt.Sprintf("http://127.0.0.1:%d", admin)},
		control: c, agent: fmt.Sprintf("http://127.0.0.1:%d", status),
	}
	t.Cleanup(func() {
		assert.NoError(t, p.Stop())
		assert.Empty(t, lab.Crashes(p.log(t)), "the log of agent and Envoy")
		assert.Equal(t, p.takesNone, strings.Contains(p.log(t), "gRPC config for type."), "Envoy rejected a configuration, as its log says")
		showIfFailed(t, process)
	})
	return p
}

// everywhere is where the bootstrap of Istio has Envoy listen.
const everywhere = "{{ .wildcard }}"

// entry is what a gateway's callers call, or a sidecar's workload.
func (c *control) entry(o proxyOptions) string {
	if o.kind == "sidecar" {
		return "http://" + c.Outbound
	}
	return "http://" + c.Gateway
}

// openProxy waits until Envoy serves.
func (c *control) openProxy(t testing.TB, o proxyOptions) *proxy {
	t.Helper()
	p := c.startProxy(t, o)
	require.NoError(t, p.Serves(t.Context(), 2*time.Minute, p.ready))
	return p
}

func (p *proxy) ready(ctx context.Context) (string, bool) {
	state, ok := lab.Answers(p.Admin + "/ready")(ctx)
	if !ok {
		return state, false
	}
	page, err := p.Page(ctx, "/listeners")
	listeners := string(page)
	return state + listeners, err == nil && (strings.Contains(listeners, p.control.Gateway) || strings.Contains(listeners, p.control.Inbound))
}

func (p *proxy) log(t testing.TB) string { return string(read(t, p.Log)) }

// extension is what the proxy runs at the place of the plugin: its configuration as Envoy has it, once pilot-agent is through with it.
func (p *proxy) extension(ctx context.Context) (string, error) {
	page, err := p.Page(ctx, "/config_dump?resource=ecds_filters")
	return string(page), err
}

// runs waits until what the proxy runs says all of that.
func (p *proxy) runs(t testing.TB, limit time.Duration, words ...string) {
	t.Helper()
	require.NoError(t, lab.Until(t.Context(), fmt.Sprintf("the proxy to run what says %q", words), limit, func(ctx context.Context) (string, bool) {
		has, err := p.extension(ctx)
		for _, word := range words {
			if !strings.Contains(has, word) {
				return fmt.Sprintf("%s %v", has, err), false
			}
		}
		return has, err == nil
	}))
}

// logs waits until the agent has logged it.
func (p *proxy) logs(t testing.TB, limit time.Duration, pattern string) {
	t.Helper()
	require.NoError(t, lab.Until(t.Context(), "the agent's log to say "+pattern, limit, func(context.Context) (string, bool) {
		text := p.log(t)
		return text[max(0, len(text)-1000):], regexp.MustCompile(pattern).MatchString(text)
	}))
}

// downward is the form of the downward API's files.
func downward(values map[string]string) string {
	var b strings.Builder
	for key, value := range values {
		fmt.Fprintf(&b, "%s=%s\n", key, strconv.Quote(value))
	}
	return b.String()
}

type meshValues struct {
	MeshConfig struct {
		DefaultConfig map[string]any `json:"defaultConfig"`
	} `json:"meshConfig"`
	Injector struct {
		Annotations map[string]string `json:"injectedAnnotations"`
	} `json:"sidecarInjectorWebhook"`
}

// labelsOfTheMesh are the labels and buckets as values of istiod's chart.
func labelsOfTheMesh(t testing.TB) (v meshValues) {
	require.NoError(t, yaml.Unmarshal(read(t, "../overlays/istio/labels/values.yaml"), &v))
	require.NotEmpty(t, v.MeshConfig.DefaultConfig)
	require.NotEmpty(t, v.Injector.Annotations)
	return v
}

// labelsOfTheWorkload are the same as annotations of a pod.
func labelsOfTheWorkload(t testing.TB) map[string]string {
	var patch struct {
		Spec struct {
			Template struct {
				Metadata struct{ Annotations map[string]string }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(read(t, "../overlays/istio/labels/annotations.yaml"), &patch))
	require.NotEmpty(t, patch.Spec.Template.Metadata.Annotations)
	return patch.Spec.Template.Metadata.Annotations
}

func freePort(t testing.TB) int {
	address, err := lab.FreeAddress(0)
	require.NoError(t, err)
	n, err := strconv.Atoi(must(port(address))(t))
	require.NoError(t, err)
	return n
}

func listening(address string) func(context.Context) (string, bool) {
	return func(context.Context) (string, bool) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err.Error(), false
		}
		conn.Close()
		return "", true
	}
}

func showIfFailed(t testing.TB, p *lab.Process) {
	if t.Failed() {
		log := read(t, p.Log)
		t.Logf("%s ends:\n%s", p.Log, log[max(0, len(log)-6000):])
	}
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}

func read(t testing.TB, file string) []byte {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return data
}

func write(t testing.TB, dir, name, text string) {
	file := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}
