// Package live holds the dashboards and rules against what is really there: a Prometheus that scrapes an Envoy with the
// plugin under traffic. It reads the committed files as Grafana and Prometheus do, so that nothing is checked but what is
// shipped, and reports by dashboard, panel and query what is empty, not a number, or does not parse.
//
//	dashboard, _ := live.ReadDashboard("grafana/routes.json")
//	findings, _ := live.Checker{Prometheus: live.Client{URL: "http://127.0.0.1:9090"}}.Dashboard(ctx, dashboard)
//
// Its tests with the tag live do all of that on real parts; `make dashboards-check` runs them.
package live
