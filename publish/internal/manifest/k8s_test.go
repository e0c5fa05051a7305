package manifest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
)

// TestWhatStandsInK8sIsWhatIsPrinted holds the resources in k8s/, into which kustomize puts image and configuration, to those of publish manifest.
func TestWhatStandsInK8sIsWhatIsPrinted(t *testing.T) {
	places := map[string]Options{
		"gateway":   {Namespace: "istio-system", Selector: []Label{{"istio", "ingressgateway"}}},
		"namespace": {Namespace: "shop"},
		"workload":  {Namespace: "shop", Selector: []Label{{"app", "checkout"}}},
		"waypoint":  {Namespace: "shop", Targets: []Target{{gatewayAPI, "Gateway", "waypoint"}}},
	}
	files := map[string]Options{
		"envoy-gateway/policy.yaml": {Kind: EnvoyGateway, Namespace: "default", Targets: []Target{{gatewayAPI, "Gateway", "eg"}}},
	}
	for place, o := range places {
		o.Kind, o.Phase = Istio, "STATS"
		files["istio/"+place+"/wasmplugin.yaml"] = o
		o.Kind = IstioTrafficExtension
		files["istio/traffic-extension/"+place+"/trafficextension.yaml"] = o
	}
	for file, o := range files {
		o.Name, o.Reference = "routelens", "registry.example.com/team/routelens@sha256:"+strings.Repeat("0", 64)
		got, err := Make(o)
		require.NoError(t, err)
		goldentest.Equal(t, filepath.Join("../../../k8s/overlays", file), string(got))
	}
}
