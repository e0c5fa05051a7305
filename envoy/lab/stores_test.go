package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func startStore(t *testing.T) *Store {
	store, err := StartVictoriaLogs(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_VICTORIA_LOGS"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Stop()) })
	return store
}

func startCollector(t *testing.T) *Collector {
	collector, err := StartCollector(t.Context(), StoreOptions{Binary: needed(t, "ROUTELENS_OTELCOL"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, collector.Stop()) })
	return collector
}

func TestStoreGivesBackWhatItTook(t *testing.T) {
	store := startStore(t)
	report := Report{Run: newRun()}
	takes(t, store, report, func(ids []string) error {
		_, err := post(t.Context(), store.URL+NDJSONPath, "application/json", ndjson(ids))
		return err
	})
	all, err := store.Count(t.Context(), "*")
	require.NoError(t, err)
	require.Equal(t, 4, all)
	ids, err := store.RequestIDs(t.Context(), report.Filter())
	require.NoError(t, err)
	require.Equal(t, map[string]int{report.ID(0): 1, report.ID(1): 2}, ids)
}

func TestStoreTakesLokisPushAndBulkRequests(t *testing.T) {
	store := startStore(t)
	takes(t, store, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), store.URL+LokiPath, "application/json", lokiPush(ids))
		return err
	})
	takes(t, store, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), store.URL+BulkPath, "application/x-ndjson", bulk(ids))
		return err
	})
}

func TestCollectorStoresWhatItTook(t *testing.T) {
	collector := startCollector(t)
	takes(t, collector, Report{Run: newRun()}, func(ids []string) error {
		_, err := post(t.Context(), collector.URL+OTLPPath, "application/json", otlp(ids))
		return err
	})
}

// takes gives a store four records, two of them of one request and one of another run, and wants them back.
func takes(t *testing.T, store LogStore, report Report, give func(ids []string) error) {
	t.Helper()
	other := newRun() + "000000000000"
	require.NoError(t, give([]string{report.ID(0), report.ID(1), report.ID(1), other}))
	stored, err := store.Stored(t.Context(), report.Run)
	require.NoError(t, err)
	require.Equal(t, map[string]int{report.ID(0): 1, report.ID(1): 2}, stored)
	records, err := store.Records(t.Context(), other)
	require.NoError(t, err)
	require.Len(t, records, 1)
	require.Equal(t, "the 3rd", records[0]["message"], "%v", records)
	at, err := time.Parse(time.RFC3339Nano, records[0]["time"])
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.NotZero(t, at.Nanosecond()%1_000_000, "to the nanosecond: %s", records[0]["time"])
	require.Equal(t, "shop", records[0]["service.name"]+records[0]["service_name"], "%v", records)
	records, err = store.Records(t.Context(), "another")
	require.NoError(t, err)
	require.Empty(t, records)
}

// moment is now, with nanoseconds.
func moment() time.Time { return time.Now().UTC().Truncate(time.Millisecond).Add(123456) }

func joined(ids []string, separator string, one func(n int, id string) string) string {
	var all []string
	for n, id := range ids {
		all = append(all, one(n, id))
	}
	return strings.Join(all, separator)
}

func ndjson(ids []string) string {
	return joined(ids, "\n", func(n int, id string) string {
		return fmt.Sprintf(`{"time": %q, "message": "the %drd", "service.name": "shop", "envoy.request_id": %q}`, moment().Format(time.RFC3339Nano), n, id)
	})
}

func bulk(ids []string) string {
	return joined(ids, "", func(n int, id string) string {
		return fmt.Sprintf("{\"create\":{}}\n{\"@timestamp\": %q, \"message\": \"the %drd\", \"service.name\": \"shop\", \"envoy.request_id\": %q}\n", moment().Format(time.RFC3339Nano), n, id)
	})
}

func lokiPush(ids []string) string {
	return `{"streams":[{"stream":{"service_name":"shop"},"values":[` + joined(ids, ",", func(n int, id string) string {
		return fmt.Sprintf(`["%d","the %drd",{"envoy_request_id":%q}]`, moment().UnixNano()+int64(n), n, id)
	}) + `]}]}`
}

func otlp(ids []string) string {
	return `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeLogs":[{"logRecords":[` + joined(ids, ",", func(n int, id string) string {
		return fmt.Sprintf(`{"timeUnixNano":"%d","body":{"stringValue":"the %drd"},"attributes":[{"key":"envoy.request_id","value":{"stringValue":%q}}]}`, moment().UnixNano(), n, id)
	}) + `]}]}]}`
}
