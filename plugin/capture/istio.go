package capture

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// istio reads what a proxy of Istio's knows of the two ends of an exchange. The
// names are those of Istio's own filters, in Envoy's contrib/istio.
type istio struct {
	self     record.Workload
	waypoint bool         // it stands between the two ends
	now      record.Istio // reused
	records  bool         // they have it, not labels alone
}

// newIstio answers nil where the proxy is not Istio's, or nobody asks for it.
func newIstio(host Source, c *config.Config) *istio {
	asked := slices.ContainsFunc(record.IstioLabels, func(label string) bool { return labelled(c, label) })
	if !asked && !(c.Istio && c.Sink.Enabled()) || !InIstio(host) {
		return nil
	}
	if strings.HasPrefix(ofNode(host, "id"), "waypoint~") {
		return &istio{waypoint: true, records: c.Istio}
	}
	return &istio{records: c.Istio, self: record.Workload{
		Name: ofNode(host, "metadata", "WORKLOAD_NAME"), Namespace: ofNode(host, "metadata", "NAMESPACE"),
		CanonicalService:  ofNode(host, "metadata", "LABELS", "service.istio.io/canonical-name"),
		CanonicalRevision: ofNode(host, "metadata", "LABELS", "service.istio.io/canonical-revision"),
		App:               ofNode(host, "metadata", "LABELS", "app"), Version: ofNode(host, "metadata", "LABELS", "version"),
	}}
}

// The reporters.
const (
	source      = "source"
	destination = "destination"
	waypoint    = "waypoint"
)

// InIstio tells whether the proxy is Istio's: its agent always writes the version.
func InIstio(host Source) bool { return ofNode(host, "metadata", "ISTIO_VERSION") != "" }

// ofNode is a text of the node in the proxy's bootstrap.
func ofNode(host Source, path ...string) string {
	value, _ := host.Property(append([]string{"xds", "node"}, path...))
	return text(value)
}

// begin gives an exchange its Istio. At which end the proxy is, the listener's
// direction tells (envoy.config.core.v3.TrafficDirection), which is read first:
// what goes out and what comes in may pass the same context of the plugin.
func (x *istio) begin(r *record.Record) {
	if x.now = (record.Istio{Reporter: source, Source: x.self}); x.waypoint {
		x.now.Reporter = waypoint
	}
	r.Istio = &x.now
}

// inward is the proxy at the destination.
func (x *istio) inward() { x.now = record.Istio{Reporter: destination, Destination: x.self} }

// settle fills in what follows from what was read. As in Istio, a namespace that
// is proven by a certificate goes before one that is only claimed.
func (x *istio) settle(r *record.Record) {
	i := r.Istio
	if i.Reporter != source {
		i.Source.Namespace = proven(&i.Source)
	}
	if i.Reporter != destination {
		i.Destination.Namespace = proven(&i.Destination)
	}
	if i.Service == "" {
		service(i, r.Cluster)
	}
}

// complete settles a record, once all is read.
func (x *istio) complete(r *record.Record) {
	if x.settle(r); !x.records {
		r.Istio = nil
	}
}

func proven(w *record.Workload) string {
	if namespace := record.SPIFFENamespace(w.Principal); namespace != "" {
		return namespace
	}
	return w.Namespace
}

// service reads a cluster's name, where its metadata says nothing.
func service(i *record.Istio, cluster string) {
	switch cluster {
	case "BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6":
		i.ServiceName = cluster
		return
	}
	i.Service, _, _ = record.IstioCluster(cluster)
	name, rest, _ := strings.Cut(i.Service, ".")
	namespace, rest, _ := strings.Cut(rest, ".")
	i.ServiceName = name
	if rest == "svc" || strings.HasPrefix(rest, "svc.") { // of Kubernetes; another host says nothing of a namespace
		i.ServiceNamespace = namespace
	}
}

// hide leaves out what detectors find: peers may say anything of themselves.
func (x *istio) hide(redact *redact.Redactor) {
	for _, w := range [...]*record.Workload{&x.now.Source, &x.now.Destination} {
		for _, text := range [...]*string{&w.Name, &w.Namespace, &w.CanonicalService, &w.CanonicalRevision, &w.App, &w.Version, &w.Principal} {
			if *text != "" {
				*text = redact.Words(*text)
			}
		}
	}
}

// attributes are what each exchange is asked for. A peer is known by what Istio
// found out of it; that of a destination, failing that, by its endpoint's metadata.
func (x *istio) attributes() []asking {
	services := asking{ofService, attribute{istioServices, setServices, always}}
	if x.waypoint {
		to := asking{ofPeer("destination_"), attribute{"filter_state.upstream_peer", func(r *record.Record, v []byte) { setPeer(&r.Istio.Destination, v) }, maybe}}
		endpoint := asking{ofPeer("destination_"), attribute{istioEndpoint, setEndpoint, always}}
		from := asking{ofPeer("source_"), attribute{"filter_state.downstream_peer", func(r *record.Record, v []byte) { setPeer(&r.Istio.Source, v) }, maybe}}
		peer := asking{ofPrincipal("source_"), attribute{principal("peer"), func(r *record.Record, v []byte) { r.Istio.Source.Principal = shown(v) }, always}}
		return []asking{to, endpoint, services, from, peer}
	}
	direction := asking{record.IstioLabels, attribute{"xds.listener_direction", func(_ *record.Record, v []byte) {
		if number(v) == 1 {
			x.inward()
		}
	}, maybe}}
	peers := append(ofPeer("source_"), ofPeer("destination_")...)
	principals := append(ofPrincipal("source_"), ofPrincipal("destination_")...)
	return []asking{direction, services,
		{peers, attribute{either(ifThere("filter_state.downstream_peer"), ifThere("filter_state.upstream_peer")),
			func(r *record.Record, v []byte) { setPeer(x.far(), v) }, always}},
		{ofPeer("destination_"), attribute{either("''", istioEndpoint), setEndpoint, always}},
		{principals, attribute{either(principal("peer"), ifThere("upstream.uri_san_peer_certificate")), func(r *record.Record, v []byte) { x.far().Principal = shown(v) }, always}},
		{principals, attribute{either(principal("local"), ifThere("upstream.uri_san_local_certificate")), func(r *record.Record, v []byte) { x.near().Principal = shown(v) }, always}}}
}

// near is the proxy's own end, far the other.
func (x *istio) near() *record.Workload {
	if x.now.Reporter == destination {
		return &x.now.Destination
	}
	return &x.now.Source
}

func (x *istio) far() *record.Workload {
	if x.now.Reporter == destination {
		return &x.now.Source
	}
	return &x.now.Destination
}

var ofService = labelsOf("destination_service", "", "_name", "_namespace")

func labelsOf(begin string, ends ...string) []string {
	labels := make([]string, len(ends))
	for i, end := range ends {
		labels[i] = begin + end
	}
	return labels
}

func ofPeer(side string) []string {
	return labelsOf(side, "workload", "workload_namespace", "canonical_service", "canonical_revision", "app", "version")
}

func ofPrincipal(side string) []string { return labelsOf(side, "principal", "workload_namespace") }

// Expressions for what lies deeper than has() can ask for at once. A host without
// metadata has a null.
const (
	istioServices = `(has(xds.cluster_metadata)&&has(xds.cluster_metadata.filter_metadata.istio)&&` +
		`has(xds.cluster_metadata.filter_metadata.istio.services)?xds.cluster_metadata.filter_metadata.istio.services:'')`
	istioEndpoint = `(has(xds.upstream_host_metadata)&&xds.upstream_host_metadata!=null&&has(xds.upstream_host_metadata.filter_metadata.istio)&&` +
		`has(xds.upstream_host_metadata.filter_metadata.istio.workload)?xds.upstream_host_metadata.filter_metadata.istio.workload:'')`
)

// either is an expression for what is asked of exchanges that come in, or that go out.
func either(in, out string) string {
	return "((has(xds.listener_direction)&&xds.listener_direction==1)?(" + in + "):(" + out + "))"
}

func ifThere(path string) string { return "has(" + path + ")?" + path + ":''" }

// principal is an expression for the identity of one end of the connection, peer or
// local. Where that is within a tunnel, Istio keeps the tunnel's.
func principal(end string) string {
	tunnel, own := "io.istio."+end+"_principal", "connection.uri_san_"+end+"_certificate"
	return "('" + tunnel + "' in filter_state?filter_state['" + tunnel + "']:has(" + own + ")?" + own + ":'')"
}

// shown is an identity, if a certificate had one: Envoy writes "-" for none.
func shown(v []byte) string {
	if id := text(v); id != "-" {
		return id
	}
	return ""
}

// each gives the entries of a map, as far as it is whole.
func each(b []byte, take func(key string, value []byte)) {
	n := entries(b)
	at := 4 + 8*n
	for i := range n {
		key, value, next := entry(b, i, at)
		if next == 0 {
			return
		}
		take(text(key), value)
		at = next
	}
}

// setServices reads a cluster's services, of which Istio counts the first.
func setServices(r *record.Record, v []byte) {
	n := entries(v)
	if n == 0 {
		return
	}
	first, _, _ := entry(v, 0, 4+8*n)
	each(first, func(key string, value []byte) {
		switch key {
		case "host":
			r.Istio.Service = text(value)
		case "name":
			r.Istio.ServiceName = text(value)
		case "namespace":
			r.Istio.ServiceNamespace = text(value)
		}
	})
}

// setPeer reads an object of Istio's peer metadata. The identity in it is claimed,
// not proven: it is left out.
func setPeer(w *record.Workload, v []byte) {
	each(v, func(key string, value []byte) {
		switch key {
		case "workload":
			w.Name = text(value)
		case "namespace":
			w.Namespace = text(value)
		case "service":
			w.CanonicalService = text(value)
		case "revision":
			w.CanonicalRevision = text(value)
		case "app":
			w.App = text(value)
		case "version":
			w.Version = text(value)
		}
	})
}

// setEndpoint reads what Istio writes of a workload at its endpoint:
// workload;namespace;service;revision;cluster.
func setEndpoint(r *record.Record, v []byte) {
	w := &r.Istio.Destination
	parts := [4]string{}
	rest := text(v)
	for i := range parts {
		var more bool
		if parts[i], rest, more = strings.Cut(rest, ";"); !more {
			return
		}
	}
	if w.Name == "" {
		w.Name, w.Namespace, w.CanonicalService, w.CanonicalRevision = parts[0], parts[1], parts[2], parts[3]
	}
}
