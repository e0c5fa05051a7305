package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/plugin/goldentest"
)

const configuration = `{
  "sink": {"cluster": "logs", "path": "/insert/jsonline?_time_field=time&_msg_field=message"},
  "resource": {"service.name": "shop", "deployment.environment": "yes"},
  "sampling": {"rate": 0.10, "errors": 1},
  "bodies": {}
}`

func options(kind Kind) Options {
	return Options{
		Kind: kind, Reference: "registry.example.com/team/routelens@sha256:" + strings.Repeat("0a", 32), Name: "routelens", Phase: "STATS",
		File: "/etc/envoy/routelens.wasm", Upstream: "shop:8080", Sink: Sink{"logs", "127.0.0.1:9428"},
		Targets: []Target{{gatewayAPI, "Gateway", "eg"}}, Config: []byte(configuration),
	}
}

func TestManifestsAreAsTheyWere(t *testing.T) {
	for _, kind := range Kinds {
		for name, change := range map[string]func(*Options){
			"full": func(o *Options) { o.Namespace, o.PullSecret = "istio-system", "registry-login" },
			"bare": func(o *Options) {
				o.Config, o.Sink = nil, Sink{}
				if kind != EnvoyGateway {
					o.Targets = nil
				}
			},
			"selected": func(o *Options) { o.Targets, o.Selector = nil, []Label{{"istio", "ingressgateway"}, {"on", "yes"}} },
		} {
			if name == "selected" && kind != Istio && kind != IstioTrafficExtension {
				continue
			}
			o := options(kind)
			change(&o)
			got, err := Make(o)
			require.NoError(t, err)
			goldentest.Equal(t, "testdata/"+string(kind)+"-"+name+".yaml", string(got))
			var parsed any
			assert.NoError(t, yaml.Unmarshal(got, &parsed), "%s %s", kind, name)
		}
	}
}

func TestTheConfigurationStaysWhatItIs(t *testing.T) {
	for _, text := range []string{
		configuration,
		`{"a": [1, 1.5, -0.25, 1e3, 12345678901234, true, false, null, [], {}, [[]], {"b": {"c": []}}]}`,
		`{"": " ", "null": "null", "on": "off", "1": "1", "~": "~", "a: b": "c #d", "- x": "- y", "@": "@", "%": "%TAG"}`,
		`{"lines": "a\nb\n", "tab": "\t", "nul": "\u0000", "quote": "\"'", "slash": "\/", "emoji": "\ud83d\ude00", "bom": "\ufeff", "sep": "\u2028"}`,
		`{"dates": "2026-01-01", "sexagesimal": "1:20", "octal": "010", "hex": "0x1f", "inf": ".inf", "merge": "<<", "float": "1e3"}`,
		`{"words": ["y", "N", "yes", "No", "ON", "off", "True", "FALSE", "Null"], "y": 1}`,
		`{}`,
	} {
		for _, kind := range Kinds {
			o := options(kind)
			o.Config = []byte(text)
			out, err := Make(o)
			require.NoError(t, err)
			assert.JSONEq(t, text, string(configurationIn(t, kind, out)), "%s:\n%s", kind, out)
		}
	}
}

// configurationIn reads the configuration out of a manifest.
func configurationIn(t *testing.T, kind Kind, manifest []byte) []byte {
	var root any
	require.NoError(t, yaml.Unmarshal(manifest, &root))
	at := func(path ...any) any {
		here := root
		for _, p := range path {
			switch p := p.(type) {
			case string:
				here = here.(map[string]any)[p]
			case int:
				here = here.([]any)[p]
			}
		}
		return here
	}
	var found any
	switch kind {
	case Istio:
		found = at("spec", "pluginConfig")
	case IstioTrafficExtension:
		found = at("spec", "wasm", "pluginConfig")
	case EnvoyGateway:
		found = at("spec", "wasm", 0, "config")
	case Envoy:
		return []byte(at("static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config", "http_filters", 0,
			"typed_config", "config", "configuration", "value").(string))
	}
	data, err := json.Marshal(found)
	require.NoError(t, err)
	return data
}

func TestWhatIsNoObjectIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:               "the configuration must be an object",
		`"x"`:              "the configuration must be an object",
		`{"a": 1, "a": 2}`: `the configuration is not valid JSON: the key "a" is there twice`,
		`{"a": 1} {}`:      "the configuration is not valid JSON: invalid character '{' after top-level value",
		`{"a": `:           "the configuration is not valid JSON: unexpected end of JSON input",
		`{"a": 1}}`:        "the configuration is not valid JSON: invalid character '}' after top-level value",

		`{"a": ` + strings.Repeat("[", 1<<20): "the configuration is not valid JSON: invalid character '[' exceeded max depth",
	} {
		for _, kind := range Kinds {
			o := options(kind)
			o.Config = []byte(text)
			_, err := Make(o)
			assert.EqualError(t, err, want, "%s %s", kind, text)
		}
	}
}

func TestTargetsLabelsAndAddressesAreRead(t *testing.T) {
	target, err := ParseTarget(EnvoyGateway, "httproute/checkout")
	require.NoError(t, err)
	assert.Equal(t, Target{gatewayAPI, "HTTPRoute", "checkout"}, target)
	target, err = ParseTarget(Istio, "Service/shop")
	require.NoError(t, err)
	assert.Equal(t, Target{"", "Service", "shop"}, target)
	for _, bad := range []string{"Gateway", "Gateway/", "/x", "Service/x"} {
		_, err := ParseTarget(EnvoyGateway, bad)
		assert.EqualError(t, err, `target "`+bad+`" must be KIND/NAME, where KIND is one of Gateway, HTTPRoute, GRPCRoute`)
	}
	label, err := ParseLabel("app.kubernetes.io/name=shop")
	require.NoError(t, err)
	assert.Equal(t, Label{"app.kubernetes.io/name", "shop"}, label)
	for _, bad := range []string{"x", "=x", "x="} {
		_, err := ParseLabel(bad)
		assert.Error(t, err, bad)
	}
	host, port, err := ParseAddress("[::1]:80")
	require.NoError(t, err)
	assert.Equal(t, "::1", host)
	assert.Equal(t, uint16(80), port)
	for _, bad := range []string{"x", ":80", "x:0", "x:65536", "x:http"} {
		_, _, err := ParseAddress(bad)
		assert.Error(t, err, bad)
	}
}
