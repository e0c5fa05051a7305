package encode

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/plugin/record"
)

const (
	always  = "always"
	inIstio = "in Istio"
)

// reference is the table in docs/records.md: every key of a record, in order.
var reference = []struct{ key, kind, when, help string }{
	{"time", "text", always, "When the request began: RFC 3339, in UTC, to the nanosecond."},
	{"severity", "text", always, "`ERROR`: 5xx, a gRPC status that is the server's fault, or no whole response. `WARN`: 4xx, another gRPC status than 0, or the client went before the response had ended. Else `INFO`. See below."},
	{"message", "text", always, "Method, path, status and time in words."},
	{"trace_id", "text", "the request came with a trace", "From `traceparent`, else B3: lower-case hex."},
	{"span_id", "text", "the request came with a trace", "The caller's span."},
	{"trace_flags", "text", "the request came with a trace", "`01`: the trace is sampled."},
	{"http.request.method", "text", "a request was read", "One of RFC 9110's or `PATCH`; else `_OTHER`."},
	{"http.request.method_original", "text", "the method is `_OTHER`", "The method as it was."},
	{"url.scheme", "text", "a request was read", "`http` or `https`."},
	{"url.path", "text", "the request has a path: `CONNECT` has none", "As it was after the routing's changes."},
	{"url.query", "text", "there is a query, and `query` is `keep`", "Without its `?`; what `redact` names is hidden."},
	{"server.address", "text", "the request names a host: HTTP/1.0 need not", "The host that was asked for, without its port."},
	{"server.port", "integer", "the host has a port", ""},
	{"http.route", "text", always, "Envoy's route name, else the template that matches, else `unmatched`; `other` beyond `routes.max`."},
	{"http.response.status_code", "integer", always, "0: no response was begun."},
	{"http.request.body.size", "integer", always, "Bytes that passed the plugin."},
	{"http.response.body.size", "integer", always, "Bytes that passed the plugin."},
	{"http.server.request.duration", "seconds", always, "From the first byte received to the last byte sent."},
	{"network.protocol.name", "text", "a request was read", "`http`."},
	{"network.protocol.version", "text", "a request was read", "`1.0`, `1.1`, `2` or `3`."},
	{"client.address", "text", "known", "Who is at the other end of the connection."},
	{"client.port", "integer", "known", ""},
	{"tls.protocol.version", "text", "the client speaks TLS", "`1.3`, for example."},
	{"tls.client.subject", "text", "the client showed a certificate", "Its subject."},
	{"rpc.system", "text", "there is a gRPC status", "`grpc`."},
	{"rpc.grpc.status_code", "integer", "there is a gRPC status", ""},
	{"envoy.request_id", "text", "there is one", "`x-request-id`."},
	{"envoy.original_path", "text", "the request has `x-envoy-original-path`", "The path before the router rewrote it; a client may have sent that header."},
	{"envoy.cluster", "text", "a route chose one", ""},
	{"envoy.virtual_host", "text", "one matched", ""},
	{"envoy.response_flags", "text", "any is set", "Envoy's short names, separated by commas, as `%RESPONSE_FLAGS%`."},
	{"envoy.response_code_details", "text", "known", "Who answered, and why."},
	{"envoy.termination_details", "text", "known", "Why Envoy ended the connection."},
	{"envoy.upstream_address", "text", "an upstream was chosen", "With its port."},
	{"envoy.upstream_attempts", "integer", "an upstream was tried", "1: no retry."},
	{"envoy.upstream_transport_failure", "text", "the connection to the upstream failed", ""},
	{"envoy.time_to_first_byte", "seconds", "the upstream answered", "From the request sent upstream to the first byte back."},
	{"istio.reporter", "text", inIstio, "Whose proxy made the record: `source`, `destination` or `waypoint`. See below for this and what follows."},
	{"istio.source_workload", "text", "in Istio, if the workload is known", "The client's Deployment, or what else makes its pods."},
	{"istio.source_workload_namespace", "text", "in Istio, if the workload is known", ""},
	{"istio.source_canonical_service", "text", "in Istio, if the workload is known", "From `service.istio.io/canonical-name`."},
	{"istio.source_canonical_revision", "text", "in Istio, if the workload is known", ""},
	{"istio.source_app", "text", "in Istio, if the workload is known", "From the label `app`."},
	{"istio.source_version", "text", "in Istio, if the workload is known", "From the label `version`."},
	{"istio.source_principal", "text", "in Istio, if it showed a certificate", "Its SPIFFE identity."},
	{"istio.destination_workload", "text", "in Istio, if the workload is known", "The server's Deployment, or what else makes its pods."},
	{"istio.destination_workload_namespace", "text", "in Istio, if the workload is known", ""},
	{"istio.destination_canonical_service", "text", "in Istio, if the workload is known", "From `service.istio.io/canonical-name`."},
	{"istio.destination_canonical_revision", "text", "in Istio, if the workload is known", ""},
	{"istio.destination_app", "text", "in Istio, if the workload is known", "From the label `app`."},
	{"istio.destination_version", "text", "in Istio, if the workload is known", "From the label `version`."},
	{"istio.destination_principal", "text", "in Istio, if it showed a certificate", "Its SPIFFE identity."},
	{"istio.destination_service", "text", "in Istio, if it is a service of the mesh", "The host of the service that was asked for."},
	{"istio.destination_service_name", "text", "in Istio, if it is a service of the mesh", "Its name; or that of Istio's cluster for what is none: `PassthroughCluster`, for example."},
	{"istio.destination_service_namespace", "text", "in Istio, if it is a service of the mesh", ""},
	{"http.request.body.json", "JSON", "the body was chosen, and is JSON that is whole", "The object or list itself; multipart and gRPC bodies are lists of their parts and messages. What `redact` names is hidden in it."},
	{"http.request.body.content", "text", "the body was chosen, and is anything else", "A text, UTF-8, or bytes in base64. JSON that was cut is closed again."},
	{"http.request.body.encoding", "text", "there is `http.request.body.content`", "`text` or `base64`."},
	{"http.request.body.truncated", "true", "the body was longer than `max_bytes`", ""},
	{"http.request.body.omitted", "text", "the body was chosen, and is left out", "Why: see below."},
	{"http.response.body.json", "JSON", "likewise", "Likewise."},
	{"http.response.body.content", "text", "likewise", "Likewise."},
	{"http.response.body.encoding", "text", "likewise", "Likewise."},
	{"http.response.body.truncated", "true", "likewise", ""},
	{"http.response.body.omitted", "text", "likewise", "Likewise."},
	{"sampling.reason", "text", always, "Why the record was kept: `rate`, `trace`, `error` or `slow`."},
	{"sampling.weight", "number", always, "How many exchanges the record stands for: the sum estimates their number. 0: another record stands for it already."},
	{"http.request.header.<name>", "list", "listed in `headers.request`, and there", "All values, in their order; credentials are `[masked]`, and what `redact` names is hidden."},
	{"http.response.header.<name>", "list", "listed in `headers.response`, and there", "Likewise."},
	{"http.request.trailer.<name>", "list", "listed in `headers.request_trailers`, and there", "Likewise."},
	{"http.response.trailer.<name>", "list", "listed in `headers.response_trailers`, and there", "Likewise."},
}

// omissions is the table of why bodies are left out.
var omissions = []struct{ name, help string }{
	{"content_type", "Its `content-type` is none of `content_types`, or it has none."},
	{"stream", "It is an event stream, a connection that was upgraded, or a tunnel."},
	{"grpc", "It is gRPC, and `bodies.grpc` is off."},
	{"encoding", "Its `content-encoding` cannot be read: `br` and `zstd`, for example."},
	{"ratio", "It inflates to more than `bodies.max_ratio` times its size."},
	{"charset", "Its character set cannot be read."},
	{"malformed", "It is not what its headers say: JSON in which nothing can be redacted, for example."},
	{"not_redactable", "What `redact` names cannot be told apart in it."},
	{"no_room", "The worker held `bodies.max_held` bytes, or the record would have been too large."},
}

func TestTheReferenceOfRecordsIsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Records

A record is one exchange. Names are OpenTelemetry's where it has one. The configuration's ` + "`resource`" + ` stands on every
record as well, under its own keys.

| key | type | there when | what |
|---|---|---|---|
`)
	for _, f := range reference {
		b.WriteString(strings.TrimRight(fmt.Sprintf("| `%s` | %s | %s | %s", f.key, f.kind, f.when, f.help), " ") + " |\n")
	}
	b.WriteString(`
Why a body is left out, which is also a label of ` + "`routelens_bodies_omitted_total`" + `:

| | |
|---|---|
`)
	for _, o := range omissions {
		b.WriteString("| `" + o.name + "` | " + o.help + " |\n")
	}
	b.WriteString(`
An exchange is an error, for ` + "`severity` and `sampling.errors`" + ` alike, where OpenTelemetry counts one against the server. A response that never
began, or was cut off after its headers, is one too, unless Envoy's flags tell that the client went (` + "`DC`, `DR`" + `) or broke the
protocol (` + "`DPE`" + `). What is cut off without any flag is none; an upgrade (101) or a tunnel (2xx to ` + "`CONNECT`" + `) is whole once it stands.

Istio's own label names stand under ` + "`istio.`" + ` in records of a proxy of Istio's (one whose node has ` + "`ISTIO_VERSION`" + `), unless the key ` + "`istio`" + ` is false. They mean what they mean in Istio's
metrics: at the source, what is called source is the proxy's own workload, from its bootstrap; at the destination, what is called destination is. The other end is what Istio's filters found out of
it (` + "`downstream_peer`, `upstream_peer`" + `): from the control plane, or from what the peer's proxy says of itself. Whoever reaches a proxy can say that; ` + "`…_principal`" + ` alone is proven, by a
certificate, and the namespace in it goes before the one that is claimed. A destination that said nothing is known by its endpoint, its service by the cluster.

Bytes that are not UTF-8 become U+FFFD. A header value is cut at 4 KiB. A record that is larger than ` + "`sink.batch.max_bytes`" + `
is dropped, and counted as ` + "`too_large`" + `.

In the dialect ` + "`ndjson`" + ` a record is one flat JSON object on a line; integers, seconds and numbers are JSON numbers, lists are
arrays of texts, JSON is embedded. An object of more than 400 fields, lists counted as one, is a text in ` + "`http.….body.content`" + `: stores that
take objects apart drop records of too many.

In the dialect ` + "`loki`" + ` the fields in ` + "`sink.labels`" + ` are stream labels (` + "`-`" + ` where a record has none), the line is the
message, the timestamp is the time, and all the rest is structured metadata: values are texts (of JSON, too), a list's are
joined by ` + "`, `" + `, and whatever may not stand in a label's name is turned to ` + "`_`" + ` (` + "`http_route`" + `).

In the dialect ` + "`otlp`" + ` the message is the log record's body, time, severity, trace and span have its own fields, ` + "`resource`" + ` is the
resource, and all the rest are attributes under the keys above: integers, seconds (doubles) and lists as such, JSON as maps and
lists down to its 24th level. What is nested deeper, and numbers that neither 64-bit integers nor doubles hold, are texts.

In the dialect ` + "`elasticsearch`" + ` a record is a flat JSON object that is created by the bulk API, in a data stream or an index. ` + "`time`" + ` is
` + "`@timestamp`" + `, ` + "`trace_id` is `trace.id` and `span_id` is `span.id`" + `, as in ECS. Seconds and numbers always have a fraction, so that a
new index takes them for what they are. Give ` + "`http.request.body.json` and `http.response.body.json`" + ` the type ` + "`flattened`" + ` (OpenSearch:
` + "`flat_object`" + `) in the index template: or every key of every body becomes a field of the index, and records are refused where two bodies have different
types under one key. JSON is embedded if that type takes it: an object with no key twice, no more than 20 levels, 400 fields
and 1000 digits of a number, and no value that has 32 KiB with the keys above it; else it is a text in ` + "`http.….body.content`" + `. Dots in the names of header fields are ` + "`_`" + `.
`)
	goldentest.Equal(t, "../../docs/records.md", b.String())
}

// kinds is a writer that collects the keys with their types.
type kinds struct {
	keys  []string
	types map[string]string
}

func (k *kinds) put(key, kind string) {
	if k.types[key] == "" {
		k.keys = append(k.keys, key)
	}
	k.types[key] = kind
}
func (k *kinds) text(key, _ string)           { k.put(key, "text") }
func (k *kinds) integer(key string, _ int64)  { k.put(key, "integer") }
func (k *kinds) seconds(key string, _ int64)  { k.put(key, "seconds") }
func (k *kinds) number(key string, _ float64) { k.put(key, "number") }
func (k *kinds) truth(key string)             { k.put(key, "true") }
func (k *kinds) json(key, _ string) bool {
	k.put(key, "JSON")
	return true
}
func (k *kinds) list(prefix string, _ record.Field) {
	k.put(prefix+"<name>", "list")
}

func TestTheReferenceOfRecordsNamesEveryFieldAndNoOther(t *testing.T) {
	got := &kinds{types: map[string]string{}}
	for _, key := range []string{"time", "severity", "message"} {
		got.put(key, "text")
	}
	r := full()
	for _, c := range []record.Content{{Form: record.JSON}, {Form: record.Text, Truncated: true}, {Omitted: record.Malformed}} {
		r.RequestContent, r.ResponseContent = c, c
		fields(got, &r, nil)
	}
	var keys, reserved []string
	for _, f := range reference {
		keys = append(keys, f.key)
		reserved = append(reserved, strings.TrimSuffix(f.key, "<name>"))
		assert.Equal(t, f.kind, got.types[f.key], f.key)
	}
	assert.ElementsMatch(t, keys, got.keys)
	assert.Equal(t, record.Keys, reserved, "what no attribute of a resource may be called")
}

func TestFieldsStandInTheOrderOfTheReference(t *testing.T) {
	for _, x := range exchanges() {
		got := &kinds{types: map[string]string{}}
		fields(got, &x.record, nil)
		at := -1
		for _, key := range got.keys {
			now := slices.Index(record.Keys, strings.TrimSuffix(key, "<name>"))
			assert.Greater(t, now, at, "%s: %s", x.name, key)
			at = now
		}
	}
}

func TestTheReferenceOfRecordsTellsWhyABodyIsLeftOut(t *testing.T) {
	var names []string
	for _, o := range omissions {
		names = append(names, o.name)
	}
	assert.Equal(t, record.Omissions(), names)
}

func TestTheReferenceOfRecordsTellsWhatIsAlwaysThere(t *testing.T) {
	got := &kinds{types: map[string]string{}}
	got.keys = []string{"time", "severity", "message"}
	r := unknown()
	fields(got, &r, nil)
	var keys []string
	for _, f := range reference {
		if f.when == always {
			keys = append(keys, f.key)
		}
	}
	assert.Equal(t, keys, got.keys)
}
