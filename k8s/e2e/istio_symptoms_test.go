//go:build istio

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// FAIL_OPEN is for a plugin that cannot be had. Envoy takes none whose configuration is refused, and where there was none before would
// answer 500: so there the plugin takes it, and does nothing.
func TestARefusedConfigurationStopsNoTraffic(t *testing.T) {
	registry := openRegistry(t)
	control := openControl(t, nil)
	good := install{overlay: "gateway", image: registry.image(t, 1).digest, generation: 1}
	bad := good
	bad.generation, bad.labels = 2, []string{"nosuch"}
	const words = `configuration refused[^\n]*\n[^\n]*metrics\.labels\[0\]: must be one of route, .*; found "nosuch"`

	t.Run("of proxies that run, which keep the one before", func(t *testing.T) {
		proxy := control.openProxy(t, gateway(t))
		proxy.takesNone = true
		control.install(t, good)
		proxy.runs(t, time.Minute, "x-1")
		tr := startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix()})
		time.Sleep(time.Second)
		control.install(t, bad)
		proxy.logs(t, time.Minute, words)
		time.Sleep(time.Second)
		settle(t, proxy.Envoy, control.store, tr.end(t)).eachOnce(t)
	})
	t.Run("nor of those that start, which measure nothing until it is right", func(t *testing.T) {
		control.install(t, bad)
		proxy := control.openProxy(t, gateway(t))
		proxy.logs(t, time.Minute, words+`[^\n]*\n[^\n]*traffic passes unseen`)
		proxy.answers(t, http.StatusOK)
		stats, err := proxy.Envoy.Stats(t.Context())
		require.NoError(t, err)
		require.Empty(t, stats.Exchanges(), "nothing is measured")
		good.generation = 3
		control.install(t, good)
		proxy.runs(t, time.Minute, "x-3")
	})
}

func TestASinkThatTheProxyDoesNotKnowStopsNoTraffic(t *testing.T) {
	registry := openRegistry(t)
	control := openControl(t, nil)
	control.apply(t, "store", "")
	proxy := control.openProxy(t, gateway(t))
	control.install(t, install{overlay: "gateway", image: registry.image(t, 1).digest, generation: 1})
	proxy.runs(t, time.Minute, "x-1")
	startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix(), Total: 100}).wait(t)
	proxy.logs(t, time.Minute, `the proxy refused a call to cluster .*\(does it know the cluster\?\)`)
}

// answers waits until the proxy answers so.
func (p *proxy) answers(t testing.TB, code int) {
	t.Helper()
	require.NoError(t, lab.Until(t.Context(), fmt.Sprintf("the proxy to answer %d", code), time.Minute, func(context.Context) (string, bool) {
		response, err := http.Get(p.Entry + "/catalog")
		if err != nil {
			return err.Error(), false
		}
		response.Body.Close()
		return response.Status, response.StatusCode == code
	}))
}
