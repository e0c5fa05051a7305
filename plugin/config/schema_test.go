package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
)

func TestTheSchemaIsUpToDate(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(Schema()))
	goldentest.Equal(t, "schema.json", b.String())
}

// ecma compiles the schema's patterns, which are ECMA-262's. Of what they use,
// only the escape of a code point differs in Go.
func ecma(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`))
}

func schema(t testing.TB) func(text string) error {
	file, err := jsonschema.UnmarshalJSON(strings.NewReader(marshal(t, Schema())))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(ecma)
	require.NoError(t, compiler.AddResource("schema.json", file))
	compiled, err := compiler.Compile("schema.json") // against the meta-schema, too
	require.NoError(t, err)
	return func(text string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err, text)
		return compiled.Validate(value)
	}
}

func marshal(t testing.TB, value any) string {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// judged are values of one key.
type judged struct{ good, bad []string }

// agreed are, for each key, values that parser and schema judge alike. A value
// stands where its key is; what else the document needs is put around it.
var agreed = map[string]judged{
	"sink":                     {good: []string{`{"cluster":"a"}`}, bad: []string{`{}`, `null`, `[]`, `"a"`, `{"cluster":"a","colour":1}`}},
	"sink.type":                {good: []string{`"ndjson"`, `"loki"`, `"otlp"`, `"elasticsearch"`}, bad: []string{`"Loki"`, `""`, `null`, `1`, `["loki"]`}},
	"sink.cluster":             {good: []string{`"a"`, `"outbound|80||logs.ns.svc.cluster.local"`, `" "`, `"é"`, `"\u0080"`}, bad: []string{`""`, `"a\n"`, `"\u0000"`, `"\u001f"`, `"\u007f"`, `null`, `1`, `{}`}},
	"sink.authority":           {good: []string{`"a:3100"`}, bad: []string{`""`, `"\t"`, `false`}},
	"sink.path":                {good: []string{`"/"`, `"/a?b=c&d"`, `"/é"`}, bad: []string{`""`, `"a"`, `" /"`, `"/a b"`, `"/\n"`, `"/a\n"`, `"/\u007f"`, `1`}},
	"sink.headers":             {good: []string{`{}`, `{"a":""}`, `{"x-!#$%&'*+.^_|~\u0060-9":"é, b"}`}, bad: []string{`{"":"a"}`, `{"A":"a"}`, `{"a b":"a"}`, `{":path":"a"}`, `{"a\n":"a"}`, `{"é":"a"}`, `{"a":1}`, `{"a":null}`, `{"a":"b\n"}`, `{"a":"\u007f"}`, `[]`, `"a"`}},
	"sink.timeout":             {good: []string{`"1s"`, `"1m0.5s"`, `".5s"`, `"1.s"`, `"+1s"`, `"500000us"`, `"500000µs"`, `"500000μs"`}, bad: []string{`""`, `"1"`, `"1.5"`, `"s"`, `".s"`, `"1 s"`, `" 1s"`, `"1s "`, `"1d"`, `"1S"`, `"1e1s"`, `"++1s"`, `"1s-1s"`, `"-"`, `"1s\n"`, `1`, `null`}},
	"sink.labels":              {good: []string{`[]`, `["severity","service.name"]`}, bad: []string{`["severity","severity"]`, `[""]`, `[1]`, `["a\n"]`, `"severity"`, `null`, `{}`}},
	"sink.compression":         {good: []string{`"none"`, `"gzip"`}, bad: []string{`"GZIP"`, `"zstd"`, `""`, `null`, `true`}},
	"sink.max_in_flight":       {good: []string{`1`, `64`, `64.0`, `6.4e1`}, bad: []string{`0`, `65`, `1.5`, `-1`, `"1"`, `null`, `1e999`, `true`}},
	"sink.batch":               {good: []string{`{}`}, bad: []string{`[]`, `{"bytes":1}`, `null`}},
	"sink.batch.max_bytes":     {good: []string{`"1KiB"`, `"2MiB"`, `"0001024B"`}, bad: []string{`""`, `"1"`, `"KiB"`, `"1kib"`, `"1KB"`, `"1.5KiB"`, `"+1KiB"`, `" 1KiB"`, `"1KiB\n"`, `1024`, `null`}},
	"sink.batch.max_records":   {good: []string{`1`, `1000000`}, bad: []string{`0`, `1000001`, `0.5`, `"1"`}},
	"sink.batch.max_delay":     {good: []string{`"10ms"`, `"1m"`}, bad: []string{`"soon"`, `0`}},
	"sink.retry":               {good: []string{`{}`}, bad: []string{`[]`, `{"min":1}`}},
	"sink.retry.initial":       {good: []string{`"10ms"`, `"10s"`}, bad: []string{`10`, `""`}},
	"sink.retry.max":           {good: []string{`"1h"`}, bad: []string{`10`, `"1h "`}},
	"sink.retry.max_elapsed":   {good: []string{`"0"`, `"+0"`, `"-0"`, `"0s"`, `"-0s"`, `"24h"`}, bad: []string{`0`, `""`, `"+"`, `"00"`}},
	"sink.buffer":              {good: []string{`{}`}, bad: []string{`[]`, `{"max_size":"1MiB"}`}},
	"sink.buffer.max_bytes":    {good: []string{`"1GiB"`, `"512KiB"`}, bad: []string{`"1TiB"`, `1`}},
	"resource":                 {good: []string{`{}`, `{"service.name":"a","b c":""}`, `{"a":"\n"}`, `{"times":"","http.routes":"","http.request.headers":""}`}, bad: []string{`{"":"a"}`, `{"\n":"a"}`, `{"a":1}`, `{"a":{"b":"c"}}`, `[]`, `null`}},
	"sampling":                 {good: []string{`{}`}, bad: []string{`[]`, `0.5`, `{"ratio":1}`}},
	"sampling.rate":            {good: []string{`0`, `1`, `0.5`, `1e-9`, `-0`, `1.0`}, bad: []string{`1.0001`, `-0.0001`, `"1"`, `null`, `true`, `1e999`}},
	"sampling.follow_trace":    {good: []string{`true`, `false`}, bad: []string{`1`, `"true"`, `null`}},
	"sampling.errors":          {good: []string{`0`, `1`}, bad: []string{`2`, `-1`, `"1"`}},
	"sampling.slow":            {good: []string{`{}`}, bad: []string{`[]`, `"1s"`, `{"above":"1s"}`}},
	"sampling.slow.over":       {good: []string{`"1ms"`, `"1h"`}, bad: []string{`1`, `"1"`}},
	"sampling.slow.rate":       {good: []string{`0`, `1`}, bad: []string{`2`, `-1`, `"1"`}},
	"sampling.max_per_second":  {good: []string{`0`, `1000000`}, bad: []string{`-1`, `1000001`, `0.1`, `"1"`}},
	"headers":                  {good: []string{`{}`}, bad: []string{`[]`, `{"trailers":[]}`}},
	"headers.request":          {good: []string{`[]`, `["a","b"]`}, bad: []string{`["a","a"]`, `["A"]`, `[""]`, `[null]`, `"a"`, `null`}},
	"headers.response":         {good: []string{`["a"]`}, bad: []string{`[":status"]`, `{}`}},
	"headers.request_trailers": {good: []string{`["a"]`}, bad: []string{`["a b"]`, `1`}},
	"headers.response_trailers": {good: []string{`["grpc-message"]`},
		bad: []string{`["a,b"]`, `["a:"]`}},
	"query":  {good: []string{`"drop"`, `"keep"`}, bad: []string{`"DROP"`, `"mask"`, `null`, `""`, `{}`, `{"mode":"keep"}`}},
	"bodies": {good: []string{`{}`}, bad: []string{`[]`, `true`, `{"rate":1}`}},

	"bodies.request":                aBody,
	"bodies.request.rate":           aRate,
	"bodies.request.max_bytes":      aCap,
	"bodies.request.content_types":  contentTypes,
	"bodies.response":               aBody,
	"bodies.response.rate":          aRate,
	"bodies.response.max_bytes":     aCap,
	"bodies.response.content_types": contentTypes,

	"bodies.rules":                 {good: []string{`[]`, `[{},{}]`, many(100, `{}`)}, bad: []string{`{}`, `null`, `[null]`, `[[]]`, `["a"]`, `[{},{"rate":1}]`, many(101, `{}`)}},
	"bodies.rules[].match":         {good: []string{`{}`}, bad: []string{`[]`, `null`, `{"route":"a"}`, `{"content_types":[]}`}},
	"bodies.rules[].match.routes":  {good: []string{`[]`, `["a b","é"]`}, bad: []string{`[""]`, `["a","a"]`, `["\n"]`, `[1]`, `"a"`}},
	"bodies.rules[].match.methods": {good: []string{`[]`, `["GET","M-SEARCH"]`}, bad: []string{`["get"]`, `[""]`, `["GET "]`, `["GET\n"]`, `["GET","GET"]`, `["*"]`, `"GET"`}},
	"bodies.rules[].match.headers": {good: []string{`{}`, `{"x-debug":"*","a":""}`}, bad: []string{`{"X-Debug":"1"}`, `{":path":"/"}`, `{"a":1}`, `{"a":"b\n"}`, `["a"]`, `"a"`}},

	"bodies.rules[].request":                aBody,
	"bodies.rules[].request.rate":           aRate,
	"bodies.rules[].request.max_bytes":      aCap,
	"bodies.rules[].request.content_types":  contentTypes,
	"bodies.rules[].response":               aBody,
	"bodies.rules[].response.rate":          aRate,
	"bodies.rules[].response.max_bytes":     aCap,
	"bodies.rules[].response.content_types": contentTypes,

	"bodies.grpc":      {good: []string{`true`, `false`}, bad: []string{`1`, `"true"`, `{}`, `null`}},
	"bodies.max_held":  {good: []string{`"64KiB"`, `"256MiB"`}, bad: []string{`"1"`, `65536`, `"64kib"`}},
	"bodies.max_ratio": {good: []string{`1`, `10000`}, bad: []string{`0`, `10001`, `1.5`, `"1"`}},

	"redact":        {good: []string{`{}`}, bad: []string{`[]`, `null`, `"key"`, `{"mask":[]}`}},
	"redact.key":    {good: []string{`"0123456789abcdef"`, `"0123456789abcdé\n"`, `"  \u0000  \u2028 0123456789"`}, bad: []string{`""`, `"0123456789abcde"`, `"ééééééééééééééé"`, `1234567890123456`, `null`, `["0123456789abcdef"]`}},
	"redact.rules":  {good: []string{`[]`, `[{"body":"a"},{"header":"a"}]`}, bad: []string{`{}`, `null`, `[null]`, `["a"]`, `[{"headers":"a"}]`, many(201, `{"body":"a"}`)}},
	"redact.detect": {good: []string{`[]`, `["card","bearer","jwt","email","private_key"]`}, bad: []string{`["iban"]`, `["card","card"]`, `["Card"]`, `["card|jwt"]`, `["card\n"]`, `"card"`, `true`}},

	"redact.rules[].body": {good: []string{`"a"`, `"user.email"`, `"cards.#.pan"`, `"**.password"`, `"a*b"`, `"a\\.b"`, `"a\\\\.b"`, `"1.3"`, `"é b"`, deep(32)},
		bad: []string{`""`, `"."`, `"a."`, `".a"`, `"a..b"`, `"a\\"`, `"a\n"`, `"a\\\n"`, `"\u007f"`, deep(33), `1`, `["a"]`, `null`}},
	"redact.rules[].header": {good: []string{`"x-session"`, `"authorization"`}, bad: []string{`""`, `"X-Session"`, `":path"`, `"a b"`, `"a\n"`, `1`}},
	"redact.rules[].cookie": {good: []string{`"session"`, `"A b"`}, bad: []string{`""`, `"a\n"`, `1`}},
	"redact.rules[].query":  {good: []string{`"token"`, `"a b"`, `"é"`}, bad: []string{`""`, `"\n"`, `null`}},
	"redact.rules[].path":   {good: []string{`"/users/{id}"`, `"/{a}/b/{c...}"`}, bad: []string{`""`, `"a"`, `"/{}"`, `"/{a}b"`, `"/a b"`, `1`}},
	"redact.rules[].mode":   {good: []string{`"mask"`, `"remove"`, `"hash"`, `"last"`, `"keep"`}, bad: []string{`"MASK"`, `"drop"`, `""`, `null`, `4`}},
	"redact.rules[].last":   {good: []string{`1`, `64`}, bad: []string{`0`, `65`, `1.5`, `"4"`}},

	"routes":           {good: []string{`{}`}, bad: []string{`[]`, `["/a"]`}},
	"routes.templates": {good: []string{`[]`, `["/","/a/","//","/{id}","/{a}/b/{c...}","/...","/é"]`}, bad: []string{`[""]`, `["a"]`, `["/{}"]`, `["/{a"]`, `["/a}"]`, `["/{a}b"]`, `["/b{a}"]`, `["/{a}{b}"]`, `["/{a...}/b"]`, `["/{a....}"]`, `["/{...}"]`, `["/{a-b}"]`, `["/{é}"]`, `["/a b"]`, `["/a\n"]`, `["/{a\n}"]`, `["/\u007f"]`, `["/a","/a"]`, `[1]`, `"/a"`}},
	"routes.max":       {good: []string{`1`, `100000`}, bad: []string{`0`, `100001`, `"1"`}},
	"istio":            {good: []string{`true`, `false`}, bad: []string{`1`, `"true"`, `{}`, `null`}},
	"metrics":          {good: []string{`{}`}, bad: []string{`[]`, `{"label":[]}`}},
	"metrics.labels":   {good: []string{`[]`, `["route","grpc_response_status"]`, `["reporter","destination_service"]`}, bad: []string{`["route","route"]`, `["path"]`, `["source_cluster"]`, `["route|method"]`, `["route\n"]`, `[1]`, `null`}},
	"metrics.max_series": {good: []string{`1`, `1000000`},
		bad: []string{`0`, `1000001`, `1.5`}},
}

// What many keys have in common.
var (
	aBody        = judged{good: []string{`{}`}, bad: []string{`[]`, `true`, `0.1`, `null`, `{"mask":[]}`}}
	aRate        = judged{good: []string{`0`, `1`, `0.5`}, bad: []string{`1.01`, `-1`, `"1"`, `null`}}
	aCap         = judged{good: []string{`"1B"`, `"128KiB"`}, bad: []string{`""`, `"1"`, `4096`, `"4KB"`}}
	contentTypes = judged{good: []string{`[]`, `["application/json","text/*","application/*+json","*/*"]`},
		bad: []string{`[""]`, `["json"]`, `["Text/plain"]`, `["a/b/c"]`, `["/b"]`, `["a/"]`, `["text/plain; charset=utf-8"]`, `["a/b\n"]`, `["a/b","a/b"]`, `"a/b"`, `[1]`}}
)

func many(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }

// deep is a body path of n segments.
func deep(n int) string { return `"` + strings.Repeat("a.", n-1) + `a"` }

// document puts a value at its key, with what the document needs besides. A key
// that ends in [] is a list, in which the value is one item.
func document(key, value string) string {
	parts := strings.Split(key, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		name, list := strings.CutSuffix(parts[i], "[]")
		if list {
			value = "[" + value + "]"
		}
		value = `{` + needed(parts[:i], name) + `"` + name + `":` + value + `}`
	}
	return value
}

// needed is what stands beside a key: a sink has its cluster, stream labels are
// Loki's, a rule names its place, and mode hash needs its key.
func needed(above []string, name string) string {
	switch above := strings.Join(above, "."); {
	case above == "sink" && name == "labels":
		return `"type":"loki","cluster":"a",`
	case above == "sink" && name != "cluster":
		return `"cluster":"a",`
	case above == "redact" && name != "key":
		return `"key":"0123456789abcdef",`
	case above == "redact.rules[]" && (name == "mode" || name == "last"):
		return `"cookie":"a",`
	}
	return ""
}

func TestParserAndSchemaAgree(t *testing.T) {
	validate := schema(t)
	for key, values := range agreed {
		t.Run(key, func(t *testing.T) {
			for _, value := range values.good {
				_, err := Parse([]byte(document(key, value)))
				assert.NoError(t, err, document(key, value))
				assert.NoError(t, validate(document(key, value)), document(key, value))
			}
			for _, value := range values.bad {
				_, err := Parse([]byte(document(key, value)))
				assert.Error(t, err, document(key, value))
				assert.Error(t, validate(document(key, value)), document(key, value))
			}
		})
	}
	for _, text := range []string{`null`, `[]`, `"a"`, `1`, `{"nope":1}`, `{"":1}`} {
		_, err := Parse([]byte(text))
		assert.Error(t, err, text)
		assert.Error(t, validate(text), text)
	}
}

func TestEveryKeyIsInTheTableThatHoldsParserAndSchemaEqual(t *testing.T) {
	var keys []string
	c := Default()
	walk("", spec(&c), func(path string, _ field) { keys = append(keys, path) })
	for _, key := range keys {
		assert.Contains(t, agreed, key)
	}
	assert.Len(t, agreed, len(keys), "and no other")
}

// walk visits every key, an object's before those within; a list's are those of
// one item.
func walk(path string, o object, visit func(path string, f field)) {
	for _, f := range o {
		visit(join(path, f.key), f)
		switch within := f.kind.(type) {
		case object:
			walk(join(path, f.key), within, visit)
		case objects:
			form, _ := within.next()
			walk(join(path, f.key)+"[]", form, visit)
		}
	}
}

// What the schema lets through and the parser refuses, entirely: JSON Schema can
// neither read a size or a duration, nor compare two keys, nor see a key that is
// given twice; that a key is a record's own it need not. There is nothing that the parser takes and the schema refuses.
func TestTheSchemaCannotTell(t *testing.T) {
	validate := schema(t)
	for name, texts := range map[string][]string{
		"the bounds of a size": {
			document("sink.batch.max_bytes", `"1023B"`), document("sink.batch.max_bytes", `"17MiB"`), document("sink.batch.max_bytes", `"99999999999999999999B"`),
			document("sink.buffer.max_bytes", `"1023B"`), document("sink.buffer.max_bytes", `"2GiB"`),
			document("bodies.request.max_bytes", `"0B"`), document("bodies.request.max_bytes", `"1025KiB"`), document("bodies.rules[].response.max_bytes", `"2MiB"`),
			document("bodies.max_held", `"63KiB"`), document("bodies.max_held", `"257MiB"`),
		},
		"the bounds of a duration": {
			document("sink.timeout", `"9ms"`), document("sink.timeout", `"5m1ns"`), document("sink.timeout", `"-1s"`), document("sink.timeout", `"0"`), document("sink.timeout", `"9999999999h"`),
			document("sink.batch.max_delay", `"61s"`), document("sink.retry.initial", `"9ms"`), document("sink.retry.max", `"61m"`), document("sink.retry.max_elapsed", `"25h"`),
			document("sampling.slow.over", `"999us"`),
		},
		"that a stream label is a key of resource or one of a list": {document("sink.labels", `["url.path"]`)},
		"that the first wait is at most the longest":                {document("sink.retry", `{"initial":"2s","max":"1s"}`)},
		"that a batch fits the buffer":                              {document("sink.buffer.max_bytes", `"1KiB"`)},
		"that a header of the sink's is Envoy's to set":             {document("sink.headers", `{"host":"a"}`), document("sink.headers", `{"content-length":"1"}`)},
		"that two keys are one to Loki":                             {`{"sink":{"cluster":"a","type":"loki"},"resource":{"a.b":"","a_b":""}}`},
		"that a key of resource is a record's own":                  {document("resource", `{"message":"a"}`), document("resource", `{"http_route":"a"}`)},
		"that a key is given twice":                                 {`{"query":"drop","query":"drop"}`, `{"resource":{"a":"b","a":"b"}}`, `{"redact":{"rules":[{"body":"a","body":"b"}]}}`},
		"that stream labels are Loki's":                             {`{"sink":{"cluster":"a","labels":[]}}`, `{"sink":{"cluster":"a","type":"otlp","labels":["severity"]}}`},
		"that a key is an object to Elasticsearch, or within a text": {
			elasticsearch(`"a":"","a.b":""`), elasticsearch(`"http":""`), elasticsearch(`"url.path.x":""`), elasticsearch(`"@timestamp":""`),
			elasticsearch(`"span.id.x":""`), elasticsearch(`"a..b":""`), elasticsearch(`".a":""`), elasticsearch(`"a.":""`), elasticsearch(`"a. .b":""`),
		},
		"that a worker holds what it is to record":     {`{"bodies":{"request":{"rate":1,"max_bytes":"65KiB"},"max_held":"64KiB"}}`, `{"bodies":{"rules":[{"response":{"rate":1,"max_bytes":"65KiB"}}],"max_held":"64KiB"}}`},
		"that a request to the sink holds both bodies": {`{"sink":{"cluster":"a"},"bodies":{"response":{"rate":0.1,"max_bytes":"129KiB"}}}`},
		"that a rule names one place":                  {`{"redact":{"rules":[{}]}}`, `{"redact":{"rules":[{"body":"a","query":"a"}]}}`},
		"that no two rules name the same":              {`{"redact":{"rules":[{"query":"a"},{"query":"a","mode":"remove"}]}}`},
		"that a path has a variable":                   {`{"redact":{"rules":[{"path":"/a"}]}}`},
		"that cookies alone are kept":                  {`{"redact":{"rules":[{"header":"a","mode":"keep"}]}}`},
		"that a hash has its key":                      {`{"redact":{"rules":[{"header":"a","mode":"hash"}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range texts {
				_, err := Parse([]byte(text))
				assert.Error(t, err, text)
				assert.NoError(t, validate(text), text)
			}
		})
	}
}

func elasticsearch(resource string) string {
	return `{"sink":{"cluster":"a","type":"elasticsearch"},"resource":{` + resource + `}}`
}

func TestTheSchemaGivesTheDefaultsThatTheParserTakes(t *testing.T) {
	c := Default()
	want, err := Parse([]byte(`{"sink":{"cluster":"a"}}`))
	require.NoError(t, err)
	want.SinkID = ""
	walk("", spec(&c), func(path string, f field) {
		value, ok := f.kind.schema()["default"]
		if !ok {
			return
		}
		got, err := Parse([]byte(document(path, marshal(t, value))))
		require.NoError(t, err, path)
		got.SinkID = ""
		if _, item, of := strings.Cut(path, "[]"); of {
			assert.Subset(t, []BodyRule{{Request: defaultBody(), Response: defaultBody()}}, got.Bodies.Rules, item)
			assert.Subset(t, []RedactRule{{Cookie: "a", Mode: Mask, Last: 4}}, got.Redact.Rules, item)
			got.Bodies.Rules = nil
		}
		got.Redact = want.Redact // rules have a key beside them
		if !strings.HasPrefix(path, "sink.") {
			got.Sink = want.Sink // it is there only with a cluster
		}
		assert.Equal(t, want, got, path)
	})
}
