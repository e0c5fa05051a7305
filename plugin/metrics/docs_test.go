package metrics_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/sampling"
)

var reasons = []struct{ word, help string }{
	{"buffer_full", "More than `sink.buffer.max_bytes` waited for the sink."},
	{"too_large", "The record alone is larger than `sink.batch.max_bytes`."},
	{"rejected", "The sink refused it for good: an answer, to the request or about the record, that is neither 2xx, nor 408, 429 or 5xx."},
	{"out_of_order", "The sink refused it for good: it has taken later records of the same stream (Loki)."},
	{"too_old", "The sink refused it for good, for its age (Loki)."},
	{"retries_exhausted", "The sink failed for longer than `sink.retry.max_elapsed`."},
	{"queue_error", "The proxy did not take it onto the shared queue, or what came off it was broken."},
	{"sink_removed", "Its sink's configuration went before it was sent."},
	{"collector_lost", "The VM that held it went without handing it on."},
}

var omissions = []struct{ word, help string }{
	{"content_type", "Its type is none of `content_types`."},
	{"stream", "An event stream, an upgraded connection or a tunnel."},
	{"grpc", "gRPC or gRPC-Web, and `bodies.grpc` is off."},
	{"encoding", "A `content-encoding` that cannot be read, such as br or zstd."},
	{"ratio", "It inflates to more than `bodies.max_ratio` times its size."},
	{"charset", "A character set that cannot be read."},
	{"malformed", "It is not what its headers say."},
	{"not_redactable", "What `redact` names or finds cannot be told apart in it."},
	{"no_room", "The worker held `bodies.max_held` bytes, or the record would have been larger than `sink.batch.max_bytes`."},
}

var decisions = []struct{ word, help string }{
	{"rate", "Kept: chosen by `sampling.rate`."},
	{"trace", "Kept: its trace is sampled (`sampling.follow_trace`)."},
	{"error", "Kept: chosen by `sampling.errors`."},
	{"slow", "Kept: chosen by `sampling.slow`."},
	{"skip", "Not chosen."},
	{"limit", "Chosen, but above `sampling.max_per_second`."},
}

func code(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

func TestTheReferenceOfMetricsIsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Metrics

The plugin's stats are Envoy's own: they stand on its admin page and on every stats sink. Envoy stores a label within the
name, as ` + "`wasmcustom.route=.=checkout;.;" + metrics.Requests + "`" + `, and takes it out again where its ` + "`stats_tags`" + ` say so (Istio's
` + "`extraStatTags`" + ` do the same). Counters are added up in each worker and given to Envoy five times a second.

| metric | kind | labels | what |
|---|---|---|---|
`)
	for _, m := range metrics.All() {
		labels := ""
		if slices.Equal(m.Labels, metrics.ExchangeLabels) {
			labels = " below"
		} else if len(m.Labels) > 0 {
			labels = " " + code(m.Labels)
		}
		fmt.Fprintf(&b, "| `%s` | %s |%s | %s |\n", m.Name, m.Kind, labels, m.Help)
	}
	b.WriteString(`
## Labels of exchanges

` + "`metrics.labels`" + ` chooses which of them there are: of ` + code(metrics.EnvoyLabels) + `, and in Istio of
` + code(record.IstioLabels) + `.

A value is at most 200 bytes; what would break a name is turned to ` + "`_`" + `; one that is absent is ` + "`-`" + `. Beyond ` + "`metrics.max_series`" + ` every label is ` + "`other`" + `. A method
that is neither one of RFC 9110's nor ` + "`PATCH`" + ` is ` + "`_OTHER`" + `; a response that was never begun has the code ` + "`0`" + `.

Istio's labels have the values of Istio's own metrics ([records.md](records.md) says where they come from): one that is not known is ` + "`unknown`" + `, a revision ` + "`latest`" + `; so they are in a proxy
that is not Istio's. For what is no service of the mesh Istio takes the host that the client asked for; here it is ` + "`unknown`" + `, as clients make no values.
What a peer says of itself they can make, where they reach the proxy without a certificate: ` + "`source_workload`, `source_workload_namespace`, `source_canonical_…`, `source_app`, `source_version`" + `. Choose those only where
all callers are of the mesh: else anyone may use ` + "`metrics.max_series`" + ` up. Istio's ` + "`source_cluster` and `destination_cluster`" + ` are not among them. Its proxies take labels out of names only where ` + "`extraStatTags`" + ` has them, Istio's own too
([kubernetes.md](kubernetes.md)).

## Reasons why a record was dropped

| ` + "`reason`" + ` | what |
|---|---|
`)
	for _, r := range reasons {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.word, r.help)
	}
	b.WriteString("\n## Reasons why a body was left out\n\nThe same words stand in the record.\n\n| `reason` | what |\n|---|---|\n")
	for _, o := range omissions {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.word, o.help)
	}
	b.WriteString("\n## Decisions\n\n| `decision` | what |\n|---|---|\n")
	for _, d := range decisions {
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.word, d.help)
	}

	goldentest.Equal(t, "../../docs/metrics.md", b.String())
}

func TestTheReferenceOfMetricsNamesEveryReasonOmissionAndDecisionAndNoOther(t *testing.T) {
	var words []string
	for _, r := range reasons {
		words = append(words, r.word)
	}
	assert.Equal(t, metrics.Reasons(), words)
	words = nil
	for _, o := range omissions {
		words = append(words, o.word)
	}
	assert.Equal(t, record.Omissions(), words)
	words = nil
	for _, d := range decisions {
		words = append(words, d.word)
	}
	assert.Equal(t, sampling.Names(), words)
}
