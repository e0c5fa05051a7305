//go:build live

package live

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

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
	s.read(t, p, past, checker, dashboards)
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

// read compares all that the dashboards show. What is off is read again, some times: once it has to be right.
func (s *stand) read(t *testing.T, p *play, past *truth, checker Checker, dashboards []Dashboard) {
	right := map[string]bool{} // by dashboard and query
	for attempt := 1; ; attempt++ {
		off := map[string]error{}
		for _, d := range dashboards {
			asked, err := checker.Ask(t.Context(), d, chosen[d.UID])
			require.NoError(t, err)
			wrong := compareAll(truths[d.UID], s.truths(t, p, past, asked[0].Span), asked)
			say("%s: %d of %d queries off", d.Title, len(wrong), len(asked))
			for _, a := range asked {
				right[d.UID+a.key()] = right[d.UID+a.key()] || wrong[a.key()] == nil
			}
			for key, err := range wrong {
				if !right[d.UID+key] {
					off[d.UID+key] = err
				}
			}
		}
		if len(off) == 0 || attempt == attempts {
			assert.Empty(t, off)
			return
		}
		say("off: %v", off)
		wait(t, rates, "those again: where the machine is busy, latencies do not keep to their buckets")
	}
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

// lagging is how late Prometheus may know: histograms are merged each second, and scraped each second.
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
