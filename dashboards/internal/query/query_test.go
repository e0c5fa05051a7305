package query

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/plugin/metrics"
)

// traffic is ten minutes: of route pay 60 requests a minute, of which 3 fail, one by its gRPC status; of route calm one long ago.
const traffic = `load 1m
  routelens_requests_total{route="pay", response_code="200", grpc_response_status="-"} 0+56x10
  routelens_requests_total{route="pay", response_code="200", grpc_response_status="0"} 0+1x10
  routelens_requests_total{route="pay", response_code="200", grpc_response_status="14"} 0+1x10
  routelens_requests_total{route="pay", response_code="503", grpc_response_status="14"} 0+1x10
  routelens_requests_total{route="pay", response_code="504", grpc_response_status="-"} 0+1x10
  routelens_requests_total{route="calm", response_code="200", grpc_response_status="-"} 1x10`

// The times of route pay: 30 of 0 to 250 ms and 30 of 250 to 500 ms or above, in the ways Prometheus stores them. Native buckets
// grow by factors of two: (128, 256] and (256, 512].
const (
	classic = traffic + `
  routelens_request_duration_milliseconds_bucket{route="pay", le="250"} 0+30x10
  routelens_request_duration_milliseconds_bucket{route="pay", le="500.0"} 0+54x10
  routelens_request_duration_milliseconds_bucket{route="pay", le="+Inf"} 0+60x10
  routelens_request_duration_milliseconds_count{route="pay"} 0+60x10
  routelens_request_duration_milliseconds_sum{route="pay"} 0+12000x10
  routelens_request_duration_milliseconds_bucket{route="calm", le="250"} 1x10
  routelens_request_duration_milliseconds_bucket{route="calm", le="500.0"} 1x10
  routelens_request_duration_milliseconds_bucket{route="calm", le="+Inf"} 1x10
  routelens_request_duration_milliseconds_count{route="calm"} 1x10
  routelens_request_duration_milliseconds_sum{route="calm"} 3x10
`
	native = traffic + `
  routelens_request_duration_milliseconds{route="pay"} {{schema:0 count:0 sum:0 offset:8 buckets:[0 0]}}+{{schema:0 count:60 sum:12000 offset:8 buckets:[30 30]}}x10
  routelens_request_duration_milliseconds{route="calm"} {{schema:0 count:1 sum:3 offset:2 buckets:[1]}}x10
`
)

func answer(t *testing.T, load, expr string) map[string]float64 {
	storage := promqltest.LoadedStorage(t, load)
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	q, err := engine.NewInstantQuery(t.Context(), storage, nil, expr, time.Unix(0, 0).Add(10*time.Minute))
	require.NoError(t, err, expr)
	defer q.Close()
	result := q.Exec(t.Context())
	require.NoError(t, result.Err, expr)
	got := map[string]float64{}
	vector, err := result.Vector()
	require.NoError(t, err)
	for _, s := range vector {
		got[s.Metric.Get(metrics.LabelRoute)] = s.F
	}
	return got
}

func TestQueriesAreRight(t *testing.T) {
	config := mixin.Config{Errors: map[string]string{metrics.LabelCode: "5..", metrics.LabelGRPC: "2|4|12|13|14|15"}}
	for _, kind := range []struct{ histograms, load string }{{mixin.Classic, classic}, {mixin.Native, native}} {
		config.Histograms = kind.histograms
		s := Scope{Config: config, Window: "5m"}
		for _, c := range []struct {
			name, expr string
			want       map[string]float64
		}{
			{"rate", s.Rate(metrics.Requests, "route"), map[string]float64{"pay": 1, "calm": 0}},
			{"rate of one route", s.With(`route="pay"`).Rate(metrics.Requests), map[string]float64{"": 1}},
			{"rate before", s.Before("1m").Rate(metrics.Requests, "route"), map[string]float64{"pay": 1, "calm": 0}},
			{"errors, each once", s.Errors("route"), map[string]float64{"pay": 3. / 60, "calm": 0}},
			{"share of errors, where there is traffic", s.ErrorShare("route"), map[string]float64{"pay": 3. / 60}},
			{"count", s.Count(metrics.Duration, "route"), map[string]float64{"pay": 1, "calm": 0}},
			{"sum", s.Sum(metrics.Duration, "route"), map[string]float64{"pay": 200, "calm": 0}},
			{"mean, where there is traffic", s.Mean(metrics.Duration, "route"), map[string]float64{"pay": 200}},
			{"median, where there is traffic", s.Quantile(0.5, metrics.Duration, "route"), map[string]float64{"pay": map[string]float64{mixin.Classic: 250, mixin.Native: 256}[kind.histograms]}},
			{"above 500 ms", s.Above(metrics.Duration, 500, "route"), map[string]float64{"calm": 0, "pay": map[string]float64{mixin.Classic: 6. / 60, mixin.Native: 0.017}[kind.histograms]}},
		} {
			t.Run(kind.histograms+": "+c.name, func(t *testing.T) {
				got := answer(t, kind.load, c.expr)
				require.Len(t, got, len(c.want), "%v", got)
				for route, want := range c.want {
					assert.InDelta(t, want, got[route], 0.001, c.expr)
				}
			})
		}
	}
}

func TestErrorsAreToldByTheLabelsThatThereAre(t *testing.T) {
	config := mixin.Config{Errors: map[string]string{metrics.LabelCode: "5..", metrics.LabelGRPC: "14"}}
	got := answer(t, `load 1m
  routelens_requests_total{route="pay", response_code="200"} 0+54x10
  routelens_requests_total{route="pay", response_code="500"} 0+6x10
`, Scope{Config: config, Window: "5m"}.ErrorShare("route"))
	assert.InDelta(t, 0.1, got["pay"], 0.001)
}
