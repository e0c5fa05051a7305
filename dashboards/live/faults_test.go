//go:build live

package live

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// fault is something that goes wrong, and is mended.
type fault struct {
	name       string
	begin, end func(*scene) error
	alert      string        // that is to fire
	window     time.Duration // within which it is to, before windows are made short
	route      string        // the label that it has; empty: none
	shown      []string      // panels of Routes that show the route as the worst
}

// scene is a stand under the script's traffic.
type scene struct {
	*stand
	*play
	Checker
}

func (s *scene) slow(route string, by time.Duration) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.slower[route] = by
	return nil
}

func (s *scene) fail(route string, code int) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.fails[route] = code
	return nil
}

// trap ends a VM of the plugin.
func (s *scene) trap() error {
	request, err := http.NewRequest(http.MethodGet, s.Entry+"/browse", nil)
	if err != nil {
		return err
	}
	request.Header.Set("x-trap", "now")
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		err = response.Body.Close()
	}
	return err
}

// watcher keeps the states that alerts have been in.
type watcher struct {
	sync.Mutex
	states map[string][]string // by alert: pending, firing, inactive ...
}

func watch(ctx context.Context, prometheus Client) *watcher {
	w := &watcher{states: map[string][]string{}}
	go func() {
		for ctx.Err() == nil {
			rules, err := prometheus.Rules(ctx)
			if err == nil {
				w.see(rules)
			}
			time.Sleep(250 * time.Millisecond)
		}
	}()
	return w
}

func (w *watcher) see(rules []Rule) {
	now := map[string]string{}
	for _, rule := range rules {
		for _, alert := range rule.Alerts {
			now[alertKey(rule.Name, alert.Labels)] = alert.State
		}
	}
	w.Lock()
	defer w.Unlock()
	for key := range w.states {
		if now[key] == "" {
			now[key] = "inactive"
		}
	}
	for key, state := range now {
		if past := w.states[key]; len(past) == 0 || past[len(past)-1] != state {
			w.states[key] = append(past, state)
			say("alert %s is %s", key, state)
		}
	}
}

// alertKey is a name with the labels that tell its alerts apart.
func alertKey(name string, labels map[string]string) string {
	parts := []string{name}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if !slices.Contains([]string{"alertname", "job", "instance", "namespace", "workload"}, label) {
			parts = append(parts, label+"="+labels[label])
		}
	}
	return strings.Join(parts, "/")
}

// in are the alerts that are in a state now.
func (w *watcher) in(state string) (keys []string) {
	w.Lock()
	defer w.Unlock()
	for key, past := range w.states {
		if past[len(past)-1] == state {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (w *watcher) fired() (names []string) {
	w.Lock()
	defer w.Unlock()
	for key, past := range w.states {
		name, _, _ := strings.Cut(key, "/")
		if slices.Contains(past, "firing") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// routes are the labels of what fired.
func (w *watcher) routes() (routes []string) {
	w.Lock()
	defer w.Unlock()
	for key, past := range w.states {
		if _, route, has := strings.Cut(key, "/route="); has && slices.Contains(past, "firing") {
			route, _, _ = strings.Cut(route, "/")
			if !slices.Contains(routes, route) {
				routes = append(routes, route)
			}
		}
	}
	return routes
}

func (w *watcher) all() map[string][]string {
	w.Lock()
	defer w.Unlock()
	return maps.Clone(w.states)
}

func (w *watcher) forget() {
	w.Lock()
	defer w.Unlock()
	w.states = map[string][]string{}
}

var faults = []fault{
	{
		name: "an upstream fails", alert: "RoutelensAvailabilityBurn", window: time.Hour, route: "browse",
		begin: func(s *scene) error { return s.fail("browse", http.StatusServiceUnavailable) },
		end:   func(s *scene) error { return s.fail("browse", 0) },
		shown: []string{"Routes that fail most", "Availability: budget burnt"},
	},
	{
		name: "an upstream is slow", alert: "RoutelensLatencyBurn", window: time.Hour, route: "profile",
		begin: func(s *scene) error { return s.slow("profile", time.Second) },
		end:   func(s *scene) error { return s.slow("profile", 0) },
		shown: []string{"Slowest routes", "Latency: budget burnt"},
	},
	{
		name: "the sink is down", alert: "RoutelensSinkFailing", window: 5 * time.Minute,
		begin: func(s *scene) error { return s.faults.Set(lab.Down) },
		end:   func(s *scene) error { return s.faults.Set(lab.Pass) },
	},
	{
		name: "a VM is trapped", alert: "RoutelensVMReloads", window: 5 * time.Minute,
		begin: (*scene).trap,
		end:   func(*scene) error { return nil },
	},
}

// windows of the rules are so short that each fault is seen within a minute.
var faultWindows = Shrink{Shortest: 5 * time.Second, Longest: time.Minute}

const (
	quiet    = 20 * time.Second // without any alert, before the first fault
	lag      = 6 * time.Second  // of flushes, scrapes and evaluations, and for how long an alert is pending
	stays    = 5 * time.Second  // the fault goes on, for another alert to show itself
	resolved = time.Minute      // all alerts have to be over, once the fault is
)

// Each fault in turn raises its alert and no other, and Routes shows which route it is.
func TestEachFaultRaisesItsAlertAlone(t *testing.T) {
	t.Parallel()
	p, err := openPlay(calm)
	require.NoError(t, err)
	routes, clusters := p.routes()
	s := &stand{}
	s.open(t, needed(t, "ROUTELENS_TRAP"), 1, routes, clusters)
	background(t, func(ctx context.Context) error { return p.run(ctx, s.Entry) })
	dashboards, rules := shipped(t)
	for name, file := range rules {
		rules[name], err = file.Faster(time.Second, faultWindows)
		require.NoError(t, err)
	}
	sc := &scene{s, p, Checker{
		Prometheus: s.scrape(t, lab.PrometheusOptions{Rules: writeRules(t, rules), Labels: kubernetes}),
		Range:      stays, Scrape: time.Second,
	}}
	w := watch(t.Context(), sc.Prometheus)
	wait(t, quiet, "traffic without a fault")
	require.Empty(t, w.fired(), "alerts without a fault")
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { f.check(t, sc, w, dashboards) })
	}
}

func (f fault) check(t *testing.T, s *scene, w *watcher, dashboards []Dashboard) {
	w.forget()
	say("fault: %s", f.name)
	began := time.Now()
	require.NoError(t, f.begin(s))
	assert.NoError(t, lab.Until(t.Context(), f.alert+" to fire", faultWindows.Of(f.window)+lag, func(context.Context) (string, bool) {
		return fmt.Sprint(w.fired()), slices.Contains(w.fired(), f.alert)
	}))
	fired := time.Since(began).Round(time.Second)
	wait(t, stays, "the fault goes on")
	for _, title := range f.shown {
		assert.Equal(t, f.route, s.worst(t, dashboards, title), "the worst route on the panel %q", title)
	}
	require.NoError(t, f.end(s))
	ended := time.Now()
	assert.NoError(t, lab.Until(t.Context(), "all alerts to resolve", resolved, func(context.Context) (string, bool) {
		active := append(w.in("pending"), w.in("firing")...)
		return fmt.Sprint(active), len(active) == 0
	}))
	say("%s fired after %v, and all was over %v after the fault", f.alert, fired, time.Since(ended).Round(time.Second))
	assert.Equal(t, []string{f.alert}, w.fired(), "all that fired")
	if f.route != "" {
		assert.Equal(t, []string{f.route}, w.routes(), "of the alerts that fired")
	}
	for key, states := range w.all() {
		if !slices.Contains(states, "firing") {
			continue // a moment's hiccup, which is what an alert waits for
		}
		assert.Equal(t, []string{"pending", "firing", "inactive"}, states, key)
	}
}

// worst is the route of the greatest value that a panel of Routes shows.
func (s *scene) worst(t *testing.T, dashboards []Dashboard, title string) string {
	t.Helper()
	route, most := "", math.Inf(-1)
	for _, d := range dashboards {
		if d.UID != "routelens-routes" {
			continue
		}
		asked, err := s.Ask(t.Context(), d, nil)
		require.NoError(t, err)
		for _, a := range asked {
			for _, series := range a.Series {
				if a.Panel.Title == title && series.Last() > most {
					route, most = series.Labels["route"], series.Last()
				}
			}
		}
	}
	return route
}
