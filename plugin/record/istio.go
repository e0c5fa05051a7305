package record

import "strings"

// Istio is what a proxy of Istio's knows of the two ends of an exchange.
type Istio struct {
	Reporter                               string // whose proxy it is: source, destination, or waypoint
	Source, Destination                    Workload
	Service, ServiceName, ServiceNamespace string // what was asked for: its host, and the parts of that
}

// Workload is one end of an exchange. All but the principal is what the proxy
// there says of itself, or Istio of it.
type Workload struct {
	Name, Namespace, CanonicalService, CanonicalRevision, App, Version string
	Principal                                                          string // from the certificate
}

// IstioLabels are the names of the labels of Istio's own metrics
// (https://istio.io/latest/docs/reference/config/metrics/#labels), but those
// that every Envoy knows and the two of the mesh's clusters: Envoy's expression
// for the label cluster would take from them.
var IstioLabels = []string{
	"reporter",
	"source_workload", "source_workload_namespace", "source_canonical_service", "source_canonical_revision",
	"source_app", "source_version", "source_principal",
	"destination_workload", "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
	"destination_app", "destination_version", "destination_principal",
	"destination_service", "destination_service_name", "destination_service_namespace",
}

// IstioKeys are the keys of a record that stand for [IstioLabels], in their order.
var IstioKeys = istioKeys()

func istioKeys() []string {
	keys := make([]string, len(IstioLabels))
	for i, label := range IstioLabels {
		keys[i] = "istio." + label
	}
	return keys
}

// Label is the value of one of [IstioLabels]; "" where it is not known. i may be nil.
func (i *Istio) Label(name string) string {
	if i == nil {
		return ""
	}
	switch name {
	case "reporter":
		return i.Reporter
	case "destination_service":
		return i.Service
	case "destination_service_name":
		return i.ServiceName
	case "destination_service_namespace":
		return i.ServiceNamespace
	}
	if of, ok := strings.CutPrefix(name, "source_"); ok {
		return i.Source.label(of)
	}
	return i.Destination.label(strings.TrimPrefix(name, "destination_"))
}

func (w *Workload) label(name string) string {
	switch name {
	case "workload":
		return w.Name
	case "workload_namespace":
		return w.Namespace
	case "canonical_service":
		return w.CanonicalService
	case "canonical_revision":
		return w.CanonicalRevision
	case "app":
		return w.App
	case "version":
		return w.Version
	case "principal":
		return w.Principal
	}
	return ""
}

// SPIFFENamespace is the namespace in an identity of Istio's,
// spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT; "" where it is none.
func SPIFFENamespace(id string) string {
	id, ok := strings.CutPrefix(id, "spiffe://")
	domain, id, _ := strings.Cut(id, "/")
	id, ok2 := strings.CutPrefix(id, "ns/")
	namespace, id, _ := strings.Cut(id, "/")
	account, ok3 := strings.CutPrefix(id, "sa/")
	if !ok || !ok2 || !ok3 || domain == "" || account == "" || strings.Contains(account, "/") {
		return ""
	}
	return namespace
}

// IstioCluster parts the name of a cluster of Istio's, DIRECTION|PORT|SUBSET|HOST.
func IstioCluster(name string) (host, port string, ok bool) {
	_, rest, _ := strings.Cut(name, "|")
	port, rest, _ = strings.Cut(rest, "|")
	_, host, ok = strings.Cut(rest, "|")
	if !ok || strings.Contains(host, "|") {
		return "", "", false
	}
	return host, port, true
}
