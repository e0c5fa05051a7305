package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

func TestARouteHasTheFirstObjectiveThatItsNameMatches(t *testing.T) {
	c, err := mixin.Load("../../mixin.yaml")
	require.NoError(t, err)
	c.Objectives.Routes = []mixin.Objective{
		{Match: "pay|checkout", Availability: 0.9995, Latency: mixin.Latency{Under: 250 * time.Millisecond, Share: 0.95}},
		{Match: ".*", Availability: 0.99, Latency: mixin.Latency{Under: time.Second, Share: 0.9}},
	}
	got := map[string][]Rule{}
	for _, r := range (recording{c}).objectives() {
		got[r.Record] = append(got[r.Record], r)
	}

	burn := got[AvailabilityBurn("1h")]
	require.Len(t, burn, 2)
	assert.Equal(t, `sum_over_time(route:routelens_request_errors:rate5m{route=~"pay|checkout"}[1h]) / (sum_over_time(route:routelens_requests_total:rate5m{route=~"pay|checkout"}[1h]) > 0) / 0.0005`, burn[0].Expr)
	assert.Equal(t, map[string]string{"objective": "99.95%"}, burn[0].Labels)
	assert.Equal(t, `sum_over_time(route:routelens_request_errors:rate5m{route!~"pay|checkout"}[1h]) / (sum_over_time(route:routelens_requests_total:rate5m{route!~"pay|checkout"}[1h]) > 0) / 0.01`, burn[1].Expr)
	assert.Equal(t, map[string]string{"objective": "99%"}, burn[1].Labels)

	slow := got[NamesOf(c).Slow]
	require.Len(t, slow, 2)
	assert.Contains(t, slow[0].Expr, `{route=~"pay|checkout", le=~"250([.]0)?"}`)
	assert.Contains(t, slow[1].Expr, `{route!~"pay|checkout", le=~"1000([.]0)?"}`)
}

func TestEveryRuleSelectsWhatIsConfigured(t *testing.T) {
	c, err := mixin.Load("../../mixin.yaml")
	require.NoError(t, err)
	c.Selector = `job="edge"`
	for _, r := range append((recording{c}).routes(), (alerts{c}).pipeline()...) {
		own := strings.Count(r.Expr, "routelens_") - strings.Count(r.Expr, "route:routelens_")
		assert.Equal(t, own, strings.Count(r.Expr, `{job="edge"`), r.Expr)
	}
}
