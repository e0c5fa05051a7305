package encode

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// start is 2026-02-03T04:05:06.000000789Z.
const start = 1770091506000000789

// unknown is a record of which nothing but its time was there: what capture
// begins with.
func unknown() record.Record {
	return record.Record{
		Start: start, Duration: 1_500_000, FirstByte: record.Unknown, Attempts: record.Unknown, GRPC: record.Unknown,
		Route: "unmatched", Sampled: "rate", Weight: 1,
	}
}

// full is a record in which every field is there.
func full() record.Record {
	return record.Record{
		Start: start, Duration: 12_345_678, FirstByte: 9_000_000,
		Method: "PURGE", Scheme: "https", Host: "shop.example:8443", Path: "/orders/7", Query: "page=2&token=[masked]", Protocol: "HTTP/1.1",
		Route: "orders", Cluster: "shop", VirtualHost: "shop.example", Status: 503, GRPC: 14,
		RequestBody: 10, ResponseBody: 20,
		Flags: 1<<5 | 1<<6, CodeDetails: "upstream_reset", Termination: "idle",
		Upstream: "10.0.0.9:8080", Attempts: 2, TransportFailure: "TLS_error",
		Client: "192.0.2.1:40000", TLSVersion: "TLSv1.3", TLSSubject: "CN=client,O=Example",
		Istio:           mesh(),
		RequestID:       "0a1b2c3d",
		OriginalPath:    "/api/orders/7",
		Trace:           record.Trace{TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331", Flags: 1, Present: true},
		RequestHeaders:  []record.Field{{Name: "user-agent", Values: []string{"curl/8"}}},
		ResponseHeaders: []record.Field{{Name: "content-type", Values: []string{"application/json"}}},
		RequestTrailers: []record.Field{{Name: "x-checksum", Values: []string{"abc"}}},
		RespTrailers:    []record.Field{{Name: "grpc-message", Values: []string{"down"}}},
		RequestContent:  record.Content{Form: record.JSON, Text: `{"user":{"email":"[masked]"},"lines":[1,"b",null]}`},
		ResponseContent: record.Content{Form: record.Text, Text: `{"cut":"he"}`, Truncated: true},
		Sampled:         "error", Weight: 2.5,
	}
}

// mesh is all that Istio knows.
func mesh() *record.Istio {
	return &record.Istio{
		Reporter: "destination",
		Source: record.Workload{Name: "web-v1", Namespace: "front", CanonicalService: "web", CanonicalRevision: "v1", App: "web", Version: "1",
			Principal: "spiffe://cluster.local/ns/front/sa/web"},
		Destination: record.Workload{Name: "orders-v2", Namespace: "shop", CanonicalService: "orders", CanonicalRevision: "v2", App: "orders", Version: "2",
			Principal: "spiffe://cluster.local/ns/shop/sa/orders"},
		Service: "orders.shop.svc.cluster.local", ServiceName: "orders", ServiceNamespace: "shop",
	}
}

// bodies are contents by their stories.
var bodies = []struct {
	name    string
	content record.Content
}{
	{"an object", record.Content{Form: record.JSON, Text: `{"a":1,"b":{"c":[true,false,null,-1.5e3,"d\n\u00e9\"",{}]},"":[]}`}},
	{"a list", record.Content{Form: record.JSON, Text: `[{"a":"b"},[],"c",-0]`}},
	{"JSON that is cut", record.Content{Form: record.Text, Text: `{"a":["b"]}`, Truncated: true}},
	{"a form", record.Content{Form: record.Text, Text: "user=a&password=[masked]"}},
	{"a text of several lines", record.Content{Form: record.Text, Text: "line one\nline \"two\"\r\n\x00\xff"}},
	{"an empty text", record.Content{Form: record.Text, Text: ""}},
	{"bytes", record.Content{Form: record.Base64, Text: "iVBORw0KGgo="}},
	{"bytes that are cut", record.Content{Form: record.Base64, Text: "iVBORw0K", Truncated: true}},
	{"JSON that is laid out on several lines", record.Content{Form: record.JSON, Text: "{\n\t\"a\" : [\n1 ,\n2 ]\n}"}},
	{"numbers beyond 64 bits", record.Content{Form: record.JSON, Text: `{"max":9223372036854775807,"min":-9223372036854775808,"more":9223372036854775808,"much":1e400,"small":1e-400,"half":0.5}`}},
	{"halves of surrogate pairs", record.Content{Form: record.JSON, Text: `{"\ud83d\ude00":"\ud83d","a\udc00b":"\ud83d\ud83d\ude00\\ud800","c":"\ud83dx"}`}},
	{"JSON in depth", record.Content{Form: record.JSON, Text: strings.Repeat(`{"a":[`, 14) + `"]\"}"` + strings.Repeat("]}", 14)}},
}

// exchange is a record by its story.
type exchange struct {
	name   string
	record record.Record
}

func made(name string, edit func(r *record.Record)) exchange {
	r := unknown()
	edit(&r)
	return exchange{name, r}
}

func exchanges() []exchange {
	all := []exchange{
		{"every field", full()},
		made("HTTP/1.1", func(r *record.Record) {
			r.Method, r.Scheme, r.Host, r.Path, r.Protocol, r.Status = "GET", "http", "shop.example", "/", "HTTP/1.1", 200
			r.RequestBody, r.ResponseBody = 0, 2
		}),
		made("gRPC over HTTP/2", func(r *record.Record) {
			r.Method, r.Scheme, r.Host, r.Path, r.Protocol = "POST", "https", "shop.example:443", "/shop.Orders/Get", "HTTP/2"
			r.Status, r.GRPC = 200, 0
			r.RespTrailers = []record.Field{{Name: "grpc-status", Values: []string{"0"}}}
		}),
		made("a local reply has no upstream", func(r *record.Record) {
			r.Method, r.Path, r.Protocol, r.Status, r.ResponseBody = "GET", "/none", "HTTP/1.1", 404, 0
			r.Flags, r.CodeDetails = 1<<8, "route_not_found"
		}),
		made("a client that left before any header has no status", func(r *record.Record) {
			r.Flags, r.Duration = 1<<14, 0
		}),
		made("a response that was cut off", func(r *record.Record) {
			r.Method, r.Path, r.Protocol, r.Status, r.ResponseBody = "GET", "/", "HTTP/1.1", 200, 5
			r.Cut, r.Flags, r.Sampled = true, 1<<6, "error"
		}),
		made("CONNECT has no path", func(r *record.Record) {
			r.Method, r.Host, r.Protocol, r.Status = "CONNECT", "db.example:5432", "HTTP/1.1", 200
		}),
		made("an upgrade", func(r *record.Record) {
			r.Method, r.Path, r.Protocol, r.Status, r.Duration = "GET", "/chat", "HTTP/1.1", 101, 3_600_000_000_000
			r.RequestHeaders = []record.Field{{Name: "upgrade", Values: []string{"websocket"}}}
		}),
		made("HTTP/1.0 without a host", func(r *record.Record) {
			r.Method, r.Path, r.Protocol, r.Status = "GET", "/", "HTTP/1.0", 200
		}),
		made("bytes that are not UTF-8", func(r *record.Record) {
			r.Method, r.Path, r.Status = "GET", "/\xff\xfe/caf\xc3\xa9", 200
			r.RequestHeaders = []record.Field{{Name: "x-raw", Values: []string{"a\x80b", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xc3"}}}
		}),
		made("control characters", func(r *record.Record) {
			r.Method, r.Path, r.Status = "GET", "/\x00\x01\b\t\n\v\f\r\x1b\x1f\x7f\"\\", 200
			r.CodeDetails = "line one\nline two\r\n\u2028"
		}),
		made("repeated headers", func(r *record.Record) {
			r.Method, r.Path, r.Status = "GET", "/", 200
			r.ResponseHeaders = []record.Field{{Name: "via", Values: []string{"1.1 a", "1.1 b", ""}}, {Name: "x-quote\"", Values: []string{"v"}}}
		}),
		made("IPv6 addresses", func(r *record.Record) {
			r.Method, r.Path, r.Status, r.Host = "GET", "/", 200, "[2001:db8::1]:8443"
			r.Client, r.Upstream = "[::1]:40000", "[fd00::2]:80"
		}),
		made("an IPv6 address without a port", func(r *record.Record) {
			r.Method, r.Path, r.Status, r.Host, r.Client = "GET", "/", 200, "[2001:db8::1]", "2001:db8::7"
		}),
		made("addresses that are not addresses", func(r *record.Record) {
			r.Method, r.Path, r.Status, r.Host, r.Client = "GET", "/", 200, "host:port", "/run/envoy.sock"
		}),
		made("header names with dots", func(r *record.Record) {
			r.Method, r.Path, r.Status = "GET", "/", 200
			r.RequestHeaders = []record.Field{{Name: "x", Values: []string{"a"}}, {Name: "x.y.", Values: []string{"b"}}}
		}),
		made("from outside of the mesh", func(r *record.Record) {
			r.Method, r.Path, r.Status, r.Istio = "GET", "/", 200, mesh()
			r.Istio.Source, r.Istio.Destination.Principal = record.Workload{}, ""
		}),
		made("a trace with an id of 64 bits", func(r *record.Record) {
			r.Method, r.Path, r.Status = "GET", "/", 200
			r.Trace = record.Trace{TraceID: "8448eb211c80319c", SpanID: "b7ad6b7169203331", Flags: 0, Present: true}
		}),
	}
	for _, b := range bodies {
		all = append(all, made("a body: "+b.name, func(r *record.Record) {
			r.Method, r.Path, r.Status, r.ResponseContent = "GET", "/", 200, b.content
		}))
	}
	for _, o := range record.Omissions() {
		all = append(all, made("a body left out: "+o, func(r *record.Record) {
			r.Method, r.Path, r.Status = "POST", "/", 200
			r.RequestContent.Omitted = omission(o)
		}))
	}
	return all
}

func omission(name string) record.Omission {
	return record.Omission(slices.Index(record.Omissions(), name) + 1)
}

// huge is too long for a golden file.
func huge() record.Record {
	r := full()
	r.Path = "/" + strings.Repeat("ü\n\xff", 20_000)
	r.RequestHeaders = []record.Field{{Name: "x-big", Values: []string{strings.Repeat("\"", 60_000)}}}
	return r
}
