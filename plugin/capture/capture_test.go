package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

type admits bool

func (a admits) Admit(string) (admitted, final bool) { return bool(a), true }

func parse(t testing.TB, text string) *config.Config {
	c, err := config.Parse([]byte(text))
	require.NoError(t, err)
	return &c
}

// rest is a configuration but for its first keys.
const rest = `"query":"keep","redact":{"rules":[{"query":"token"}]},"routes":{"templates":["/users/{id}"]},
	"headers":{"request":["user-agent","x-many","authorization"],"response":["content-type"],"request_trailers":["x-sum"],"response_trailers":["grpc-message"]}}`

const everything = `{"sink":{"cluster":"logs"},"sampling":{"rate":0.5},` + rest

// whole is a gRPC exchange over mTLS of which all is known.
func whole() *capturetest.Host {
	return &capturetest.Host{
		Attributes: map[string][]byte{
			"xds.route_name": []byte("cart"), "xds.cluster_name": []byte("carts"), "xds.virtual_host_name": []byte("shop"),
			"request.method": []byte("POST"), "request.url_path": []byte("/users/7"), "request.id": []byte("req-1"), "request.protocol": []byte("HTTP/2"),
			"request.time": capturetest.Int(1_770_000_000_000_000_001), "request.duration": capturetest.Int(2_000_000),
			"response.code": capturetest.Int(200), "response.flags": capturetest.Int(1 << 15), "response.code_details": []byte("via_upstream"),
			"response.backend_latency": capturetest.Int(1_000_000), "source.address": []byte("1.2.3.4:5"), "upstream.address": []byte("5.6.7.8:9"),
			"upstream.request_attempt_count": capturetest.Int(2), "upstream.transport_failure_reason": []byte("reset"),
			"connection.tls_version": []byte("TLSv1.3"), "connection.subject_peer_certificate": []byte("CN=a"), "connection.termination_details": []byte("why"),
		},
		Request: [][2]string{{":method", "POST"}, {":path", "/users/7?a=1&token=x"}, {":authority", "shop:80"}, {":scheme", "https"}, {"user-agent", "curl"},
			{"x-many", "1"}, {"x-many", "\xff2"}, {"authorization", "Bearer x"}, {"x-request-id", "req-1"}, {"traceparent", "00-" + traceID + "-" + spanID + "-01"}},
		Response: [][2]string{{":status", "200"}, {"content-type", "application/grpc"}},
		Trailers: [][2]string{{"x-sum", "abc"}},
		Answered: [][2]string{{"grpc-status", "14"}, {"grpc-message", "down"}},
	}
}

var passed = Passed{RequestBody: 10, ResponseBody: 20, Begun: true, Ended: true, ResponseTrailers: true}

func field(name string, values ...string) record.Field {
	return record.Field{Name: name, Values: values}
}

func wholeRecord() record.Record {
	return record.Record{
		Start: 1_770_000_000_000_000_001, Duration: 2_000_000, FirstByte: 1_000_000,
		Method: "POST", Scheme: "https", Host: "shop:80", Path: "/users/7", Query: "a=1&token=[masked]", Protocol: "HTTP/2",
		Route: "cart", Cluster: "carts", VirtualHost: "shop", Status: 200, GRPC: 14, RequestBody: 10, ResponseBody: 20,
		Flags: 1 << 15, CodeDetails: "via_upstream", Termination: "why", Upstream: "5.6.7.8:9", Attempts: 2, TransportFailure: "reset",
		Client: "1.2.3.4:5", TLSVersion: "TLSv1.3", TLSSubject: "CN=a", RequestID: "req-1",
		Trace:           record.Trace{TraceID: traceID, SpanID: spanID, Flags: 1, Present: true},
		RequestHeaders:  []record.Field{field("user-agent", "curl"), field("x-many", "1", "\xff2"), field("authorization", "[masked]")},
		ResponseHeaders: []record.Field{field("content-type", "application/grpc")},
		RequestTrailers: []record.Field{field("x-sum", "abc")},
		RespTrailers:    []record.Field{field("grpc-message", "down")},
	}
}

var unknown = record.Record{FirstByte: record.Unknown, Attempts: record.Unknown, GRPC: record.Unknown, Route: Unmatched}

func capture(k *Capturer, p Passed) record.Record {
	p.Trailers = k.Trailers()
	r := k.Decide(&p)
	k.Complete(r, &p)
	return *r
}

func TestAnExchangeIsReadWhole(t *testing.T) {
	flip := func(list []byte) []byte { list[0]++; return list }
	cut := func(list []byte) []byte { return list[:len(list)-3] }
	for _, c := range []struct {
		name, config string
		change       func(h *capturetest.Host)
	}{
		{"in two steps", everything, func(*capturetest.Host) {}},
		{"at once", `{"sink":{"cluster":"logs"},"sampling":{"rate":1},` + rest, func(*capturetest.Host) {}},
		{"with every label", `{"sink":{"cluster":"logs"},"metrics":{"labels":["route","cluster","virtual_host","grpc_response_status"]},` + rest, func(*capturetest.Host) {}},
		{"without CEL, in two steps", everything, func(h *capturetest.Host) { h.WithoutCEL = true }},
		{"without CEL, at once", `{"sink":{"cluster":"logs"},"sampling":{"rate":1},` + rest, func(h *capturetest.Host) { h.WithoutCEL = true }},
		{"from lists that are cut", everything, func(h *capturetest.Host) { h.Mangle = cut }},
		{"from lists of another length", everything, func(h *capturetest.Host) { h.Mangle = flip }},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := whole()
			c.change(host)
			k := New(host, parse(t, c.config), admits(true))
			assert.Equal(t, wholeRecord(), capture(k, passed))
			assert.Equal(t, wholeRecord(), capture(k, passed), "and again")
		})
	}
}

func TestAnyAttributeMayBeAbsent(t *testing.T) {
	for name := range whole().Attributes {
		for _, without := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				host := whole()
				host.WithoutCEL = without
				delete(host.Attributes, name)
				want := wholeRecord()
				forget(&want, name)
				assert.Equal(t, want, capture(New(host, parse(t, everything), admits(true)), passed))
			})
		}
	}
}

// forget is what a record lacks where an attribute is absent.
func forget(r *record.Record, name string) {
	switch name {
	case "xds.route_name":
		r.Route = "/users/{id}"
	case "xds.cluster_name":
		r.Cluster = ""
	case "xds.virtual_host_name":
		r.VirtualHost = ""
	case "request.method":
		r.Method = ""
	case "request.protocol":
		r.Protocol = ""
	case "request.time":
		r.Start = 0
	case "request.duration":
		r.Duration = 0
	case "response.code":
		r.Status = 0
	case "response.flags":
		r.Flags, r.Termination, r.TransportFailure = 0, "why", "reset" // the gRPC status tells of a failure
	case "response.code_details":
		r.CodeDetails = ""
	case "response.backend_latency":
		r.FirstByte = record.Unknown
	case "source.address":
		r.Client = ""
	case "upstream.address":
		r.Upstream = ""
	case "upstream.request_attempt_count":
		r.Attempts = record.Unknown
	case "upstream.transport_failure_reason":
		r.TransportFailure = ""
	case "connection.tls_version":
		r.TLSVersion, r.TLSSubject = "", ""
	case "connection.subject_peer_certificate":
		r.TLSSubject = ""
	case "connection.termination_details":
		r.Termination = ""
	}
}

func TestAHostThatKnowsNothingGivesAnEmptyRecord(t *testing.T) {
	for _, without := range []bool{false, true} {
		for _, config := range []string{everything, `{}`, `{"sink":{"cluster":"a"},"sampling":{"rate":1}}`} {
			k := New(&capturetest.Host{WithoutCEL: without}, parse(t, config), admits(true))
			got := capture(k, Passed{ResponseTrailers: true})
			assert.Equal(t, unknown, got)
		}
	}
}

func TestNumbersThatAreNoneDoNoHarm(t *testing.T) {
	host := whole()
	for name, value := range host.Attributes {
		if len(value) == 8 && value[7] == 0 {
			host.Attributes[name] = []byte("odd")
		}
	}
	host.Answered = [][2]string{{"grpc-status", "-1"}}
	r := capture(New(host, parse(t, everything), admits(true)), passed)
	assert.Zero(t, r.Status)
	assert.Zero(t, r.Duration)
	assert.Zero(t, r.Flags)
	assert.EqualValues(t, record.Unknown, r.FirstByte)
	assert.EqualValues(t, record.Unknown, r.Attempts)
	assert.EqualValues(t, record.Unknown, r.GRPC)
}

func TestNothingOfOneExchangeIsLeftInTheNext(t *testing.T) {
	host := whole()
	k := New(host, parse(t, everything), admits(true))
	capture(k, passed)
	host.Attributes, host.Request, host.Response, host.Trailers, host.Answered = nil, nil, nil, nil, nil
	got := capture(k, Passed{})
	assert.Empty(t, got.RequestHeaders)
	assert.Empty(t, got.ResponseHeaders)
	assert.Empty(t, got.RespTrailers)
	got.RequestHeaders, got.ResponseHeaders, got.RespTrailers = nil, nil, nil
	assert.Equal(t, unknown, got)
}

func TestWhatPlacesAnExchange(t *testing.T) {
	b3 := record.Trace{TraceID: traceID, SpanID: spanID, Flags: 1, Present: true}
	own := [2]string{"x-request-id", "req-1"}
	for _, c := range []struct {
		name      string
		headers   [][2]string
		trace     record.Trace
		requestID string
	}{
		{"is its traceparent", [][2]string{{"traceparent", "00-" + traceID + "-" + spanID + "-01"}, {"b3", "0"}, own}, b3, ""},
		{"is its B3 header", [][2]string{{"b3", traceID + "-" + spanID + "-d"}, own}, b3, ""},
		{"is its several B3 headers", [][2]string{{"x-b3-traceid", traceID}, {"x-b3-spanid", spanID}, {"x-b3-sampled", "1"}, own}, b3, ""},
		{"is its own id where there is no trace", [][2]string{own}, record.Trace{}, "req-1"},
		{"is its own id where B3 only decides", [][2]string{{"b3", "0"}, own}, record.Trace{}, "req-1"},
		{"is its own id where the traceparent is broken", [][2]string{{"traceparent", "00-0-0-01"}, own}, record.Trace{}, "req-1"},
		{"is its own id where a B3 header is missing", [][2]string{{"x-b3-traceid", traceID}, own}, record.Trace{}, "req-1"},
		{"is its B3 header where the traceparent is broken", [][2]string{{"traceparent", "00"}, {"b3", traceID + "-" + spanID + "-1"}, own}, b3, ""},
		{"is nothing where there is neither", nil, record.Trace{}, ""},
	} {
		for _, without := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				host := &capturetest.Host{WithoutCEL: without, Request: c.headers, Attributes: map[string][]byte{}}
				for _, h := range c.headers {
					if h == own {
						host.Attributes["request.id"] = []byte(h[1])
					}
				}
				r := New(host, parse(t, everything), admits(true)).Decide(&Passed{})
				assert.Equal(t, c.trace, r.Trace)
				if !r.Trace.Present {
					assert.Equal(t, c.requestID, r.RequestID)
				}
			})
		}
	}
}

func TestTheGRPCStatus(t *testing.T) {
	trailer, header := [][2]string{{"grpc-status", "5"}}, [][2]string{{"grpc-status", "7"}}
	for _, c := range []struct {
		name   string
		passed Passed
		host   capturetest.Host
		want   int64
	}{
		{"is a trailer", Passed{ResponseTrailers: true}, capturetest.Host{Answered: trailer, Response: header}, 5},
		{"is a header where that ends the response", Passed{HeadersOnly: true}, capturetest.Host{Response: header}, 7},
		{"is no header of a response with a body", Passed{}, capturetest.Host{Response: header}, record.Unknown},
		{"may be absent", Passed{ResponseTrailers: true}, capturetest.Host{}, record.Unknown},
		{"is a number", Passed{HeadersOnly: true}, capturetest.Host{Response: [][2]string{{"grpc-status", "OK"}}}, record.Unknown},
		{"is not empty", Passed{HeadersOnly: true}, capturetest.Host{Response: [][2]string{{"grpc-status", ""}}}, record.Unknown},
		{"is no huge number", Passed{HeadersOnly: true}, capturetest.Host{Response: [][2]string{{"grpc-status", "99999999999999999999"}}}, record.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, New(&c.host, parse(t, everything), admits(true)).Decide(&c.passed).GRPC)
		})
	}
}

func TestAResponseThatDidNotEndIsReadOnlyWhereThatMatters(t *testing.T) {
	const withSink, metricsAlone = `{"sink":{"cluster":"a"}}`, `{}`
	for _, c := range []struct {
		name, config, method string
		passed               Passed
		status               int64
		cut                  bool
		calls                int // more than for another exchange
	}{
		{"one that ended", withSink, "GET", Passed{Begun: true, Ended: true}, 200, false, 0},
		{"one that did not", withSink, "GET", Passed{Begun: true}, 200, true, 1},
		{"one that did not, for metrics alone", metricsAlone, "GET", Passed{Begun: true}, 200, true, 0},
		{"one that did not begin", withSink, "GET", Passed{}, 0, false, 1},
		{"one that did not pass the plugin", withSink, "GET", Passed{}, 400, false, 0},
		{"an upgrade", withSink, "GET", Passed{Begun: true}, 101, false, 0},
		{"a tunnel", withSink, "CONNECT", Passed{Begun: true}, 200, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := whole()
			host.Attributes["request.method"], host.Attributes["response.code"] = []byte(c.method), capturetest.Int(c.status)
			host.Attributes["response.flags"] = capturetest.Int(1 << 14)
			k := New(host, parse(t, c.config), admits(true))
			host.Calls = map[string]int{}
			r := k.Decide(&c.passed)
			assert.Equal(t, c.cut, r.Cut)
			assert.Equal(t, c.calls, host.Calls["Property"])
			assert.Equal(t, c.calls > 0, r.Flags == 1<<14)
			assert.False(t, r.Failed())
		})
	}
}

func TestRequestTargets(t *testing.T) {
	for target, want := range map[string][2]string{
		"/a": {"/a", ""}, "/a?": {"/a", ""}, "/a?b": {"/a", "b"}, "/a?b?c": {"/a", "b?c"}, "": {"", ""}, "*": {"*", ""}, "?b": {"", "b"}, "http://a/b?c": {"http://a/b", "c"},
	} {
		path, query := splitPath(target)
		assert.Equal(t, want, [2]string{path, query}, target)
	}
}

func TestAnExchangeThatIsNotKeptCostsOneCall(t *testing.T) {
	for name, text := range map[string]string{"metrics alone": `{}`, "one record in a hundred": `{"sink":{"cluster":"a"}}`} {
		t.Run(name, func(t *testing.T) {
			host := whole()
			host.Calls = map[string]int{}
			k := New(host, parse(t, text), admits(true))
			clear(host.Calls)
			p := Passed{Trailers: k.Trailers()}
			k.Decide(&p)
			assert.Equal(t, map[string]int{"Evaluate": 1}, host.Calls)
		})
	}
}

func BenchmarkDecideAndComplete(b *testing.B) {
	host := whole()
	k := New(replay(host), parse(b, everything), admits(true))
	p, want := passed, wholeRecord()
	b.ReportAllocs()
	var r *record.Record
	for b.Loop() {
		r = k.Decide(&p)
		k.Complete(r, &p)
	}
	want.RequestTrailers = nil
	require.Equal(b, want, *r)
}

// replayed answers each list as it did at first: what it costs is not measured.
type replayed struct {
	*capturetest.Host
	lists map[string][]byte
}

func replay(h *capturetest.Host) *replayed { return &replayed{h, map[string][]byte{}} }

func (r *replayed) Evaluate(token []byte) ([]byte, bool) {
	list, ok := r.lists[string(token)]
	if !ok {
		list, _ = r.Host.Evaluate(token)
		r.lists[string(token)] = list
	}
	return list, list != nil
}

func TestAClaimedPathStandsBesideTheRealOne(t *testing.T) {
	host := whole()
	host.Request = [][2]string{{":path", "/admin?a=1"}, {"x-envoy-original-path", "/harmless?token=x"}}
	k := New(host, parse(t, everything), admits(true))
	r := k.Decide(&passed)
	k.Complete(r, &passed)
	assert.Equal(t, []string{"/admin", "/harmless"}, []string{r.Path, r.OriginalPath})
}

func TestARuleForAHeaderHoldsForTheFieldThatItMakes(t *testing.T) {
	host := whole()
	host.Request = [][2]string{{"x-request-id", "client-made"}, {"x-envoy-original-path", "/a?b"}}
	config := strings.Replace(everything, `"redact":{"rules":[`, `"redact":{"rules":[{"header":"x-request-id","mode":"last","last":4},{"header":"x-envoy-original-path","mode":"remove"},`, 1)
	r := capture(New(host, parse(t, config), admits(true)), passed)
	assert.Equal(t, []string{"[masked]made", ""}, []string{r.RequestID, r.OriginalPath})
	host.Request = nil
	assert.Empty(t, capture(New(host, parse(t, config), admits(true)), passed).RequestID)
}
