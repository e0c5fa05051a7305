package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/goldentest"
)

func agreed() result {
	report := lab.Report{Run: "run-", Sent: 3, Counts: map[lab.Outcome]int{{Route: "catalog", Code: "200"}: 2, {Route: "payments", Code: "503"}: 1}}
	return result{
		report:    report,
		exchanges: map[lab.Outcome]int{{Route: "catalog", Code: "200"}: 2, {Route: "payments", Code: "503"}: 1},
		pipeline:  lab.Pipeline{Emitted: 3, Delivered: 3},
		stored:    map[string]int{report.ID(0): 1, report.ID(1): 1, report.ID(2): 1},
	}
}

func TestCountsThatAgreeAreNoFault(t *testing.T) {
	r := agreed()
	require.NoError(t, r.fault())
	goldentest.Equal(t, "testdata/agreed.txt", r.table()+"\n")
	require.Equal(t, "3 requests were sent; the store has 3 of them.\nRecords: 3 emitted = 3 delivered + 0 dropped + 0 unconfirmed, 0 waiting.", r.summary())
}

func TestEveryDifferenceIsNamed(t *testing.T) {
	r := agreed()
	r.exchanges[lab.Outcome{Route: "payments", Code: "503"}] = 0
	r.exchanges[lab.Outcome{Route: "other", Code: "200"}] = 1
	r.pipeline.Delivered = 2
	r.stored = map[string]int{r.report.ID(1): 2, r.report.ID(2): 1}
	require.EqualError(t, r.fault(), `route other, code 200: callers saw 0, Envoy counted 1
route payments, code 503: callers saw 1, Envoy counted 0
records: 3 emitted = 2 delivered + 0 dropped + 0 unconfirmed, 0 waiting; all 3 requests should have been emitted
requests missing from the store: 1, such as run-000000000000
requests in the store more than once: 1, such as run-000000000001`)
	goldentest.Equal(t, "testdata/different.txt", r.table()+"\n")
}

func TestDroppedRecordsAreMissing(t *testing.T) {
	r := agreed()
	r.pipeline = lab.Pipeline{Emitted: 3, Delivered: 2, Dropped: 1}
	delete(r.stored, r.report.ID(2))
	require.ErrorContains(t, r.fault(), "missing from the store")
}
