package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// What the tests look at of what was made, as Grafana and Prometheus read it.
type (
	board struct {
		UID, Title, Description string
		SchemaVersion           int
		Tags                    []string
		Links                   []struct{ IncludeVars, KeepTime bool }
		Panels                  []panel
		Templating              struct{ List []variable }
		raw                     string
	}
	panel struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               source
		Targets                  []target
		FieldConfig              struct {
			Defaults struct {
				Unit  string
				Links []link
			}
			Overrides []struct {
				Properties []struct {
					ID    string
					Value any
				}
			}
		}
	}
	target struct {
		RefID, Expr, LegendFormat, Format string
		Instant                           bool
		Datasource                        source
	}
	link     struct{ Title, URL string }
	source   struct{ Type, UID string }
	variable struct {
		Name, Type, AllValue string
		IncludeAll           bool
		Datasource           source
		Query                any
	}
	ruleFile struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Record, Alert, Expr, For string
				Labels, Annotations      map[string]string
			}
		}
	}
)

// variants are the ways in which the dashboards can be made.
func variants(t *testing.T) map[string]mixin.Config {
	all := map[string]mixin.Config{}
	for _, histograms := range []string{mixin.Classic, mixin.Native} {
		for _, store := range []string{mixin.Loki, mixin.VictoriaLogs} {
			c, err := mixin.Load("mixin.yaml")
			require.NoError(t, err)
			c.Histograms, c.Logs.Store = histograms, store
			all[histograms+" histograms, "+store] = c
		}
	}
	return all
}

// made are the dashboards and rules of a configuration.
func made(t *testing.T, c mixin.Config) (boards map[string]board, rules map[string]ruleFile) {
	files, err := render(c)
	require.NoError(t, err)
	boards, rules = map[string]board{}, map[string]ruleFile{}
	for path, content := range files {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if filepath.Ext(path) == ".json" {
			b := board{raw: string(content)}
			require.NoError(t, json.Unmarshal(content, &b), path)
			boards[name] = b
		} else {
			var f ruleFile
			require.NoError(t, yaml.Unmarshal(content, &f), path)
			rules[name] = f
		}
	}
	return boards, rules
}

// shown are the panels without the rows' titles.
func (b board) shown() []panel {
	var all []panel
	for _, p := range b.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
	}
	return all
}

func (s source) isPrometheus() bool { return s.Type == "prometheus" }

// links are those of all of a panel's points and cells.
func (p panel) links(t *testing.T) []link {
	all := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "links" {
				raw, err := json.Marshal(property.Value)
				require.NoError(t, err)
				var more []link
				require.NoError(t, json.Unmarshal(raw, &more))
				all = append(all, more...)
			}
		}
	}
	return all
}

var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// series are those whose labels the variable offers.
func (v variable) series(t *testing.T) string {
	asked, ok := v.Query.(map[string]any)["query"].(string)
	require.True(t, ok, v.Name)
	parts := labelValues.FindStringSubmatch(asked)
	require.Len(t, parts, 3, asked)
	return parts[1]
}

var reference = regexp.MustCompile(`\$\{(\w+)[^}]*\}|\$(\w+)`)

// references are the variables that a text names.
func references(text string) []string {
	var names []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1]+m[2])
	}
	return names
}

// filled is a query with times for its variables that are times, and values for the others.
func filled(expr string) string {
	return reference.ReplaceAllStringFunc(expr, func(m string) string {
		switch strings.Trim(m, "${}") {
		case "__rate_interval", "__range", "compare":
			return "5m"
		}
		return "x"
	})
}

func parse(t *testing.T, expr string) parser.Expr {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(filled(expr))
	require.NoError(t, err, expr)
	return e
}
