package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	known       = "known: sink, resource, sampling, headers, query, bodies, redact, routes, istio, metrics"
	lokiOrKey   = "must be a key of resource or one of service.name, severity, http.route, http.request.method, http.response.status_code, envoy.cluster"
	aTemplateIs = `must be a path template such as "/users/{id}" or "/files/{path...}"`
	aLabelIs    = "must be one of route, method, response_code, cluster, virtual_host, grpc_response_status, reporter, " +
		"source_workload, source_workload_namespace, source_canonical_service, source_canonical_revision, source_app, source_version, source_principal, " +
		"destination_workload, destination_workload_namespace, destination_canonical_service, destination_canonical_revision, " +
		"destination_app, destination_version, destination_principal, destination_service, destination_service_name, destination_service_namespace"
	anyTextIs = "must be a text without control characters that is not empty"

	aResourceKeyIs = anyTextIs + ", and none of a record's own keys"
)

func TestABrokenConfigurationIsRefusedWithEveryProblem(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"the end is missing", `{"sink":`, []string{`configuration: must be valid JSON; found a fault at line 1, byte 8`}},
		{"a fault on a later line", "{\n  \"sink\": {\n    \"headers\": {\"authorization\": Bearer secret}}}", []string{`configuration: must be valid JSON; found a fault at line 3, byte 34`}},
		{"a comma too many", "{\"routes\":{},\n}", []string{`configuration: must be valid JSON; found a fault at line 2, byte 1`}},
		{"two documents", "{}\n{}", []string{`configuration: must be valid JSON; found a fault at line 2, byte 1`}},
		{"YAML", "sink:\n  cluster: logs\n", []string{`configuration: must be valid JSON; found a fault at line 1, byte 1`}},
		{"a byte order mark", "\ufeff{}", []string{`configuration: must be valid JSON; found a fault at line 1, byte 1`}},
		{"nested without end", strings.Repeat("[", 1_000_000), []string{`configuration: must be valid JSON; found a fault at line 1, byte 10001`}},
		{"null", `null`, []string{`configuration: must be an object; found null`}},
		{"a list with a credential", `[{"sink":{"headers":{"authorization":"secret"}}}]`, []string{`configuration: must be an object; found a list`}},
		{"a text", `"secret"`, []string{`configuration: must be an object; found "secret"`}},

		{"an unknown key", `{"sinks":{}}`, []string{"sinks: is not a key here; " + known}},
		{"an unknown key within", `{"sampling":{"slow":{"above":"1s"}}}`, []string{"sampling.slow.above: is not a key here; known: over, rate"}},
		{"a key in other letters", `{"Sink":{}}`, []string{"Sink: is not a key here; " + known}},
		{"a dotted key", `{"routes.max":1}`, []string{"routes.max: is not a key here; " + known}},
		{"an empty key", `{"":1}`, []string{`"": is not a key here; ` + known}},
		{"a key given twice", `{"query":"keep","query":"drop"}`, []string{`query: must be given once; found "drop"`}},
		{"a key given twice, once in disguise", `{"query":"keep","qu\u0065ry":"drop"}`, []string{`query: must be given once; found "drop"`}},
		{"a sink given twice", `{"sink":{"cluster":"a"},"sink":{"cluster":"a","headers":{"authorization":"secret"}}}`, []string{`sink: must be given once; found an object`}},

		{"a sink without its cluster", `{"sink":{}}`, []string{"sink.cluster: must be given"}},
		{"a sink that is null", `{"sink":null}`, []string{"sink: must be an object; found null"}},
		{"a sink that is a list", `{"sink":[{"headers":{"authorization":"secret"}}]}`, []string{"sink: must be an object; found a list"}},
		{"an empty cluster", `{"sink":{"cluster":""}}`, []string{`sink.cluster: ` + anyTextIs + `; found ""`}},
		{"a cluster on two lines", `{"sink":{"cluster":"a\nb"}}`, []string{`sink.cluster: ` + anyTextIs + `; found "a\nb"`}},
		{"a cluster that is a number", `{"sink":{"cluster":7}}`, []string{`sink.cluster: ` + anyTextIs + `; found 7`}},
		{"an unknown type", `{"sink":{"cluster":"a","type":"kafka"}}`, []string{`sink.type: must be one of ndjson, loki, otlp, elasticsearch; found "kafka"`}},
		{"a path without its slash", `{"sink":{"cluster":"a","path":"push"}}`, []string{`sink.path: must be a path that begins with "/", without spaces; found "push"`}},
		{"a path with a space", `{"sink":{"cluster":"a","path":"/a b"}}`, []string{`sink.path: must be a path that begins with "/", without spaces; found "/a b"`}},
		{"a sink's path with a query", `{"sink":{"cluster":"a","path":"push?token=secret"}}`, []string{`sink.path: must be a path that begins with "/", without spaces; found "push"`}},
		{"a sink's path with a query in disguise", `{"sink":{"cluster":"a","path":"/a\n\u003ftoken=secret"}}`, []string{`sink.path: must be a path that begins with "/", without spaces; found "/a\n"`}},
		{"a sink's path that is given twice", `{"sink":{"cluster":"a","path":"/a","path":"/b?token=secret"}}`, []string{`sink.path: must be given once; found "/b"`}},
		{"a sink's path with all in a list", `{"sink":{"cluster":"a","path":["/b?token=secret"]}}`, []string{`sink.path: must be a path that begins with "/", without spaces; found a list`}},
		{"a header name in capitals", `{"sink":{"cluster":"a","headers":{"Authorization":"secret"}}}`, []string{`sink.headers.Authorization: its name must be a header name in lower case`}},
		{"a header all in its name", `{"sink":{"cluster":"a","headers":{"authorization: Bearer secret":""}}}`, []string{`sink.headers.authorization: its name must be a header name in lower case`}},
		{"a pseudo-header", `{"sink":{"cluster":"a","headers":{":path":"/secret"}}}`, []string{`sink.headers."": its name must be a header name in lower case`}},
		{"a header given twice", `{"sink":{"cluster":"a","headers":{"x-a":"secret1","x-a":"secret2"}}}`, []string{`sink.headers.x-a: must be given once`}},
		{"a header that is not a text", `{"sink":{"cluster":"a","headers":{"x-a":["secret"]}}}`, []string{`sink.headers.x-a: must be a text without control characters`}},
		{"a header that ends in a line feed", `{"sink":{"cluster":"a","headers":{"x-a":"secret\n"}}}`, []string{`sink.headers.x-a: must be a text without control characters`}},
		{"headers as a list", `{"sink":{"cluster":"a","headers":["x-a: secret"]}}`, []string{`sink.headers: must be an object`}},
		{"headers as a text", `{"sink":{"cluster":"a","headers":"x-a: secret"}}`, []string{`sink.headers: must be an object`}},
		{"a time-out without unit", `{"sink":{"cluster":"a","timeout":"5"}}`, []string{`sink.timeout: must be a duration from 10ms to 5m0s, such as "1s" or "500ms"; found "5"`}},
		{"a time-out as a number", `{"sink":{"cluster":"a","timeout":5}}`, []string{`sink.timeout: must be a duration from 10ms to 5m0s, such as "1s" or "500ms"; found 5`}},
		{"a negative time-out", `{"sink":{"cluster":"a","timeout":"-5s"}}`, []string{`sink.timeout: must be a duration from 10ms to 5m0s, such as "1s" or "500ms"; found "-5s"`}},
		{"a time-out that is too long", `{"sink":{"cluster":"a","timeout":"301s"}}`, []string{`sink.timeout: must be a duration from 10ms to 5m0s, such as "1s" or "500ms"; found "301s"`}},
		{"a size without unit", `{"sink":{"cluster":"a","batch":{"max_bytes":"1000"}}}`, []string{`sink.batch.max_bytes: must be a size from 1KiB to 16MiB, such as "256KiB"; found "1000"`}},
		{"a size in another unit", `{"sink":{"cluster":"a","batch":{"max_bytes":"256KB"}}}`, []string{`sink.batch.max_bytes: must be a size from 1KiB to 16MiB, such as "256KiB"; found "256KB"`}},
		{"a size as a number", `{"sink":{"cluster":"a","buffer":{"max_bytes":8388608}}}`, []string{`sink.buffer.max_bytes: must be a size from 1KiB to 1GiB, such as "256KiB"; found 8388608`}},
		{"a size that is too small", `{"sink":{"cluster":"a","batch":{"max_bytes":"1023B"}}}`, []string{`sink.batch.max_bytes: must be a size from 1KiB to 16MiB, such as "256KiB"; found "1023B"`}},
		{"a count of nothing", `{"sink":{"cluster":"a","max_in_flight":0}}`, []string{`sink.max_in_flight: must be a whole number from 1 to 64; found 0`}},
		{"half a count", `{"sink":{"cluster":"a","batch":{"max_records":1.5}}}`, []string{`sink.batch.max_records: must be a whole number from 1 to 1000000; found 1.5`}},
		{"a count as a text", `{"routes":{"max":"500"}}`, []string{`routes.max: must be a whole number from 1 to 100000; found "500"`}},
		{"a count beyond any number", `{"metrics":{"max_series":1e999}}`, []string{`metrics.max_series: must be a whole number from 1 to 1000000; found 1e999`}},
		{"a count beyond 64 bits", `{"sampling":{"max_per_second":-9223372036854775808}}`, []string{`sampling.max_per_second: must be a whole number from 0 to 1000000; found -9223372036854775808`}},
		{"a rate above 1", `{"sampling":{"rate":1.01}}`, []string{`sampling.rate: must be a number from 0 to 1; found 1.01`}},
		{"a rate in per cent", `{"sampling":{"rate":"1%"}}`, []string{`sampling.rate: must be a number from 0 to 1; found "1%"`}},
		{"a negative rate", `{"sampling":{"errors":-0.1}}`, []string{`sampling.errors: must be a number from 0 to 1; found -0.1`}},
		{"a switch as a text", `{"sampling":{"follow_trace":"true"}}`, []string{`sampling.follow_trace: must be true or false; found "true"`}},
		{"a header to record in capitals", `{"headers":{"request":["user-agent","X-Id"]}}`, []string{`headers.request[1]: must be a header name in lower case; found "X-Id"`}},
		{"a pseudo-header to record", `{"headers":{"request":[":path"]}}`, []string{`headers.request[0]: must be a header name in lower case; found ":path"`}},
		{"a header listed twice", `{"headers":{"response":["a","b","a"]}}`, []string{`headers.response[2]: must be given once; found "a"`}},
		{"a list that is a text", `{"headers":{"response":"a"}}`, []string{`headers.response: must be a list; found "a"`}},
		{"an unknown mode", `{"query":"mask"}`, []string{`query: must be one of drop, keep; found "mask"`}},
		{"an unknown compression", `{"sink":{"cluster":"a","compression":"zstd"}}`, []string{`sink.compression: must be one of none, gzip; found "zstd"`}},

		{"a content type with its parameters", `{"bodies":{"request":{"content_types":["text/*","text/plain; charset=utf-8"]}}}`, []string{`bodies.request.content_types[1]: must be a content type in lower case, such as "application/json" or "text/*"; found "text/plain; charset=utf-8"`}},
		{"a method in small letters", `{"bodies":{"rules":[{},{"match":{"methods":["post"]}}]}}`, []string{`bodies.rules[1].match.methods[0]: must be a method in capitals, such as "POST"; found "post"`}},
		{"a rule for bodies that is a text", `{"bodies":{"rules":["all"]}}`, []string{`bodies.rules[0]: must be an object; found "all"`}},
		{"rules that are an object", `{"bodies":{"rules":{}}}`, []string{`bodies.rules: must be a list; found an object`}},
		{"too many rules", `{"bodies":{"rules":` + many(101, `{}`) + `}}`, []string{`bodies.rules: must have at most 100 items; found 101`}},
		{"a header to match on, with a credential", `{"bodies":{"rules":[{"match":{"headers":{"authorization":["secret"],"X-A":"secret"}}}]}}`, []string{
			`bodies.rules[0].match.headers.authorization: must be a text without control characters`,
			`bodies.rules[0].match.headers.X-A: its name must be a header name in lower case`,
		}},
		{"headers to match on, in a text", `{"bodies":{"rules":[{"match":{"headers":"authorization: secret"}}]}}`, []string{`bodies.rules[0].match.headers: must be an object`}},
		{"a body path without end", `{"redact":{"rules":[{"body":"user."}]}}`, []string{`redact.rules[0].body: must be a path such as "user.email", "cards.#.pan" or "**.password", with \\ before a dot or a star that is part of a key; found "user."`}},
		{"a detector that nobody knows", `{"redact":{"detect":["iban"]}}`, []string{`redact.detect[0]: must be one of card, bearer, jwt, email, private_key; found "iban"`}},
		{"an unknown key of a rule", `{"redact":{"rules":[{"body":"a"},{"bodies":"a"}]}}`, []string{`redact.rules[1].bodies: is not a key here; known: body, header, cookie, query, path, mode, last`}},
		{"a secret key that is too short", `{"redact":{"key":"secret"}}`, []string{`redact.key: must be a text of at least 16 characters`}},
		{"a secret key that is no text", `{"redact":{"key":["secret"]}}`, []string{`redact.key: must be a text of at least 16 characters`}},
		{"a secret key given twice", `{"redact":{"key":"secret0123456789","key":"secret0123456789"}}`, []string{`redact.key: must be given once`}},
		{"a secret key in the wrong place", `{"redact":"secret0123456789"}`, []string{`redact: must be an object`}},
		{"a secret key with a fault", `{"redact":{"key":secret}}`, []string{`configuration: must be valid JSON; found a fault at line 1, byte 18`}},
		{"a resource that is a number", `{"resource":{"service.name":"a","service.version":2}}`, []string{`resource.service.version: must be a text; found 2`}},
		{"a resource without a name", `{"resource":{"":"a"}}`, []string{`resource."": its name ` + aResourceKeyIs}},
		{"a resource with a record's own key", `{"resource":{"service.name":"a","http.route":"b","message":"c"}}`, []string{
			`resource.http.route: its name ` + aResourceKeyIs,
			`resource.message: its name ` + aResourceKeyIs,
		}},
		{"a resource with a record's own key in Loki's writing", `{"resource":{"http_route":"a"}}`, []string{`resource.http_route: its name ` + aResourceKeyIs}},
		{"a resource with the key of a header", `{"resource":{"http.request.header.x-id":"a"}}`, []string{`resource.http.request.header.x-id: its name ` + aResourceKeyIs}},
		{"templates that are none", `{"routes":{"templates":["users/{id}","/a/{b","/{rest...}/c"]}}`, []string{
			`routes.templates[0]: ` + aTemplateIs + `; found "users/{id}"`,
			`routes.templates[1]: ` + aTemplateIs + `; found "/a/{b"`,
			`routes.templates[2]: ` + aTemplateIs + `; found "/{rest...}/c"`,
		}},
		{"an unknown label", `{"metrics":{"labels":["path"]}}`, []string{`metrics.labels[0]: ` + aLabelIs + `; found "path"`}},

		{"stream labels that clients could make up", `{"sink":{"cluster":"a","type":"loki","labels":["team","url.path","trace_id"]},"resource":{"team":"a"}}`, []string{
			`sink.labels[1]: ` + lokiOrKey + `; found "url.path"`,
			`sink.labels[2]: ` + lokiOrKey + `; found "trace_id"`,
		}},
		{"a first wait above the longest", `{"sink":{"cluster":"a","retry":{"initial":"2s","max":"1s"}}}`, []string{`sink.retry.initial: must be at most sink.retry.max (1s); found 2s`}},
		{"a batch above the buffer", `{"sink":{"cluster":"a","batch":{"max_bytes":"2MiB"},"buffer":{"max_bytes":"1MiB"}}}`, []string{`sink.batch.max_bytes: must be at most half of sink.buffer.max_bytes (1MiB); found 2MiB`}},
		{"a buffer in which the next batch finds no room", `{"sink":{"cluster":"a","batch":{"max_bytes":"513KiB"},"buffer":{"max_bytes":"1MiB"}}}`, []string{`sink.batch.max_bytes: must be at most half of sink.buffer.max_bytes (1MiB); found 513KiB`}},
		{"a buffer below the default batch", `{"sink":{"cluster":"a","buffer":{"max_bytes":"1KiB"}}}`, []string{`sink.batch.max_bytes: must be at most half of sink.buffer.max_bytes (1KiB); found 256KiB`}},

		{"stream labels for another sink", `{"sink":{"cluster":"a","type":"otlp","labels":["severity"]}}`, []string{`sink.labels: must not be given: only Loki has stream labels; found type otlp`}},
		{"keys that Elasticsearch cannot tell apart", elasticsearch(`"service":"a","service.name":"b","url":"c","message.id":"d","@timestamp":"e","a..b":"f","trace":"g"`), []string{
			`resource.service: must be no prefix of "service.name", which makes an object of it in Elasticsearch`,
			`resource.url: must be no prefix of "url.scheme", which makes an object of it in Elasticsearch`,
			`resource.message.id: must not be within "message", which is no object in Elasticsearch`,
			`resource.@timestamp: must not be a record's own key in Elasticsearch`,
			`resource.a..b: must have a name on either side of each dot, as Elasticsearch reads it`,
			`resource.trace: must be no prefix of "trace.id", which makes an object of it in Elasticsearch`,
		}},
		{"bodies beyond what a worker may hold", `{"bodies":{"request":{"rate":1,"max_bytes":"1MiB"},"response":{"max_bytes":"1MiB"},"rules":[{"response":{"rate":0.1,"max_bytes":"65KiB"}}],"max_held":"64KiB"}}`, []string{
			`bodies.request.max_bytes: must be at most bodies.max_held (64KiB); found 1MiB`,
			`bodies.rules[0].response.max_bytes: must be at most bodies.max_held (64KiB); found 65KiB`,
		}},
		{"bodies of which two are more than a batch", `{"sink":{"cluster":"a","batch":{"max_bytes":"6KiB"}},"bodies":{"response":{"rate":1}}}`, []string{`bodies.response.max_bytes: must be at most half of sink.batch.max_bytes (6KiB); found 4KiB`}},
		{"rules that hide nothing, or too much at once", `{"redact":{"rules":[{},{"body":"a","header":"b"},{"path":"/admin"},{"header":"x-a","mode":"keep"},{"query":"a","mode":"hash"},{"query":"a"},{"body":"b"}]}}`, []string{
			`redact.rules[0]: must name one place: body, header, cookie, query or path; found 0`,
			`redact.rules[1]: must name one place: body, header, cookie, query or path; found 2`,
			`redact.rules[2].path: must have a variable such as {id}: that is what is hidden; found "/admin"`,
			`redact.rules[3].mode: must not be keep but for a cookie: other values are recorded without a rule`,
			`redact.rules[4].mode: must have redact.key to hash with`,
			`redact.rules[5].query: must be named by one rule; found "a"`,
		}},

		{"a refused value is not judged by its default", `{"sink":{"cluster":"a","retry":{"initial":"1m","max":"soon"}}}`, []string{
			`sink.retry.max: must be a duration from 10ms to 1h0m0s, such as "1s" or "500ms"; found "soon"`,
		}},
		{"a long value is cut", `{"query":"` + strings.Repeat("é ", 100) + `"}`, []string{`query: must be one of drop, keep; found "` + strings.Repeat("é ", 19) + `é…`}},
		{"a value that is not UTF-8", "{\"query\":\"\xff\"}", []string{"query: must be one of drop, keep; found \"\ufffd\""}},
		{"many at once, in the order of the input", `{"routes":{"max":-1},"nope":0,"sink":{"retry":{"initial":"20s"},"labels":["x"],"type":1},"sampling":{"rate":2,"slow":{"over":"0s"}}}`, []string{
			`routes.max: must be a whole number from 1 to 100000; found -1`,
			`nope: is not a key here; ` + known,
			`sink.type: must be one of ndjson, loki, otlp, elasticsearch; found 1`,
			`sink.cluster: must be given`,
			`sampling.rate: must be a number from 0 to 1; found 2`,
			`sampling.slow.over: must be a duration from 1ms to 1h0m0s, such as "1s" or "500ms"; found "0s"`,
			`sink.retry.initial: must be at most sink.retry.max (10s); found 20s`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse([]byte(c.text))
			var problems Problems
			require.ErrorAs(t, err, &problems)
			assert.Equal(t, strings.Join(c.want, "\n"), err.Error())
			assert.Equal(t, Config{}, got, "never half a value")
			if strings.Contains(c.name, "header") || strings.Contains(c.name, "sink") || strings.Contains(c.name, "line") || strings.Contains(c.name, "secret") {
				assert.NotContains(t, err.Error(), "secret")
			}
		})
	}
}
