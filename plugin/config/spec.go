package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/routelens/routelens/plugin/metrics"
)

// spec is the one list of all keys. Each is bound to its place in c, whose
// present value is its default.
func spec(c *Config) object {
	return object{
		{"sink", "Where records go. Without it the plugin gives metrics alone.", object{
			{"type", "What the sink speaks: newline-delimited JSON, or Loki's JSON push.", choice{&c.Sink.Type, []string{NDJSON, Loki}}},
			{"cluster", "The Envoy cluster that reaches the sink. Required.", required{text{&c.Sink.Cluster, anyText}}},
			{"authority", "The :authority of the requests. Default: the cluster's name.", text{&c.Sink.Authority, anyText}},
			{"path", "The path of the requests, with its query. Default: / for ndjson, /loki/api/v1/push for loki.", text{&c.Sink.Path, aPath}},
			{"headers", "Further request headers, such as a credential; content-type instead of the sink's own.", dictionary{&c.Sink.Headers, aHeaderName, oneLine}},
			{"timeout", "How long to wait for an answer.", duration{&c.Sink.Timeout, 10 * time.Millisecond, 5 * time.Minute}},
			{"labels", "Stream labels (loki): keys of resource, or one of " + list(LokiLabels) + ". Few values each: every combination is a stream.", texts{&c.Sink.Labels, anyText}},
			{"max_in_flight", "Requests under way at once.", integer{&c.Sink.MaxInFlight, 1, 64}},
			{"batch", "When waiting records make a request: whichever comes first.", object{
				{"max_bytes", "Largest request body.", size{&c.Sink.Batch.MaxBytes, 1 << 10, 16 << 20}},
				{"max_records", "Most records in a request.", integer{&c.Sink.Batch.MaxRecords, 1, 1_000_000}},
				{"max_delay", "Longest wait of a record.", duration{&c.Sink.Batch.MaxDelay, 10 * time.Millisecond, time.Minute}},
			}},
			{"retry", "Requests that failed to connect, timed out, or got 408, 429 or 5xx are repeated with full jitter.", object{
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
			{"mask", "Of these, what is recorded without its value.", texts{&c.Headers.Mask, aHeaderName}},
		}},
		{"query", "The query string.", object{
			{"mode", "Leave it out, keep it, or keep it with some values masked.", choice{&c.Query.Mode, []string{QueryDrop, QueryKeep, QueryMask}}},
			{"mask", "Parameters whose values are masked (mode mask), in any case; token stands for token[] and token[a] too.", texts{&c.Query.Mask, anyText}},
		}},
		{"routes", "http.route: Envoy's route name, else the first template that matches, else \"unmatched\".", object{
			{"templates", "Path templates: {name} is one segment, {name...} at the end is all the rest.", texts{&c.Routes.Templates, aTemplate}},
			{"max", "Most route names since Envoy started; further ones are \"other\".", integer{&c.Routes.Max, 1, 100_000}},
		}},
		{"metrics", "The per-route metrics.", object{
			{"labels", "Labels: any of " + list(metrics.ExchangeLabels) + ".", texts{&c.Metrics.Labels, oneOf(metrics.ExchangeLabels)}},
			{"max_series", "Most label sets since Envoy started; further ones become one, with every label \"other\".", integer{&c.Metrics.MaxSeries, 1, 1_000_000}},
		}},
	}
}

// LokiLabels are the fields, besides the resource's keys, that may be stream
// labels: those that clients cannot make up.
var LokiLabels = []string{"service.name", "severity", "http.route", "http.request.method", "http.response.status_code", "envoy.cluster"}

// across checks what no single key can tell, where each of them is sound.
func across(c *Config, r *reader) {
	if c.Sink.Retry.Initial > c.Sink.Retry.Max && r.sound("sink.retry.initial", "sink.retry.max") {
		r.report("sink.retry.initial", "must be at most sink.retry.max ("+c.Sink.Retry.Max.String()+")", c.Sink.Retry.Initial.String())
	}
	// What is under way counts towards the buffer: beside one batch on its way the next must have room.
	if c.Sink.Batch.MaxBytes > c.Sink.Buffer.MaxBytes/2 && r.sound("sink.batch.max_bytes", "sink.buffer.max_bytes") {
		r.report("sink.batch.max_bytes", "must be at most half of sink.buffer.max_bytes ("+sizeText(c.Sink.Buffer.MaxBytes)+")", sizeText(c.Sink.Batch.MaxBytes))
	}
	for _, a := range c.Sink.Headers {
		if slices.Contains(framing, a.Name) && r.sound("sink.headers") {
			r.report("sink.headers."+a.Name, "must not be given: Envoy sets it", "")
		}
	}
	if c.Sink.Type == Loki && r.sound("resource", "sink.type") {
		seen := map[string]string{}
		for _, a := range c.Resource {
			if other, taken := seen[underscored(a.Name)]; taken {
				r.report(join("resource", a.Name), "must differ from "+quote(other)+" in more than punctuation, which is _ in Loki", "")
			}
			seen[underscored(a.Name)] = a.Name
		}
	}
	if !r.sound("sink.labels", "resource") {
		return
	}
	for i, label := range c.Sink.Labels {
		if !c.allowedLabel(label) {
			r.report("sink.labels["+strconv.Itoa(i)+"]", "must be a key of resource or one of "+list(LokiLabels), quote(label))
		}
	}
}

func (c *Config) allowedLabel(label string) bool {
	for _, a := range c.Resource {
		if a.Name == label {
			return true
		}
	}
	return slices.Contains(LokiLabels, label)
}

// framing are the headers that say where a message goes and ends.
var framing = []string{"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

// underscored is a key as Prometheus and Loki write it.
func underscored(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
}

// complete fills in the defaults that hang on other keys.
func complete(c *Config) {
	if c.Sink.Authority == "" {
		c.Sink.Authority = c.Sink.Cluster
	}
	if c.Sink.Path == "" {
		c.Sink.Path = map[string]string{NDJSON: "/", Loki: "/loki/api/v1/push"}[c.Sink.Type]
	}
}
