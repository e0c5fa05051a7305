//go:build sinks

package lab

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLokiIsAStoreThatGivesBackWhatItTook(t *testing.T) {
	loki, err := StartLoki(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_LOKI"), Dir: t.TempDir()})
	require.NoError(t, err)
	defer loki.Stop()
	takes(t, loki, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), loki.URL+"/loki/api/v1/push", "application/json", lokiPush(ids))
		return err
	})
	require.NoError(t, loki.Stop())
}

func TestOpenSearchIsAStoreThatGivesBackWhatItTook(t *testing.T) {
	template, err := os.ReadFile("../examples/opensearch-template.json")
	require.NoError(t, err)
	search, err := StartOpenSearch(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_OPENSEARCH"), Dir: t.TempDir()}, string(template))
	require.NoError(t, err)
	defer search.Stop()
	takes(t, search, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), search.URL+"/logs-routelens-default/_bulk", "application/x-ndjson", bulk(ids))
		return err
	})
	require.NoError(t, search.Stop())
}
