package live

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/dashboards/internal/rules"
)

func TestAnAlertNeedsAllThatItCompares(t *testing.T) {
	for expr, want := range map[string][]string{
		`a > 1`:                                      {`a`},
		`sum by (x) (rate(a[5m])) / b > 0.1`:         {`sum by (x) (rate(a[5m])) / b`},
		`(a > 1 and b < 2) unless on (x) c`:          {`a`, `b`, `c`},
		`1 - a > 14.4 * (1 - 0.99)`:                  {`1 - a`},
		`absent(up{job="envoy"})`:                    {`up{job="envoy"}`},
		`absent_over_time(a[5m])`:                    {`a`},
		`count by (x) (a > 0) == 0`:                  {`a`},
		`a * (b > bool 1)`:                           {`a * (b > bool 1)`},
		`changes(a[15m]) > 0 or changes(b[15m]) > 0`: {`changes(a[15m])`, `changes(b[15m])`},
	} {
		parsed, err := promql.ParseExpr(expr)
		require.NoError(t, err)
		assert.Equal(t, want, ingredients(parsed), expr)
	}
}

const someRules = `groups:
- name: g
  interval: 1m
  rules:
  - {record: "a:rate5m", expr: "rate(a[5m])"}
  - {record: "b:rate", expr: "max_over_time(rate(b[1h])[6h:30m] offset 1w)"}
  - {alert: A, expr: "a:rate5m > 1", for: 2m, keep_firing_for: 10m, labels: {severity: page}, annotations: {summary: s}}
`

func TestFasterShortensWindowsAndNothingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(someRules), 0o600))
	read, err := ReadRules(file)
	require.NoError(t, err)

	fast, err := read.Faster(time.Second, Shrink{5 * time.Second, time.Minute})
	require.NoError(t, err)
	assert.Equal(t, RuleFile{[]rules.Group{{Name: "g", Interval: "1s", Rules: []rules.Rule{
		{Record: "a:rate5m", Expr: "rate(a[5s])"},
		{Record: "b:rate", Expr: "max_over_time(rate(b[12s])[24s:] offset 1w)"},
		{Alert: "A", Expr: "a:rate5m > 1", For: "1s", KeepFiringFor: "1s", Labels: map[string]string{"severity": "page"}, Annotations: map[string]string{"summary": "s"}},
	}}}}, fast)
	assert.Equal(t, "rate(a[5m])", read.Groups[0].Rules[0].Expr, "what was read stays")

	again := filepath.Join(t.TempDir(), "new", "rules.yaml")
	require.NoError(t, read.Every(2*time.Second).Write(again))
	slow, err := ReadRules(again)
	require.NoError(t, err)
	read.Groups[0].Interval = "2s"
	assert.Equal(t, read, slow)
}

func TestShrinkKeepsTheOrder(t *testing.T) {
	shrink := Shrink{5 * time.Second, time.Minute}
	windows := []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}
	var last time.Duration
	for _, w := range windows {
		short := shrink.Of(w)
		assert.Greater(t, short, last, w)
		last = short
	}
	assert.Equal(t, 5*time.Second, shrink.Of(5*time.Minute))
	assert.Equal(t, 5*time.Second, shrink.Of(time.Minute))
	assert.Equal(t, time.Minute, shrink.Of(72*time.Hour))
}
