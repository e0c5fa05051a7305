package encode

import (
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// writer takes a record's fields one by one, in a dialect's own form.
type writer interface {
	text(key, value string)
	integer(key string, n int64)
	seconds(key string, ns int64)
	number(key string, f float64)
	truth(key string)
	list(prefix string, f record.Field)
	// json takes an object or a list, as JSON on one line, or tells that the
	// dialect has no place for it but as a text.
	json(key, doc string) (taken bool)
}

// fields gives every field of a record but its time, severity and message to w:
// the one list of what a record holds. Names are OpenTelemetry's where it has
// one; Envoy's own facts stand under "envoy.", Istio's under "istio.".
func fields(w writer, r *record.Record, scratch []byte) {
	trace(w, r)
	facts(w, r, scratch)
}

func trace(w writer, r *record.Record) {
	if t := r.Trace; t.Present {
		w.text("trace_id", t.TraceID)
		w.text("span_id", t.SpanID)
		w.text("trace_flags", string([]byte{hexDigits[t.Flags>>4], hexDigits[t.Flags&15]}))
	}
}

// facts are all fields but the trace, for which some dialects have places of
// their own.
func facts(w writer, r *record.Record, scratch []byte) {
	if record.KnownMethod(r.Method) {
		w.text("http.request.method", r.Method)
	} else if r.Method != "" {
		w.text("http.request.method", record.OtherMethod)
		w.text("http.request.method_original", r.Method)
	}
	some(w, "url.scheme", r.Scheme)
	some(w, "url.path", r.Path)
	some(w, "url.query", r.Query)
	hostPort(w, "server.address", "server.port", r.Host)
	w.text("http.route", r.Route)
	w.integer("http.response.status_code", r.Status)
	w.integer("http.request.body.size", r.RequestBody)
	w.integer("http.response.body.size", r.ResponseBody)
	w.seconds("http.server.request.duration", r.Duration)
	protocol(w, r.Protocol)
	hostPort(w, "client.address", "client.port", r.Client)
	some(w, "tls.protocol.version", strings.TrimPrefix(r.TLSVersion, "TLSv"))
	some(w, "tls.client.subject", r.TLSSubject)
	if r.GRPC >= 0 {
		w.text("rpc.system", "grpc")
		w.integer("rpc.grpc.status_code", r.GRPC)
	}
	some(w, "envoy.request_id", r.RequestID)
	some(w, "envoy.original_path", r.OriginalPath)
	some(w, "envoy.cluster", r.Cluster)
	some(w, "envoy.virtual_host", r.VirtualHost)
	if flags := record.AppendFlags(scratch[:0], r.Flags); len(flags) > 0 {
		w.text("envoy.response_flags", string(flags))
	}
	some(w, "envoy.response_code_details", r.CodeDetails)
	some(w, "envoy.termination_details", r.Termination)
	some(w, "envoy.upstream_address", r.Upstream)
	known(w, "envoy.upstream_attempts", r.Attempts)
	some(w, "envoy.upstream_transport_failure", r.TransportFailure)
	if r.FirstByte >= 0 {
		w.seconds("envoy.time_to_first_byte", r.FirstByte)
	}
	istio(w, r.Istio)
	content(w, &requestContent, &r.RequestContent)
	content(w, &responseContent, &r.ResponseContent)
	w.text("sampling.reason", r.Sampled)
	w.number("sampling.weight", r.Weight)
	lists(w, "http.request.header.", r.RequestHeaders)
	lists(w, "http.response.header.", r.ResponseHeaders)
	lists(w, "http.request.trailer.", r.RequestTrailers)
	lists(w, "http.response.trailer.", r.RespTrailers)
}

func istio(w writer, i *record.Istio) {
	if i == nil {
		return
	}
	for n, label := range record.IstioLabels {
		some(w, record.IstioKeys[n], i.Label(label))
	}
}

// contentKeys are the keys of one body's content.
type contentKeys struct{ json, content, encoding, truncated, omitted string }

var (
	requestContent = contentKeys{"http.request.body.json", "http.request.body.content", "http.request.body.encoding",
		"http.request.body.truncated", "http.request.body.omitted"}
	responseContent = contentKeys{"http.response.body.json", "http.response.body.content", "http.response.body.encoding",
		"http.response.body.truncated", "http.response.body.omitted"}
)

func content(w writer, keys *contentKeys, c *record.Content) {
	switch {
	case c.Omitted != record.NotOmitted:
		w.text(keys.omitted, c.Omitted.String())
		return
	case c.Form == record.NoContent:
		return
	case c.Form == record.JSON && w.json(keys.json, c.Text):
	default:
		w.text(keys.content, c.Text)
		w.text(keys.encoding, encodings[c.Form])
	}
	if c.Truncated {
		w.truth(keys.truncated)
	}
}

// encodings say what a body's text is. JSON stands as a text where a dialect has
// no other place for it.
var encodings = [...]string{record.Text: "text", record.Base64: "base64", record.JSON: "text"}

func some(w writer, key, value string) {
	if value != "" {
		w.text(key, value)
	}
}

func known(w writer, key string, n int64) {
	if n >= 0 {
		w.integer(key, n)
	}
}

func lists(w writer, prefix string, fields []record.Field) {
	for _, f := range fields {
		if len(f.Values) > 0 {
			w.list(prefix, f)
		}
	}
}

// hostPort parts an address from its port, if it has one. An IPv6 address with a
// port stands in brackets. (Package net does not build with TinyGo.)
func hostPort(w writer, address, port, value string) {
	if colon := strings.LastIndexByte(value, ':'); colon >= 0 {
		before := value[:colon]
		bracketed := strings.HasPrefix(before, "[") && strings.HasSuffix(before, "]")
		n, ok := digits(value[colon+1:])
		if ok && (bracketed || !strings.Contains(before, ":")) {
			some(w, address, strings.Trim(before, "[]"))
			w.integer(port, n)
			return
		}
	}
	some(w, address, strings.Trim(value, "[]"))
}

// digits reads a port.
func digits(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i > 5 {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, s != "" && n <= 65535
}

// protocol parts Envoy's "HTTP/1.1" into OpenTelemetry's name and version.
func protocol(w writer, p string) {
	name, version, _ := strings.Cut(p, "/")
	if name != "HTTP" {
		some(w, "network.protocol.name", p)
		return
	}
	w.text("network.protocol.name", "http")
	some(w, "network.protocol.version", version)
}

const hexDigits = "0123456789abcdef"

// absent stands where a word is wanted and there is none, as in Envoy's logs.
const absent = "-"

func orAbsent(value string) string {
	if value == "" {
		return absent
	}
	return value
}

// appendMessage appends the record in words: method, path, status, time.
func appendMessage(dst []byte, r *record.Record) []byte {
	dst = append(dst, orAbsent(r.Method)...)
	dst = append(append(dst, ' '), orAbsent(r.Path)...)
	dst = append(dst, ' ')
	dst = appendCount(dst, r.Status)
	dst = append(dst, ' ')
	dst = appendCount(dst, r.Duration/1e6)
	return append(dst, "ms"...)
}
