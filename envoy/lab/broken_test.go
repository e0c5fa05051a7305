package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusal is what a store makes of a request whose second record, of three, is broken in a way that its dialect knows.
type refusal struct {
	name   string
	broken func(request string) string
	status string // with some of its words; empty: 2xx
	kept   string // which of the records are there afterwards
}

// show gives each refusal to the store, and looks what it kept.
func show(t *testing.T, store LogStore, page, contentType string, write func(ids []string) string, refusals []refusal) {
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			report := Report{Run: newRun()}
			ids := []string{report.ID(0), report.ID(1), report.ID(2)}
			answer, err := post(t.Context(), page, contentType, r.broken(write(ids)))
			if status, words, _ := strings.Cut(r.status, " "); status != "" {
				require.ErrorContains(t, err, status)
				require.ErrorContains(t, err, words)
			} else {
				require.NoError(t, err)
			}
			t.Logf("%v %.400s", err, answer)
			stored, err := store.Stored(t.Context(), report.Run)
			require.NoError(t, err)
			kept := ""
			for n, id := range ids {
				if stored[id] > 0 {
					kept += string(rune('1' + n))
				}
			}
			assert.Equal(t, r.kept, kept, "the records that are stored")
		})
	}
}

// second changes the second of the places that begin so, up to the next that begins the end.
func second(begin, end, change string) func(request string) string {
	return func(request string) string {
		first := strings.Index(request, begin) + len(begin)
		at := first + strings.Index(request[first:], begin) + len(begin)
		until := at + strings.Index(request[at:], end)
		return request[:at] + change + request[until:]
	}
}

func asWritten(request string) string { return request }

// old is beyond what any of the stores keep.
var old = time.Now().UTC().Add(-30 * 24 * time.Hour)

// What docs/sinks.md says of stores that tell nothing, or of no single record, is so.
func TestStoreDropsBrokenLinesAndSaysNothing(t *testing.T) {
	store := startStore(t)
	show(t, store, store.URL+NDJSONPath, "application/x-ndjson", ndjson, []refusal{
		{"all well", asWritten, "", "123"},
		{"a line that is no JSON", second(`{"time"`, ",", `: `), "", "13"},
		{"a time that is none", second(`{"time": "`, `"`, "yesterday"), "", "13"},
		{"a time too long ago", second(`{"time": "`, `"`, old.Format(time.RFC3339Nano)), "", "13"},
	})
}

func TestStoreBreaksOffABrokenPushOrBulkRequestAndKeepsItsBeginning(t *testing.T) {
	store := startStore(t)
	show(t, store, store.URL+LokiPath, "application/json", lokiPush, []refusal{
		{"push: a time too long ago", second(`["`, `"`, fmt.Sprint(old.UnixNano())), "", "13"},
		{"push: a time that is none", second(`["`, `"`, "yesterday"), "400", "1"},
	})
	show(t, store, store.URL+BulkPath, "application/x-ndjson", bulk, []refusal{
		{"bulk: a time too long ago", second(`"@timestamp": "`, `"`, old.Format(time.RFC3339Nano)), "", "13"},
		{"bulk: a time that is none", second(`"@timestamp": "`, `"`, "yesterday"), "400 cannot parse timestamp", "1"},
		{"bulk: a document that is no JSON", second(`{"@timestamp"`, ",", `: `), "400", "1"},
	})
}

func TestCollectorAsAStoreRefusesWholeRequestsAlone(t *testing.T) {
	collector := startCollector(t)
	show(t, collector, collector.URL+OTLPPath, "application/json", otlp, []refusal{
		{"all well", asWritten, "", "123"},
		{"a time that is none", second(`{"timeUnixNano":"`, `"`, "yesterday"), "400", ""},
		{"a time too long ago", second(`{"timeUnixNano":"`, `"`, fmt.Sprint(old.UnixNano())), "", "123"},
		{"a body of no type", second(`{"stringValue":`, "}", `5`), "400", ""},
	})
}
