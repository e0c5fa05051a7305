//go:build sinks

package e2e

import (
	"os"
	"testing"

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
