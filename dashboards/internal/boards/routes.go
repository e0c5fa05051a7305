package boards

import (
	"fmt"

	"github.com/routelens/routelens/dashboards/internal/grafana"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/dashboards/internal/rules"
	"github.com/routelens/routelens/plugin/metrics"
)

const byRoute = "{{" + metrics.LabelRoute + "}}"

// routes is what an operator opens first: rate, errors and duration of all routes.
func (m maker) routes() *grafana.Board {
	b := grafana.NewBoard(routesUID, "Routelens / Routes", "Rate, errors and latency of every route of the proxies chosen.")
	b.Variables(m.targets()...)
	b.Variables(
		grafana.Any("route", "Route", metrics.LabelRoute, m.requests()),
		grafana.Any("code", "Code", metrics.LabelCode, m.requests(chosen(metrics.LabelRoute, "route"))),
		grafana.LogSource(m.Logs.Store))
	b.Row("Now")
	m.headline(b, m.exchanges(), m.coded())
	b.Row("Routes")
	b.Add(24, 11, m.tableOfRoutes())
	b.Add(12, 8, m.top("Slowest routes", "The ten routes with the highest 95th percentile of latency.", milliseconds,
		m.coded().Quantile(0.95, metrics.Duration, metrics.LabelRoute), m.latencySteps()))
	b.Add(12, 8, m.top("Routes that fail most", "The ten routes with the largest share of errors.", share,
		m.exchanges().ErrorShare(metrics.LabelRoute), m.errorSteps()))
	b.Row("Rate, errors, duration")
	m.red(b)
	b.Row("What passes")
	b.Add(12, 9, m.heatmap())
	b.Add(12, 9, m.codes())
	m.sizes(b)
	b.Row("Objectives")
	b.Add(12, 8, m.burning("Availability: budget burnt", "errors", rules.AvailabilityBurn))
	b.Add(12, 8, m.burning("Latency: budget burnt", "slow requests", rules.LatencyBurn))
	return b
}

// headline is one line of large numbers.
func (m maker) headline(b *grafana.Board, s, coded query.Scope) {
	b.Add(4, 4, grafana.Number(grafana.Panel{
		Title: "Rate", Description: "Requests a second.", Unit: perSecond, Queries: ask(coded.Rate(metrics.Requests), "requests")}))
	b.Add(4, 4, grafana.Number(grafana.Panel{
		Title: "Errors", Description: "The share of errors among all requests.", Unit: share, Queries: ask(s.ErrorShare(), "errors"), Thresholds: m.errorSteps(), NoData: "no traffic"}))
	for _, q := range rules.Quantiles {
		b.Add(4, 4, grafana.Number(grafana.Panel{
			Title: percentile(q), Description: "The time that " + percentile(q)[1:] + "% of the requests stay below.", Unit: milliseconds,
			Queries: ask(coded.Quantile(q, metrics.Duration), percentile(q)), Thresholds: m.latencySteps(), NoData: "no traffic"}))
	}
	b.Add(4, 4, grafana.Number(grafana.Panel{
		Title: "Burn", Description: "How many times faster than its objective allows the route that is worst off spends its budget of errors, over " + m.fastest().Long + ". Needs the recording rules.",
		Unit: times, Queries: ask("max("+s.Select(rules.AvailabilityBurn(m.fastest().Long))+")", "burn rate"), Thresholds: m.burnSteps(), NoData: "no rules"}))
}

func percentile(q float64) string { return fmt.Sprintf("p%v", q*100) }

func (m maker) tableOfRoutes() grafana.Panel {
	s, coded := m.exchanges(), m.coded()
	column := func(title, unit, expr string, steps []grafana.Threshold) grafana.Column {
		return grafana.Column{Title: title, Unit: unit, Query: grafana.Query{Expr: expr}, Thresholds: steps}
	}
	rate := column("Requests/s", perSecond, coded.Rate(metrics.Requests, metrics.LabelRoute), nil)
	rate.Sparkline = true
	columns := []grafana.Column{
		rate,
		column("Errors", share, s.ErrorShare(metrics.LabelRoute), m.errorSteps()),
	}
	for _, q := range rules.Quantiles {
		columns = append(columns, column(percentile(q), milliseconds, coded.Quantile(q, metrics.Duration, metrics.LabelRoute), m.latencySteps()))
	}
	columns = append(columns,
		column("Received/s", bytesPerSecond, coded.Sum(metrics.RequestSize, metrics.LabelRoute), nil),
		column("Sent/s", bytesPerSecond, coded.Sum(metrics.ResponseSize, metrics.LabelRoute), nil))
	return grafana.Rows(grafana.Panel{
		Title: "Routes", Description: "Every route: click on a name to see it in depth, on a heading to sort.",
		Links: toRoute("__value.text")[:1],
	}, metrics.LabelRoute, "Route", columns, 1)
}

func (m maker) top(title, description, unit, expr string, steps []grafana.Threshold) grafana.Panel {
	q := grafana.Query{Expr: "sort_desc(topk(10, " + expr + "))", Legend: byRoute}
	return grafana.Bars(grafana.Panel{Title: title, Description: description, Unit: unit, Queries: []grafana.Query{q.Now()}, Thresholds: steps,
		Links: toRoute("__field.labels.route")[:1]})
}

func (m maker) red(b *grafana.Board) {
	s, coded := m.exchanges(), m.coded()
	links := toRoute("__field.labels." + metrics.LabelRoute)
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Requests by route", Description: "Requests a second.", Unit: perSecond, Queries: ask(coded.Rate(metrics.Requests, metrics.LabelRoute), byRoute), Links: links}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Errors by route", Description: "The share of errors among each route's requests.", Unit: share,
		Queries: ask(s.ErrorShare(metrics.LabelRoute), byRoute), Links: links}))
	for _, q := range rules.Quantiles {
		b.Add(8, 8, grafana.Lines(grafana.Panel{
			Title: percentile(q) + " by route", Description: "The time that " + percentile(q)[1:] + "% of each route's requests stay below.", Unit: milliseconds,
			Queries: ask(coded.Quantile(q, metrics.Duration, metrics.LabelRoute), byRoute), Links: links}))
	}
}

func (m maker) heatmap() grafana.Panel {
	return grafana.Heatmap(grafana.Panel{
		Title: "Latency heat map", Description: "How many requests took how long: the stronger the colour, the more.", Unit: milliseconds,
		Queries: ask(m.coded().Distribution(metrics.Duration), m.bucket())})
}

// bucket is the legend of a heat map: native histograms have no series for each bucket.
func (m maker) bucket() string {
	if m.Native() {
		return ""
	}
	return "{{le}}"
}

func (m maker) codes() grafana.Panel {
	return grafana.Shares(grafana.Panel{
		Title: "Response codes", Description: "The share of each response code. 0 is a response that never began.", Unit: perSecond,
		Queries: ask(m.coded().Rate(metrics.Requests, metrics.LabelCode), "{{"+metrics.LabelCode+"}}"), Looks: grafana.ByCode})
}

func (m maker) sizes(b *grafana.Board) {
	s := m.coded()
	for _, d := range bodies {
		b.Add(12, 8, grafana.Lines(grafana.Panel{
			Title: d.title + " by route", Description: "The mean size of the bodies.", Unit: bytes, Queries: ask(s.Mean(d.metric, metrics.LabelRoute), byRoute)}))
	}
}

// bodies are what has a size.
var bodies = []struct{ title, metric string }{{"Request bodies", metrics.RequestSize}, {"Response bodies", metrics.ResponseSize}}

func (m maker) burning(title, what string, burn func(string) string) grafana.Panel {
	w := m.fastest().Long
	return grafana.Lines(grafana.Panel{
		Title: title, Unit: times, Thresholds: m.burnSteps(), Links: toRoute("__field.labels." + metrics.LabelRoute),
		Description: fmt.Sprintf("How many times more %s there were over %s than the objective allows: above 1 the budget does not last. Needs the recording rules.", what, w),
		Queries:     ask("max by ("+metrics.LabelRoute+") ("+m.exchanges().Select(burn(w))+")", byRoute)})
}
