package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	pluginconfig "github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/sampling"
)

// What the plugin reads of a trace or an id in Envoy must place each exchange where the sampler, told the
// same, places it here.
func TestExchangesAreSampledByTheirTraceElseTheirID(t *testing.T) {
	rules := pluginconfig.Default().Sampling
	rules.Rate = 0.5
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, plugin: settings{"sampling.rate": rules.Rate, "sampling.slow.over": "1h"}})
		sampler := sampling.New(rules, 1)
		want := map[string]string{} // reasons by request id
		const total = 400
		for n := range total {
			r := record.Record{RequestID: newID(), Status: 200}
			header := http.Header{}
			trace, span := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()), fmt.Sprintf("%016x", rand.Uint64())
			flags := n / 4 % 2
			switch n % 4 {
			case 1:
				header.Set("traceparent", fmt.Sprintf("00-%s-%s-%02d", trace, span, flags))
			case 2:
				header.Set("b3", fmt.Sprintf("%s-%s-%d", trace, span, flags))
			case 3:
				header.Set("x-b3-traceid", trace)
				header.Set("x-b3-spanid", span)
				header.Set("x-b3-sampled", fmt.Sprint(flags))
			}
			if n%4 > 0 {
				r.Trace = record.Trace{Present: true, TraceID: trace, SpanID: span, Flags: byte(flags)}
			}
			if decision, _ := sampler.Decide(&r); decision.Kept() {
				want[r.RequestID] = decision.String()
			}
			s.call(t, "GET", "/catalog", r.RequestID, header)
		}
		stats, err := s.Quiet(t.Context(), total, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, len(want), stats.Pipeline().Delivered)
		rows, err := s.store.Query(t.Context(), `* | fields "envoy.request_id", "sampling.reason"`)
		require.NoError(t, err)
		got := map[string]string{}
		for _, row := range rows {
			got[row["envoy.request_id"]] = row["sampling.reason"]
		}
		assert.Equal(t, want, got)
		log, err := os.ReadFile(s.Log)
		require.NoError(t, err)
		assert.NotContains(t, string(log), "expr_", "Envoy refused an expression, which costs every exchange a map of headers")
	})
}

func TestNoMoreRecordsASecondThanAllowed(t *testing.T) {
	const limit, total = 20, 2000
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, plugin: settings{"sampling.max_per_second": limit}})
		start := time.Now()
		s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}, Total: total, Rate: 500})
		seconds := int(time.Since(start)/time.Second) + 2 // those begun and ended within count whole
		stats, err := s.Quiet(t.Context(), total, time.Minute)
		require.NoError(t, err)
		kept := int(stats.Sum(metrics.Decisions, "decision=rate"))
		assert.LessOrEqual(t, kept, limit*seconds)
		assert.GreaterOrEqual(t, kept, limit*(seconds-2)/2, "as many as are allowed, on the whole")
		assert.Equal(t, total, kept+int(stats.Sum(metrics.Decisions, "decision=limit")))
		assert.Equal(t, kept, stats.Pipeline().Delivered)
	})
}
