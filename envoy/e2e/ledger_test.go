package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// load sends traffic, none of which may fail.
func (s *stand) load(t *testing.T, load lab.Load) lab.Report {
	t.Helper()
	load.Entry = s.Entry
	start := time.Now()
	report, err := load.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Failures, "requests without a whole answer")
	t.Logf("%d requests in %s", report.Sent, time.Since(start).Round(time.Millisecond))
	return report
}

// reconcile compares what the callers saw with Envoy's counters and the store: every request is there
// once. It returns the stats, once they stand still.
func (s *stand) reconcile(t *testing.T, reports ...lab.Report) lab.Stats {
	t.Helper()
	sent, stats := s.reconcileCounters(t, reports...)
	pipeline := stats.Pipeline()
	assert.Equal(t, sent, pipeline.Emitted, "emitted, with %s", pipeline)
	assert.Equal(t, sent, pipeline.Delivered, "delivered, with %s", pipeline)
	for _, report := range reports {
		missing, doubled := s.compare(t, report)
		assert.Empty(t, lab.Examples(missing), "%d requests are not in the store", len(missing))
		assert.Empty(t, lab.Examples(doubled), "%d requests are in the store more than once", len(doubled))
	}
	return stats
}

// reconcileCounters waits for quiet and compares the callers' counts with Envoy's.
func (s *stand) reconcileCounters(t *testing.T, reports ...lab.Report) (sent int, _ lab.Stats) {
	t.Helper()
	counts := map[lab.Outcome]int{}
	for _, report := range reports {
		sent += report.Sent
		for outcome, n := range report.Counts {
			counts[outcome] += n
		}
	}
	stats, err := s.Quiet(t.Context(), sent, time.Minute)
	assert.NoError(t, err)
	assert.Equal(t, counts, stats.Exchanges(), "exchanges by route and code")
	assert.Zero(t, stats.Pipeline().WaitingBytes, "bytes waiting once it is quiet")
	return sent, stats
}

// compare looks every request of a run up in the store. An id there that was never sent fails the test.
func (s *stand) compare(t *testing.T, report lab.Report) (missing, doubled []string) {
	t.Helper()
	ledger, err := lab.ReadLedger(t.Context(), s.logs, report)
	require.NoError(t, err)
	assert.Empty(t, ledger.Unsent, "in the store, but never sent")
	return ledger.Missing, ledger.Doubled
}

// audit watches the stats in the background, for as long as Envoy runs.
type audit struct {
	stop       context.CancelFunc
	ended      sync.WaitGroup
	violations []string
	samples    int
	failure    error        // to read the stats, the last
	peak       lab.Pipeline // the most that was waiting
}

func startAudit(envoy *lab.Envoy) *audit {
	ctx, stop := context.WithCancel(context.Background())
	a := &audit{stop: stop}
	a.ended.Go(func() {
		for {
			if stats, err := envoy.Stats(context.WithoutCancel(ctx)); err != nil {
				a.failure = err
			} else {
				a.sample(stats.Pipeline())
			}
			select {
			case <-ctx.Done():
				return
			case <-envoy.Exited():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return a
}

// sample holds the promise that no record is ever counted before it is emitted, nor twice.
func (a *audit) sample(p lab.Pipeline) {
	a.samples++
	if p.Ended() > p.Emitted && len(a.violations) < 5 {
		a.violations = append(a.violations, p.String())
	}
	if p.WaitingBytes > a.peak.WaitingBytes {
		a.peak = p
	}
}

// end may be called more than once.
func (a *audit) end() {
	a.stop()
	a.ended.Wait()
}
