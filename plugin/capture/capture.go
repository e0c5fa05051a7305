package capture

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// Passed is what a stream showed on its way: what is gone at its end, or would
// cost a host call then.
type Passed struct {
	RequestBody, ResponseBody int64          // bytes
	Trailers                  []record.Field // of the request
	Begun, Ended              bool           // the response
	HeadersOnly               bool           // it ended with its headers
	ResponseTrailers          bool           // the response has trailers

	request, response copied // bodies
	drawn             float64
}

// Capturer reads exchanges in two steps: what decides, for every exchange, and
// the rest, for those that are kept.
type Capturer struct {
	host    Source
	facts   *set   // for every exchange
	details *set   // for those that are kept
	istio   *istio // nil where it is not wanted, or the proxy is not Istio's
	tls     *set   // where the client's connection is TLS
	failure *set   // where something went wrong
	hashed  bool   // the decision needs a trace id or a request id
	grpc    bool   // the decision or a label needs the gRPC status
	records bool   // there is a sink
	routes  *Routes
	headers config.Headers
	query   bool // it is kept
	redact  *redact.Redactor
	bodies  *bodies       // nil where none is recorded
	record  record.Record // reused: one stream ends at a time
}

// New prepares a Capturer. What every exchange needs hangs on the labels and on
// the sampling: with a rate of 1 all attributes are read at once.
func New(host Source, c *config.Config, budget Budget) *Capturer {
	k := &Capturer{
		host:    host,
		hashed:  hashed(c),
		records: c.Sink.Enabled(),
		grpc:    c.Sink.Enabled() || labelled(c, "grpc_response_status"),
		routes:  NewRoutes(c.Routes, budget),
		headers: c.Headers,
		query:   c.Query == config.QueryKeep,
		redact:  redact.New(&c.Redact),
	}
	k.bodies = newBodies(host, c, k.routes, k.redact)
	k.istio = newIstio(host, c)
	first, later := split(c, k.istio)
	k.facts, k.details = newSet(host, first), newSet(host, later)
	k.tls, k.failure = newSet(host, tlsAttributes), newSet(host, failureAttributes)
	return k
}

// hashed tells whether the decision needs the trace or the request's id.
func hashed(c *config.Config) bool {
	s := c.Sampling
	return c.Sink.Enabled() && s.Rate < 1 && (s.FollowTrace || s.Rate > 0 || fraction(s.Errors) || fraction(s.Slow.Rate))
}

func fraction(rate float64) bool { return rate > 0 && rate < 1 }

func labelled(c *config.Config, label string) bool {
	return slices.Contains(c.Metrics.Labels, label)
}

// Decide reads what metrics and sampling need. The record is valid until the
// next call.
func (k *Capturer) Decide(p *Passed) *record.Record {
	r := &k.record
	*r = record.Record{
		GRPC: record.Unknown, FirstByte: record.Unknown, Attempts: record.Unknown,
		RequestBody: p.RequestBody, ResponseBody: p.ResponseBody, Drawn: p.drawn,
		RequestHeaders: r.RequestHeaders[:0], ResponseHeaders: r.ResponseHeaders[:0], RespTrailers: r.RespTrailers[:0],
	}
	if k.istio != nil {
		k.istio.begin(r)
	}
	whole := k.facts.read(k.host, r)
	if k.istio != nil {
		k.istio.settle(r)
	}
	if k.hashed && (!whole || r.RequestID == unreadable) {
		readRequest(r, k.host.RequestHeaders())
	}
	if k.grpc {
		k.readGRPC(r, p)
	}
	r.Status, r.Duration = max(r.Status, 0), max(r.Duration, 0)
	r.Cut = p.Begun && !p.Ended && !r.Tunnel()
	if k.records && (r.Cut || r.Status == 0) {
		if flags, ok := k.host.Property(responseFlags); ok { // they tell whose fault it is
			r.Flags = number(flags)
		}
	}
	r.Route = k.routes.Name(r.Route, r.Path)
	return r
}

var responseFlags = []string{"response", "flags"}

// Complete reads the rest of an exchange that is kept.
func (k *Capturer) Complete(r *record.Record, p *Passed) {
	k.details.read(k.host, r)
	r.Flags = max(r.Flags, 0)
	if k.istio != nil {
		k.istio.complete(r)
	}
	if r.TLSVersion != "" {
		k.tls.read(k.host, r)
	}
	if r.Flags > 0 || r.Failed() {
		k.failure.read(k.host, r)
	}
	request := k.host.RequestHeaders()
	readRequest(r, request)
	k.hide(r)
	r.RequestTrailers = p.Trailers
	h := &k.headers
	r.RequestHeaders = k.redact.Select(r.RequestHeaders, h.Request, request)
	if len(h.Response) > 0 {
		r.ResponseHeaders = k.redact.Select(r.ResponseHeaders, h.Response, k.host.ResponseHeaders())
	}
	if len(h.ResponseTrailers) > 0 && p.ResponseTrailers {
		r.RespTrailers = k.redact.Select(r.RespTrailers, h.ResponseTrailers, k.host.ResponseTrailers())
	}
	if k.bodies != nil {
		r.RequestContent = k.bodies.content(&p.request, p.RequestBody, r.Tunnel())
		r.ResponseContent = k.bodies.content(&p.response, p.ResponseBody, r.Tunnel())
	}
}

// hide keeps out of the record's own texts what redact names or finds. What Envoy
// or its configuration has made is left as it is.
func (k *Capturer) hide(r *record.Record) {
	r.Path, r.OriginalPath = k.redact.Path(r.Path), k.redact.Path(r.OriginalPath)
	r.OriginalPath, r.RequestID = k.redact.Ruled("x-envoy-original-path", r.OriginalPath), k.redact.Ruled("x-request-id", r.RequestID)
	if r.Query != "" && k.query {
		r.Query = k.redact.Query(r.Query)
	} else {
		r.Query = ""
	}
	if !k.redact.Detects() {
		return
	}
	for _, text := range [...]*string{&r.Host, &r.TLSSubject, &r.CodeDetails, &r.Termination, &r.TransportFailure} {
		if *text != "" {
			*text = k.redact.Words(*text)
		}
	}
	if !record.KnownMethod(r.Method) {
		r.Method = k.redact.Words(r.Method)
	}
	if r.Istio != nil {
		k.istio.hide(k.redact)
	}
	if !isUUID(r.RequestID) { // Envoy's own is one; a client's may be kept
		r.RequestID = k.redact.Words(r.RequestID)
	}
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'):
			return false
		}
	}
	return true
}

// RequestHead, ResponseHead, RequestChunk and ResponseChunk take in what passes:
// each is to be called from the callback of its name, as what it reads is there
// only then. Chunks are counted in any case.
func (k *Capturer) RequestHead(p *Passed, last bool) {
	if k.bodies != nil {
		k.bodies.requestHead(p, last)
	}
}

func (k *Capturer) ResponseHead(p *Passed, last bool) {
	if k.bodies != nil {
		k.bodies.responseHead(p, last)
	}
}

func (k *Capturer) RequestChunk(p *Passed, size int) {
	p.RequestBody += int64(size)
	if p.request.state == open {
		if n := k.bodies.room(&p.request, size); n > 0 {
			k.bodies.take(&p.request, n, k.host.RequestBody(0, n))
		}
	}
}

func (k *Capturer) ResponseChunk(p *Passed, size int) {
	p.ResponseBody += int64(size)
	if p.response.state == open {
		if n := k.bodies.room(&p.response, size); n > 0 {
			k.bodies.take(&p.response, n, k.host.ResponseBody(0, n))
		}
	}
}

// Release lets go of the bodies that an exchange holds. It is to be called at the
// end of each, once its record is written.
func (k *Capturer) Release(p *Passed) {
	if k.bodies != nil {
		k.bodies.release(&p.request)
		k.bodies.release(&p.response)
	}
}

// Trailers reads the request's trailers as they pass, if any may be recorded.
func (k *Capturer) Trailers() []record.Field {
	if len(k.headers.RequestTrailers) == 0 {
		return nil
	}
	return k.redact.Select(nil, k.headers.RequestTrailers, k.host.RequestTrailers())
}

// The gRPC status is a trailer, or, of a response without messages, a header
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
var (
	statusTrailer = []string{"response", "trailers", "grpc-status"}
	statusHeader  = []string{"response", "headers", "grpc-status"}
)

func (k *Capturer) readGRPC(r *record.Record, p *Passed) {
	path := statusHeader
	if p.ResponseTrailers {
		path = statusTrailer
	} else if !p.HeadersOnly {
		return
	}
	if value, ok := k.host.Property(path); ok {
		if n, err := strconv.ParseUint(text(value), 10, 16); err == nil {
			r.GRPC = int64(n)
		}
	}
}

// readRequest takes from a request's headers what has a field of its own.
func readRequest(r *record.Record, headers [][2]string) {
	var b3, b3Trace, b3Span, b3Sampled string
	r.RequestID, r.OriginalPath, r.Trace = "", "", record.Trace{}
	for i := range headers {
		value := headers[i][1]
		switch headers[i][0] {
		case ":path":
			r.Path, r.Query = splitPath(value)
		case "x-envoy-original-path": // before the router's rewrite, or so a client says
			r.OriginalPath, _ = splitPath(value)
		case ":authority":
			r.Host = value
		case ":scheme":
			r.Scheme = value
		case "x-request-id":
			r.RequestID = value
		case "traceparent":
			r.Trace, _ = record.ParseTraceparent(value)
		case "b3":
			b3 = value
		case "x-b3-traceid":
			b3Trace = value
		case "x-b3-spanid":
			b3Span = value
		case "x-b3-sampled":
			b3Sampled = value
		}
	}
	if !r.Trace.Present {
		r.Trace, _ = record.ParseB3(b3, b3Trace, b3Span, b3Sampled)
	}
}

// splitPath parts a request target from its query.
func splitPath(target string) (path, query string) {
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// text views the host's bytes, which are ours and never written again.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
