package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/routelens/routelens/envoy/lab"
)

// window is what rates and latencies are taken over: long enough for rare routes, short enough to move.
const window = 5 * time.Second

// reading is everything that is read each second.
type reading struct {
	at        time.Time
	exchanges map[lab.Outcome]int
	durations map[string]lab.Bins
	pipeline  lab.Pipeline
	last      []map[string]string // the newest records
}

// watch draws the table each second until the traffic ends or a part fails.
func watch(traffic context.Context, p *parts, screen *screen) error {
	var readings []reading
	for second := time.NewTicker(time.Second); ; {
		select {
		case <-traffic.Done():
			return nil
		case <-second.C:
		}
		if err := p.failed(); err != nil {
			return err
		}
		now, err := read(traffic, p)
		if traffic.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		readings = append(readings, now)
		if len(readings) > 1 && now.at.Sub(readings[1].at) >= window {
			readings = readings[1:]
		}
		if len(readings) > 1 {
			screen.draw(compare(readings[0], now))
		}
	}
}

func read(ctx context.Context, p *parts) (reading, error) {
	stats, err := p.envoy.Stats(ctx)
	if err != nil {
		return reading{}, err
	}
	durations, err := p.envoy.Durations(ctx)
	if err != nil {
		return reading{}, err
	}
	last, err := p.store.Query(ctx, `_time:1m | sort by (_time) desc limit 3`)
	return reading{time.Now(), stats.Exchanges(), durations, stats.Pipeline(), last}, err
}

// view is what the table shows: an interval by route, and the pipeline as it is.
type view struct {
	at       time.Time
	routes   []routeView
	all      routeView
	pipeline lab.Pipeline
	last     []map[string]string
}

type routeView struct {
	name          string
	rate          float64 // exchanges a second
	errors        float64 // share of 5xx
	p50, p95, p99 float64 // ms; Envoy's histograms hold whole ones
	n             int     // exchanges in the interval
}

func compare(before, now reading) view {
	v := view{at: now.at, pipeline: now.pipeline, last: now.last}
	counts, failures := map[string]int{}, map[string]int{}
	for outcome, n := range now.exchanges {
		n -= before.exchanges[outcome]
		counts[outcome.Route] += n
		if strings.HasPrefix(outcome.Code, "5") {
			failures[outcome.Route] += n
		}
	}
	seconds := now.at.Sub(before.at).Seconds()
	everything := lab.Bins{}
	for route, n := range counts {
		bins := now.durations[route].Since(before.durations[route])
		for _, bin := range bins {
			everything.Add(bin)
		}
		v.routes = append(v.routes, summarise(route, n, failures[route], seconds, bins))
		v.all.n += n
		failures[""] += failures[route]
	}
	v.all = summarise("all", v.all.n, failures[""], seconds, everything)
	slices.SortFunc(v.routes, func(a, b routeView) int { return cmp.Compare(a.name, b.name) })
	return v
}

func summarise(name string, n, failures int, seconds float64, bins lab.Bins) routeView {
	return routeView{
		name: name, n: n, rate: float64(n) / seconds, errors: float64(failures) / float64(max(n, 1)),
		p50: bins.Quantile(0.50), p95: bins.Quantile(0.95), p99: bins.Quantile(0.99),
	}
}
