//go:build live

package live

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
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

// spans are how far back panels look.
const (
	timeShown  = time.Minute
	scrapeTold = 10 * time.Second // to Grafana, so that $__rate_interval is 40 s, and one request more or less no matter
	rates      = 4 * scrapeTold
	attempts   = 5
)

var (
	truthWindows = Shrink{Shortest: rates, Longest: 2 * rates}
	burnWindow   = truthWindows.Of(time.Hour)
)

// Each number on each panel, against what really passed.
func TestEachPanelTellsTheTruth(t *testing.T) {
	t.Parallel()
	p, err := openPlay(telling)
	require.NoError(t, err)
	s := &stand{sink: &sink{}}
	routes, clusters := p.routes()
	s.open(t, needed(t, "ROUTELENS_WASM"), 0, routes, clusters)
	past, dir := s.past(t, p)
	dashboards, rules := shipped(t)
	pipeline := dashboards[slices.IndexFunc(dashboards, func(d Dashboard) bool { return d.UID == "routelens-pipeline" })]
	for name, file := range rules {
		rules[name], err = file.Faster(time.Second, truthWindows)
		require.NoError(t, err)
	}
	checker := Checker{
		Prometheus: s.scrape(t, lab.PrometheusOptions{Dir: dir, Rules: writeRules(t, rules), Labels: kubernetes}),
		Range:      timeShown, Scrape: scrapeTold,
	}
	end := playOn(t, p, s)
	go s.watchMisses(t.Context())
	wait(t, timeShown+10*time.Second, "traffic whose every number is known")
	right := map[string]bool{} // by dashboard and query
	for attempt := 1; attempt <= attempts; attempt++ {
		off := 0
		for _, d := range dashboards {
			asked, err := checker.Ask(t.Context(), d, chosen[d.UID])
			require.NoError(t, err)
			wrong := compareAll(truths[d.UID], s.truths(t, p, past, asked[0].Span), asked)
			for _, a := range asked {
				if wrong[a.key()] == nil {
					right[d.UID+a.key()] = true
				}
			}
			maps.DeleteFunc(wrong, func(key string, _ error) bool { return right[d.UID+key] })
			off += len(wrong)
			say("%s: %d of %d queries off", d.Title, len(wrong), len(asked))
			for _, err := range wrong {
				if say("%v", err); attempt == attempts {
					t.Errorf("%s: %v", d.UID, err)
				}
			}
		}
		if off == 0 {
			break
		}
		if attempt < attempts {
			wait(t, rates, "those again: where the machine is busy, latencies do not keep to their buckets")
		}
	}
	t.Run("what waits", func(t *testing.T) {
		s.sink.refuse(true, true)
		wait(t, 8*time.Second, "records that the sink does not take")
		end()
		wait(t, 3*time.Second, "nothing changes any more")
		asked, err := checker.Ask(t.Context(), pipeline, nil)
		require.NoError(t, err)
		asked = slices.DeleteFunc(asked, func(a Asked) bool { _, waits := waiting[a.key()]; return !waits })
		healed := time.Now()
		s.sink.refuse(true, false)
		_, err = s.Quiet(t.Context(), 0, 20*time.Second)
		require.NoError(t, err)
		assert.Empty(t, compareAll(waiting, []truth{{flushes: s.sink.between(healed, time.Now())}}, asked))
	})
}

// playOn plays until it is told to end.
func playOn(t *testing.T, p *play, s *stand) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx, s.Entry) }()
	end = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(end)
	return end
}

// past plays for a while, and tells a Prometheus that so it was a week ago, every five seconds.
func (s *stand) past(t *testing.T, p *play) (x *truth, dir string) {
	end := playOn(t, p, s)
	wait(t, 10*time.Second, "traffic that becomes that of a week ago")
	end()
	_, err := s.Quiet(t.Context(), len(p.between(time.Time{}, time.Now())), 20*time.Second)
	require.NoError(t, err)
	time.Sleep(2 * time.Second) // histograms are merged each second
	dir = t.TempDir()
	s.remember(t, false, kubernetes).tell(t, dir, false, 7*24*time.Hour)
	return &truth{events: p.between(time.Time{}, time.Now()), seconds: comesAgain.Seconds()}, dir
}

// lag is how late Prometheus may know: histograms are merged each second, and scraped each second.
const lagging = 3

// truths are what passed before the end of a span, as far back as $__rate_interval reaches; the first is that of now, the
// others of as many seconds before as Prometheus may lag behind.
func (s *stand) truths(t *testing.T, p *play, past *truth, span Span) (all []truth) {
	t.Helper()
	var m memory
	require.NoError(t, json.Unmarshal(s.page(t, "/memory"), &m))
	series := len(ownSeries.FindAll(s.page(t, "/stats/prometheus"), -1))
	var at func(end time.Time) truth
	at = func(end time.Time) truth {
		start := end.Add(-span.RateInterval())
		seconds := end.Sub(start).Seconds()
		return truth{
			events: p.between(start, end), flushes: s.sink.between(start, end), seconds: seconds,
			wire: float64(s.sink.readBetween(start, end)) / seconds, series: float64(series), memory: m, past: past,
			misses:  s.misses.between(end.Add(-span.Range), end),
			earlier: func(ago time.Duration) truth { return at(end.Add(-ago)) },
		}
	}
	for lag := range lagging + 1 {
		x := at(span.End.Add(-time.Duration(lag) * time.Second))
		all = append(all, x, x.least())
	}
	return all
}

// misses keeps counting what Envoy's watchdogs have missed.
type misses struct {
	mutex sync.Mutex
	seen  []reading
}

func (s *stand) watchMisses(ctx context.Context) {
	for ctx.Err() == nil {
		stats, err := s.StatsOf(ctx, `server.*watchdog_miss$`)
		if err == nil {
			sum := 0
			for _, stat := range stats {
				sum += int(stat.Value)
			}
			s.misses.mutex.Lock()
			s.misses.seen = append(s.misses.seen, reading{time.Now(), sum})
			s.misses.mutex.Unlock()
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// between is how many came within a span of time.
func (m *misses) between(start, end time.Time) float64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	before, after := 0, 0
	for _, r := range m.seen {
		if r.at.Before(start) {
			before = r.n
		}
		if r.at.Before(end) {
			after = r.n
		}
	}
	return float64(after - before)
}

var ownSeries = regexp.MustCompile(`(?m)^routelens_`)

// page is one of Envoy's admin pages.
func (s *stand) page(t *testing.T, path string) []byte {
	t.Helper()
	response, err := http.Get(s.Admin + path)
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return page
}

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
