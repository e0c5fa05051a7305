//go:build istio

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// Both ways to set them: for the mesh, as the gateway here has them, and by annotations of the pod, as the sidecar has.
func TestLabelsAndBucketsAreWhatTheOverlaySays(t *testing.T) {
	for name, c := range map[string]struct {
		options proxyOptions
		overlay string
	}{"mesh": {gateway(t), "gateway"}, "workload": {sidecar(t), "workload"}} {
		t.Run(name, func(t *testing.T) {
			registry := openRegistry(t)
			control := openControl(t, nil)
			proxy := control.openProxy(t, c.options)
			all := install{overlay: c.overlay, image: registry.image(t, 1).digest, generation: 1, labels: metrics.ExchangeLabels}
			control.install(t, all)
			proxy.runs(t, time.Minute, "x-1")
			report := startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix(), Total: 200}).wait(t)
			settle(t, proxy.Envoy, control.store, report).eachOnce(t)

			families := scrape(t, proxy.agent+"/stats/prometheus")
			counted := map[lab.Outcome]int{}
			for _, m := range families[metrics.Requests].GetMetric() {
				labels := labelsOf(m)
				assert.ElementsMatch(t, metrics.ExchangeLabels, slices.Collect(maps.Keys(labels)))
				counted[lab.Outcome{Route: labels[metrics.LabelRoute], Code: labels[metrics.LabelCode]}] += int(m.GetCounter().GetValue())
			}
			assert.Equal(t, report.Counts, counted)
			var bounds []float64
			for _, b := range families[metrics.Duration].GetMetric()[0].GetHistogram().GetBucket() {
				bounds = append(bounds, b.GetUpperBound())
			}
			assert.Equal(t, buckets(t, c.options), bounds[:len(bounds)-1], "all but +Inf")
			assert.Contains(t, families, "envoy_cluster_upstream_rq_retry", "of the sink's cluster, for the dashboards")
		})
	}
}

func buckets(t testing.TB, o proxyOptions) (bounds []float64) {
	var all map[string][]float64
	require.NoError(t, json.Unmarshal([]byte(o.annotations["sidecar.istio.io/statsHistogramBuckets"]), &all))
	return all["wasmcustom"]
}

func scrape(t testing.TB, page string) map[string]*dto.MetricFamily {
	response, err := http.Get(page)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	return families
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}
