//go:build sinks

package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func startLoki(t *testing.T) *Loki {
	loki, err := StartLoki(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_LOKI"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, loki.Stop()) })
	return loki
}

func startOpenSearch(t *testing.T) *OpenSearch {
	template, err := os.ReadFile("../examples/opensearch-template.json")
	require.NoError(t, err)
	search, err := StartOpenSearch(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_OPENSEARCH"), Dir: t.TempDir()}, string(template))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, search.Stop()) })
	return search
}

// Their own paths, where the plugin sends by default.
const (
	lokiPath       = "/loki/api/v1/push"
	openSearchPath = "/logs-routelens-default/_bulk?filter_path=errors,items.*.status,items.*.error.type"
)

func TestLokiIsAStoreThatGivesBackWhatItTook(t *testing.T) {
	loki := startLoki(t)
	takes(t, loki, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), loki.URL+lokiPath, "application/json", lokiPush(ids))
		return err
	})
}

func TestOpenSearchIsAStoreThatGivesBackWhatItTook(t *testing.T) {
	search := startOpenSearch(t)
	takes(t, search, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), search.URL+openSearchPath, "application/x-ndjson", bulk(ids))
		return err
	})
}

// What docs/sinks.md says of stores that refuse single records is so, and they keep the others.
func TestLokiAsAStoreRefusesSingleRecords(t *testing.T) {
	loki := startLoki(t)
	behind := fmt.Sprint(time.Now().Add(-3 * time.Hour).UnixNano())
	large := second(`{"envoy_request_id":`, "}", fmt.Sprintf(`"","body":"%070000d"`, 0))
	show(t, loki, loki.URL+lokiPath, "application/json", lokiPush, []refusal{
		{"all well", asWritten, "", "123"},
		{"a time too long ago", second(`["`, `"`, fmt.Sprint(old.UnixNano())), "400 timestamp too old", "13"},
		{"a time far behind the stream's newest", second(`["`, `"`, behind), "400 total ignored: 1 out of 3", "13"},
		{"a time far behind, in a stream that another follows", func(request string) string {
			return strings.Replace(second(`["`, `"`, behind)(request), `]}]}`, `]},{"stream":{"service_name":"other"},"values":[["`+fmt.Sprint(time.Now().UnixNano())+`","m"]]}]}`, 1)
		}, "", "13"},
		{"metadata beyond 64 KiB", large, "400 structured metadata too large", "13"},
		{"a time that is none", second(`["`, `"`, "yesterday"), "400", ""},
	})
}

// It answers 200, and tells of each record.
func TestOpenSearchAsAStoreRefusesSingleRecords(t *testing.T) {
	search := startOpenSearch(t)
	show(t, search, search.URL+openSearchPath, "application/x-ndjson", bulk, []refusal{
		{"all well", asWritten, "", "123"},
		{"a time that is none", second(`"@timestamp": "`, `"`, "yesterday"), "", "13"},
		{"a text where the template has a number", second(`"message": `, ",", `"m", "http.response.status_code": "none"`), "", "13"},
		{"a body that is no object", second(`"message": `, ",", `"m", "http.request.body.json": [1]`), "", "13"},
		{"a body's value beyond 32 KiB", second(`"message": `, ",", fmt.Sprintf(`"m", "http.request.body.json": {"a": "%040000d"}`, 0)), "", "13"},
		{"a document that is no JSON", second(`{"@timestamp"`, ",", `: `), "", "13"},
		{"an action that is no JSON", second(`{"create"`, "\n", `: `), "400", ""},
	})
}
