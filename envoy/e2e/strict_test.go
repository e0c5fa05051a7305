//go:build sinks

package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// The sizes of `make test-sinks`: the bars' own.
const (
	heldRequests   = 50_000
	spoiltRequests = 50_000
)

// strictSinks take longer to build, and refuse what others let pass.
var strictSinks = []sink{
	{"Loki", func(t *testing.T) lab.LogStore { return startLoki(t) }, underscored, false},
	{"Elasticsearch and OpenSearch", func(t *testing.T) lab.LogStore { return startOpenSearch(t) }, elastic, true},
}

func startLoki(t *testing.T) *lab.Loki {
	loki, err := lab.StartLoki(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_LOKI"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, loki.Stop()) })
	return loki
}

func startOpenSearch(t *testing.T) *lab.OpenSearch {
	template, err := os.ReadFile("../examples/opensearch-template.json")
	require.NoError(t, err)
	search, err := lab.StartOpenSearch(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_OPENSEARCH"), Dir: t.TempDir()}, string(template))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, search.Stop()) })
	return search
}

// OpenSearch answers so, item by item, while its disk is too full.
func TestASinkThatHasNoRoomForNowIsSentItsRecordsAgain(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		search := startOpenSearch(t)
		plugin := documented(t, "Elasticsearch and OpenSearch", unhurried)
		s := open(t, standOptions{wasm: wasm, logs: search, plugin: plugin})
		mix := []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}
		before := s.load(t, lab.Load{Mix: mix, Total: 100})
		s.reconcile(t, before)
		require.NoError(t, search.SetFull(t.Context(), true))
		during := s.load(t, lab.Load{Mix: mix, Total: 500})
		time.Sleep(2 * time.Second)
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 100, stats.Pipeline().Delivered, "while it is full, %s", stats.Pipeline())
		assert.Zero(t, stats.Pipeline().Dropped)
		require.NoError(t, search.SetFull(t.Context(), false))
		assert.Positive(t, s.reconcile(t, before, during).Pipeline().Retries)
	})
}
