package mixin

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func shipped(t *testing.T) string {
	data, err := os.ReadFile("../../mixin.yaml")
	require.NoError(t, err)
	return string(data)
}

func TestTheShippedConfigurationIsRight(t *testing.T) {
	c, err := Parse([]byte(shipped(t)))
	require.NoError(t, err)
	assert.False(t, c.Native())
	assert.Equal(t, c.Logs.Loki, c.Logs.Selector())
	c.Logs.Store = VictoriaLogs
	assert.Equal(t, c.Logs.VictoriaLogs, c.Logs.Selector())
}

// The share of slow requests is read off a bucket's bound, so there must be one where Envoy is set up as shown.
func TestTheShippedObjectiveIsABoundOfTheBuckets(t *testing.T) {
	envoy, err := os.ReadFile("../../../envoy/examples/metrics.yaml")
	require.NoError(t, err)
	buckets := regexp.MustCompile(`_milliseconds'}}\n\s+buckets: \[(.*)\]`).FindSubmatch(envoy)
	require.NotNil(t, buckets)
	c, err := Parse([]byte(shipped(t)))
	require.NoError(t, err)
	for _, o := range c.Objectives.Routes {
		assert.Contains(t, strings.Split(string(buckets[1]), ", "), strings.TrimSuffix(o.Latency.Under.String(), "ms"))
	}
}

func TestAConfigurationIsRefusedWithEveryFault(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"a kind of histogram that is none", "\nhistograms: classic", "\nhistograms: both", `histograms must be classic or native, is "both"`},
		{"a store that is none", "store: loki", "store: tape", `logs.store must be loki or victorialogs, is "tape"`},
		{"no selector for the store", `loki: '{service_name=~".+"}'`, "loki: ''", `logs.loki must be given, is ""`},
		{"a selector that is none", "selector: ''", "selector: 'job='", `selector must be a list of PromQL's matchers, such as job="envoy", is "job="`},
		{"a label that is none", "namespace: namespace", "namespace: name-space", `labels.namespace must be a label's name, is "name-space"`},
		{"no plugin", "plugin: routelens", "plugin: ''", `plugin must be given, is ""`},
		{"a label of errors that the plugin has not", "response_code: 5..", "status: 5..", `errors.status must be one of route, method, response_code, cluster, virtual_host, grpc_response_status, is "status"`},
		{"an expression that is none", "response_code: 5..", "response_code: (5", `errors.response_code must be a regular expression, is "(5"`},
		{"an objective that allows no error", "availability: 0.999", "availability: 1", `objectives.routes[0].availability must be above 0 and below 1, is 1`},
		{"half a millisecond", "under: 500ms", "under: 500us", `objectives.routes[0].latency.under must be whole milliseconds, is "500µs"`},
		{"a window that is none", "long: 1h", "long: an hour", `objectives.windows[0].long must be a time, such as 5m, is "an hour"`},
		{"a window shorter than the rates'", "short: 5m", "short: 1m", `objectives.windows[0].short must be at least window (5m), is "1m"`},
		{"a long window that is the shorter", "long: 1h", "long: 5m", `objectives.windows[0].long must be longer than short (5m), is "5m"`},
		{"a severity that is none", "severity: critical", "severity: ''", `objectives.windows[0].severity must be given, is ""`},
		{"a share beyond all", "backlog: 0.5", "backlog: 50", `pipeline.backlog must be above 0 and below 1, is 50`},
		{"a key that is none", "min_rate:", "least_rate:", `field least_rate not found`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, shipped(t), c.from)
			_, err := Parse([]byte(strings.Replace(shipped(t), c.from, c.to, 1)))
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := Parse([]byte("histograms: both\n"))
	for _, key := range []string{"histograms", "logs.store", "labels.namespace", "plugin", "sink", "runbook", "window", "errors", "objectives.routes", "objectives.windows", "pipeline.for"} {
		assert.ErrorContains(t, err, key+" must be ")
	}
}
