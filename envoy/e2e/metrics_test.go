package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

func TestMetricsAloneNeedNoSinkAndEqualTheLoad(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm, concurrency: 4, envoy: func(o *config.Options) { o.Plugin.Config = `{}` }})
		report := s.load(t, lab.Load{Mix: lab.ShopMix(), Total: 2000, Workers: 16})
		sent, stats := s.reconcileCounters(t, report)
		err := lab.Until(t.Context(), "the histograms, which Envoy merges every second", 20*time.Second, func(ctx context.Context) (string, bool) {
			var err error
			stats, err = s.Stats(ctx)
			counts := []float64{stats.Sum(metrics.Duration + "_count"), stats.Sum(metrics.RequestSize + "_count"), stats.Sum(metrics.ResponseSize + "_count")}
			return fmt.Sprint(counts, err), slices.Min(counts) >= float64(sent)
		})
		require.NoError(t, err)
		for _, m := range []string{metrics.Duration, metrics.RequestSize, metrics.ResponseSize} {
			assert.EqualValues(t, sent, stats.Sum(m+"_count"), m)
		}
		assert.Zero(t, stats.Pipeline().Emitted)

		of100 := map[string]float64{"GET": 39 + 18 + 2 + 2 + 1, "POST": 4 + 10 + 12 + 8, "PUT": 4}
		for method, times := range of100 {
			assert.Equal(t, times/100*float64(report.Sent), stats.Sum(metrics.Requests, "method="+method), method)
		}
		mean := stats.Sum(metrics.Duration+"_sum", "route=checkout") / stats.Sum(metrics.Duration+"_count", "route=checkout")
		assert.Greater(t, mean, 50.0, "ms of checkout, which takes 50 to 150")
		assert.Less(t, mean, 5000.0, "ms of checkout, on the busiest machine")
	})
}

// What a Prometheus reads: labels, and every series of the pipeline from the start, at zero.
func TestEveryPipelineSeriesIsThereFromTheStart(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm})
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		there := map[string]float64{}
		for _, stat := range stats {
			there[fmt.Sprintf("%s%v", stat.Name, stat.Labels)] = stat.Value
		}
		var want []string
		for _, name := range []string{metrics.Emitted, metrics.Delivered, metrics.Unconfirmed, metrics.Retries, metrics.SeriesOverflow, metrics.WaitingBytes, metrics.WaitingRecords} {
			want = append(want, name+"map[]")
		}
		for _, reason := range metrics.Reasons() {
			want = append(want, metrics.Dropped+"map[reason:"+reason+"]")
		}
		for _, decision := range []string{"rate", "trace", "error", "slow", "skip", "limit"} {
			want = append(want, metrics.Decisions+"map[decision:"+decision+"]")
		}
		for _, series := range want {
			if assert.Contains(t, there, series) {
				assert.Zero(t, there[series], series)
			}
		}
		assert.EqualValues(t, 8<<20, there[metrics.LimitBytes+"map[]"], "sink.buffer.max_bytes")
		assert.EqualValues(t, 5000, there[metrics.SeriesLimit+"map[]"], "metrics.max_series")
	})
}

func TestLabelsAreChosenAndBounded(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		u := startUpstream(t)
		s := open(t, standOptions{
			wasm: wasm,
			plugin: settings{
				"metrics.labels":     []string{"method", "response_code", "cluster", "virtual_host", "grpc_response_status"},
				"metrics.max_series": 4,
			},
			envoy: func(o *config.Options) { u.place(t, o) },
		})
		series := func(labels ...string) float64 {
			stats, err := s.Stats(t.Context())
			require.NoError(t, err)
			return stats.Sum(metrics.Requests, labels...)
		}
		send := func(method, path string, times int) {
			for range times {
				exchange(t, http2Client(), newRequest(t, method, s.Entry+path, newID(), nil, nil))
			}
		}
		_, err := echoClient(t, s).Say(t.Context(), newID(), "missing")
		require.Error(t, err)
		send("GET", "/catalog", 3)
		send("BREW", "/catalog", 1)
		send("STEAM", "/catalog", 1) // the same series: clients make up no values
		send("GET", "/teapot", 2)
		_, err = s.Quiet(t.Context(), 8, 20*time.Second)
		require.NoError(t, err)
		send("POST", "/catalog", 4) // a fifth series is one too many
		send("PUT", "/catalog", 1)
		stats, err := s.Quiet(t.Context(), 13, 20*time.Second)
		require.NoError(t, err)

		assert.EqualValues(t, 1, series("method=POST", "response_code=200", "cluster=grpc", "virtual_host=shop", "grpc_response_status=5"))
		assert.EqualValues(t, 3, series("method=GET", "response_code=200", "cluster=catalog", "grpc_response_status=-"))
		assert.EqualValues(t, 2, series("method=_OTHER", "response_code=200", "cluster=catalog"))
		assert.EqualValues(t, 2, series("method=GET", "response_code=418", "cluster=-"))
		other := []string{"method=other", "response_code=other", "cluster=other", "virtual_host=other", "grpc_response_status=other"}
		assert.EqualValues(t, 5, series(other...))
		assert.EqualValues(t, 5, stats.Sum(metrics.SeriesOverflow))

		s.renewVMs(t)
		assert.EqualValues(t, 5, series(other...), "after the VMs that counted it went")
	})
}

// The text that Prometheus scrapes, in its own words.
func TestStatsReadAsPrometheusWants(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm})
		report := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}, Total: 5})
		s.reconcile(t, report)
		time.Sleep(3 * time.Second) // Envoy merges histograms every second here
		response, err := http.Get(s.Admin + "/stats/prometheus?filter=routelens")
		require.NoError(t, err)
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		for _, line := range []string{
			"# TYPE routelens_requests_total counter",
			`routelens_requests_total{route="catalog",method="GET",response_code="200"} 5`,
			"# TYPE routelens_request_duration_milliseconds histogram",
			`routelens_request_duration_milliseconds_bucket{route="catalog",method="GET",response_code="200",le="60000"} 5`,
			`routelens_response_size_bytes_bucket{route="catalog",method="GET",response_code="200",le="64"} 5`,
			`routelens_records_dropped_total{reason="buffer_full"} 0`,
		} {
			assert.Contains(t, string(page), "\n"+line+"\n")
		}
	})
}
