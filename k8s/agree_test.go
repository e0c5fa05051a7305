package k8s

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// envoys is what of the configuration for a plain Envoy has its counterpart here.
type envoys struct {
	Stats struct {
		Buckets []struct{ Buckets []float64 } `yaml:"histogram_bucket_settings"`
	} `yaml:"stats_config"`
	Static struct {
		Clusters []struct {
			Breakers struct{ Thresholds []map[string]int } `yaml:"circuit_breakers"`
			Options  map[string]struct {
				Common struct {
					Idle string `yaml:"idle_timeout"`
				} `yaml:"common_http_protocol_options"`
			} `yaml:"typed_extension_protocol_options"`
		}
	} `yaml:"static_resources"`
}

// plain is the configuration that the tests of envoy/ run.
func plain(t testing.TB) (text string, parsed envoys) {
	var b strings.Builder
	require.NoError(t, config.Render(&b, config.Options{
		Admin: "127.0.0.1:9901", Listen: "127.0.0.1:10000",
		Plugin: &config.Plugin{Config: "{}"}, Sink: &config.Cluster{Name: "logs", Address: "127.0.0.1:9428"},
	}))
	require.NoError(t, yaml.Unmarshal([]byte(b.String()), &parsed))
	return b.String(), parsed
}

func TestIstiosLabelsBucketsAndStatsAreThePlugins(t *testing.T) {
	type proxyConfig struct {
		Tags    []string `yaml:"extraStatTags"`
		Matcher struct {
			Prefixes []string `yaml:"inclusionPrefixes"`
		} `yaml:"proxyStatsMatcher"`
	}
	var values struct {
		MeshConfig struct {
			DefaultConfig proxyConfig `yaml:"defaultConfig"`
		} `yaml:"meshConfig"`
		Injector struct {
			Annotations map[string]string `yaml:"injectedAnnotations"`
		} `yaml:"sidecarInjectorWebhook"`
	}
	var patch struct {
		Spec struct {
			Template struct {
				Metadata struct{ Annotations map[string]string }
			}
		}
	}
	var proxy proxyConfig
	require.NoError(t, yaml.Unmarshal(read(t, "overlays/istio/labels/values.yaml"), &values))
	require.NoError(t, yaml.Unmarshal(read(t, "overlays/istio/labels/annotations.yaml"), &patch))
	annotations := patch.Spec.Template.Metadata.Annotations
	require.NoError(t, yaml.Unmarshal([]byte(annotations["proxy.istio.io/config"]), &proxy))
	kind, spec := installed(t, render(t, "overlays/istio/gateway"))
	sink := checked(t, kind, spec)["cluster"].(string)
	for _, p := range []proxyConfig{values.MeshConfig.DefaultConfig, proxy} {
		assert.Equal(t, slices.Concat(metrics.Labels(), record.IstioLabels), p.Tags)
		assert.Equal(t, []string{"cluster." + sink}, p.Matcher.Prefixes)
	}

	_, envoy := plain(t)
	bounds := map[float64]bool{}
	for _, of := range envoy.Stats.Buckets {
		for _, bound := range of.Buckets {
			bounds[bound] = true
		}
	}
	const buckets = "sidecar.istio.io/statsHistogramBuckets"
	for _, text := range []string{values.Injector.Annotations[buckets], annotations[buckets]} {
		var got map[string][]float64
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		assert.Equal(t, map[string][]float64{"wasmcustom": slices.Sorted(maps.Keys(bounds))}, got)
	}
}

func TestEnvoyGatewaysStatsConfigIsAPlainEnvoys(t *testing.T) {
	text, _ := plain(t)
	patch := one(t, render(t, "overlays/envoy-gateway"), "EnvoyProxy")
	value, _, err := unstructured.NestedString(patch.Object, "spec", "bootstrap", "value")
	require.NoError(t, err)
	var got, want map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(value), &got))
	require.NoError(t, yaml.Unmarshal([]byte(text), &want))
	assert.Equal(t, map[string]any{"stats_config": want["stats_config"]}, got)
}

// Each has its own words for the same four limits; Istio has none for no retries, as it has none for calls of plugins.
func TestTheSinksLimitsAreAPlainEnvoys(t *testing.T) {
	_, envoy := plain(t)
	limits := envoy.Static.Clusters[0].Breakers.Thresholds[0]
	var idle string
	for _, o := range envoy.Static.Clusters[0].Options {
		idle = o.Common.Idle
	}
	policy := one(t, render(t, "overlays/envoy-gateway"), "BackendTrafficPolicy").Object["spec"].(map[string]any)
	assert.EqualValues(t, map[string]any{
		"maxConnections": float64(limits["max_connections"]), "maxPendingRequests": float64(limits["max_pending_requests"]),
		"maxParallelRequests": float64(limits["max_requests"]), "maxParallelRetries": float64(limits["max_retries"]),
	}, policy["circuitBreaker"])
	assert.Equal(t, map[string]any{"http": map[string]any{"connectionIdleTimeout": idle}}, policy["timeout"])

	for _, rendered := range [][]*unstructured.Unstructured{
		render(t, "overlays/istio/gateway"), edited(t, "overlays/istio/gateway", "/sink]", "/sink-outside]"),
	} {
		pool, _, err := unstructured.NestedMap(one(t, rendered, "DestinationRule").Object, "spec", "trafficPolicy", "connectionPool")
		require.NoError(t, err)
		assert.Equal(t, map[string]any{
			"tcp": map[string]any{"maxConnections": float64(limits["max_connections"])},
			"http": map[string]any{
				"http1MaxPendingRequests": float64(limits["max_pending_requests"]), "http2MaxRequests": float64(limits["max_requests"]),
				"idleTimeout": idle,
			},
		}, pool)
	}
}
