package main

import (
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// eachVariant runs a test on the dashboards of every kind.
func eachVariant(t *testing.T, test func(t *testing.T, boards map[string]board)) {
	for name, c := range variants(t) {
		t.Run(name, func(t *testing.T) {
			boards, _ := made(t, c)
			require.Len(t, boards, 3)
			test(t, boards)
		})
	}
}

func TestDashboardsCanBeFoundAndLeadToOneAnother(t *testing.T) {
	boards, _ := made(t, variants(t)["classic histograms, loki"])
	for name, b := range boards {
		assert.Equal(t, "routelens-"+name, b.UID, "uids stand in links and bookmarks")
		assert.True(t, strings.HasPrefix(b.Title, "Routelens / "), b.Title)
		assert.NotEmpty(t, b.Description)
		assert.GreaterOrEqual(t, b.SchemaVersion, 42)
		assert.Equal(t, []string{"routelens"}, b.Tags)
		require.Len(t, b.Links, 1)
		assert.True(t, b.Links[0].IncludeVars && b.Links[0].KeepTime, "links keep variables and time")
	}
}

func TestPanelsSayWhatTheyShow(t *testing.T) {
	eachVariant(t, func(t *testing.T, boards map[string]board) {
		for _, b := range boards {
			titles, ids := map[string]bool{}, map[int]bool{}
			for _, p := range b.Panels {
				assert.False(t, ids[p.ID] || p.ID == 0, "%s: id %d twice, or zero", p.Title, p.ID)
				ids[p.ID] = true
			}
			for _, p := range b.shown() {
				assert.NotEmpty(t, p.Title)
				assert.False(t, titles[p.Title], "%s: two panels named %q", b.Title, p.Title)
				titles[p.Title] = true
				assert.NotEmpty(t, p.Description, p.Title)
				assert.NotEmpty(t, p.Targets, p.Title)
				if p.Type != "table" && p.Type != "logs" { // a table's columns have their own units
					assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s: unit", p.Title)
				}
			}
		}
	})
}

func TestEveryColumnHasAUnit(t *testing.T) {
	boards, _ := made(t, variants(t)["classic histograms, loki"])
	tables := 0
	for _, p := range boards["routes"].shown() {
		if p.Type != "table" {
			continue
		}
		tables++
		units := 0
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				if property.ID == "unit" {
					units++
				}
			}
		}
		assert.Equal(t, len(p.Targets), units)
	}
	assert.Equal(t, 1, tables)
}

func TestNoDataSourceIsHardCoded(t *testing.T) {
	eachVariant(t, func(t *testing.T, boards map[string]board) {
		for _, b := range boards {
			for _, p := range b.shown() {
				sources := []source{p.Datasource}
				for _, q := range p.Targets {
					sources = append(sources, q.Datasource)
				}
				for _, s := range sources {
					assert.Contains(t, []string{"${datasource}", "${logs}"}, s.UID, p.Title)
					assert.Equal(t, sources[0], s, p.Title)
				}
			}
			for _, v := range b.Templating.List {
				if v.Type == "query" {
					assert.Equal(t, "${datasource}", v.Datasource.UID, v.Name)
				}
			}
		}
	})
}

func TestPanelsStandBesideEachOther(t *testing.T) {
	boards, _ := made(t, variants(t)["classic histograms, loki"])
	for _, b := range boards {
		taken := map[[2]int]string{}
		for _, p := range b.Panels {
			g := p.GridPos
			assert.LessOrEqual(t, g.X+g.W, 24, p.Title)
			assert.Positive(t, g.W*g.H, p.Title)
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					assert.Empty(t, taken[[2]int{x, y}], "%s stands on another panel", p.Title)
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

var fixedRange = regexp.MustCompile(`\[\d`)

func TestQueriesParseAndFollowTheTimeShown(t *testing.T) {
	eachVariant(t, func(t *testing.T, boards map[string]board) {
		n := 0
		for _, b := range boards {
			for _, p := range b.shown() {
				refs := map[string]bool{}
				for _, q := range p.Targets {
					assert.False(t, refs[q.RefID] || q.RefID == "", "%s: reference %q", p.Title, q.RefID)
					refs[q.RefID] = true
					if !q.Datasource.isPrometheus() {
						continue
					}
					n++
					parse(t, q.Expr)
					assert.NotRegexp(t, fixedRange, q.Expr, p.Title)
					if strings.Contains(q.Expr, "rate(") {
						assert.Contains(t, q.Expr, "[$__rate_interval]", p.Title)
					}
					if p.Type != "table" && p.Type != "heatmap" {
						assert.NotEmpty(t, q.LegendFormat, "%s: legend", p.Title)
					}
					assert.Equal(t, p.Type == "table" && q.Format == "table" || p.Type == "bargauge", q.Instant, "%s: for one time", p.Title)
				}
			}
			for _, v := range b.Templating.List {
				if v.Type == "query" {
					n++
					parse(t, v.series(t))
				}
			}
		}
		assert.Greater(t, n, 80, "queries seen")
	})
}

func TestEachVariableIsUsedAndEachUsedIsThere(t *testing.T) {
	eachVariant(t, func(t *testing.T, boards map[string]board) {
		for _, b := range boards {
			used := map[string]bool{}
			for _, name := range references(b.raw) {
				used[name] = true
			}
			for _, v := range b.Templating.List {
				assert.True(t, used[v.Name], "%s: variable %s is used nowhere", b.Title, v.Name)
				delete(used, v.Name)
			}
			for name := range used {
				assert.True(t, strings.HasPrefix(name, "__"), "%s: there is no variable %s", b.Title, name)
			}
		}
	})
}

func TestVariablesDegradeWhereALabelIsAbsent(t *testing.T) {
	boards, _ := made(t, variants(t)["classic histograms, loki"])
	for _, b := range boards {
		for _, v := range b.Templating.List {
			if v.IncludeAll {
				assert.Equal(t, ".*", v.AllValue, "%s: %s: all of them is no label, too", b.Title, v.Name)
			}
		}
		for _, p := range b.shown() {
			for _, q := range p.Targets {
				assert.NotRegexp(t, `[^!=~]="\$`, q.Expr, p.Title)
			}
		}
	}
}

var urlVariable = regexp.MustCompile(`var-(\w+)=|\$\{(\w+):queryparam\}`)

func TestLinksLeadToADashboardThatTakesTheirVariables(t *testing.T) {
	eachVariant(t, func(t *testing.T, boards map[string]board) {
		byUID := map[string]board{}
		for _, b := range boards {
			byUID[b.UID] = b
		}
		n := 0
		for _, b := range boards {
			for _, p := range b.shown() {
				for _, l := range p.links(t) {
					n++
					uid, query, _ := strings.Cut(strings.TrimPrefix(l.URL, "/d/"), "?")
					require.Contains(t, byUID, uid, l.URL)
					set := map[string]bool{}
					for _, m := range urlVariable.FindAllStringSubmatch(query, -1) {
						set[m[1]+m[2]] = true
					}
					for _, v := range byUID[uid].Templating.List {
						if b.UID == uid && v.Type != "custom" || slices.Contains([]string{"datasource", "logs", "job", "namespace", "workload", "route", "code"}, v.Name) {
							assert.True(t, set[v.Name] || v.Name == "cluster", "%s, %q: variable %s is lost", p.Title, l.Title, v.Name)
						}
						delete(set, v.Name)
					}
					assert.Empty(t, set, "%s, %q: variables that the other does not have", p.Title, l.Title)
					assert.True(t, strings.Contains(query, "time.window=") || strings.Contains(query, "${__url_time_range}"), "%s: %q keeps no time", p.Title, l.Title)
				}
			}
		}
		assert.Greater(t, n, 15, "links seen")
	})
}

func TestRulesAreWhatPrometheusReads(t *testing.T) {
	for name, c := range variants(t) {
		t.Run(name, func(t *testing.T) {
			files, err := render(c)
			require.NoError(t, err)
			for _, file := range []string{"prometheus/recording.yaml", "prometheus/alerts.yaml"} {
				_, errs := rulefmt.Parse(files[file], false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.Default())
				assert.Empty(t, errs, file)
			}
		})
	}
}

func TestEachAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	runbook, err := os.ReadFile("../docs/runbook.md")
	require.NoError(t, err)
	_, rules := made(t, variants(t)["classic histograms, loki"])
	seen := map[string]bool{}
	for _, g := range rules["alerts"].Groups {
		for _, r := range g.Rules {
			assert.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
			assert.NotEmpty(t, r.For, r.Alert)
			assert.Equal(t, []string{"description", "runbook_url", "summary"}, slices.Sorted(maps.Keys(r.Annotations)), r.Alert)
			_, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "docs/runbook.md#")
			assert.Equal(t, strings.ToLower(r.Alert), anchor)
			seen[r.Alert] = true
		}
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (Routelens\w+)$`).FindAllStringSubmatch(string(runbook), -1) {
		sections = append(sections, m[1])
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(seen)), sections, "the runbook's sections")
}
