package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// alertKey is an alert; those on objectives are told apart by their windows.
type alertKey struct{ name, window string }

// story is what becomes of the alerts in one of promtool's tests: at each time that it looks, which fire.
type story []map[alertKey]bool

// TestEachAlertFiresAndResolvesAndStaysSilent reads what `make rules` runs.
func TestEachAlertFiresAndResolvesAndStaysSilent(t *testing.T) {
	stories := stories(t)
	_, rules := made(t, variants(t)["classic histograms, loki"])
	n := 0
	for _, g := range rules["alerts"].Groups {
		for _, r := range g.Rules {
			n++
			key := alertKey{r.Alert, r.Labels["window"]}
			resolved, silent := false, false
			for _, s := range stories {
				resolved = resolved || s.resolves(key)
				silent = silent || len(s) > 1 && !s.fires(key)
			}
			assert.True(t, resolved, "%v: no test in which it does not fire, then fires, then no more", key)
			assert.True(t, silent, "%v: no test in which it stays silent", key)
		}
	}
	assert.Equal(t, 14, n)
}

func (s story) fires(key alertKey) bool {
	for _, firing := range s {
		if firing[key] {
			return true
		}
	}
	return false
}

func (s story) resolves(key alertKey) bool {
	want := []bool{false, true, false}
	for _, firing := range s {
		if len(want) > 0 && firing[key] == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func stories(t *testing.T) (all []story) {
	files, err := filepath.Glob("prometheus/tests/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var f struct {
			Tests []struct {
				Checks []struct {
					Expr     string
					EvalTime string                    `yaml:"eval_time"`
					Samples  []struct{ Labels string } `yaml:"exp_samples"`
				} `yaml:"promql_expr_test"`
			}
		}
		require.NoError(t, yaml.Unmarshal(data, &f), file)
		for _, test := range f.Tests {
			var s story
			for _, check := range test.Checks {
				require.Regexp(t, `^group by \(.*\) \(ALERTS\{alertstate="firing"\}\)$`, check.Expr, "every check is of all that fires")
				firing := map[alertKey]bool{}
				for _, sample := range check.Samples {
					l, err := parser.NewParser(parser.Options{}).ParseMetric(sample.Labels)
					require.NoError(t, err, sample.Labels)
					firing[alertKey{l.Get(labels.AlertName), l.Get("window")}] = true
				}
				s = append(s, firing)
			}
			all = append(all, s)
		}
	}
	return all
}
