package k8s

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/routelens/routelens/plugin/config"
)

// places are where each kind of resource names the plugin and holds its configuration.
var places = map[string]struct{ image, config, secret []string }{
	"WasmPlugin":       {[]string{"url"}, []string{"pluginConfig"}, []string{"imagePullSecret"}},
	"TrafficExtension": {[]string{"wasm", "url"}, []string{"wasm", "pluginConfig"}, []string{"wasm", "imagePullSecret"}},
	"EnvoyExtensionPolicy": {
		[]string{"code", "image", "url"}, []string{"config"}, []string{"code", "image", "pullSecretRef", "name"},
	},
}

// installed is the one resource of a render that installs the plugin, cut down to what places speak of.
func installed(t testing.TB, rendered []*unstructured.Unstructured) (kind string, spec map[string]any) {
	for _, o := range rendered {
		if _, ok := places[o.GetKind()]; !ok {
			continue
		}
		require.Empty(t, kind, "one resource installs the plugin")
		kind, spec = o.GetKind(), o.Object["spec"].(map[string]any)
		if kind == "EnvoyExtensionPolicy" {
			spec = spec["wasm"].([]any)[0].(map[string]any)
		}
	}
	require.NotEmpty(t, kind, "no resource installs the plugin")
	return kind, spec
}

func TestEachFolderRendersAndEachOverlayInstallsThePluginOfTheBase(t *testing.T) {
	base := objects(t, read(t, "base/routelens.yaml"))[0].Object["spec"].(map[string]any)
	for _, dir := range kustomizations(t) {
		t.Run(dir, func(t *testing.T) {
			if !strings.HasPrefix(dir, "overlays/") {
				render(t, dir) // without an error: that is all
				return
			}
			kind, spec := installed(t, changed(t, dir, "base/routelens.yaml", strings.Repeat("0", 64), strings.Repeat("1", 64)))
			image, _, _ := unstructured.NestedString(spec, places[kind].image...)
			assert.Equal(t, "registry.example.com/team/routelens@sha256:"+strings.Repeat("1", 64), strings.TrimPrefix(image, "oci://"))

			sink := checked(t, kind, spec)
			assert.Equal(t, "logs.observability.svc.cluster.local:9428", sink["authority"])
			delete(sink, "cluster")
			delete(sink, "authority")
			got, _, _ := unstructured.NestedMap(spec, places[kind].config...)
			got["sink"] = sink
			assert.Equal(t, base["config"], got)
		})
	}
}

// checked holds the configuration of a resource to the plugin's own parser, and gives its sink.
func checked(t testing.TB, kind string, spec map[string]any) map[string]any {
	got, _, err := unstructured.NestedMap(spec, places[kind].config...)
	require.NoError(t, err)
	data, err := json.Marshal(got)
	require.NoError(t, err)
	parsed, err := config.Parse(data)
	require.NoError(t, err, "%s", data)
	sink, _ := got["sink"].(map[string]any)
	require.NotEmpty(t, sink["cluster"])
	sink["authority"] = parsed.Sink.Authority // made of the cluster, where the overlay says none
	return sink
}

// Whoever changes the sink's place is told where else it stands.
func TestAllSpeakOfTheSameSink(t *testing.T) {
	service := one(t, render(t, "store"), "Service")
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	port := ports[0].(map[string]any)["port"]
	host := service.GetName() + "." + service.GetNamespace() + ".svc.cluster.local"

	istio := render(t, "overlays/istio/gateway")
	kind, spec := installed(t, istio)
	assert.Equal(t, fmt.Sprintf("outbound|%v||%s", port, host), checked(t, kind, spec)["cluster"])
	limits, _, _ := unstructured.NestedString(one(t, istio, "DestinationRule").Object, "spec", "host")
	assert.Equal(t, host, limits)
	egress, _, _ := unstructured.NestedSlice(objects(t, read(t, "overlays/istio/sink/sidecar.yaml"))[0].Object, "spec", "egress")
	assert.Contains(t, egress[0].(map[string]any)["hosts"], service.GetNamespace()+"/"+host)

	gateway := render(t, "overlays/envoy-gateway")
	kind, spec = installed(t, gateway)
	assert.Equal(t, fmt.Sprintf("%s:%v", host, port), checked(t, kind, spec)["authority"])
	rules, _, _ := unstructured.NestedSlice(one(t, gateway, "HTTPRoute").Object, "spec", "rules")
	assert.Equal(t, []any{map[string]any{"name": service.GetName(), "namespace": service.GetNamespace(), "port": port}}, rules[0].(map[string]any)["backendRefs"])
	grant := one(t, gateway, "ReferenceGrant")
	to, _, _ := unstructured.NestedSlice(grant.Object, "spec", "to")
	assert.Equal(t, service.GetNamespace(), grant.GetNamespace())
	assert.Equal(t, []any{map[string]any{"group": "", "kind": "Service", "name": service.GetName()}}, to)
}

func TestTheSinkCanBeOutside(t *testing.T) {
	for _, dir := range []string{"overlays/istio/gateway", "overlays/istio/traffic-extension/gateway"} {
		rendered := edited(t, dir, "/sink]", "/sink-outside]")
		kind, spec := installed(t, rendered)
		sink := checked(t, kind, spec)
		entry := one(t, rendered, "ServiceEntry").Object["spec"].(map[string]any)
		host := entry["hosts"].([]any)[0].(string)
		assert.Equal(t, "outbound|80||"+host, sink["cluster"])
		assert.Equal(t, host, sink["authority"])
		assert.Equal(t, host, one(t, rendered, "DestinationRule").Object["spec"].(map[string]any)["host"])
	}
}

func TestThePullSecretIsNamed(t *testing.T) {
	for dir, components := range map[string][2]string{
		"overlays/istio/gateway":                   {"../sink]", "../sink, ../../../pull-secret]"},
		"overlays/istio/traffic-extension/gateway": {"../../sink]", "../../sink, ../../../../pull-secret]"},
		"overlays/envoy-gateway":                   {"../../base]", "../../base, ../../pull-secret]"},
	} {
		kind, spec := installed(t, edited(t, dir, components[0], components[1]))
		name, _, err := unstructured.NestedString(spec, places[kind].secret...)
		require.NoError(t, err)
		assert.Equal(t, "routelens-registry", name, dir)
	}
}

func TestEachDashboardIsAConfigMap(t *testing.T) {
	boards, err := filepath.Glob("../dashboards/grafana/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, boards)
	shown := map[string]string{}
	for _, o := range render(t, "monitoring") {
		if o.GetKind() == "ConfigMap" {
			data, _, err := unstructured.NestedStringMap(o.Object, "data")
			require.NoError(t, err)
			assert.Equal(t, "1", o.GetLabels()["grafana_dashboard"])
			maps.Copy(shown, data)
		}
	}
	want := map[string]string{}
	for _, file := range boards {
		want[filepath.Base(file)] = string(read(t, file))
	}
	assert.Equal(t, want, shown)
}

// The page has one kustomization, of a user who has a clone of this project in the folder routelens.
func TestTheKustomizationOfTheDocsRenders(t *testing.T) {
	_, page, found := strings.Cut(string(read(t, "../docs/kubernetes.md")), "```yaml\n")
	require.True(t, found)
	own, _, _ := strings.Cut(page, "```")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "routelens/k8s"), os.DirFS(".")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(own), 0o600))
	_, spec := installed(t, render(t, dir))
	assert.Contains(t, own, spec["url"])
	assert.Equal(t, map[string]any{"matchLabels": map[string]any{"istio": "public-gateway"}}, spec["selector"])

	const secret = "components: [routelens/k8s/pull-secret]" // which the page says to add
	require.Contains(t, page, "`"+secret+"`")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(own+secret+"\n"), 0o600))
	_, spec = installed(t, render(t, dir))
	assert.Equal(t, "routelens-registry", spec["imagePullSecret"])
}

func TestEnvoyGatewaysSinkIsTheRouteThatIsThere(t *testing.T) {
	rendered := render(t, "overlays/envoy-gateway")
	kind, spec := installed(t, rendered)
	sink, route := checked(t, kind, spec), one(t, rendered, "HTTPRoute")
	assert.Equal(t, "httproute/"+route.GetNamespace()+"/"+route.GetName()+"/rule/0", sink["cluster"])
	policy := one(t, rendered, "SecurityPolicy").Object["spec"].(map[string]any)
	assert.Equal(t, map[string]any{"defaultAction": "Deny"}, policy["authorization"], "no request from outside reaches the sink")
	assert.Equal(t, route.GetName(), policy["targetRefs"].([]any)[0].(map[string]any)["name"])
}

// one is the only object of a kind.
func one(t testing.TB, all []*unstructured.Unstructured, kind string) (found *unstructured.Unstructured) {
	for _, o := range all {
		if o.GetKind() == kind {
			require.Nil(t, found, "a second %s", kind)
			found = o
		}
	}
	require.NotNil(t, found, "no %s", kind)
	return found
}
