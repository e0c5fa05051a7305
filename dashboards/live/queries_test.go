//go:build live

package live

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// What there is to see in Kubernetes, where service discovery gives the target its labels.
var kubernetes = map[string]string{"namespace": "shop", "workload": "gateway"}

// Every query, as Grafana and Prometheus send it, on the demo's traffic.
func TestEveryQueryGivesNumbers(t *testing.T) {
	t.Parallel()
	shop, err := lab.OpenShop()
	require.NoError(t, err)
	t.Cleanup(func() { shop.Close() })
	s := &stand{}
	s.open(t, needed(t, "ROUTELENS_WASM"), 1, shop.Routes(), shop.Clusters())
	background(t, func(ctx context.Context) error {
		report, err := lab.Load{Entry: s.Entry, Mix: lab.ShopMix(), Rate: 40, Workers: 16}.Run(ctx)
		if err == nil && len(report.Failures) > 0 {
			err = report.Failures[0]
		}
		return err
	})
	wait(t, 15*time.Second, "the demo's traffic, which becomes that of a week ago as well")

	classic, native := s.variant(t, false, kubernetes), s.variant(t, true, nil)
	wait(t, queriesAfter, "the demo's traffic")
	for _, v := range []variant{classic, native} {
		t.Run(v.name, func(t *testing.T) {
			for _, d := range v.dashboards {
				v.none(t, v.Dashboard(t.Context(), d), d.Title)
			}
			v.none(t, v.Rules(t.Context(), v.rules...), "recording rules and alerts")
		})
	}
	t.Run("a check that can fail", func(t *testing.T) {
		broken, err := ReadDashboard("testdata/broken.json")
		require.NoError(t, err)
		var found []string
		for _, f := range classic.Dashboard(t.Context(), broken).Findings {
			found = append(found, f.Where+": "+f.What)
		}
		assert.Equal(t, findings, found)
	})
}

// How long there is traffic before the queries: as far back as they look, but for recording rules.
const (
	queriesOver  = 20 * time.Second
	queriesAfter = 60 * time.Second
)

// variant is a Prometheus and what is made for it.
type variant struct {
	name string
	Checker
	dashboards []Dashboard
	rules      []RuleFile
}

// variant starts a Prometheus that knows of a week ago.
func (s *stand) variant(t *testing.T, native bool, labels map[string]string) variant {
	dir := t.TempDir()
	s.remember(t, native, labels).tell(t, dir, native, 7*24*time.Hour, 24*time.Hour, time.Hour, 5*time.Minute)
	v := variant{name: "classic histograms, a target with labels"}
	histograms := "classic"
	if native {
		histograms = "native"
		v.name = "native histograms, a target without labels"
		v.Absent = []string{"namespace", "workload"}
	}
	dashboards, rules := generated(t, "-histograms", histograms)
	v.dashboards = dashboards
	for name, file := range rules {
		rules[name] = file.Every(time.Second)
		v.rules = append(v.rules, rules[name])
	}
	v.Prometheus = s.scrape(t, lab.PrometheusOptions{Dir: dir, Native: native, Labels: labels, Rules: writeRules(t, rules)})
	v.Rare = []string{"Response flags"} // of payments and of what finds no route alone
	v.Logs, v.Range, v.Scrape = records{s.store}, queriesOver, 5*time.Second
	return v
}

func (v variant) none(t *testing.T, r Report, what string) {
	say("%s: %s: %d queries, %d findings", v.name, what, r.Queries, len(r.Findings))
	assert.NotZero(t, r.Queries)
	for _, f := range r.Findings {
		t.Error(f)
	}
}

// findings are those of testdata/broken.json.
var findings = []string{
	`check-broken, variable nothing: it has no values`,
	`check-broken, panel 1 "empty", query A: no series`,
	`check-broken, panel 2 "not a number", query A: not a number: {} is [NaN]`,
	`check-broken, panel 3 "a misspelt metric", query A: no series`,
	`check-broken, panel 4 "an undefined variable", query A: variable "rotue" is not defined`,
	`check-broken, panel 5 "what does not parse", query A: Prometheus: invalid parameter "query": 1:29: parse error: unclosed left parenthesis`,
	`check-broken, panel 6 "a label that the legend wants", query A: the legend "{{route}}" wants a label route, and there is a series {}`,
	`check-broken, panel 7 "a fixed data source", query A: its data source "P1809F7CD0C75ACF3" is no variable of the dashboard`,
	`check-broken, panel 8 "no records", query A: no records`,
	`check-broken, panel 9 "no such format", query A: variable "datasource": its format "sqlstring" is none that this check knows: regex, pipe, csv, raw, text, doublequote, percentencode`,
	`check-broken, panel 10 "a misspelt metric that is hidden", query A: there is no metric routelens_dropped_total`,
}
