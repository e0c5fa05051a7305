// Package boards is the three dashboards.
package boards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/routelens/routelens/dashboards/internal/grafana"
	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/plugin/metrics"
)

// The dashboards' uids, which are in links and bookmarks: they stay as they are.
const (
	routesUID   = "routelens-routes"
	routeUID    = "routelens-route"
	pipelineUID = "routelens-pipeline"
)

// All makes the dashboards, by the names of their files.
func All(c mixin.Config) (map[string][]byte, error) {
	m := maker{c}
	all := map[string][]byte{}
	for name, board := range map[string]*grafana.Board{"routes.json": m.routes(), "route.json": m.route(), "pipeline.json": m.pipeline()} {
		json, err := board.JSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = json
	}
	return all, nil
}

type maker struct{ mixin.Config }

// window is Grafana's: at least four scrapes.
const window = "$__rate_interval"

// Units, by Grafana's names.
const (
	perSecond      = "reqps"
	countPerSecond = "cps"
	share          = "percentunit"
	milliseconds   = "ms"
	bytes          = "bytes"
	bytesPerSecond = "Bps"
	number         = "short"
	times          = "none"
)

// target matches what the target's variables choose.
func (m maker) target() []string {
	return []string{chosen("job", "job"), chosen(m.Labels.Namespace, "namespace"), chosen(m.Labels.Workload, "workload")}
}

func chosen(label, variable string) string { return fmt.Sprintf(`%s=~"$%s"`, label, variable) }

// exchanges are those of the routes that are chosen.
func (m maker) exchanges() query.Scope {
	return query.Scope{Config: m.Config, Matchers: append(m.target(), chosen(metrics.LabelRoute, "route")), Window: window}
}

// coded are those of the codes chosen, too. What tells errors from others is of all codes.
func (m maker) coded() query.Scope { return m.exchanges().With(chosen(metrics.LabelCode, "code")) }

// proxies are the series of the Envoys chosen.
func (m maker) proxies() query.Scope {
	return query.Scope{Config: m.Config, Matchers: append(m.target(), chosen("instance", "instance")), Window: window}
}

// targets are the variables for them: each offers what is left by those before it.
func (m maker) targets() []dashboard.VariableModel {
	of := func(n int) string { return query.Scope{Matchers: m.target()[:n]}.Select(metrics.Emitted) }
	return []dashboard.VariableModel{
		grafana.MetricSource(),
		grafana.Any("job", "Job", "job", of(0)),
		grafana.Any("namespace", "Namespace", m.Labels.Namespace, of(1)),
		grafana.Any("workload", "Workload", m.Labels.Workload, of(2)),
	}
}

// requests is whose labels the variables offer.
func (m maker) requests(matchers ...string) string {
	return query.Scope{Matchers: m.target()}.With(matchers...).Select(metrics.Requests)
}

// kept are the variables that links to a route hand on.
var kept = []string{"datasource", "logs", "job", "namespace", "workload", "code"}

// toRoute are the links of what is shown of a route, whose name the expression gives.
func toRoute(name string) []dashboard.DashboardLink {
	route := "var-route=${" + name + ":percentencode}"
	return []dashboard.DashboardLink{
		grafana.Link("The route in depth", routeUID, kept, grafana.SameTime, route),
		grafana.Link("Its records around this moment", routeUID, kept, grafana.AroundThis, route),
	}
}

// toRecords are the links of a moment of the route that is chosen.
func toRecords() []dashboard.DashboardLink {
	return []dashboard.DashboardLink{grafana.Link("The records around this moment", routeUID, append([]string{"route", "compare", "search"}, kept...), grafana.AroundThis)}
}

// common is the objective of the routes that have none of their own.
func (m maker) common() mixin.Objective { return m.Objectives.Routes[len(m.Objectives.Routes)-1] }

// fastest is the first pair of windows that alerts look at.
func (m maker) fastest() mixin.Window { return m.Objectives.Windows[0] }

// errorSteps are the colours of a share of errors: within the objective, beyond it, and so far beyond it that someone is woken.
func (m maker) errorSteps() []grafana.Threshold {
	budget := 1 - m.common().Availability
	return grafana.Rising(budget, m.fastest().Burn*budget)
}

// latencySteps are those of a time.
func (m maker) latencySteps() []grafana.Threshold {
	under := float64(m.common().Latency.Under.Milliseconds())
	return grafana.Rising(under/2, under)
}

// burnSteps are those of how fast an error budget burns.
func (m maker) burnSteps() []grafana.Threshold { return grafana.Rising(1, m.fastest().Burn) }

func ask(expr, legend string) []grafana.Query { return []grafana.Query{{Expr: expr, Legend: legend}} }
