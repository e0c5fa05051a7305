package capture

import (
	"strconv"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// Capturer reads exchanges in two steps: what decides, for every exchange, and
// the rest, for those that are kept.
type Capturer struct {
	host    Source
	decide  *set
	rest    *set
	routes  *Routes
	headers config.Headers
	fields  *redact.Headers
	query   *redact.Query
	b3      b3
	record  record.Record // reused: one stream ends at a time
}

// b3 are the B3 headers of the exchange being read.
type b3 struct{ single, traceID, spanID, sampled string }

// New prepares a Capturer. What every exchange needs hangs on the labels and on
// the sampling: with a rate of 1 all is read at once.
func New(host Source, c *config.Config, budget Budget) *Capturer {
	k := &Capturer{
		host:    host,
		routes:  NewRoutes(c.Routes, budget),
		headers: c.Headers,
		fields:  redact.NewHeaders(c.Headers.Mask),
		query:   redact.NewQuery(c.Query),
	}
	always, later := k.split(c)
	k.decide, k.rest = newSet(host, always), newSet(host, later)
	return k
}

func (k *Capturer) split(c *config.Config) (always, later []attribute) {
	always = []attribute{
		{"xds.route_name", func(r *record.Record, v []byte) { r.Route = text(v) }},
		{"request.method", func(r *record.Record, v []byte) { r.Method = text(v) }},
		{"response.code", func(r *record.Record, v []byte) { r.Status = number(v) }},
		{"request.duration", func(r *record.Record, v []byte) { r.Duration = number(v) }},
		{"request.size", func(r *record.Record, v []byte) { r.RequestBody = number(v) }},
		{"response.size", func(r *record.Record, v []byte) { r.ResponseBody = number(v) }},
	}
	for _, a := range []struct {
		needed bool
		attribute
	}{
		{len(c.Routes.Templates) > 0, attribute{"request.url_path", func(r *record.Record, v []byte) { r.Path = text(v) }}},
		{labelled(c, "cluster"), attribute{"xds.cluster_name", func(r *record.Record, v []byte) { r.Cluster = text(v) }}},
		{labelled(c, "virtual_host"), attribute{"xds.virtual_host_name", func(r *record.Record, v []byte) { r.VirtualHost = text(v) }}},
		{c.Sink.Enabled() || labelled(c, "grpc_response_status"), attribute{"response.trailers.grpc-status", setGRPC}},
		{c.Sink.Enabled() || labelled(c, "grpc_response_status"), attribute{"response.headers.grpc-status", setGRPC}},
		{hashed(c), attribute{"request.headers.traceparent", setTraceparent}},
		{hashed(c), attribute{"request.headers.b3", func(_ *record.Record, v []byte) { k.b3.single = text(v) }}},
		{hashed(c), attribute{"request.headers.x-b3-traceid", func(_ *record.Record, v []byte) { k.b3.traceID = text(v) }}},
		{hashed(c), attribute{"request.headers.x-b3-spanid", func(_ *record.Record, v []byte) { k.b3.spanID = text(v) }}},
		{hashed(c), attribute{"request.headers.x-b3-sampled", func(_ *record.Record, v []byte) { k.b3.sampled = text(v) }}},
		{hashed(c), attribute{"request.id", func(r *record.Record, v []byte) { r.RequestID = text(v) }}},
	} {
		if a.needed || c.Sampling.Rate >= 1 && c.Sink.Enabled() {
			always = append(always, a.attribute)
		} else {
			later = append(later, a.attribute)
		}
	}
	switch {
	case !c.Sink.Enabled():
		return always, nil
	case c.Sampling.Rate >= 1:
		return append(always, details...), nil
	}
	return always, append(later, details...)
}

// hashed tells whether the decision needs the trace or the request's id.
func hashed(c *config.Config) bool {
	s := c.Sampling
	return c.Sink.Enabled() && (s.FollowTrace || fraction(s.Rate) || fraction(s.Errors) || fraction(s.Slow.Rate))
}

func fraction(rate float64) bool { return rate > 0 && rate < 1 }

func labelled(c *config.Config, label string) bool {
	for _, l := range c.Metrics.Labels {
		if l == label {
			return true
		}
	}
	return false
}

var details = []attribute{
	{"request.time", func(r *record.Record, v []byte) { r.Start = number(v) }},
	{"request.scheme", func(r *record.Record, v []byte) { r.Scheme = text(v) }},
	{"request.host", func(r *record.Record, v []byte) { r.Host = text(v) }},
	{"request.path", func(r *record.Record, v []byte) { r.Path, r.Query = splitPath(text(v)) }},
	{"request.protocol", func(r *record.Record, v []byte) { r.Protocol = text(v) }},
	{"request.total_size", func(r *record.Record, v []byte) { r.RequestTotal = number(v) }},
	{"response.total_size", func(r *record.Record, v []byte) { r.ResponseTotal = number(v) }},
	{"response.flags", func(r *record.Record, v []byte) { r.Flags = number(v) }},
	{"response.code_details", func(r *record.Record, v []byte) { r.CodeDetails = text(v) }},
	{"response.backend_latency", func(r *record.Record, v []byte) { r.FirstByte = number(v) }},
	{"connection.termination_details", func(r *record.Record, v []byte) { r.Termination = text(v) }},
	{"connection.tls_version", func(r *record.Record, v []byte) { r.TLSVersion = text(v) }},
	{"connection.subject_peer_certificate", func(r *record.Record, v []byte) { r.TLSSubject = text(v) }},
	{"source.address", func(r *record.Record, v []byte) { r.Client = text(v) }},
	{"upstream.address", func(r *record.Record, v []byte) { r.Upstream = text(v) }},
	{"upstream.request_attempt_count", func(r *record.Record, v []byte) { r.Attempts = number(v) }},
	{"upstream.transport_failure_reason", func(r *record.Record, v []byte) { r.TransportFailure = text(v) }},
}

func setGRPC(r *record.Record, v []byte) {
	if n, err := strconv.ParseUint(text(v), 10, 16); err == nil {
		r.GRPC = int64(n)
	}
}

func setTraceparent(r *record.Record, v []byte) { r.Trace, _ = record.ParseTraceparent(text(v)) }

// Decide reads what metrics and sampling need. The record is valid until the
// next call.
func (k *Capturer) Decide() *record.Record {
	r := &k.record
	*r = record.Record{
		GRPC: record.Unknown, FirstByte: record.Unknown, Attempts: record.Unknown,
		RequestBody: record.Unknown, ResponseBody: record.Unknown, RequestTotal: record.Unknown, ResponseTotal: record.Unknown,
		RequestHeaders: r.RequestHeaders[:0], ResponseHeaders: r.ResponseHeaders[:0], RespTrailers: r.RespTrailers[:0],
	}
	k.b3 = b3{}
	k.decide.read(k.host, r)
	k.finish(r)
	r.Route = k.routes.Name(r.Route, r.Path)
	return r
}

// Complete reads the rest of an exchange that is kept. The request's trailers
// were read when they came: see [Capturer.Trailers].
func (k *Capturer) Complete(r *record.Record, requestTrailers []record.Field) {
	k.rest.read(k.host, r)
	k.finish(r)
	r.Query = k.query.Apply(r.Query)
	r.RequestTrailers = requestTrailers
	h := &k.headers
	if len(h.Request) > 0 {
		r.RequestHeaders = k.fields.Select(r.RequestHeaders, h.Request, k.host.RequestHeaders())
	}
	if len(h.Response) > 0 {
		r.ResponseHeaders = k.fields.Select(r.ResponseHeaders, h.Response, k.host.ResponseHeaders())
	}
	if len(h.ResponseTrailers) > 0 {
		r.RespTrailers = k.fields.Select(r.RespTrailers, h.ResponseTrailers, k.host.ResponseTrailers())
	}
}

// Trailers reads the request's trailers as they pass, if any may be recorded.
func (k *Capturer) Trailers() []record.Field {
	if len(k.headers.RequestTrailers) == 0 {
		return nil
	}
	return k.fields.Select(nil, k.headers.RequestTrailers, k.host.RequestTrailers())
}

// finish settles what several attributes tell together.
func (k *Capturer) finish(r *record.Record) {
	if !r.Trace.Present && k.b3 != (b3{}) {
		r.Trace, _ = record.ParseB3(k.b3.single, k.b3.traceID, k.b3.spanID, k.b3.sampled)
	}
	r.Status = max(r.Status, 0)
	r.Duration = max(r.Duration, 0)
}

// splitPath parts a request target from its query.
func splitPath(target string) (path, query string) {
	for i := range len(target) {
		if target[i] == '?' {
			return target[:i], target[i+1:]
		}
	}
	return target, ""
}

// text views the host's bytes, which are ours and never written again.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
