package capture

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

// asking is an attribute with the labels that hang on it.
type asking struct {
	labels []string
	attribute
}

func (a *asking) labelled(c *config.Config) bool {
	return slices.ContainsFunc(a.labels, func(label string) bool { return labelled(c, label) })
}

// split gives the attributes that every exchange needs, and those that only a
// record needs. x is nil where Istio's are not wanted.
func split(c *config.Config, x *istio) (first, later []attribute) {
	first = []attribute{
		{"xds.route_name", func(r *record.Record, v []byte) { r.Route = text(v) }, always},
		{"request.method", func(r *record.Record, v []byte) { r.Method = text(v) }, always},
		{"response.code", func(r *record.Record, v []byte) { r.Status = number(v) }, always},
		{"request.duration", func(r *record.Record, v []byte) { r.Duration = number(v) }, always},
	}
	if len(c.Routes.Templates) > 0 {
		first = append(first, attribute{"request.url_path", func(r *record.Record, v []byte) { r.Path = text(v) }, always})
	}
	if hashed(c) {
		first = append(first, attribute{ids, setIDs, always})
	}
	for _, a := range []asking{
		{append([]string{"cluster"}, ofService...), attribute{"xds.cluster_name", func(r *record.Record, v []byte) { r.Cluster = text(v) }, maybe}},
		{[]string{"virtual_host"}, attribute{"xds.virtual_host_name", func(r *record.Record, v []byte) { r.VirtualHost = text(v) }, maybe}},
	} {
		if a.labelled(c) {
			first = append(first, a.attribute)
		} else {
			later = append(later, a.attribute)
		}
	}
	if x != nil {
		for _, a := range x.attributes() {
			if a.labelled(c) {
				first = append(first, a.attribute)
			} else if x.records {
				later = append(later, a.attribute)
			}
		}
	}
	later = append(later, details...)
	switch {
	case !c.Sink.Enabled():
		return first, nil
	case c.Sampling.Rate >= 1:
		return append(first, later...), nil
	}
	return first, later
}

var details = []attribute{
	{"request.time", func(r *record.Record, v []byte) { r.Start = number(v) }, always},
	{"request.protocol", func(r *record.Record, v []byte) { r.Protocol = text(v) }, always},
	{"response.flags", func(r *record.Record, v []byte) { r.Flags = number(v) }, always},
	{"response.code_details", func(r *record.Record, v []byte) { r.CodeDetails = text(v) }, always},
	{"response.backend_latency", func(r *record.Record, v []byte) { r.FirstByte = number(v) }, maybe},
	{"source.address", func(r *record.Record, v []byte) { r.Client = text(v) }, always},
	{"upstream.address", func(r *record.Record, v []byte) { r.Upstream = text(v) }, maybe},
	{"upstream.request_attempt_count", func(r *record.Record, v []byte) { r.Attempts = number(v) }, always},
	{"connection.tls_version", func(r *record.Record, v []byte) { r.TLSVersion = text(v) }, maybe},
}

var tlsAttributes = []attribute{
	{"connection.subject_peer_certificate", func(r *record.Record, v []byte) { r.TLSSubject = text(v) }, maybe},
}

var failureAttributes = []attribute{
	{"connection.termination_details", func(r *record.Record, v []byte) { r.Termination = text(v) }, maybe},
	{"upstream.transport_failure_reason", func(r *record.Record, v []byte) { r.TransportFailure = text(v) }, maybe},
}

// ids is the one id that places an exchange: of its trace, else its own. The
// several B3 headers are joined to what the single one would be. Only the first
// that is there is looked up. Its own has a space before it, as no header's value
// begins with one.
const ids = `('traceparent' in request.headers?request.headers['traceparent']:` +
	`'b3' in request.headers?request.headers['b3']:` +
	`'x-b3-traceid' in request.headers&&'x-b3-spanid' in request.headers?` +
	`request.headers['x-b3-traceid']+'-'+request.headers['x-b3-spanid']+` +
	`('x-b3-sampled' in request.headers?'-'+request.headers['x-b3-sampled']:''):` +
	`has(request.id)?' '+request.id:'')`

func setIDs(r *record.Record, v []byte) {
	id := text(v)
	if own, ok := strings.CutPrefix(id, " "); ok {
		r.RequestID = own
		return
	}
	var ok bool
	if r.Trace, ok = record.ParseTraceparent(id); ok {
		return
	}
	if r.Trace, ok = record.ParseB3(id, "", "", ""); !ok {
		r.RequestID = unreadable
	}
}

// unreadable stands for a header that holds no trace, such as "b3: 0": many
// exchanges may have the same one, so they must be placed by another id.
const unreadable = " "
