package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// One Envoy meets each fault in turn, under load.
func TestAFailingSinkLosesAndDoublesNothing(t *testing.T) {
	faults := []lab.Fault{lab.Down, lab.TooMany, lab.ServerError, lab.Hang, lab.Close}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm, faults: true, concurrency: 4, plugin: settings{
			"sink.timeout":           "4s", // for Hang
			"sink.buffer.max_bytes":  "64MiB",
			"sink.retry.max_elapsed": "10m",
		}})
		s.faults.RetryAfter = 2 * time.Second
		var reports []lab.Report
		for _, fault := range faults {
			t.Run(string(fault), func(t *testing.T) {
				before, err := s.Stats(t.Context())
				require.NoError(t, err)
				healed := s.failFor(t, fault, faultTime)
				reports = append(reports, s.load(t, lab.Load{Mix: lab.ShopMix(), Total: faultRequests, Rate: faultRate, Workers: 32}))
				require.NoError(t, <-healed)
				stats := s.reconcile(t, reports...)

				assert.Greater(t, stats.Pipeline().Retries, before.Pipeline().Retries)
				met := s.faults.Requests()[fault]
				if fault != lab.Down { // which leaves no trace
					assert.Positive(t, met, "requests that met the fault")
				}
				if fault == lab.TooMany {
					inFlight := 4 // when it begins
					assert.LessOrEqual(t, met, inFlight+1+int(faultTime/s.faults.RetryAfter), "requests before Retry-After")
				}
			})
		}
	})
}

// failFor lets the sink fail after a second, and heals it.
func (s *stand) failFor(t *testing.T, fault lab.Fault, d time.Duration) (healed <-chan error) {
	result := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		err := s.faults.Set(fault)
		time.Sleep(d)
		if again := s.faults.Set(lab.Pass); err == nil {
			err = again
		}
		result <- err
	}()
	return result
}

func TestAFullBacklogKeepsErrorsAndItsBounds(t *testing.T) {
	const limit = 128 << 10
	ordinary := []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}
	errors := []lab.Share{{Call: lab.Get("broken", "/broken"), Times: 1}}
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{
			wasm: wasm, faults: true,
			plugin: settings{"sink.buffer.max_bytes": "128KiB", "sink.batch.max_bytes": "32KiB", "sink.retry.max_elapsed": "10m"},
			envoy: func(o *config.Options) {
				o.Routes = append([]config.Route{{Name: "broken", Prefix: "/broken", Status: 503}}, o.Routes...)
			},
		})
		require.NoError(t, s.faults.Set(lab.Down))
		reports := []lab.Report{
			s.load(t, lab.Load{Mix: ordinary, Total: 5000}),
			s.load(t, lab.Load{Mix: errors, Total: 50}),
		}
		before := residentKiB(t, s.Process)
		reports = append(reports, s.load(t, lab.Load{Mix: ordinary, Total: 20_000}))
		grown := residentKiB(t, s.Process) - before
		t.Logf("25,050 records for %d bytes of backlog: Envoy grew by %d KiB over the last 20,000", limit, grown)
		assert.Less(t, grown, 10<<10, "KiB; the records alone are more")

		require.NoError(t, s.faults.Set(lab.Pass))
		sent, stats := s.reconcileCounters(t, reports...)
		pipeline := stats.Pipeline()
		assert.Equal(t, sent, pipeline.Emitted)
		assert.EqualValues(t, pipeline.Dropped, stats.Sum(metrics.Dropped, "reason=buffer_full"))
		assert.Positive(t, pipeline.Dropped)
		assert.Zero(t, pipeline.Unconfirmed)
		s.audit.end()
		assert.Positive(t, s.audit.peak.WaitingBytes)
		assert.LessOrEqual(t, s.audit.peak.WaitingBytes, limit, "most bytes waiting, in every sample")

		missing := 0
		for i, report := range reports {
			absent, doubled := s.compare(t, report)
			missing += len(absent)
			assert.Empty(t, lab.Examples(doubled))
			if i == 1 {
				assert.Empty(t, lab.Examples(absent), "errors must stay")
			}
		}
		assert.Equal(t, pipeline.Dropped, missing, "requests that are not in the store")
	})
}

func TestWhatIsGivenUpIsCountedUnderItsReason(t *testing.T) {
	long := strings.Repeat("x", 2000)
	cases := map[string]struct {
		reason string
		plugin settings
		fault  lab.Fault
		path   string
	}{
		"a sink that fails for too long": {"retries_exhausted", settings{"sink.retry.max_elapsed": "1s"}, lab.ServerError, "/catalog"},
		"a sink that says no":            {"rejected", settings{"sink.path": "/nowhere"}, lab.Pass, "/catalog"},
		"a record larger than a batch":   {"too_large", settings{"sink.batch.max_bytes": "1KiB"}, lab.Pass, "/catalog/" + long},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				s := open(t, standOptions{wasm: wasm, plugin: c.plugin, faults: true})
				require.NoError(t, s.faults.Set(c.fault))
				report := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("catalog", c.path), Times: 1}}, Total: 50})
				sent, stats := s.reconcileCounters(t, report)
				assert.EqualValues(t, sent, stats.Sum(metrics.Dropped, "reason="+c.reason), stats.Pipeline())
				assert.EqualValues(t, sent, stats.Sum(metrics.Dropped), "for this reason alone")
				assert.Equal(t, sent, stats.Pipeline().Emitted)
			})
		}
	})
}

func residentKiB(t *testing.T, p *lab.Process) int {
	t.Helper()
	bytes, err := p.ResidentMemory()
	require.NoError(t, err)
	return int(bytes >> 10)
}
