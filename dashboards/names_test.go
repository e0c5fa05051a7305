package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/dashboards/internal/envoystats"
	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/plugin/metrics"
)

// expressions are all PromQL there is, each with where it stands.
func expressions(t *testing.T, c mixin.Config) map[string]string {
	boards, rules := made(t, c)
	all := map[string]string{}
	for _, b := range boards {
		for _, p := range b.shown() {
			for _, q := range p.Targets {
				if q.Datasource.isPrometheus() {
					all[b.Title+", "+p.Title+", "+q.RefID] = q.Expr
				}
			}
		}
		for _, v := range b.Templating.List {
			if v.Type == "query" {
				all[b.Title+", variable "+v.Name] = v.series(t)
			}
		}
	}
	for _, f := range rules {
		for _, g := range f.Groups {
			for i, r := range g.Rules {
				all[r.Alert+r.Record+"#"+string(rune('a'+i))] = r.Expr
			}
		}
	}
	return all
}

// known are the labels that each metric may be asked for, beside its target's; what rules record is among them.
func known(t *testing.T, c mixin.Config) map[string][]string {
	all := map[string][]string{}
	for _, m := range metrics.All() {
		switch {
		case m.Kind == metrics.Histogram && !c.Native():
			all[m.Name+"_sum"], all[m.Name+"_count"] = m.Labels, m.Labels
			all[m.Name+"_bucket"] = append([]string{"le"}, m.Labels...)
		default:
			all[m.Name] = m.Labels
		}
	}
	for _, name := range envoystats.All(c.Plugin) {
		all[name] = nil
		if strings.HasPrefix(name, "envoy_cluster_") {
			all[name] = []string{envoystats.Cluster}
		}
	}
	_, rules := made(t, c)
	for _, g := range rules["recording"].Groups {
		for _, r := range g.Rules {
			all[r.Record] = append(append([]string{metrics.LabelRoute}, all[r.Record]...), slices.Collect(maps.Keys(r.Labels))...)
		}
	}
	return all
}

func TestQueriesNameMetricsAndLabelsThatThereAre(t *testing.T) {
	for name, c := range variants(t) {
		t.Run(name, func(t *testing.T) {
			known := known(t, c)
			target := []string{"job", "instance", c.Labels.Namespace, c.Labels.Workload}
			for where, expr := range expressions(t, c) {
				var had []string // labels of any of its metrics
				parsed := parse(t, expr)
				parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
					s, ok := n.(*parser.VectorSelector)
					if !ok {
						return nil
					}
					if s.Name == "" { // a pattern of names
						assert.Contains(t, s.String(), `__name__=~"routelens_.+"`, where)
						return nil
					}
					if assert.Contains(t, known, s.Name, where) {
						has := append(slices.Clone(target), known[s.Name]...)
						had = append(had, has...)
						for _, m := range s.LabelMatchers {
							if m.Name != labels.MetricName {
								assert.Contains(t, has, m.Name, "%s: %s", where, s.Name)
							}
						}
					}
					return nil
				})
				for _, label := range grouped(parsed) {
					assert.Contains(t, had, label, where)
				}
			}
		})
	}
}

// grouped are the labels that series are summed up or matched by.
func grouped(e parser.Expr) []string {
	var all []string
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			all = append(all, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				all = append(all, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return all
}

func TestEveryMetricIsShown(t *testing.T) {
	for name, c := range variants(t) {
		t.Run(name, func(t *testing.T) {
			shown := map[string]bool{}
			for where, expr := range expressions(t, c) {
				if !strings.HasPrefix(where, "Routelens / ") || strings.Contains(where, ", variable ") {
					continue
				}
				parser.Inspect(parse(t, expr), func(n parser.Node, _ []parser.Node) error {
					if s, ok := n.(*parser.VectorSelector); ok {
						for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
							shown[strings.TrimSuffix(s.Name, suffix)] = true
						}
					}
					return nil
				})
			}
			for _, m := range metrics.All() {
				assert.True(t, shown[m.Name], "no panel shows %s", m.Name)
			}
			for _, stat := range envoystats.All(c.Plugin) {
				assert.True(t, shown[stat], "no panel shows %s", stat)
			}
		})
	}
}
