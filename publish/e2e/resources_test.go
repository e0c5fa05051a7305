//go:build consumers

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// schemas are the CRDs of those whose resources publish writes, out of their own modules.
func schemas(t testing.TB) []string {
	module := func(dir, name string) string {
		cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", name)
		cmd.Dir = filepath.Join("..", "consumers", dir)
		out, err := cmd.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	return []string{
		filepath.Join(module("istio", "istio.io/api"), "kubernetes", "customresourcedefinitions.gen.yaml"),
		filepath.Join(module("gateway", "github.com/envoyproxy/gateway"),
			"charts", "gateway-helm", "charts", "crds", "crds", "generated", "gateway.envoyproxy.io_envoyextensionpolicies.yaml"),
	}
}

// resource is what of the resources the tests look at.
type resource struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		installed
		Wasm json.RawMessage
	}
}

// installed is how each of Istio's resources says it.
type installed struct {
	URL          string
	FailStrategy string
	PluginConfig json.RawMessage
}

// policy is how Envoy Gateway's says it.
type policy []struct {
	FailOpen bool
	Code     struct{ Image struct{ URL string } }
	Config   json.RawMessage
}

func TestTheirOwnSchemasTakeTheManifestsAndTheirFetchersTheURL(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	crds := schemas(t)
	w := ways(t)[1]
	file, data := plugin(t, 20<<10)
	config := filepath.Join(t.TempDir(), "c.json")
	require.NoError(t, os.WriteFile(config, []byte(lens), 0o600))
	w.publish(t, "push", file, w.host+"/team/plugin:oci")
	w.publish(t, "push", file, w.host+"/team/plugin:compat", "--format", "compat")
	for kind, variants := range map[string][][]string{
		"istio": {nil, {"--selector", "istio=ingressgateway", "--selector", "on=yes", "--phase", "AUTHN"},
			{"--target", "Gateway/eg", "--target", "GatewayClass/istio-waypoint"}, {"--target", "Service/shop", "--target", "ServiceEntry/out"}},
		"istio-traffic-extension": {nil, {"--selector", "istio=ingressgateway", "--selector", "on=yes", "--phase", "AUTHZ"},
			{"--target", "Gateway/eg", "--target", "GatewayClass/istio-waypoint"}, {"--target", "Service/shop", "--target", "ServiceEntry/out"}},
		"envoy-gateway": {{"--target", "Gateway/eg"}, {"--target", "HTTPRoute/a", "--target", "GRPCRoute/b"}},
	} {
		for _, flags := range variants {
			for _, tag := range []string{"oci", "compat"} {
				t.Run(kind+" "+tag+" "+strings.Join(flags, " "), func(t *testing.T) {
					args := append([]string{"manifest", w.host + "/team/plugin:" + tag, "--for", kind, "--config", config,
						"-n", "apps", "--pull-secret", "login", "--name", "lens"}, flags...)
					text := w.publish(t, args...)
					yaml := filepath.Join(t.TempDir(), "r.yaml")
					require.NoError(t, os.WriteFile(yaml, []byte(text), 0o600))
					seen, err := tool(t, nil, "istio", append([]string{"check", yaml}, crds...)...)
					require.NoError(t, err, text)

					lines := strings.Split(strings.TrimSpace(string(seen)), "\n") // Istio's log comes first
					var r resource
					require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r))
					assert.Equal(t, "apps/lens", r.Metadata.Namespace+"/"+r.Metadata.Name)
					consumer, got := "Istio", r.Spec.installed
					switch kind {
					case "istio-traffic-extension":
						require.NoError(t, json.Unmarshal(r.Spec.Wasm, &got))
					case "envoy-gateway":
						var p policy
						require.NoError(t, json.Unmarshal(r.Spec.Wasm, &p))
						assert.True(t, p[0].FailOpen)
						consumer, got = "Envoy Gateway", installed{"oci://" + p[0].Code.Image.URL, "FAIL_OPEN", p[0].Config}
					}
					assert.Equal(t, "FAIL_OPEN", got.FailStrategy)
					assert.JSONEq(t, lens, string(got.PluginConfig))
					plugin, err := consumers[consumer](t, w, strings.TrimPrefix(got.URL, "oci://"))
					require.NoError(t, err)
					assert.Equal(t, data, plugin)
				})
			}
		}
	}
}

func TestTheSchemasRefuseWhatIsWrong(t *testing.T) {
	crds := schemas(t)
	for text, words := range map[string]string{
		"{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {name: x}, spec: {url: 'oci://a.b/c', failStrategy: OPEN}}":            "failStrategy",
		"{apiVersion: extensions.istio.io/v1alpha1, kind: TrafficExtension, metadata: {name: x}, spec: {wasm: {url: 'oci://a.b/c'}, failStrategy: X}}": "failStrategy",
		"{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyExtensionPolicy, metadata: {name: x}, spec: {wasm: [{code: {type: Image}}]}}":         "targetRef",
	} {
		yaml := filepath.Join(t.TempDir(), "r.yaml")
		require.NoError(t, os.WriteFile(yaml, []byte(text), 0o600))
		_, err := tool(t, nil, "istio", append([]string{"check", yaml}, crds...)...)
		assert.ErrorContains(t, err, words)
	}
}
