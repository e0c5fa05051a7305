//go:build istio

package e2e

import (
	"testing"
	"time"

	"github.com/routelens/routelens/envoy/lab"
)

func TestThePullSecretReachesTheAgent(t *testing.T) {
	registry := openGuardedRegistry(t)
	pinned := registry.push(t, artifact(t), "team/routelens:1")
	control := openControl(t, pullSecrets{
		"istio-system/routelens-registry": registry.credentials(password), "shop/routelens-registry": registry.credentials(password),
	})
	for overlay, options := range map[string]proxyOptions{
		"gateway": gateway(t), "traffic-extension/gateway": gateway(t), "workload": sidecar(t), "traffic-extension/namespace": sidecar(t),
	} {
		t.Run(overlay, func(t *testing.T) {
			options.trust = registry.caFile
			control.install(t, install{overlay: overlay, image: pinned, secret: "routelens-registry", generation: 1})
			proxy := control.openProxy(t, options)
			proxy.runs(t, time.Minute, "x-1")
			report := startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix(), Total: 100}).wait(t)
			settle(t, proxy.Envoy, control.store, report).eachOnce(t)
		})
	}
}
