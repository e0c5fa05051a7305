// Package query writes PromQL over the stats of exchanges. Dashboards and rules say the same in different
// scopes, by the same functions.
package query

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/plugin/metrics"
)

// Scope is which series a query is about, and over which window.
type Scope struct {
	Config   mixin.Config
	Matchers []string // such as `route="a"`
	Window   string   // such as 5m, or a variable of Grafana's
	Offset   string   // empty: none
}

// With is the scope with further matchers.
func (s Scope) With(matchers ...string) Scope {
	s.Matchers = append(slices.Clip(slices.Clone(s.Matchers)), matchers...)
	return s
}

// Before is the scope as it was so long ago.
func (s Scope) Before(offset string) Scope {
	s.Offset = offset
	return s
}

// Over is the scope over another window.
func (s Scope) Over(window string) Scope {
	s.Window = window
	return s
}

// Select is the metric's series.
func (s Scope) Select(metric string) string {
	matchers := slices.DeleteFunc(slices.Clone(s.Matchers), func(m string) bool { return m == "" })
	if len(matchers) == 0 {
		return metric
	}
	return metric + "{" + strings.Join(matchers, ", ") + "}"
}

// Each is the rate of each of the metric's series.
func (s Scope) Each(metric string) string {
	return fmt.Sprintf("rate(%s[%s]%s)", s.Select(metric), s.Window, s.offset())
}

// Increase is by how much each of the metric's series grew.
func (s Scope) Increase(metric string) string {
	return fmt.Sprintf("increase(%s[%s]%s)", s.Select(metric), s.Window, s.offset())
}

// Rate is the metric's rate, summed up by labels.
func (s Scope) Rate(metric string, by ...string) string {
	return sum(by) + " (" + s.Each(metric) + ")"
}

// Errors is the rate of errors, zero where there are only others.
func (s Scope) Errors(by ...string) string {
	var any []string
	for _, label := range slices.Sorted(maps.Keys(s.Config.Errors)) {
		any = append(any, s.With(fmt.Sprintf("%s=~%q", label, s.Config.Errors[label])).Each(metrics.Requests))
	}
	return fmt.Sprintf("(%s (%s) or 0 * %s)", sum(by), strings.Join(any, " or "), s.Rate(metrics.Requests, by...))
}

// ErrorShare is the share of errors; there is none where there is no traffic.
func (s Scope) ErrorShare(by ...string) string {
	return fmt.Sprintf("%s / (%s > 0)", s.Errors(by...), s.Rate(metrics.Requests, by...))
}

// Quantile is a quantile of a histogram; there is none where there is no traffic.
func (s Scope) Quantile(q float64, histogram string, by ...string) string {
	return fmt.Sprintf("histogram_quantile(%v, %s) >= 0", q, s.Distribution(histogram, by...))
}

// Distribution is the rate of a histogram as a whole: with a series for each bucket (label le), or native.
func (s Scope) Distribution(histogram string, by ...string) string {
	if s.Config.Native() {
		return s.Rate(histogram, by...)
	}
	return s.Rate(histogram+"_bucket", append([]string{"le"}, by...)...)
}

// Sum is the rate of the sum of what a histogram took in.
func (s Scope) Sum(histogram string, by ...string) string {
	if s.Config.Native() {
		return "histogram_sum(" + s.Rate(histogram, by...) + ")"
	}
	return s.Rate(histogram+"_sum", by...)
}

// Mean is the mean of what a histogram took in; there is none where there is no traffic.
func (s Scope) Mean(histogram string, by ...string) string {
	return fmt.Sprintf("%s / (%s > 0)", s.Sum(histogram, by...), s.Count(histogram, by...))
}

// Count is the rate of what a histogram took in.
func (s Scope) Count(histogram string, by ...string) string {
	if s.Config.Native() {
		return "histogram_count(" + s.Rate(histogram, by...) + ")"
	}
	return s.Rate(histogram+"_count", by...)
}

// Above is the rate of what a histogram took in above a bound, which must be one of its buckets' where they are classic.
func (s Scope) Above(histogram string, bound int64, by ...string) string {
	if s.Config.Native() {
		count := s.Count(histogram, by...) // where it is zero, a fraction of it is no number
		return fmt.Sprintf("(%s * (1 - histogram_fraction(0, %d, %s)) >= 0 or 0 * %s)", count, bound, s.Rate(histogram, by...), count)
	}
	// Prometheus 3 writes 500 as 500.0.
	within := s.With(fmt.Sprintf(`le=~"%d([.]0)?"`, bound)).Rate(histogram+"_bucket", by...)
	return fmt.Sprintf("%s - %s", s.Count(histogram, by...), within)
}

func (s Scope) offset() string {
	if s.Offset == "" {
		return ""
	}
	return " offset " + s.Offset
}

func sum(by []string) string {
	if len(by) == 0 {
		return "sum"
	}
	return "sum by (" + strings.Join(by, ", ") + ")"
}
