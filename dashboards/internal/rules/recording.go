package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/plugin/metrics"
)

// Quantiles are those that are recorded and shown.
var Quantiles = []float64{0.5, 0.95, 0.99}

// Names are what the rules record, by route.
type Names struct{ Requests, Errors, ErrorShare, Slow, Quantile string }

// NamesOf are the names in a configuration: they hold its window.
func NamesOf(c mixin.Config) Names {
	return Names{
		Requests:   level + metrics.Requests + ":rate" + c.Window,
		Errors:     level + "routelens_request_errors:rate" + c.Window,
		ErrorShare: level + "routelens_request_errors:ratio_rate" + c.Window,
		Slow:       level + "routelens_request_slow:rate" + c.Window,
		Quantile:   level + metrics.Duration + ":quantile" + c.Window, // label quantile
	}
}

const level = "route:"

// AvailabilityBurn and LatencyBurn are how many times faster than allowed a route's error budget burns over a window: 1 spends just all of
// it. Their label objective is the share that is to be good.
func AvailabilityBurn(window string) string {
	return level + "routelens_availability:burnrate" + window
}
func LatencyBurn(window string) string { return level + "routelens_latency:burnrate" + window }

type recording struct{ mixin.Config }

// by are the labels that a route's series keep.
func (r recording) by() []string {
	return []string{"job", r.Labels.Namespace, r.Labels.Workload, metrics.LabelRoute}
}

func (r recording) scope() query.Scope {
	return query.Scope{Config: r.Config, Matchers: []string{r.Selector}, Window: r.Window}
}

func (r recording) routes() []Rule {
	s, names := r.scope(), NamesOf(r.Config)
	rules := []Rule{
		{Record: names.Requests, Expr: s.Rate(metrics.Requests, r.by()...)},
		{Record: names.Errors, Expr: s.Errors(r.by()...)},
		{Record: names.ErrorShare, Expr: share(names.Errors, names.Requests)},
	}
	for _, q := range Quantiles {
		rules = append(rules, Rule{
			Record: names.Quantile, Expr: s.Quantile(q, metrics.Duration, r.by()...),
			Labels: map[string]string{"quantile": strconv.FormatFloat(q, 'f', -1, 64)},
		})
	}
	return rules
}

func (r recording) objectives() []Rule {
	var rules []Rule
	names := NamesOf(r.Config)
	for i, o := range r.Objectives.Routes {
		matchers := r.matchers(i)
		rules = append(rules, Rule{
			Record: names.Slow, Expr: r.scope().With(matchers...).Above(metrics.Duration, o.Latency.Under.Milliseconds(), r.by()...),
		})
		for _, w := range r.windows() {
			rules = append(rules,
				r.burn(AvailabilityBurn(w), names.Errors, o.Availability, matchers, w),
				r.burn(LatencyBurn(w), names.Slow, o.Latency.Share, matchers, w))
		}
	}
	return rules
}

// burn takes recorded rates, summed up over the window: as good as raw series, and far cheaper over days.
func (r recording) burn(name, bad string, objective float64, matchers []string, window string) Rule {
	s := query.Scope{Config: r.Config, Matchers: matchers}
	bad, all := s.Select(bad), s.Select(NamesOf(r.Config).Requests)
	if window != r.Window {
		bad, all = "sum_over_time("+bad+"["+window+"])", "sum_over_time("+all+"["+window+"])"
	}
	budget := strconv.FormatFloat(1-objective, 'g', 6, 64)
	return Rule{
		Record: name, Expr: share(bad, all) + " / " + budget,
		Labels: map[string]string{"objective": strconv.FormatFloat(objective*100, 'g', 8, 64) + "%"},
	}
}

// matchers are of the routes that have the n-th objective.
func (r recording) matchers(n int) []string {
	var m []string
	for _, o := range r.Objectives.Routes[:n] {
		m = append(m, fmt.Sprintf("%s!~%q", metrics.LabelRoute, o.Match))
	}
	if own := r.Objectives.Routes[n].Match; own != ".*" {
		m = append(m, fmt.Sprintf("%s=~%q", metrics.LabelRoute, own))
	}
	return m
}

// windows are all windows of the alerts, each once.
func (r recording) windows() []string {
	var all []string
	for _, w := range r.Objectives.Windows {
		for _, d := range []string{w.Short, w.Long} {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

func share(part, of string) string { return strings.Join([]string{part, "/ (" + of + " > 0)"}, " ") }
