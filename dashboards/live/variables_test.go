package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVariablesGoInAsGrafanaPutsThem(t *testing.T) {
	span := Span{End: time.Unix(1000, 0), Range: 10 * time.Minute, Step: 15 * time.Second, Scrape: 5 * time.Second}
	scope := NewScope(span).
		With(Variable{Name: "one"}, `it's a.b\c`).
		With(Variable{Name: "route", Multi: true}, "a.b").
		With(Variable{Name: "routes", Multi: true}, "a.b", "c|d").
		WithAll(Variable{Name: "job", AllValue: ".*", IncludeAll: true}, []string{"x", "y"}).
		WithAll(Variable{Name: "every", IncludeAll: true}, []string{"x", "y"})
	for query, want := range map[string]string{
		"rate(x[$__rate_interval])":              "rate(x[20s])",
		"rate(x[${__interval}])":                 "rate(x[15s])",
		"increase(x[$__range]) / $__range_s":     "increase(x[10m]) / 600",
		"$__interval_ms $__range_ms":             "15000 600000",
		"${__from} ${__to}":                      "400000 1000000",
		`{a="$one"}`:                             `{a="it\\'s a.b\\c"}`,
		`{a=~"$route"}`:                          `{a=~"a\\.b"}`,
		`{a=~"$routes"}`:                         `{a=~"(a\\.b|c\\|d)"}`,
		`{a=~"[[routes]]"}`:                      `{a=~"(a\\.b|c\\|d)"}`,
		`{a=~"${routes:regex}"}`:                 `{a=~"(a\.b|c\|d)"}`,
		`{a=~"${routes:pipe}"}`:                  `{a=~"a.b|c|d"}`,
		"in(${routes:doublequote})":              `in("a.b","c|d")`,
		`{a="${routes:raw}"}`:                    `{a="a.b,c|d"}`,
		"${routes:percentencode}":                "a.b%2Cc%7Cd",
		`{job=~"$job"} and {job=~"${job:pipe}"}`: `{job=~".*"} and {job=~".*"}`,
		`{a=~"$every"}`:                          `{a=~"(x|y)"}`,
		`label_replace(x, "a", "$1", "b", "")`:   `label_replace(x, "a", "$1", "b", "")`,
	} {
		got, err := scope.Expand(query)
		require.NoError(t, err, query)
		assert.Equal(t, want, got)
	}
	_, err := scope.Expand("${one:sqlstring}")
	require.ErrorContains(t, err, `variable "one": its format "sqlstring" is none that this check knows`)
}

func TestRateIntervalIsFourScrapesAtLeast(t *testing.T) {
	assert.Equal(t, 4*time.Minute, Span{Step: 15 * time.Second, Scrape: time.Minute}.RateInterval())
	assert.Equal(t, 6*time.Minute, Span{Step: 5 * time.Minute, Scrape: time.Minute}.RateInterval())
}

func TestStepFollowsTheRangeAndTheLeastThatIsAskedFor(t *testing.T) {
	span := Span{Range: 6 * time.Hour, Scrape: 5 * time.Second}
	for want, p := range map[time.Duration]Panel{
		22 * time.Second:  {},
		216 * time.Second: {MaxDataPoints: 100},
		5 * time.Minute:   {Interval: "5m"},
		7 * time.Minute:   {Interval: "5m", Targets: []Target{{Interval: ">7m"}}},
	} {
		p.Targets = append(p.Targets, Target{})
		got, err := p.step(p.Targets[0], span)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := Panel{Interval: "often"}.step(Target{}, span)
	require.ErrorContains(t, err, `interval "often"`)
}

func TestVariablesValues(t *testing.T) {
	assert.Equal(t, []string{"0.5", "0.95", "x"}, split("median : 0.5, 0.95,x"))
	kept, err := filter([]string{"a-1", "a-2", "b-1", "c"}, `/^(\w)-\d$/`)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, kept)
}
