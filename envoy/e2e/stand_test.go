package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// eachArtifact runs a test on every build of the plugin.
func eachArtifact(t *testing.T, test func(t *testing.T, wasm string)) {
	for _, wasm := range artifacts(t) {
		t.Run(filepath.Base(wasm), func(t *testing.T) { test(t, wasm) })
	}
}

func artifacts(t *testing.T) []string {
	files := filepath.SplitList(needed(t, "ROUTELENS_WASM"))
	for _, file := range files {
		require.FileExists(t, file, "from ROUTELENS_WASM; make plugin builds it")
	}
	return files
}

// needed fails the test, never skips it, where a variable is missing.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make e2e does", variable)
	return value
}

// stand is an Envoy with the plugin, between a shop and a log store.
type stand struct {
	*lab.Envoy
	shop   *lab.Shop
	logs   lab.LogStore
	store  *lab.Store  // logs, where that is VictoriaLogs
	faults *lab.Faults // nil unless asked for
	audit  *audit
}

// standOptions say what is not as everywhere.
type standOptions struct {
	wasm        string
	plugin      settings      // besides those of configuration
	faults      bool          // put a Faults before the store
	logs        lab.LogStore  // nil: a VictoriaLogs is started
	sink        string        // host:port of what stands before the store; empty: nothing does
	concurrency int           // Envoy's workers; 0: 2
	drain       time.Duration // how long a replaced plugin stays; 0: 5 s
	args        []string      // Envoy's
	envoy       func(*config.Options)
}

// open starts everything; the test's end stops it, and fails if Envoy or the plugin had crashed.
func open(t *testing.T, o standOptions) *stand {
	t.Helper()
	s := &stand{logs: o.logs}
	var err error
	s.shop, err = lab.OpenShop()
	require.NoError(t, err)
	t.Cleanup(func() { s.shop.Close() })
	if s.logs == nil {
		s.logs = startVictoriaLogs(t)
	}
	s.store, _ = s.logs.(*lab.Store)
	sink := s.logs.Cluster()
	if o.sink != "" {
		sink.Address = o.sink
	}
	if o.faults {
		s.faults, err = lab.StartFaults(sink.Address)
		require.NoError(t, err)
		t.Cleanup(func() { s.faults.Stop() })
		sink = s.faults.Cluster()
	}
	options := config.Options{
		Plugin: &config.Plugin{File: o.wasm, Config: configuration(o.plugin)},
		Routes: s.shop.Routes(), Clusters: s.shop.Clusters(), Sink: sink, StatsFlush: "1s",
	}
	if o.envoy != nil {
		o.envoy(&options)
	}
	s.Envoy, err = lab.StartEnvoy(t.Context(), lab.EnvoyOptions{
		Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(), Config: options,
		Replaceable: true, Concurrency: o.concurrency, Drain: o.drain, Args: o.args,
	})
	require.NoError(t, err)
	t.Cleanup(func() { s.close(t) })
	s.audit = startAudit(s.Envoy)
	return s
}

func (s *stand) close(t *testing.T) {
	s.audit.end()
	assert.NotZero(t, s.audit.samples, "of the stats; the last failure: %v", s.audit.failure)
	assert.Empty(t, s.audit.violations, "the pipeline's counters, in every sample")
	assert.NoError(t, s.Envoy.Stop())
	log, err := os.ReadFile(s.Log)
	assert.NoError(t, err)
	assert.Empty(t, lab.Crashes(string(log)), "Envoy's log")
	if t.Failed() {
		t.Logf("Envoy's log ends:\n%s", log[max(0, len(log)-3000):])
	}
}

// settings are keys of the plugin's configuration, as paths like sampling.rate, with their values.
type settings map[string]any

// configuration sends every exchange to the store, in batches that are quickly sent.
func configuration(changes settings) string {
	all := settings{
		"sink.cluster":            "logs",
		"sink.path":               lab.NDJSONPath,
		"sink.timeout":            "30s", // a busy machine is no failure of the sink
		"sink.batch.max_delay":    "300ms",
		"sink.retry.max":          "1s",
		"resource":                map[string]string{"service.name": "shop"},
		"sampling.rate":           1,
		"sampling.max_per_second": 0,
	}
	maps.Copy(all, changes)
	tree := map[string]any{}
	for path, value := range all {
		at, keys := tree, strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			if at[key] == nil {
				at[key] = map[string]any{}
			}
			at = at[key].(map[string]any)
		}
		at[keys[len(keys)-1]] = value
	}
	text, _ := json.MarshalIndent(tree, "", "  ")
	return string(text)
}
