package capture

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/record"
)

// node is what Istio's bootstrap says of the pod of a cart.
var node = map[string]string{
	"xds.node.id": "sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local", "xds.node.metadata.ISTIO_VERSION": "1.31.0",
	"xds.node.metadata.WORKLOAD_NAME": "cart-v2", "xds.node.metadata.NAMESPACE": "shop",
	"xds.node.metadata.LABELS.service.istio.io/canonical-name": "cart", "xds.node.metadata.LABELS.service.istio.io/canonical-revision": "v2",
	"xds.node.metadata.LABELS.app": "cart-app", "xds.node.metadata.LABELS.version": "2",
}

var cart = record.Workload{Name: "cart-v2", Namespace: "shop", CanonicalService: "cart", CanonicalRevision: "v2", App: "cart-app", Version: "2"}

// Names of attributes.
const (
	downstreamPeer = "filter_state.downstream_peer"
	upstreamPeer   = "filter_state.upstream_peer"
	services       = "xds.cluster_metadata.filter_metadata.istio.services"
	endpoint       = "xds.upstream_host_metadata.filter_metadata.istio.workload"
	tunnelPeer     = "filter_state['io.istio.peer_principal']"
	theirs         = "connection.uri_san_peer_certificate"
	ours           = "connection.uri_san_local_certificate"
	upstreams      = "upstream.uri_san_peer_certificate"
	toUpstream     = "upstream.uri_san_local_certificate"
)

var (
	web = string(capturetest.Map("workload", "web-v1", "namespace", "front", "service", "web", "revision", "v1", "app", "web-app", "version", "1",
		"cluster", "Kubernetes", "type", "deployment", "name", "web-1", "identity", "spiffe://claimed/ns/claimed/sa/claimed", "labels", "x"))
	webWorkload = record.Workload{Name: "web-v1", Namespace: "front", CanonicalService: "web", CanonicalRevision: "v1", App: "web-app", Version: "1"}
	cartService = string(capturetest.Serialise(capturetest.Map("host", "cart.shop.svc.cluster.local", "name", "cart", "namespace", "shop"), capturetest.Map("host", "other")))
)

func meshHost(attributes map[string]string) *capturetest.Host {
	h := whole()
	for _, from := range []map[string]string{node, attributes} {
		for name, value := range from {
			h.Attributes[name] = []byte(value)
		}
	}
	if direction, ok := attributes["xds.listener_direction"]; ok {
		h.Attributes["xds.listener_direction"] = capturetest.Int(map[string]int64{"inbound": 1, "outbound": 2}[direction])
	}
	return h
}

func of(w record.Workload, principal string) record.Workload {
	w.Principal = principal
	return w
}

const (
	webID  = "spiffe://cluster.local/ns/front/sa/web"
	cartID = "spiffe://cluster.local/ns/shop/sa/cart"
)

func TestTheTwoEndsOfAnExchange(t *testing.T) {
	for _, c := range []struct {
		name       string
		attributes map[string]string
		want       record.Istio
	}{
		{"at the destination",
			map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, services: cartService, theirs: webID, ours: cartID, "xds.cluster_name": "inbound|8080||",
				upstreamPeer: "never asked for", upstreams: "nor this"},
			record.Istio{Reporter: "destination", Source: of(webWorkload, webID), Destination: of(cart, cartID),
				Service: "cart.shop.svc.cluster.local", ServiceName: "cart", ServiceNamespace: "shop"}},
		{"at the destination, by a tunnel",
			map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, tunnelPeer: webID, "filter_state['io.istio.local_principal']": "-", theirs: cartID},
			record.Istio{Reporter: "destination", Source: of(webWorkload, webID), Destination: cart}},
		{"at the destination, from outside of the mesh",
			map[string]string{"xds.listener_direction": "inbound", "xds.cluster_name": "InboundPassthroughCluster"},
			record.Istio{Reporter: "destination", Destination: cart, ServiceName: "InboundPassthroughCluster"}},
		{"at the source",
			map[string]string{"xds.listener_direction": "outbound", upstreamPeer: web, endpoint: "web-v0;nowhere;web;v0;c", upstreams: webID, toUpstream: cartID,
				services: cartService, downstreamPeer: "never asked for", theirs: "nor this"},
			record.Istio{Reporter: "source", Source: of(cart, cartID), Destination: of(webWorkload, webID),
				Service: "cart.shop.svc.cluster.local", ServiceName: "cart", ServiceNamespace: "shop"}},
		{"at the source, where the endpoint alone is known",
			map[string]string{"xds.listener_direction": "outbound", endpoint: "web-v1;front;web;v1;Kubernetes", "xds.cluster_name": "outbound|80|v1|web.front.svc.cluster.local"},
			record.Istio{Reporter: "source", Source: cart, Destination: record.Workload{Name: "web-v1", Namespace: "front", CanonicalService: "web", CanonicalRevision: "v1"},
				Service: "web.front.svc.cluster.local", ServiceName: "web", ServiceNamespace: "front"}},
		{"at a gateway, to a host outside",
			map[string]string{"xds.node.id": "router~10.0.0.1~gw.istio-system~x", "xds.cluster_name": "outbound|443||api.svc.example.com", endpoint: "broken;by;semicolons"},
			record.Istio{Reporter: "source", Source: cart, Service: "api.svc.example.com", ServiceName: "api"}},
		{"of which a certificate proves the namespace",
			map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, theirs: "spiffe://cluster.local/ns/other/sa/web"},
			record.Istio{Reporter: "destination", Source: record.Workload{Name: "web-v1", Namespace: "other", CanonicalService: "web", CanonicalRevision: "v1",
				App: "web-app", Version: "1", Principal: "spiffe://cluster.local/ns/other/sa/web"}, Destination: cart}},
		{"at a waypoint",
			map[string]string{"xds.node.id": "waypoint~10.0.0.1~wp.shop~x", "xds.listener_direction": "inbound", downstreamPeer: web, endpoint: "cart-v2;shop;cart;v2;Kubernetes",
				tunnelPeer: webID, services: cartService},
			record.Istio{Reporter: "waypoint", Source: of(webWorkload, webID), Destination: record.Workload{Name: "cart-v2", Namespace: "shop", CanonicalService: "cart", CanonicalRevision: "v2"},
				Service: "cart.shop.svc.cluster.local", ServiceName: "cart", ServiceNamespace: "shop"}},
		{"which are cut",
			map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web[:len(web)/2], services: cartService[:20]},
			record.Istio{Reporter: "destination", Source: record.Workload{}, Destination: cart}},
	} {
		for _, text := range []string{everything, `{"sink":{"cluster":"logs"},"sampling":{"rate":1},` + rest,
			`{"istio":true,"sink":{"cluster":"logs"},"metrics":{"labels":["` + strings.Join(record.IstioLabels, `","`) + `"]},` + rest} {
			t.Run(c.name, func(t *testing.T) {
				host := meshHost(c.attributes)
				k := New(host, parse(t, text), admits(true))
				for range 2 {
					got := capture(k, passed)
					require.NotNil(t, got.Istio)
					if c.name == "which are cut" {
						got.Istio.Source = record.Workload{} // whatever was whole of it
					}
					assert.Equal(t, c.want, *got.Istio)
					want := wholeRecord()
					want.Istio, want.Cluster = got.Istio, got.Cluster
					assert.Equal(t, want, got, "all else is as ever")
				}
				host.WithoutCEL = true
				without := capture(New(host, parse(t, text), admits(true)), passed).Istio
				assert.Equal(t, c.want.Reporter, without.Reporter, "without CEL")
				if c.want.Reporter != waypoint {
					own := map[string]record.Workload{source: without.Source, destination: without.Destination}
					assert.Equal(t, cart, own[c.want.Reporter], "without CEL")
				}
			})
		}
	}
}

// Istio gives the same configuration to a sidecar's listeners for what comes in and for what goes out, and Envoy one context to both.
func TestWhatComesInAndWhatGoesOutMayPassTheSameContext(t *testing.T) {
	in := map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, theirs: webID, ours: cartID, "xds.cluster_name": "inbound|8080||"}
	out := map[string]string{"xds.listener_direction": "outbound", upstreamPeer: web, upstreams: webID, toUpstream: cartID, "xds.cluster_name": "outbound|80||web.front.svc.cluster.local"}
	for _, rate := range []string{"1", "0"} { // all in one list, or those of records in another
		for _, labels := range []string{"route", "source_workload", "reporter"} {
			host := meshHost(nil)
			k := New(host, parse(t, `{"sink":{"cluster":"logs"},"sampling":{"rate":`+rate+`},"metrics":{"labels":["`+labels+`"]}}`), admits(true))
			for range 2 {
				host.Attributes = meshHost(in).Attributes
				assert.Equal(t, record.Istio{Reporter: "destination", Source: of(webWorkload, webID), Destination: of(cart, cartID)}, *capture(k, passed).Istio)
				host.Attributes = meshHost(out).Attributes
				assert.Equal(t, record.Istio{Reporter: "source", Source: of(cart, cartID), Destination: of(webWorkload, webID),
					Service: "web.front.svc.cluster.local", ServiceName: "web", ServiceNamespace: "front"}, *capture(k, passed).Istio)
			}
		}
	}
}

func TestWhatIstioKnowsMayBeAbsent(t *testing.T) {
	all := map[string]string{downstreamPeer: web, upstreamPeer: web, services: cartService, endpoint: "a;b;c;d;e", theirs: webID, ours: cartID, upstreams: webID, toUpstream: cartID, tunnelPeer: webID}
	for _, direction := range []string{"inbound", "outbound"} {
		for name := range all {
			t.Run(direction+", "+name, func(t *testing.T) {
				some := maps.Clone(all)
				delete(some, name)
				some["xds.listener_direction"] = direction
				host := meshHost(some)
				k := New(host, parse(t, `{"sink":{"cluster":"logs"},"sampling":{"rate":1}}`), admits(true))
				host.Calls = map[string]int{}
				got := capture(k, passed)
				assert.Equal(t, 1, host.Calls["Evaluate"]-2, "the list, and those of TLS and of a failure")
				assert.NotEmpty(t, got.Istio.Source.Name+got.Istio.Destination.Name)
			})
		}
	}
}

func TestIstiosContextIsAskedForOnlyWhereItIs(t *testing.T) {
	outside := func() *capturetest.Host {
		h := meshHost(map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, theirs: webID})
		delete(h.Attributes, "xds.node.metadata.ISTIO_VERSION")
		return h
	}
	inside := func() *capturetest.Host {
		return meshHost(map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, theirs: webID})
	}
	const label = `"metrics":{"labels":["route","source_workload"]}`
	for _, c := range []struct {
		name, config string
		host         *capturetest.Host
		record       bool
		label        string
	}{
		{"an Envoy that is not Istio's", `{"sink":{"cluster":"logs"},` + label + `}`, outside(), false, ""},
		{"records that are to have it", `{"sink":{"cluster":"logs"}}`, inside(), true, ""},
		{"records that are not", `{"istio":false,"sink":{"cluster":"logs"}}`, inside(), false, ""},
		{"metrics alone", `{}`, inside(), false, ""},
		{"a label alone", `{` + label + `}`, inside(), false, "web-v1"},
		{"a label, and records that are not to have it", `{"istio":false,"sink":{"cluster":"logs"},` + label + `}`, inside(), false, "web-v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.host.Calls = map[string]int{}
			k := New(c.host, parse(t, c.config), admits(true))
			clear(c.host.Calls)
			r := k.Decide(&Passed{})
			assert.Equal(t, map[string]int{"Evaluate": 1}, c.host.Calls, "an exchange that is not kept costs one call")
			if strings.Contains(c.config, label) { // else nobody asks
				assert.Equal(t, c.label, r.Istio.Label("source_workload"))
			}
			if !k.records {
				return
			}
			k.Complete(r, &Passed{})
			assert.Equal(t, 4, c.host.Calls["Evaluate"], "and a record what it ever did")
			assert.Zero(t, c.host.Calls["Property"])
			assert.Equal(t, c.record, r.Istio != nil)
		})
	}
}

func TestDetectorsLookAtWhatPeersSay(t *testing.T) {
	host := meshHost(map[string]string{"xds.listener_direction": "inbound", downstreamPeer: string(capturetest.Map("workload", "ada@example.com"))})
	k := New(host, parse(t, `{"sink":{"cluster":"logs"},"redact":{"detect":["email"]}}`), admits(true))
	for range 2 {
		r := capture(k, passed)
		assert.NotContains(t, r.Istio.Source.Name, "ada")
		assert.Equal(t, cart, r.Istio.Destination)
	}
}

func FuzzAPeerIsReadWithinItsBytes(f *testing.F) {
	for _, s := range []string{web, cartService, "a;b;c;d;e", ";;;;", "", "\xff\xff\xff\xff"} {
		f.Add([]byte(s))
		f.Add([]byte(s)[:len(s)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &record.Record{Istio: &record.Istio{}}
		setPeer(&r.Istio.Source, b)
		setEndpoint(r, b)
		setServices(r, b)
		for _, label := range record.IstioLabels {
			require.True(t, bytes.Contains(b, []byte(r.Istio.Label(label))))
		}
		require.Empty(t, r.Istio.Source.Principal+r.Istio.Destination.Principal, "claims prove nothing")
	})
}

func BenchmarkDecideAndCompleteInIstio(b *testing.B) {
	host := meshHost(map[string]string{"xds.listener_direction": "inbound", downstreamPeer: web, services: cartService, theirs: webID, ours: cartID})
	k := New(replay(host), parse(b, everything), admits(true))
	p := passed
	b.ReportAllocs()
	var r *record.Record
	for b.Loop() {
		r = k.Decide(&p)
		k.Complete(r, &p)
	}
	require.Equal(b, "web-v1", r.Istio.Source.Name)
}
