package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// sink is a real log store, with the dialect that the plugin speaks to it.
type sink struct {
	heading string // of docs/sinks.md, where the configuration stands that is tested
	start   func(t *testing.T) lab.LogStore
	name    func(key string) string // what the store calls a key of docs/records.md
	noLists bool                    // a body that is a list comes as text
}

// sinks are those of `make test`; test-sinks has the strict ones too.
var sinks = append([]sink{
	{"VictoriaLogs, lines of JSON", func(t *testing.T) lab.LogStore { return startVictoriaLogs(t) }, asItIs, false},
	{"VictoriaLogs, Loki's push", func(t *testing.T) lab.LogStore { return startVictoriaLogs(t) }, underscored, false},
	{"VictoriaLogs, bulk", func(t *testing.T) lab.LogStore { return startVictoriaLogs(t) }, elastic, true},
	{"OpenTelemetry Collector", func(t *testing.T) lab.LogStore { return startCollector(t) }, asItIs, false},
}, strictSinks...)

func startVictoriaLogs(t *testing.T) *lab.Store {
	store, err := lab.StartVictoriaLogs(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_VICTORIA_LOGS"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Stop()) })
	return store
}

func startCollector(t *testing.T) *lab.Collector {
	collector, err := lab.StartCollector(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_OTELCOL"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, collector.Stop()) })
	return collector
}

func asItIs(key string) string { return key }

// underscored is a key in Loki's metadata.
func underscored(key string) string {
	return regexp.MustCompile(`[^a-zA-Z0-9_]`).ReplaceAllString(key, "_")
}

// elastic is a key as Elasticsearch's own things call it.
func elastic(key string) string {
	switch key {
	case "trace_id", "span_id":
		return strings.Replace(key, "_", ".", 1)
	}
	return key
}

// section is what docs/sinks.md has under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/sinks.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(page), "\n## "+heading+"\n")
	require.True(t, ok, "docs/sinks.md has no heading %q", heading)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// documented is the plugin's configuration under a heading of docs/sinks.md, with the changes.
func documented(t *testing.T, heading string, changes settings) settings {
	t.Helper()
	block := regexp.MustCompile("(?s)```json\n(\\{\\s*\"sink\".*?)```").FindStringSubmatch(section(t, heading))
	require.NotNil(t, block, "no configuration under %q", heading)
	var tree map[string]any
	require.NoError(t, json.Unmarshal([]byte(block[1]), &tree))
	found := settings{}
	for key, value := range tree["sink"].(map[string]any) {
		found["sink."+key] = value
	}
	found["resource"] = tree["resource"]
	maps.Copy(found, changes)
	return found
}

// unhurried lets a store take its time, on a machine that does all the rest as well.
var unhurried = settings{"sink.timeout": "60s", "sink.buffer.max_bytes": "256MiB"}

func eachSink(t *testing.T, test func(t *testing.T, wasm string, to sink)) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		for _, to := range sinks {
			t.Run(to.heading, func(t *testing.T) { test(t, wasm, to) })
		}
	})
}

func TestEachSinkHoldsEveryRequestOnce(t *testing.T) {
	eachSink(t, func(t *testing.T, wasm string, to sink) {
		plugin := documented(t, to.heading, unhurried)
		maps.Copy(plugin, everyJSON)
		s := open(t, standOptions{wasm: wasm, plugin: plugin, logs: to.start(t), concurrency: 4})
		report := s.load(t, lab.Load{Mix: lab.ShopMix(), Total: heldRequests, Workers: 32})
		s.reconcile(t, report)
	})
}
