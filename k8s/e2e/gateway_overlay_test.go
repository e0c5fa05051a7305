//go:build gateway

package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

func TestEnvoyGatewayRunsTheOverlay(t *testing.T) {
	r := openRegistry(t)
	pinned := r.push(t, artifact(t), "team/routelens:1.0")
	g := openGateway(t, changed(t, pinned))
	g.runs(t, "the plugin", anyPlugin)
	for kind, name := range map[string]string{
		"EnvoyExtensionPolicy": "routelens", "SecurityPolicy": "routelens-sink", "BackendTrafficPolicy": "routelens-sink", "HTTPRoute": "routelens-sink",
	} {
		g.hasCondition(t, kind, name, condition{Type: "Accepted", Status: "True"})
	}

	report, err := lab.Load{Entry: g.Entry, Mix: routed(), Total: 300}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Failures)
	b := settle(t, g.Envoy, g.store, report)
	b.eachOnce(t)
	assert.Equal(t, byRouteName(report), b.stats.Exchanges())
	records, err := g.store.Records(t.Context(), report.ID(0))
	require.NoError(t, err)
	require.Len(t, records, 1)
	assert.Equal(t, routeName(routed()[0].Route), records[0]["http.route"])

	page, err := g.Page(t.Context(), "/stats/prometheus?filter=routelens_")
	require.NoError(t, err)
	assert.Regexp(t, metrics.Duration+`_bucket\{route="httproute/default/catalog/[^}]*,le="7500"\}`, string(page), "a bucket that Envoy does not have by itself")
	assert.NotContains(t, string(page), `le="3600000"`, "a bucket of Envoy's own")

	assert.Equal(t, http.StatusNotFound, answer(t, g.Entry, "shop"))
	assert.Equal(t, http.StatusForbidden, answer(t, g.Entry, "routelens-sink.invalid"), "to who asks the gateway for the sink")
	after, err := g.Quiet(t.Context(), b.sent+1, time.Minute)
	assert.NoError(t, err)
	assert.Equal(t, b.sent+1, after.Pipeline().Emitted, "the plugin stands on routes, and sees nothing of what has none")
}

// answer is the code of the answer to a request for a host.
func answer(t testing.TB, page, host string) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	require.NoError(t, err)
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	return response.StatusCode
}
