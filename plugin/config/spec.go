package config

import (
	"slices"
	"strings"
	"time"

	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// spec is the one list of all keys. Each is bound to its place in c, whose
// present value is its default.
func spec(c *Config) object {
	return object{
		{"sink", "Where records go. Without it the plugin gives metrics alone.", object{
			{"type", "What the sink speaks: newline-delimited JSON, Loki's JSON push, OTLP/HTTP's JSON logs, or Elasticsearch's bulk API.", choice{&c.Sink.Type, []string{NDJSON, Loki, OTLP, Elasticsearch}}},
			{"cluster", "The Envoy cluster that reaches the sink. Required.", required{text{&c.Sink.Cluster, anyText}}},
			{"authority", "The :authority of the requests. Default: the cluster's name, with - for what no host may have; of a cluster of Istio's, its host and port.", text{&c.Sink.Authority, anyText}},
			{"path", "The path of the requests, with its query. Default: / for ndjson, " + LokiPath + " for loki, " + OTLPPath + " for otlp, " + ElasticsearchPath + " for elasticsearch.", text{&c.Sink.Path, aPath}},
			{"headers", "Further request headers, such as a credential; content-type instead of the sink's own.", dictionary{&c.Sink.Headers, aHeaderName, oneLine}},
			{"timeout", "How long to wait for an answer.", duration{&c.Sink.Timeout, 10 * time.Millisecond, 5 * time.Minute}},
			{"labels", "Stream labels, for loki alone: keys of resource, or any of " + list(LokiLabels) + ". Few values each: every combination is a stream. Default: " + list(defaultLabels) + ".", texts{&c.Sink.Labels, anyText}},
			{"compression", "How requests to the sink are compressed.", choice{&c.Sink.Compression, []string{NoCompression, Gzip}}},
			{"max_in_flight", "Requests under way at once.", integer{&c.Sink.MaxInFlight, 1, 64}},
			{"batch", "When waiting records make a request: whichever comes first.", object{
				{"max_bytes", "Largest request body.", size{&c.Sink.Batch.MaxBytes, 1 << 10, 16 << 20}},
				{"max_records", "Most records in a request.", integer{&c.Sink.Batch.MaxRecords, 1, 1_000_000}},
				{"max_delay", "Longest wait of a record.", duration{&c.Sink.Batch.MaxDelay, 10 * time.Millisecond, time.Minute}},
			}},
			{"retry", "Requests that failed to connect, timed out, or got 408, 429 or 5xx (otlp: 429, 502, 503 or 504) are repeated with full jitter.", object{
				{"initial", "Upper bound of the first wait; it doubles each time.", duration{&c.Sink.Retry.Initial, 10 * time.Millisecond, time.Minute}},
				{"max", "Upper bound of any wait, a sink's Retry-After aside.", duration{&c.Sink.Retry.Max, 10 * time.Millisecond, time.Hour}},
				{"max_elapsed", "How long after its first attempt a record is given up.", duration{&c.Sink.Retry.MaxElapsed, 0, 24 * time.Hour}},
			}},
			{"buffer", "What waits for the sink, in Envoy's memory.", object{
				{"max_bytes", "Most bytes, under way or not, and at least two batches; beyond it ordinary records are dropped first, the oldest first.", size{&c.Sink.Buffer.MaxBytes, 1 << 10, 1 << 30}},
			}},
		}},
		{"resource", "Who the proxy is, on every record: OpenTelemetry resource attributes such as service.name. None may have a record's own key.", dictionary{&c.Resource, aResourceKey, freeText}},
		{"sampling", "Which exchanges become records. Decided at the end of each, by a hash of its trace id, else its request id.", object{
			{"rate", "Share of ordinary exchanges.", number{&c.Sampling.Rate, 0, 1}},
			{"follow_trace", "Keep every exchange whose trace is sampled.", boolean{&c.Sampling.FollowTrace}},
			{"errors", "Share of errors: 5xx, a gRPC status that tells of a server's fault, or no whole response though the client had not left.", number{&c.Sampling.Errors, 0, 1}},
			{"slow", "Exchanges that took long.", object{
				{"over", "What is long.", duration{&c.Sampling.Slow.Over, time.Millisecond, time.Hour}},
				{"rate", "Share of them.", number{&c.Sampling.Slow.Rate, 0, 1}},
			}},
			{"max_per_second", "Most records a second from all workers together; 0 is no limit.", integer{&c.Sampling.MaxPerSecond, 0, 1_000_000}},
		}},
		{"headers", "Header fields that may be recorded; no other is. authorization, cookie and their like are masked even then.", object{
			{"request", "Request headers.", texts{&c.Headers.Request, aHeaderName}},
			{"response", "Response headers.", texts{&c.Headers.Response, aHeaderName}},
			{"request_trailers", "Request trailers.", texts{&c.Headers.RequestTrailers, aHeaderName}},
			{"response_trailers", "Response trailers.", texts{&c.Headers.ResponseTrailers, aHeaderName}},
		}},
		{"query", "The query string: left out, or kept as redact has it.", choice{&c.Query, []string{QueryDrop, QueryKeep}}},
		{"bodies", "Request and response bodies. They are chosen as they begin, copied as they pass, and recorded if the exchange is.", object{
			{"request", "Request bodies.", body(&c.Bodies.Request)},
			{"response", "Response bodies.", body(&c.Bodies.Response)},
			{"rules", "What holds for some exchanges. The first that matches decides, instead of bodies.request and bodies.response; a direction that it leaves out is not recorded.", objects{100, func() (object, func()) {
				rule := &BodyRule{Request: defaultBody(), Response: defaultBody()}
				return bodyRule(rule), func() { c.Bodies.Rules = append(c.Bodies.Rules, *rule) }
			}}},
			{"grpc", "Record gRPC and gRPC-Web messages too, as JSON by field number, whatever content_types say.", boolean{&c.Bodies.GRPC}},
			{"max_held", "Most bytes of bodies that one worker holds at once; further bodies are left out.", size{&c.Bodies.MaxHeld, 64 << 10, 256 << 20}},
			{"max_ratio", "Most times its own size that a compressed body may inflate to, within max_bytes; one beyond it is left out.", integer{&c.Bodies.MaxRatio, 1, 10_000}},
		}},
		{"redact", "What is hidden in records.", object{
			{"key", "The secret key of mode hash: equal values have equal hashes under one key.", text{&c.Redact.Key, aHashKey}},
			{"rules", "What is hidden by its name. Each names one of body, header, cookie, query and path, and none what another names.", objects{200, func() (object, func()) {
				rule := &RedactRule{Mode: Mask, Last: 4}
				return redactRule(rule), func() { c.Redact.Rules = append(c.Redact.Rules, *rule) }
			}}},
			{"detect", "What is hidden wherever it stands: any of " + list(Detectors) + ".", texts{&c.Redact.Detect, oneOf(Detectors)}},
		}},
		{"routes", "http.route: Envoy's route name, else the first template that matches, else \"unmatched\".", object{
			{"templates", "Path templates: {name} is one segment, {name...} at the end is all the rest.", texts{&c.Routes.Templates, aTemplate}},
			{"max", "Most route names since Envoy started; further ones are \"other\".", integer{&c.Routes.Max, 1, 100_000}},
		}},
		{"istio", "Records say which workloads and services took part, where the proxy is Istio's: elsewhere nobody knows.", boolean{&c.Istio}},
		{"metrics", "The per-route metrics.", object{
			{"labels", "Labels. Those from reporter on are Istio's, and known to its proxies alone.", texts{&c.Metrics.Labels, oneOf(metrics.ExchangeLabels)}},
			{"max_series", "Most label sets since Envoy started; further ones become one, with every label \"other\".", integer{&c.Metrics.MaxSeries, 1, 1_000_000}},
		}},
	}
}

func body(b *Body) object {
	return object{
		{"rate", "Share of bodies, by the same hash as sampling.rate: at an equal rate every ordinary record has its body.", number{&b.Rate, 0, 1}},
		{"max_bytes", "Most bytes of a body, before and after it is inflated; the rest is cut off. At most half of sink.batch.max_bytes.", size{&b.MaxBytes, 1, 1 << 20}},
		{"content_types", "Content types that are recorded; * stands for anything.", texts{&b.ContentTypes, aContentType}},
	}
}

func bodyRule(b *BodyRule) object {
	return object{
		{"match", "Which exchanges: all that is given must hold.", object{
			{"routes", "Names of routes.", texts{&b.Routes, anyText}},
			{"methods", "Methods.", texts{&b.Methods, aMethod}},
			{"headers", "Request headers with their values; the value * stands for any.", dictionary{&b.Headers, aHeaderName, oneLine}},
		}},
		{"request", "Their request bodies.", body(&b.Request)},
		{"response", "Their response bodies.", body(&b.Response)},
	}
}

func redactRule(r *RedactRule) object {
	return object{
		{"body", "A field of JSON, form and gRPC bodies, in any case: keys (gRPC: field numbers) with dots between; # is any item of a list, * any run within a key, ** any depth.", text{&r.Body, aBodyPath}},
		{"header", "A header or trailer; x-request-id and x-envoy-original-path in their own fields as well.", text{&r.Header, aHeaderName}},
		{"cookie", "A cookie. One that no rule names is masked.", text{&r.Cookie, anyText}},
		{"query", "A query parameter, in any case; token stands for token[] and token[a] too.", text{&r.Query, anyText}},
		{"path", "A path template: what its variables match is hidden.", text{&r.Path, aTemplate}},
		{"mode", "What becomes of the value: it is masked, removed with its name, hashed, or masked but for its last characters; a cookie can be kept.", choice{&r.Mode, []string{Mask, Remove, Hash, Last, Keep}}},
		{"last", "How many characters mode last leaves; a value less than twice as long is masked.", integer{&r.Last, 1, 64}},
	}
}

// The default paths. Elasticsearch is asked to answer with no more than what
// became of each record.
const (
	LokiPath          = "/loki/api/v1/push"
	OTLPPath          = "/v1/logs"
	ElasticsearchPath = "/logs-routelens-default/_bulk?filter_path=errors,items.*.status,items.*.error.type"
)

// hostOf makes a host of a cluster's name, which in Istio is outbound|PORT|SUBSET|HOST: many servers answer 400 to one
// with other characters.
func hostOf(cluster string) string {
	if host, port, ok := record.IstioCluster(cluster); ok {
		cluster = host + ":" + port
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(".-_:[]", r):
			return r
		}
		return '-'
	}, cluster)
}

// defaultLabels are Loki's, if none are given.
var defaultLabels = []string{"service.name", "severity"}

// complete fills in the defaults that hang on other keys.
func complete(c *Config) {
	if c.Sink.Authority == "" {
		c.Sink.Authority = hostOf(c.Sink.Cluster)
	}
	if c.Sink.Path == "" {
		c.Sink.Path = map[string]string{NDJSON: "/", Loki: LokiPath, OTLP: OTLPPath, Elasticsearch: ElasticsearchPath}[c.Sink.Type]
	}
	if c.Sink.Type == Loki && c.Sink.Labels == nil {
		c.Sink.Labels = slices.Clone(defaultLabels)
	}
}
