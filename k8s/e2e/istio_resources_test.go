//go:build istio

package e2e

import (
	"net"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// mesh is a shop of services in the namespace shop, behind a gateway and behind sidecars of the workload checkout, and the log store
// where the overlays look for it.
type mesh struct {
	Gateway, Inbound, Outbound string // addresses of the listeners
	Services                   []config.Cluster
	Routes                     []config.Route
}

func newMesh(t testing.TB, shop *lab.Shop) mesh {
	m := mesh{Services: shop.Clusters()}
	for _, route := range shop.Routes() {
		if !route.Connect { // no path that a VirtualService could match
			m.Routes = append(m.Routes, route)
		}
	}
	for _, address := range []*string{&m.Gateway, &m.Inbound, &m.Outbound} {
		var err error
		*address, err = lab.FreeAddress(0)
		require.NoError(t, err)
	}
	return m
}

// meshResources are written by hand as far as they are not the overlays'. Ports of listeners are bound on loopback, where a pod would have
// its traffic redirected to them.
var meshResources = template.Must(template.New("mesh").Funcs(template.FuncMap{"port": port, "split": strings.Fields}).Parse(`
{{- define "routes"}}
{{- range .}}
  - name: {{.Name}}
    match: [{uri: {prefix: {{.Prefix}}}}]
    route: [{destination: {host: {{.Cluster}}.shop.svc.cluster.local, port: {number: 80}}}]
{{- end}}
{{- end}}
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: entry, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: {{port .Gateway}}, name: http, protocol: HTTP}
    hosts: ["*"]
    bind: 127.0.0.1
{{- range .Services}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: {{.Name}}, namespace: shop}
spec:
  hosts: [{{.Name}}.shop.svc.cluster.local]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: {{if .HTTP2}}HTTP2{{else}}HTTP{{end}}, targetPort: {{port .Address}}}]
  endpoints: [{address: 127.0.0.1}]
{{- end}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: entry, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [istio-system/entry]
  http:
{{- template "routes" .Routes}}
---
# What leaves a sidecar, by the address that its callers use.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outbound, namespace: shop}
spec:
  hosts: [outbound.shop.svc.cluster.local]
  addresses: [127.0.0.1]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: {{port .Outbound}}, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outbound, namespace: shop}
spec:
  hosts: [outbound.shop.svc.cluster.local]
  http:
{{- template "routes" .Routes}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: checkout, namespace: shop}
spec:
  workloadSelector: {labels: {app: checkout}}
  ingress:
  - port: {number: {{port .Inbound}}, name: http, protocol: HTTP}
    bind: 127.0.0.1
    captureMode: NONE
    defaultEndpoint: {{.Web}}
  egress:
  - port: {number: {{port .Outbound}}, name: http, protocol: HTTP}
    bind: 127.0.0.1
    captureMode: NONE
    hosts: [./*]
  - hosts: [./*, istio-system/*, observability/logs.observability.svc.cluster.local]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: plain, namespace: istio-system}
spec: {mtls: {mode: DISABLE}}
---
# A gateway gives requests ids of its own; the ledger goes by the callers'.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: request-ids, namespace: istio-system}
spec:
  configPatches:
  - applyTo: NETWORK_FILTER
    match: {listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}}}
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          preserve_external_request_id: true
---
# Where a pod's traffic is redirected to. There is no pod here, and nobody else is to reach them.
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: loopback, namespace: shop}
spec:
  configPatches:
{{- range "virtualInbound virtualOutbound" | split}}
  - applyTo: LISTENER
    match: {listener: {name: {{.}}}}
    patch: {operation: MERGE, value: {address: {socket_address: {address: 127.0.0.1}}}}
{{- end}}
`))

// storeResource is the log store where the overlays look for it.
const storeResource = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: logs, namespace: observability}
spec:
  hosts: [logs.observability.svc.cluster.local]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 9428, name: http, protocol: HTTP, targetPort: PORT}]
  endpoints: [{address: 127.0.0.1}]
`

// Web is where the shop's HTTP/1.1 services are.
func (m mesh) Web() string { return m.address("catalog") }

func (m mesh) address(service string) string {
	for _, s := range m.Services {
		if s.Name == service {
			return s.Address
		}
	}
	return ""
}

func (m mesh) yaml(t testing.TB) string {
	var b strings.Builder
	require.NoError(t, meshResources.Execute(&b, m))
	return b.String()
}

func port(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	return port, err
}
