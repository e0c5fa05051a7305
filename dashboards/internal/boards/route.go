package boards

import (
	"github.com/routelens/routelens/dashboards/internal/envoystats"
	"github.com/routelens/routelens/dashboards/internal/grafana"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/dashboards/internal/rules"
	"github.com/routelens/routelens/plugin/metrics"
)

// route is one route in depth.
func (m maker) route() *grafana.Board {
	b := grafana.NewBoard(routeUID, "Routelens / Route", "One route in depth, with its records.")
	b.Variables(m.targets()...)
	b.Variables(
		grafana.One("route", "Route", metrics.LabelRoute, m.requests()),
		grafana.Any("code", "Code", metrics.LabelCode, m.requests(chosen(metrics.LabelRoute, "route"))),
		grafana.Any("cluster", "Upstream cluster", envoystats.Cluster, query.Scope{Matchers: m.target()}.Select(envoystats.UpstreamRequests)),
		grafana.Choice("compare", "Compare with", "1w", "1d", "1h", "5m"),
		grafana.LogSource(m.Logs.Store),
		grafana.Text("search", "Search"))
	b.Row("Now")
	m.headline(b, m.exchanges(), m.coded())
	b.Row("Over time, with the records")
	m.beside(b)
	b.Row("What answers")
	m.answers(b)
	b.Row("What was tried upstream")
	m.upstream(b)
	b.Row("Compared with $compare earlier")
	m.comparison(b)
	b.Row("Sizes")
	m.sizesOfRoute(b)
	return b
}

// beside is the charts that one looks at to find a moment, and the records of it.
func (m maker) beside(b *grafana.Board) {
	s, coded, links := m.exchanges(), m.coded(), toRecords()
	b.Beside(10, 32, grafana.Records(grafana.Panel{
		Title: "Records", Description: "The route's records in the time shown: those that were sampled. Drag over a chart, or click on a point of one, for those of a moment.",
		Queries: []grafana.Query{m.records()}}))
	b.Add(14, 8, grafana.Stacked(grafana.Panel{
		Title: "Requests by code", Description: "Requests a second, by response code.", Unit: perSecond,
		Queries: ask(coded.Rate(metrics.Requests, metrics.LabelCode), "{{"+metrics.LabelCode+"}}"), Links: links, Looks: grafana.ByCode}))
	b.Add(14, 8, grafana.Lines(grafana.Panel{
		Title: "Errors over time", Description: "The share of errors among the requests.", Unit: share, Queries: ask(s.ErrorShare(), "errors"), Thresholds: m.errorSteps(), Links: links,
		Looks: []grafana.Look{{Series: "^errors$", Color: grafana.Red}}}))
	var quantiles []grafana.Query
	for _, q := range rules.Quantiles {
		quantiles = append(quantiles, grafana.Query{Expr: coded.Quantile(q, metrics.Duration), Legend: percentile(q)})
	}
	b.Add(14, 8, grafana.Lines(grafana.Panel{
		Title: "Latency", Description: "The times that half, 95% and 99% of the requests stay below.", Unit: milliseconds, Queries: quantiles, Thresholds: m.latencySteps(), Links: links}))
	b.Add(14, 8, m.heatmap())
}

func (m maker) answers(b *grafana.Board) {
	s := m.coded()
	b.Add(8, 8, m.codes())
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Requests by method", Description: "Requests a second, by method.", Unit: perSecond,
		Queries: ask(s.Rate(metrics.Requests, metrics.LabelMethod), "{{"+metrics.LabelMethod+"}}"), Links: toRecords()}))
	b.Add(8, 8, grafana.Stacked(grafana.Panel{
		Title: "Response flags", Description: "Envoy's words for what went wrong, such as UF: upstream connection failure. Estimated from the records and their weights; the last point may still be filling.", Unit: perSecond,
		Queries: []grafana.Query{m.weighed(recordFlags)}, Looks: []grafana.Look{{Series: "^none$", Color: "#8e8e8e"}}}))
}

func (m maker) upstream(b *grafana.Board) {
	clusters := query.Scope{Config: m.Config, Matchers: append(m.target(), chosen(envoystats.Cluster, "cluster")), Window: window}
	b.Add(8, 8, grafana.Stacked(grafana.Panel{
		Title: "Attempts", Description: "How often the upstream was tried for a request: 1 is no retry. Estimated from the records and their weights; the last point may still be filling.", Unit: perSecond,
		Queries: []grafana.Query{m.weighed(recordAttempts)}}))
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Retries by cluster", Description: "The share of the requests to each cluster, of all its routes, that were sent again.", Unit: share,
		Queries: ask(clusters.Rate(envoystats.UpstreamRetries, envoystats.Cluster)+" / ("+clusters.Rate(envoystats.UpstreamRequests, envoystats.Cluster)+" > 0)", "{{"+envoystats.Cluster+"}}")}))
	var faults []grafana.Query
	for _, f := range []struct{ metric, legend string }{
		{envoystats.UpstreamConnectFail, "not connected"}, {envoystats.UpstreamTimeouts, "timed out"},
		{envoystats.UpstreamResets, "reset"}, {envoystats.UpstreamOverflow, "no room"},
	} {
		faults = append(faults, grafana.Query{Expr: clusters.Rate(f.metric), Legend: f.legend})
	}
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Upstream faults", Description: "What failed between Envoy and the clusters chosen, of all their routes.", Unit: perSecond, Queries: faults}))
}

func (m maker) comparison(b *grafana.Board) {
	both := func(title, description, unit string, expr func(query.Scope) string, s query.Scope) {
		b.Add(8, 8, grafana.Lines(grafana.Panel{Title: title, Description: description, Unit: unit, Links: toRecords(), Looks: []grafana.Look{{Series: "earlier$", Dashed: true}}, Queries: []grafana.Query{
			{Expr: expr(s), Legend: "now"}, {Expr: expr(s.Before("$compare")), Legend: "$compare earlier"},
		}}))
	}
	both("Requests, then and now", "Requests a second, and as many as they were.", perSecond, func(s query.Scope) string { return s.Rate(metrics.Requests) }, m.coded())
	both("Errors, then and now", "The share of errors, and what it was.", share, func(s query.Scope) string { return s.ErrorShare() }, m.exchanges())
	both("p95, then and now", "The time that 95% of the requests stay below, and what it was.", milliseconds,
		func(s query.Scope) string { return s.Quantile(0.95, metrics.Duration) }, m.coded())
}

func (m maker) sizesOfRoute(b *grafana.Board) {
	s := m.coded()
	for _, d := range bodies {
		sizes := ask(s.Mean(d.metric), "mean")
		for _, q := range rules.Quantiles {
			sizes = append(sizes, grafana.Query{Expr: s.Quantile(q, d.metric), Legend: percentile(q)})
		}
		b.Add(8, 8, grafana.Lines(grafana.Panel{Title: d.title, Description: "The mean size of the bodies, and what half, 95% and 99% of them stay below.", Unit: bytes, Queries: sizes}))
	}
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Bytes", Description: "What the bodies add up to.", Unit: bytesPerSecond,
		Queries: []grafana.Query{{Expr: s.Sum(metrics.RequestSize), Legend: "received"}, {Expr: s.Sum(metrics.ResponseSize), Legend: "sent"}}}))
}
