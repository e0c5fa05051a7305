//go:build live

package live

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"
)

// tolerance is how far from the truth a number may be.
const tolerance = 0.05

// truth is what really passed within a time, as told by those who sent it and by the sink.
type truth struct {
	events  []event
	flushes []flush
	seconds float64
	wire    float64 // bytes a second that the sink read
	series  float64 // of the plugin, on Envoy's page
	memory  memory
	past    *truth // a week ago
	earlier func(ago time.Duration) truth
	misses  float64 // of Envoy's watchdogs, within the time shown
	buckets bool    // the rarest times are known by their buckets alone, see rarest
}

// least takes the upstream's word for how long each exchange took.
func (x truth) least() truth {
	x.events = slices.Clone(x.events)
	for i := range x.events {
		x.events[i].took = x.events[i].upstream
	}
	if all := x.earlier; all != nil {
		x.earlier = func(ago time.Duration) truth { return all(ago).least() }
	}
	return x
}

// memory is what Envoy's own page tells of it.
type memory struct {
	Allocated          json.Number
	HeapSize           json.Number `json:"heap_size"`
	TotalPhysicalBytes json.Number `json:"total_physical_bytes"`
}

// of are those of the exchanges that a test picks.
func (x truth) of(pick func(event) bool) truth {
	x.events = slices.DeleteFunc(slices.Clone(x.events), func(e event) bool { return !pick(e) })
	if all := x.earlier; all != nil {
		x.earlier = func(ago time.Duration) truth { return all(ago).of(pick) }
	}
	return x
}

func (x truth) rate() float64 { return float64(len(x.events)) / x.seconds }

func failed(e event) bool { return e.code >= 500 }

func (x truth) errors() float64 { return x.of(failed).rate() / x.rate() }

func (x truth) quantile(q float64) float64 {
	return x.rarest(q, quantileOf(x.events, func(e event) float64 { return milliseconds(e.took) }))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (x truth) responseQuantile(q float64) float64 {
	return quantileOf(x.events, func(e event) float64 { return float64(e.response) })(q)
}

func (x truth) requestQuantile(q float64) float64 {
	return quantileOf(x.events, func(e event) float64 { return float64(e.request) })(q)
}

func (x truth) received() (sum float64) {
	for _, e := range x.events {
		sum += float64(e.request) / x.seconds
	}
	return sum
}

func (x truth) sent() (sum float64) {
	for _, e := range x.events {
		sum += float64(e.response) / x.seconds
	}
	return sum
}

// slower is the share that took longer than so many milliseconds.
func (x truth) slower(than float64) float64 {
	return x.of(func(e event) bool { return milliseconds(e.took) > than }).rate() / x.rate()
}

// flushed is a quantile of how long the sink took.
func (x truth) flushed(q float64) float64 {
	return x.rarest(q, quantileOf(x.flushes, func(f flush) float64 { return milliseconds(f.took) }))
}

// quantileOf finds the value that the share q does not exceed.
func quantileOf[T any](all []T, of func(T) float64) func(q float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return func(q float64) float64 { return values[min(int(q*float64(len(values))), len(values)-1)] }
}

// rarest is a quantile, or, above the median, as near to it as classic buckets can tell: where a busy machine lets two or three
// requests of a hundred take so long that they fall into the next bucket, it is drawn on a line through that.
func (x truth) rarest(q float64, quantile func(float64) float64) float64 {
	value := quantile(q)
	if !x.buckets || q <= 0.5 {
		return value
	}
	i, _ := slices.BinarySearch(bounds, value)
	from, to := 0.0, bounds[min(i, len(bounds)-1)]
	if i > 0 {
		from = bounds[i-1]
	}
	below, within := shareUpTo(from, quantile), shareUpTo(to, quantile)
	return from + (to-from)*(q-below)/(within-below)
}

// shareUpTo is the share of the values that are no more than a bound.
func shareUpTo(bound float64, quantile func(float64) float64) float64 {
	const steps = 10_000
	return float64(sort.Search(steps, func(i int) bool { return quantile(float64(i)/steps) > bound })) / steps
}

// bounds are those of Envoy's buckets of times.
var bounds = []float64{1, 2, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000, 30000, 60000}

// expected is what a query is to give: a number for each value of a label; the label "" is for a single series.
type expected struct {
	label string
	want  func(truth) map[string]float64
}

func single(f func(truth) float64) expected {
	return expected{"", func(x truth) map[string]float64 { return map[string]float64{"": f(x)} }}
}

func constant(v float64) expected { return single(func(truth) float64 { return v }) }

// grouped asks the same of the exchanges of each group.
func grouped(label string, key func(event) string, f func(truth) float64) expected {
	return expected{label, func(x truth) map[string]float64 {
		want := map[string]float64{}
		for _, e := range x.events {
			want[key(e)] = 0
		}
		for k := range want {
			want[k] = f(x.of(func(e event) bool { return key(e) == k }))
		}
		return want
	}}
}

func byRoute(f func(truth) float64) expected {
	return grouped("route", func(e event) string { return e.route }, f)
}

func byCode(f func(truth) float64) expected { return grouped("response_code", code, f) }

// key names a query: titles are not unique, but with their kinds they are.
func (a Asked) key() string {
	return fmt.Sprintf("%s (%s) %s", a.Panel.Title, a.Panel.Type, a.Target.RefID)
}

// compareAll wants every query to have a truth, and every truth a query. What is wrong is told by the query.
func compareAll(truths map[string]expected, x []truth, asked []Asked) map[string]error {
	wrong := map[string]error{}
	seen := map[string]bool{}
	for _, a := range asked {
		if a.Source != "prometheus" {
			continue
		}
		key := a.key()
		seen[key] = true
		want, known := truths[key]
		switch {
		case !known:
			wrong[key] = fmt.Errorf("no truth to compare %q with: %s gives %v", key, a.Query, a.Series)
		case want.want != nil:
			if err := want.compare(x, a.Series); err != nil && want.compare(byBuckets(x), a.Series) != nil {
				wrong[key] = fmt.Errorf("%s: %w: %s", key, err, a.Query)
			}
		}
	}
	for key := range truths {
		if !seen[key] {
			wrong[key] = fmt.Errorf("there is no panel %q any more", key)
		}
	}
	return wrong
}

func byBuckets(all []truth) []truth {
	all = slices.Clone(all)
	for i := range all {
		all[i].buckets = true
	}
	return all
}

// compare wants each series to be expected, each that is expected to be there, and its value to be near that of now, or
// between those of as long as Prometheus may lag.
func (e expected) compare(xs []truth, all []Series) error {
	want := e.want(xs[0])
	got := map[string]float64{}
	for _, s := range all {
		got[s.Labels[e.label]] = s.Last()
	}
	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))) || len(got) != len(all) {
		return fmt.Errorf("series %v, and not as in %v", all, want)
	}
	least, most := maps.Clone(want), maps.Clone(want)
	for _, x := range xs[1:] {
		for key, value := range e.want(x) {
			least[key], most[key] = min(least[key], value), max(most[key], value)
		}
	}
	for key, value := range got {
		if !(value >= (1-tolerance)*least[key] && value <= (1+tolerance)*most[key]) {
			return fmt.Errorf("%s %s: %v, and in truth %v (%v to %v)", e.label, key, value, want[key], least[key], most[key])
		}
	}
	return nil
}
