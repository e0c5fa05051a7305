//go:build istio || gateway

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// openShop is the upstream of all tests.
func openShop(t testing.TB) *lab.Shop {
	shop, err := lab.OpenShop()
	require.NoError(t, err)
	t.Cleanup(func() { shop.Close() })
	return shop
}

// openStore is a real VictoriaLogs.
func openStore(t testing.TB) *lab.Store {
	store, err := lab.StartVictoriaLogs(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_VICTORIA_LOGS"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Stop()) })
	return store
}

// books are what the ledger of a run says, with the pipeline's own account, for log and report.
type books struct {
	sent int
	lab.Ledger
	lab.Pipeline
	stats lab.Stats
}

// settle waits until the fate of each record is known, and opens the books of all runs that went through an Envoy.
func settle(t testing.TB, envoy *lab.Envoy, store lab.LogStore, reports ...lab.Report) books {
	t.Helper()
	sent := 0
	for _, report := range reports {
		sent += report.Sent
	}
	stats, err := envoy.Quiet(t.Context(), sent, time.Minute)
	assert.NoError(t, err)
	return open(t, stats, store, reports...)
}

// open opens the books. A record of a request that nobody sent, and one that is there twice, fails the test.
func open(t testing.TB, stats lab.Stats, store lab.LogStore, reports ...lab.Report) (b books) {
	t.Helper()
	b.stats, b.Pipeline = stats, stats.Pipeline()
	for _, report := range reports {
		b.sent += report.Sent
		l, err := lab.ReadLedger(t.Context(), store, report)
		require.NoError(t, err)
		b.Missing, b.Doubled, b.Unsent = append(b.Missing, l.Missing...), append(b.Doubled, l.Doubled...), append(b.Unsent, l.Unsent...)
	}
	t.Logf("%d requests: %s; %d not in the store, %d there twice", b.sent, b.Pipeline, len(b.Missing), len(b.Doubled))
	assert.Empty(t, lab.Examples(b.Doubled), "%d records are in the store twice", len(b.Doubled))
	assert.Empty(t, lab.Examples(b.Unsent), "in the store, but never sent")
	return b
}

// eachOnce holds that every request is in the store once, and none was given up. Where VMs were replaced, some may be unconfirmed.
func (b books) eachOnce(t testing.TB) {
	t.Helper()
	assert.Empty(t, lab.Examples(b.Missing), "%d requests are not in the store", len(b.Missing))
	assert.Equal(t, b.sent, b.Emitted)
	assert.Equal(t, b.sent, b.Delivered+b.Unconfirmed)
}
