package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// broken are configurations with all that Envoy's log must say of each.
var broken = []struct {
	name, plugin string
	faults       []string
}{
	{"no JSON", `{"sink": {"cluster": "logs"`, []string{"must be valid JSON"}},
	{"no object", `[]`, []string{"configuration: must be an object; found a list"}},
	{"an unknown key", `{"snik": {}}`, []string{"snik: is not a key here; known: "}},
	{"an unknown key further down", `{"sink": {"cluster": "logs", "batch": {"max": 1}}}`, []string{"sink.batch.max: is not a key here; known: max_bytes, max_records, max_delay"}},
	{"a key twice", `{"query": "keep", "query": "drop"}`, []string{`query: must be given once; found "drop"`}},
	{"a sink without a cluster", `{"sink": {"type": "ndjson"}}`, []string{"sink.cluster: must be given"}},
	{"an unknown sink", `{"sink": {"cluster": "logs", "type": "kafka"}}`, []string{`sink.type: must be one of ndjson, loki, otlp, elasticsearch; found "kafka"`}},
	{"a relative path", `{"sink": {"cluster": "logs", "path": "insert"}}`, []string{`sink.path: must be a path that begins with "/"`, `found "insert"`}},
	{"a time-out without a unit", `{"sink": {"cluster": "logs", "timeout": 5}}`, []string{"sink.timeout: must be a duration from ", "; found 5"}},
	{"a size without a unit", `{"sink": {"cluster": "logs", "buffer": {"max_bytes": "8"}}}`, []string{"sink.buffer.max_bytes: must be a size from 1KiB to 1GiB", `; found "8"`}},
	{"no records in a batch", `{"sink": {"cluster": "logs", "batch": {"max_records": 0}}}`, []string{"sink.batch.max_records: must be a whole number from 1 to 1000000; found 0"}},
	{"half a request in flight", `{"sink": {"cluster": "logs", "max_in_flight": 1.5}}`, []string{"sink.max_in_flight: must be a whole number from 1 to 64; found 1.5"}},
	{"a batch larger than the buffer", `{"sink": {"cluster": "logs", "batch": {"max_bytes": "2MiB"}, "buffer": {"max_bytes": "1MiB"}}}`, []string{"sink.batch.max_bytes: must be at most half of sink.buffer.max_bytes (1MiB); found 2MiB"}},
	{"a first wait longer than the longest", `{"sink": {"cluster": "logs", "retry": {"initial": "20s"}}}`, []string{"sink.retry.initial: must be at most sink.retry.max (10s); found 20s"}},
	{"a stream label of a client's making", `{"sink": {"cluster": "logs", "type": "loki", "labels": ["url.path"]}}`, []string{"sink.labels", `"url.path"`}},
	{"a rate in per cent", `{"sampling": {"rate": 50}}`, []string{"sampling.rate: must be a number from 0 to 1; found 50"}},
	{"a header name in capitals", `{"headers": {"request": ["User-Agent"]}}`, []string{`headers.request[0]: must be a header name in lower case; found "User-Agent"`}},
	{"a template that is none", `{"routes": {"templates": ["/users/{}"]}}`, []string{"routes.templates[0]: must be a path template such as", `found "/users/{}"`}},
	{"an unknown label", `{"metrics": {"labels": ["path"]}}`, []string{"metrics.labels[0]: must be one of route, method, response_code", `found "path"`}},
	{"several faults at once", `{"sampling": {"rate": -1, "errors": "all"}, "query": "mask", "resource": []}`, []string{
		"sampling.rate: must be a number from 0 to 1; found -1",
		`sampling.errors: must be a number from 0 to 1; found "all"`,
		`query: must be one of drop, keep; found "mask"`,
		"resource: must be an object; found a list",
	}},
}

func TestBrokenConfigurationsAreRefusedAndTheLastGoodOneStays(t *testing.T) {
	require.Len(t, broken, 20)
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm})
		mix := []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}
		reports := []lab.Report{s.load(t, lab.Load{Mix: mix, Total: 10})}
		for _, c := range broken {
			t.Run(c.name, func(t *testing.T) {
				before, err := os.ReadFile(s.Log)
				require.NoError(t, err)
				err = s.Replace(t.Context(), func(o *config.Options) { o.Plugin.Config = c.plugin })
				require.ErrorIs(t, err, lab.ErrRefused)
				log, err := os.ReadFile(s.Log)
				require.NoError(t, err)
				for _, fault := range c.faults {
					assert.Contains(t, string(log[len(before):]), fault, "Envoy's log")
				}
				reports = append(reports, s.load(t, lab.Load{Mix: mix, Total: 10}))
			})
		}
		s.reconcile(t, reports...)
	})
}

func TestABrokenConfigurationAtStartStopsEnvoyAndSaysWhy(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		_, err := lab.StartEnvoy(t.Context(), lab.EnvoyOptions{
			Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(),
			Config: config.Options{Plugin: &config.Plugin{File: wasm, Config: `{"sampling": {"rate": 50}}`}},
		})
		require.ErrorContains(t, err, "sampling.rate: must be a number from 0 to 1; found 50")
	})
}
