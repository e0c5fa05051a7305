package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// mesh is a plain Envoy, configured as Istio does it. What of Istio's own is not in it is the filter
// that finds out who the peer is: its object is set here, in the bytes in which the plugin reads it.
func mesh(reporter string) *config.Istio {
	i := &config.Istio{
		NodeID: "sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local",
		Node: `{"ISTIO_VERSION": "1.31.0", "NAMESPACE": "shop", "WORKLOAD_NAME": "cart-v2", "MESH_ID": "cluster.local", "CLUSTER_ID": "Kubernetes", "LABELS": ` +
			`{"app": "cart", "version": "2", "service.istio.io/canonical-name": "cart", "service.istio.io/canonical-revision": "v2"}}`,
		Inbound: reporter == "destination",
	}
	if reporter == "waypoint" {
		i.NodeID = "waypoint~10.0.0.1~waypoint-1.shop~shop.svc.cluster.local"
	}
	if reporter != "source" {
		i.Peer = capturetest.Map("workload", "web-v1", "namespace", "claimed", "service", "web", "revision", "v1", "type", "deployment", "cluster", "Kubernetes")
	}
	return i
}

const (
	webID  = "spiffe://cluster.local/ns/front/sa/web"
	cartID = "spiffe://cluster.local/ns/shop/sa/cart"
)

// services is the metadata of a cluster of Istio's, with all kinds of values that it has.
func services(host, name, namespace string) string {
	return `{"config": "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/cart", "default_original_port": 80, "external": true, "services": [` +
		`{"host": "` + host + `", "name": "` + name + `", "namespace": "` + namespace + `"}, {"host": "second"}]}`
}

var (
	cartSays = map[string]string{"workload": "cart-v2", "workload_namespace": "shop", "canonical_service": "cart", "canonical_revision": "v2", "app": "cart", "version": "2", "principal": cartID}
	webSays  = map[string]string{"workload": "web-v1", "workload_namespace": "front", "canonical_service": "web", "canonical_revision": "v1", "principal": webID}
)

// known joins what is known of both ends under the label names; the service is the destination's.
func known(reporter string, source, destination map[string]string, service, namespace string) map[string]string {
	all := map[string]string{"reporter": reporter}
	for side, words := range map[string]map[string]string{"source_": source, "destination_": destination} {
		for name, value := range words {
			all[side+name] = value
		}
	}
	if service != "" {
		all["destination_service"], all["destination_service_name"] = service+"."+namespace+".svc.cluster.local", service
		all["destination_service_namespace"] = namespace
	}
	return all
}

func TestIstiosContextIsInRecordsAndLabels(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		dir := t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		authority := newCertificate(t, "authority", nil)
		authority.save(t, in("ca.pem"), "")
		own, web := newCertificate(t, "cart", &authority, cartID), newCertificate(t, "web", &authority, webID)
		own.save(t, in("own.pem"), in("key.pem"))
		pool := x509.NewCertPool()
		pool.AddCert(authority.Certificate)
		webs := []tls.Certificate{{Certificate: [][]byte{web.Raw}, PrivateKey: web.key}}

		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{Certificates: webs, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
		server.StartTLS()
		t.Cleanup(server.Close)
		plain := httptest.NewServer(server.Config.Handler)
		t.Cleanup(plain.Close)
		at := plain.Listener.Addr().String()

		without := func(words map[string]string, names ...string) map[string]string {
			some := map[string]string{}
			for name, value := range words {
				if !strings.Contains(strings.Join(names, " "), name) {
					some[name] = value
				}
			}
			return some
		}
		for _, c := range []struct {
			reporter string
			tls      bool   // to the Envoy, by mTLS
			tunnel   string // the identity of who made the tunnel to the Envoy; empty: there is none
			cluster  config.Cluster
			want     map[string]string
		}{
			{"destination", true, "", config.Cluster{Name: "inbound|8080||", Address: at, Istio: services("cart.shop.svc.cluster.local", "cart", "shop")},
				known("destination", webSays, cartSays, "cart", "shop")},
			{"source", false, "", config.Cluster{Name: "outbound|443||web.front.svc.cluster.local", Address: server.Listener.Addr().String(), SAN: webID,
				CA: in("ca.pem"), Certificate: in("own.pem"), Key: in("key.pem"), Workload: "web-v1;claimed;web;v1;Kubernetes"},
				known("source", cartSays, webSays, "web", "front")},
			{"source", false, "", config.Cluster{Name: "PassthroughCluster", Address: at},
				map[string]string{"reporter": "source", "destination_service_name": "PassthroughCluster",
					"source_workload": "cart-v2", "source_workload_namespace": "shop", "source_canonical_service": "cart", "source_canonical_revision": "v2",
					"source_app": "cart", "source_version": "2"}},
			{"destination", false, webID, config.Cluster{Name: "inbound|8081||", Address: at}, known("destination", webSays, without(cartSays, "principal"), "", "")},
			{"waypoint", false, webID, config.Cluster{Name: "inbound-vip|80|http|cart.shop.svc.cluster.local", Address: at, Workload: "cart-v2;shop;cart;v2;Kubernetes",
				Istio: services("cart.shop.svc.cluster.local", "cart", "shop")},
				known("waypoint", webSays, without(cartSays, "app version principal"), "cart", "shop")},
		} {
			t.Run(c.reporter+" of "+c.cluster.Name, func(t *testing.T) {
				s := open(t, standOptions{wasm: wasm, plugin: settings{"metrics.labels": record.IstioLabels}, envoy: func(o *config.Options) {
					o.Istio = mesh(c.reporter)
					o.Istio.Identity = c.tunnel
					if o.Clusters = append(o.Clusters, c.cluster); c.tls {
						o.TLS = &config.TLS{Certificate: in("own.pem"), Key: in("key.pem"), ClientCA: in("ca.pem")}
					}
					o.Routes = append([]config.Route{{Name: "there", Prefix: "/there", Cluster: c.cluster.Name}}, o.Routes...)
				}})
				client, entry := http.DefaultClient, s.Entry
				if c.tls {
					client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: webs}}}
					entry = strings.Replace(entry, "http://", "https://", 1)
				}
				id := newID()
				response, _ := exchange(t, client, newRequest(t, "GET", entry+"/there", id, nil, nil))
				require.Equal(t, 200, response.StatusCode)

				fields, labels := map[string]string{}, []string{}
				for _, label := range record.IstioLabels {
					value, ok := c.want[label]
					if fields["istio."+label] = value; !ok {
						fields["istio."+label] = "-"
						value = map[bool]string{true: "latest", false: "unknown"}[strings.HasSuffix(label, "_revision")]
					}
					labels = append(labels, label+"="+value)
				}
				says(t, s.record(t, id), fields)
				stats, err := s.Quiet(t.Context(), 1, 20*time.Second)
				require.NoError(t, err)
				assert.EqualValues(t, 1, stats.Sum(metrics.Requests, labels...), "with the labels %v in %v", labels, stats)
			})
		}
	})
}

func TestAnEnvoyThatIsNotIstiosRecordsNothingOfIt(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm, envoy: func(o *config.Options) {
			o.Clusters[0].Istio, o.Clusters[0].Workload = services("a.b.svc", "a", "b"), "a;b;c;d;e"
		}})
		id := newID()
		s.call(t, "GET", "/catalog", id, nil)
		for key := range s.record(t, id) {
			assert.False(t, strings.HasPrefix(key, "istio."), key)
		}
	})
}

// All of it is read in the calls that are made anyway, whatever there is of it: a list that one part of fails is read
// again attribute by attribute.
func TestIstiosContextCostsNoHostCalls(t *testing.T) {
	property := regexp.MustCompile(`\[vm->host\] (\w+\.)?proxy_get_property\b`)
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		u := startUpstream(t)
		for _, reporter := range []string{"source", "destination", "waypoint"} {
			t.Run(reporter, func(t *testing.T) {
				s := open(t, standOptions{wasm: wasm, concurrency: 1, plugin: settings{"metrics.labels": record.IstioLabels},
					args: []string{"--component-log-level", "wasm:trace"},
					envoy: func(o *config.Options) {
						o.Istio = mesh(reporter)
						o.Istio.Peer = nil
						u.place(t, o)
						o.Clusters[0].Istio = `{"external": true}`
						o.Clusters[1].Istio, o.Clusters[1].Workload = `{"services": []}`, "a;b"
					}})
				calls := func() int {
					log, err := os.ReadFile(s.Log)
					require.NoError(t, err)
					return len(property.FindAll(log, -1))
				}
				s.record(t, s.send(t, "/catalog")) // the first asks at which end it is
				before := calls()
				require.Positive(t, before, "calls at the start, in Envoy's log")
				paths := []string{"/catalog", "/checkout", "/payments", "/users/1", "/nothing/here", "/teapot", "/nobody"}
				for _, path := range paths {
					s.record(t, s.send(t, path))
				}
				assert.LessOrEqual(t, calls()-before, len(paths), "calls but those for grpc-status")
			})
		}
	})
}

func (s *stand) send(t *testing.T, path string) (id string) {
	id = newID()
	s.call(t, "GET", path, id, nil)
	return id
}
