package config

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
)

var shop = Options{
	Admin:    "127.0.0.1:9901",
	Listen:   "0.0.0.0:10000",
	Routes:   []Route{{Name: "shop", Prefix: "/", Cluster: "shop"}},
	Clusters: []Cluster{{Name: "shop", Address: "127.0.0.1:8080"}},
}

func example(title, pluginConfig string, sink *Cluster) Options {
	o := shop
	o.Title = title
	o.Plugin = &Plugin{File: "/etc/envoy/routelens.wasm", VMID: "routelens", Config: pluginConfig}
	o.Sink = sink
	return o
}

// examples are the files that users copy.
var examples = map[string]Options{
	"metrics.yaml": example(`Rate, errors and latency of every route as Envoy stats; no records.
Look at http://127.0.0.1:9901/stats/prometheus?filter=routelens`, `
{
  "metrics": {"labels": ["route", "method", "response_code"]}
}`, nil),

	"victorialogs.yaml": example(`Stats of every route, and records to VictoriaLogs: one exchange in ten, every error, every slow one.`, `
{
  "sink": {
    "type": "ndjson",
    "cluster": "logs",
    "path": "/insert/jsonline?_stream_fields=service.name,http.route&_time_field=time&_msg_field=message"
  },
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 0.1, "errors": 1, "slow": {"over": "500ms", "rate": 1}}
}`, &Cluster{Name: "logs", Address: "victoria-logs:9428"}),

	"loki.yaml": example(`Stats of every route, and records to Loki: one exchange in ten, every error, every slow one.`, `
{
  "sink": {
    "type": "loki",
    "cluster": "logs",
    "path": "/loki/api/v1/push",
    "labels": ["service.name", "severity"],
    "compression": "gzip"
  },
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 0.1, "errors": 1, "slow": {"over": "500ms", "rate": 1}}
}`, &Cluster{Name: "logs", Address: "loki:3100"}),

	"otlp.yaml": example(`Stats of every route, and records to an OpenTelemetry Collector: one exchange in ten, every error, every slow one.`, `
{
  "sink": {
    "type": "otlp",
    "cluster": "logs",
    "path": "/v1/logs",
    "compression": "gzip"
  },
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 0.1, "errors": 1, "slow": {"over": "500ms", "rate": 1}}
}`, &Cluster{Name: "logs", Address: "otelcol:4318"}),

	"elasticsearch.yaml": example(`Stats of every route, and records to Elasticsearch or OpenSearch: one exchange in ten, every error, every slow one.
Put elasticsearch-template.json (or opensearch-template.json) there first, as docs/sinks.md tells.`, `
{
  "sink": {
    "type": "elasticsearch",
    "cluster": "logs",
    "path": "/logs-routelens-default/_bulk?filter_path=errors,items.*.status,items.*.error.type",
    "compression": "gzip"
  },
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 0.1, "errors": 1, "slow": {"over": "500ms", "rate": 1}}
}`, &Cluster{Name: "logs", Address: "elasticsearch:9200"}),
}

// secured is the sink of docs/sinks.md that asks for TLS and a credential.
func secured() Options {
	o := examples["otlp.yaml"]
	o.Sink = &Cluster{Name: "logs", Address: "logs.example.com:443", CA: "/etc/ssl/certs/ca-certificates.crt", Credential: "/etc/envoy/logs-credential"}
	return o
}

func TestExamplesAreWhatTheTemplateGives(t *testing.T) {
	for name, options := range examples {
		var got bytes.Buffer
		require.NoError(t, Render(&got, options))
		goldentest.Equal(t, filepath.Join("..", "examples", name), got.String())
	}
}

// docs/sinks.md shows configurations that the end-to-end tests run; the files are to say the same.
func TestExamplesSendAsTheReferenceOfSinksShows(t *testing.T) {
	page, err := os.ReadFile("../../docs/sinks.md")
	require.NoError(t, err)
	headings := map[string]string{
		"victorialogs.yaml": "VictoriaLogs, lines of JSON", "loki.yaml": "Loki",
		"otlp.yaml": "OpenTelemetry Collector", "elasticsearch.yaml": "Elasticsearch and OpenSearch",
	}
	for name, heading := range headings {
		_, section, found := strings.Cut(string(page), "\n## "+heading+"\n```json\n")
		require.True(t, found, "a configuration under %q", heading)
		section, _, _ = strings.Cut(section, "```")
		var shown, has map[string]any
		require.NoError(t, json.Unmarshal([]byte(section), &shown))
		require.NoError(t, json.Unmarshal([]byte(examples[name].Plugin.Config), &has))
		delete(has, "sampling")
		require.Equal(t, has, shown, name)
	}
	var whole bytes.Buffer
	require.NoError(t, Render(&whole, secured()))
	_, section, _ := strings.Cut(string(page), "\n## TLS and credentials\n")
	_, section, _ = strings.Cut(section, "```yaml\n")
	section, _, _ = strings.Cut(section, "```")
	require.Contains(t, whole.String(), section)
}

// Elasticsearch's template could not be tried: it is OpenSearch's but for the type of bodies.
func TestTemplatesOfIndicesDifferInTheTypeOfBodiesAlone(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile("../examples/" + file)
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		return string(text)
	}
	flattened := strings.ReplaceAll(read("opensearch-template.json"), `"flat_object"`, `"flattened", "ignore_above": 8191`)
	require.Equal(t, flattened, read("elasticsearch-template.json"))
}

func TestEnvoyAcceptsEveryShape(t *testing.T) {
	dir := t.TempDir()
	shapes := map[string]Options{"no plugin": shop}
	for name, options := range examples {
		shapes[name] = options
	}
	all := examples["victorialogs.yaml"]
	all.StatsFlush = "1s"
	all.Clusters = append(all.Clusters, Cluster{Name: "grpc", Address: "127.0.0.1:8081", HTTP2: true})
	all.Routes = []Route{
		{Name: "tunnel", Connect: true, Cluster: "shop"},
		{Name: "a: b", Prefix: "/rewritten/", Rewrite: "/", Cluster: "grpc", Timeout: "0s"},
		{Prefix: "/", Status: 204},
	}
	shapes["every option"] = all
	all.ListenersFile = filepath.Join(dir, "listeners.yaml")
	shapes["listeners in a file"] = all
	shapes["a sink by TLS, with a credential"] = secured()

	artifact, _, _ := strings.Cut(needed(t, "ROUTELENS_WASM"), ":")
	for name, options := range shapes {
		t.Run(name, func(t *testing.T) {
			if options.Plugin != nil {
				plugin := *options.Plugin
				plugin.File = artifact
				plugin.Env = map[string]string{"REGION": "1"}
				options.Plugin = &plugin
			}
			if options.Sink != nil && options.Sink.CA != "" {
				sink := *options.Sink
				sink.CA, sink.Credential = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "credential")
				server := httptest.NewTLSServer(nil)
				server.Close()
				ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
				require.NoError(t, os.WriteFile(sink.CA, ca, 0o600))
				require.NoError(t, os.WriteFile(sink.Credential, []byte("Bearer open-sesame"), 0o600))
				options.Sink = &sink
			}
			if options.ListenersFile != "" {
				var listeners bytes.Buffer
				require.NoError(t, RenderListeners(&listeners, options))
				require.NoError(t, os.WriteFile(options.ListenersFile, listeners.Bytes(), 0o600))
			}
			out, err := validate(t, dir, options)
			require.NoError(t, err, "%s", out)
		})
	}
}

func TestEnvoyAsksThePluginWhatItMakesOfItsConfiguration(t *testing.T) {
	options := shop
	artifact, _, _ := strings.Cut(needed(t, "ROUTELENS_WASM"), ":")
	options.Plugin = &Plugin{File: artifact, Config: `{"sink": `}
	out, err := validate(t, t.TempDir(), options)
	require.Error(t, err, "%s", out)
}

func validate(t *testing.T, dir string, options Options) ([]byte, error) {
	t.Helper()
	envoy := needed(t, "ROUTELENS_ENVOY")
	var bootstrap bytes.Buffer
	require.NoError(t, Render(&bootstrap, options))
	file := filepath.Join(dir, "bootstrap.yaml")
	require.NoError(t, os.WriteFile(file, bootstrap.Bytes(), 0o600))
	return exec.CommandContext(t.Context(), envoy, "--mode", "validate", "-c", file, "-l", "warn").CombinedOutput()
}

// needed fails the test, never skips it, where a variable is missing.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make e2e does", variable)
	return value
}

func TestRenderNamesTheBadAddress(t *testing.T) {
	bad := shop
	bad.Admin = "9901"
	err := Render(&bytes.Buffer{}, bad)
	require.ErrorContains(t, err, `address "9901" must be host:port`)
}

func TestPluginConfigurationArrivesAsWritten(t *testing.T) {
	require.Equal(t, "|\n  {\n   \"a\": 1}", literal(2, "\n{\n \"a\": 1}\n"), "JSON stays readable")
	require.Equal(t, `"{ \"a\": "`, literal(2, `{ "a": `), "what is not JSON is quoted")
	for _, s := range []string{"", "true", "8080", "a: b", "*", "- x", "#"} {
		require.True(t, strings.HasPrefix(scalar(s), `"`), "%q", s)
	}
	require.Equal(t, "/users/", scalar("/users/"))
}
