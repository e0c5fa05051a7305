//go:build live

package live

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// What each query of each panel is to give, from what the callers, the sink and Envoy's own pages tell: none of it is made
// with PromQL. Titles are as the dashboards have them: a panel without a truth fails the test.

// chosen are the variables of a dashboard that are not as it opens.
var chosen = map[string]map[string]string{"routelens-route": {"route": "order"}}

// order is what the script does to the route that Route shows.
func order(f func(truth) float64) expected {
	return single(func(x truth) float64 { return f(x.of(ordered)) })
}

func ordered(e event) bool { return e.route == "order" }

// weekAgo asks the same of a week ago.
func weekAgo(f func(truth) float64) expected {
	return single(func(x truth) float64 { return f(x.past.of(ordered)) })
}

func took(q float64) func(truth) float64 {
	return func(x truth) float64 { return x.quantile(q) }
}

func requestSize(q float64) func(truth) float64 {
	return func(x truth) float64 { return x.requestQuantile(q) }
}

func responseSize(q float64) func(truth) float64 {
	return func(x truth) float64 { return x.responseQuantile(q) }
}

func meanRequest(x truth) float64  { return x.received() / x.rate() }
func meanResponse(x truth) float64 { return x.sent() / x.rate() }

func flushTime(q float64) expected {
	return single(func(x truth) float64 { return x.flushed(q) })
}

// The objectives of mixin.yaml: 0.1% may fail, 1% may take more than 500 ms. What is spent is told by recorded rates, summed up
// over an hour, as short as it is here.
func errorsBurn(x truth) float64 { return x.share(failed) / 0.001 }
func slowBurn(x truth) float64 {
	return x.share(func(e event) bool { return e.took > 500*time.Millisecond }) / 0.01
}

// share is that of the exchanges which a test picks, among those of all windows of rates that end within the last hour.
func (x truth) share(pick func(event) bool) float64 {
	picked, all := 0, 0
	for ago := range burnWindow / time.Second {
		events := x.earlier(ago * time.Second).events
		all += len(events)
		for _, e := range events {
			if pick(e) {
				picked++
			}
		}
	}
	return float64(picked) / float64(all)
}

// cumulative is what a heat map is drawn from: how many a second took no longer than each bound of Envoy's buckets.
func cumulative(pick func(event) bool) expected {
	return expected{"le", func(x truth) map[string]float64 {
		x = x.of(pick)
		want := map[string]float64{"+Inf": x.rate()}
		for _, bound := range bounds {
			want[strconv.Itoa(int(bound))] = x.rate() * (1 - x.slower(bound))
		}
		return want
	}}
}

func every(event) bool { return true }

// zeros are series that all stay at zero.
func zeros(label string, values ...string) expected {
	return expected{label, func(truth) map[string]float64 {
		want := map[string]float64{}
		for _, value := range values {
			want[value] = 0
		}
		return want
	}}
}

func number(of func(truth) json.Number) expected {
	return single(func(x truth) float64 { n, _ := of(x).Float64(); return n })
}

// Records are kept of what is slow, and of what fails, alone.
func slow(e event) bool { return e.took >= 500*time.Millisecond }

func kept(x truth) float64 { return x.of(func(e event) bool { return slow(e) || failed(e) }).rate() }

func flushes(x truth) float64 { return float64(len(x.flushes)) / x.seconds }

func decisions(x truth) map[string]float64 {
	slow := x.of(slow).rate() // whether it fails too or not
	return map[string]float64{"slow": slow, "error": kept(x) - slow, "skip": x.rate() - kept(x), "rate": 0, "trace": 0, "limit": 0}
}

const (
	vms         = 4       // the main thread's, two workers', and the one that they were cloned from
	labelSets   = 6       // of the script: two of browse, one of profile, three of order
	bufferLimit = 8 << 20 // sink.buffer.max_bytes
	seriesLimit = 5000    // metrics.max_series
)

var elsewhere = expected{} // compared by `what waits`

// waiting are the queries about what the sink has not taken, which are compared while nothing moves: with what it takes later.
var waiting = map[string]expected{
	"Buffer (stat) A":              single(func(x truth) float64 { return heldBytes(x) / bufferLimit }),
	"Bytes waiting (timeseries) A": single(heldBytes),
	"Records waiting (timeseries) A": single(func(x truth) (n float64) {
		for _, f := range x.flushes {
			n += float64(f.records)
		}
		return n
	}),
}

func heldBytes(x truth) (n float64) {
	for _, f := range x.flushes {
		n += float64(f.bytes)
	}
	return n
}

var truths = map[string]map[string]expected{
	"routelens-routes": {
		"Rate (stat) A":                             single(truth.rate),
		"Errors (stat) A":                           single(truth.errors),
		"p50 (stat) A":                              single(took(0.5)),
		"p95 (stat) A":                              single(took(0.95)),
		"p99 (stat) A":                              single(took(0.99)),
		"Burn (stat) A":                             order(errorsBurn),
		"Routes (table) A":                          byRoute(truth.rate),
		"Routes (table) B":                          byRoute(truth.errors),
		"Routes (table) C":                          byRoute(took(0.5)),
		"Routes (table) D":                          byRoute(took(0.95)),
		"Routes (table) E":                          byRoute(took(0.99)),
		"Routes (table) F":                          byRoute(truth.received),
		"Routes (table) G":                          byRoute(truth.sent),
		"Slowest routes (bargauge) A":               byRoute(took(0.95)),
		"Routes that fail most (bargauge) A":        byRoute(truth.errors),
		"Requests by route (timeseries) A":          byRoute(truth.rate),
		"Errors by route (timeseries) A":            byRoute(truth.errors),
		"p50 by route (timeseries) A":               byRoute(took(0.5)),
		"p95 by route (timeseries) A":               byRoute(took(0.95)),
		"p99 by route (timeseries) A":               byRoute(took(0.99)),
		"Latency heat map (heatmap) A":              cumulative(every),
		"Response codes (timeseries) A":             byCode(truth.rate),
		"Request bodies by route (timeseries) A":    byRoute(meanRequest),
		"Response bodies by route (timeseries) A":   byRoute(meanResponse),
		"Availability: budget burnt (timeseries) A": byRoute(errorsBurn),
		"Latency: budget burnt (timeseries) A":      byRoute(slowBurn),
	},
	"routelens-route": {
		"Rate (stat) A":                         order(truth.rate),
		"Errors (stat) A":                       order(truth.errors),
		"p50 (stat) A":                          order(took(0.5)),
		"p95 (stat) A":                          order(took(0.95)),
		"p99 (stat) A":                          order(took(0.99)),
		"Burn (stat) A":                         order(errorsBurn),
		"Requests by code (timeseries) A":       orderBy("response_code", code),
		"Errors over time (timeseries) A":       order(truth.errors),
		"Latency (timeseries) A":                order(took(0.5)),
		"Latency (timeseries) B":                order(took(0.95)),
		"Latency (timeseries) C":                order(took(0.99)),
		"Latency heat map (heatmap) A":          cumulative(ordered),
		"Response codes (timeseries) A":         orderBy("response_code", code),
		"Requests by method (timeseries) A":     orderBy("method", func(event) string { return "POST" }),
		"Retries by cluster (timeseries) A":     zeros("envoy_cluster_name", "browse", "logs", "order", "profile"),
		"Upstream faults (timeseries) A":        constant(0),
		"Upstream faults (timeseries) B":        constant(0),
		"Upstream faults (timeseries) C":        constant(0),
		"Upstream faults (timeseries) D":        constant(0),
		"Requests, then and now (timeseries) A": order(truth.rate),
		"Requests, then and now (timeseries) B": weekAgo(truth.rate),
		"Errors, then and now (timeseries) A":   order(truth.errors),
		"Errors, then and now (timeseries) B":   weekAgo(truth.errors),
		"p95, then and now (timeseries) A":      order(took(0.95)),
		"p95, then and now (timeseries) B":      weekAgo(took(0.95)),
		"Request bodies (timeseries) A":         order(meanRequest),
		"Request bodies (timeseries) B":         order(requestSize(0.5)),
		"Request bodies (timeseries) C":         order(requestSize(0.95)),
		"Request bodies (timeseries) D":         order(requestSize(0.99)),
		"Response bodies (timeseries) A":        order(meanResponse),
		"Response bodies (timeseries) B":        order(responseSize(0.5)),
		"Response bodies (timeseries) C":        order(responseSize(0.95)),
		"Response bodies (timeseries) D":        order(responseSize(0.99)),
		"Bytes (timeseries) A":                  order(truth.received),
		"Bytes (timeseries) B":                  order(truth.sent),
	},
	"routelens-pipeline": {
		"Emitted (stat) A":                         single(kept),
		"Arrived (stat) A":                         constant(1),
		"Kept (stat) A":                            single(func(x truth) float64 { return kept(x) / x.rate() }),
		"Buffer (stat) A":                          elsewhere,
		"Series (stat) A":                          constant(float64(labelSets) / seriesLimit),
		"VMs (stat) A":                             constant(vms),
		"Records (timeseries) A":                   single(kept),
		"Records (timeseries) B":                   single(kept),
		"Records (timeseries) C":                   constant(0),
		"Records (timeseries) D":                   constant(0),
		"Dropped, by reason (timeseries) A":        zeros("reason", metrics.Reasons()...),
		"Bytes waiting (timeseries) A":             elsewhere,
		"Bytes waiting (timeseries) B":             constant(bufferLimit),
		"Records waiting (timeseries) A":           elsewhere,
		"Requests to the log store (timeseries) A": single(flushes),
		"Requests to the log store (timeseries) B": constant(0),
		"Flush time (timeseries) A":                flushTime(0.5),
		"Flush time (timeseries) B":                flushTime(0.95),
		"Flush time (timeseries) C":                flushTime(0.99),
		"Collector changes (timeseries) A":         constant(0),
		"Sampling decisions (timeseries) A":        {"decision", decisions},
		"Bodies left out (timeseries) A":           zeros("reason", record.Omissions()...),
		"Label sets (timeseries) A":                constant(labelSets),
		"Label sets (timeseries) B":                constant(seriesLimit),
		"Counted as other (timeseries) A":          constant(0),
		"Wasm VMs (timeseries) A":                  constant(vms),
		"Wasm VMs (timeseries) B":                  constant(0),
		"VM reloads (timeseries) A":                constant(0),
		"VM reloads (timeseries) B":                constant(0),
		"VM reloads (timeseries) C":                constant(0),
		"Remote loads (timeseries) A":              constant(0),
		"Remote loads (timeseries) B":              constant(0),
		"Remote loads (timeseries) C":              constant(0),
		"Envoy's memory (timeseries) A":            number(func(x truth) json.Number { return x.memory.Allocated }),
		"Envoy's memory (timeseries) B":            number(func(x truth) json.Number { return x.memory.HeapSize }),
		"Envoy's memory (timeseries) C":            number(func(x truth) json.Number { return x.memory.TotalPhysicalBytes }),
		"Sent to the log store (timeseries) A":     single(func(x truth) float64 { return x.wire }),
		"Bytes a record (stat) A":                  single(func(x truth) float64 { return x.wire / kept(x) }),
		"Series in Prometheus (stat) A":            single(func(x truth) float64 { return x.series }),
		"Held up (stat) A":                         single(func(x truth) float64 { return x.misses }),
	},
}

func code(e event) string { return strconv.Itoa(e.code) }

// orderBy groups the requests of the route alone.
func orderBy(label string, key func(event) string) expected {
	e := grouped(label, key, truth.rate)
	return expected{label, func(x truth) map[string]float64 { return e.want(x.of(ordered)) }}
}
