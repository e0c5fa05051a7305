//go:build gateway

package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/routelens/routelens/envoy/lab"
)

// envoyVersion is a name for the Envoy at hand, to Envoy Gateway.
const envoyVersion = "1.40.0"

// document is a resource as one of several in a file.
func document(t testing.TB, resource any) string {
	text, err := yaml.Marshal(resource)
	require.NoError(t, err)
	return "---\n" + string(text)
}

// surroundings are what a user has before the overlay comes: a Gateway, with a route for each of the shop's services. The Gateway has
// the overlay's patch.
func surroundings(t testing.TB, shop *lab.Shop, store, entry string) string {
	var b strings.Builder
	patch, err := os.ReadFile("../overlays/envoy-gateway/gateway.yaml")
	require.NoError(t, err)
	var gateway struct{ Spec map[string]any }
	require.NoError(t, yaml.Unmarshal(patch, &gateway))
	_, port := split(t, entry)
	gateway.Spec["gatewayClassName"] = "eg"
	gateway.Spec["listeners"] = []any{map[string]any{"name": "http", "protocol": "HTTP", "port": port}}
	b.WriteString(document(t, map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": map[string]string{"name": "eg"},
		"spec": map[string]string{"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
	}))
	b.WriteString(document(t, resource("gateway.networking.k8s.io/v1", "Gateway", "eg", gateway.Spec)))
	// Requests keep the ids that they come with: by these the ledger knows them.
	b.WriteString(document(t, resource("gateway.envoyproxy.io/v1alpha1", "ClientTrafficPolicy", "eg", map[string]any{
		"targetRefs": []any{map[string]string{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg"}},
		"headers":    map[string]string{"requestID": "PreserveOrGenerate"},
	})))
	b.WriteString(backend(t, "observability", "logs", store))
	for _, cluster := range shop.Clusters() {
		var protocols []string
		if cluster.HTTP2 {
			protocols = []string{"gateway.envoyproxy.io/h2c"}
		}
		b.WriteString(backend(t, "default", cluster.Name, cluster.Address, protocols...))
	}
	for _, route := range shop.Routes() {
		if !route.Connect {
			b.WriteString(document(t, httpRoute(route.Name, route.Prefix)))
		}
	}
	return b.String()
}

func resource(version, kind, name string, spec any) map[string]any {
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]string{"name": name, "namespace": "default"}, "spec": spec}
}

func httpRoute(name, prefix string) map[string]any {
	return resource("gateway.networking.k8s.io/v1", "HTTPRoute", name, map[string]any{
		"parentRefs": []any{map[string]string{"name": "eg"}},
		"rules": []any{map[string]any{
			"matches":     []any{map[string]any{"path": map[string]string{"type": "PathPrefix", "value": strings.TrimSuffix(prefix, "/")}}},
			"backendRefs": []any{map[string]string{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": name}},
		}},
	})
}

func backend(t testing.TB, namespace, name, address string, protocols ...string) string {
	host, port := split(t, address)
	spec := map[string]any{"endpoints": []any{map[string]any{"ip": map[string]any{"address": host, "port": port}}}}
	if len(protocols) > 0 {
		spec["appProtocols"] = protocols
	}
	b := resource("gateway.envoyproxy.io/v1alpha1", "Backend", name, spec)
	b["metadata"] = map[string]string{"name": name, "namespace": namespace}
	return document(t, b)
}

func split(t testing.TB, address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	require.NoError(t, err)
	port, err = strconv.Atoi(text)
	require.NoError(t, err)
	return host, port
}

// Where the overlay's policy has the plugin, and its image.
const (
	pluginPath = "/spec/wasm/0"
	imagePath  = pluginPath + "/code/image"
)

// policy is the overlay, for where there is no cluster: Envoy is run by Envoy Gateway itself, and the store is no Service. changes are
// the test's, by kind.
func policy(t testing.TB, ref string, changes map[string][]operation, components ...string) string {
	t.Helper()
	toStore := map[string]string{"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "logs"}
	fromRoute := maps.Clone(toStore)
	fromRoute["namespace"] = "observability"
	all := map[string][]operation{
		"EnvoyProxy": {
			set("/spec/provider", map[string]any{"type": "Host", "host": map[string]string{"envoyVersion": envoyVersion}}),
			set("/spec/concurrency", 2),
			set("/spec/telemetry", map[string]any{"accessLog": map[string]bool{"disable": true}}),
			set("/spec/shutdown", map[string]string{"drainTimeout": fmt.Sprint(drain)}),
		},
		"HTTPRoute":            {set("/spec/rules/0/backendRefs", []any{fromRoute})},
		"ReferenceGrant":       {set("/spec/to", []any{toStore})},
		"EnvoyExtensionPolicy": append(recordsAll(1), set(imagePath+"/url", ref)),
	}
	for kind, operations := range changes {
		all[kind] = append(all[kind], operations...)
	}
	return overlay(t, "overlays/envoy-gateway", all, components...)
}

// drain is how long a listener stays that was replaced, long enough for what is under way: Envoy's main thread, and with it the clock of
// its timers, is held while it compiles a plugin. Envoy Gateway's own is 60 s.
const drain = lab.ReplaceLimit + 5*time.Second

// recordsAll makes the plugin record everything. generation is for a live change.
func recordsAll(generation int) []operation { return pluginConfig(pluginPath+"/config", generation) }

// changed is the policy with changes to the EnvoyExtensionPolicy alone.
func changed(t testing.TB, ref string, changes ...operation) string {
	t.Helper()
	return policy(t, ref, map[string][]operation{"EnvoyExtensionPolicy": changes})
}

// routeName is what Envoy Gateway calls the only match of a route, for all hosts.
func routeName(route string) string {
	return fmt.Sprintf("httproute/default/%s/rule/0/match/0/*", route)
}

// routed is everyday traffic for what has a route.
func routed() (mix []lab.Share) {
	for _, share := range lab.ShopMix() {
		if share.Route != "unmatched" {
			mix = append(mix, share)
		}
	}
	return mix
}

// byRouteName are the callers' counts, by the names that Envoy Gateway gives to routes.
func byRouteName(reports ...lab.Report) map[lab.Outcome]int {
	counts := map[lab.Outcome]int{}
	for _, report := range reports {
		for outcome, n := range report.Counts {
			counts[lab.Outcome{Route: routeName(outcome.Route), Code: outcome.Code}] += n
		}
	}
	return counts
}
