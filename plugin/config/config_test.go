package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNothingAtAllIsTheDefaults(t *testing.T) {
	want := Default()
	want.Sink.Path = "/"
	for _, text := range []string{"", " \n\t", "{}", " {\n} "} {
		got, err := Parse([]byte(text))
		require.NoError(t, err, "%q", text)
		got.SinkID = ""
		assert.Equal(t, want, got, "%q", text)
		assert.False(t, got.Sink.Enabled())
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	got, err := Parse([]byte(`{
		"sink": {"type": "loki", "cluster": "logs", "authority": "logs:3100", "path": "/push?a=b", "headers": {"authorization": "Bearer x", "x-scope": ""},
			"timeout": "1m", "labels": ["team", "http.route"], "compression": "gzip", "max_in_flight": 64,
			"batch": {"max_bytes": "1KiB", "max_records": 1e3, "max_delay": "1.5s"},
			"retry": {"initial": "1m", "max": "1h", "max_elapsed": "0"},
			"buffer": {"max_bytes": "1GiB"}},
		"resource": {"team": "a", "service.name": "\u00e9\"\n"},
		"sampling": {"rate": 1.0, "follow_trace": false, "errors": 0, "slow": {"over": "1ms", "rate": 0.25}, "max_per_second": 0},
		"headers": {"request": ["user-agent"], "response": ["a", "b"], "request_trailers": ["c"], "response_trailers": ["grpc-message"]},
		"query": "keep",
		"bodies": {"request": {"rate": 0.5, "max_bytes": "512B", "content_types": ["text/*"]}, "response": {"rate": 1, "max_bytes": "1B", "content_types": []},
			"rules": [
				{"match": {"routes": ["shop", "a b"], "methods": ["POST", "M-SEARCH"], "headers": {"x-debug": "*", "x-a": ""}}, "response": {"rate": 0.1, "max_bytes": "512B"}},
				{"request": {"rate": 1, "max_bytes": "2B", "content_types": ["a/b"]}}
			],
			"grpc": true, "max_held": "1MiB", "max_ratio": 7},
		"redact": {"key": "0123456789abcdef", "detect": ["card", "private_key"], "rules": [
			{"body": "user.email"}, {"header": "x-session", "mode": "remove"}, {"cookie": "theme", "mode": "keep"}, {"query": "a b", "mode": "hash"},
			{"path": "/users/{id}", "mode": "last", "last": 2}
		]},
		"routes": {"templates": ["/users/{id}", "/", "/files/{path...}"], "max": 1},
		"istio": false,
		"metrics": {"labels": [], "max_series": 1000000}
	}`))
	require.NoError(t, err)
	require.NotEmpty(t, got.SinkID)
	got.SinkID = ""
	assert.Equal(t, Config{
		Sink: Sink{
			Type: Loki, Cluster: "logs", Authority: "logs:3100", Path: "/push?a=b", Headers: []Attribute{{"authorization", "Bearer x"}, {"x-scope", ""}},
			Timeout: time.Minute, Labels: []string{"team", "http.route"}, Compression: Gzip, MaxInFlight: 64,
			Batch:  Batch{MaxBytes: 1 << 10, MaxRecords: 1000, MaxDelay: 1500 * time.Millisecond},
			Retry:  Retry{Initial: time.Minute, Max: time.Hour},
			Buffer: Buffer{MaxBytes: 1 << 30},
		},
		Resource: []Attribute{{"team", "a"}, {"service.name", "é\"\n"}},
		Sampling: Sampling{Rate: 1, Slow: Slow{Over: time.Millisecond, Rate: 0.25}},
		Headers: Headers{Request: []string{"user-agent"}, Response: []string{"a", "b"}, RequestTrailers: []string{"c"},
			ResponseTrailers: []string{"grpc-message"}},
		Query: QueryKeep,
		Bodies: Bodies{
			Request:  Body{Rate: 0.5, MaxBytes: 512, ContentTypes: []string{"text/*"}},
			Response: Body{Rate: 1, MaxBytes: 1, ContentTypes: []string{}},
			Rules: []BodyRule{
				{Routes: []string{"shop", "a b"}, Methods: []string{"POST", "M-SEARCH"}, Headers: []Attribute{{"x-debug", "*"}, {"x-a", ""}},
					Request: defaultBody(), Response: Body{Rate: 0.1, MaxBytes: 512, ContentTypes: defaultBody().ContentTypes}},
				{Request: Body{Rate: 1, MaxBytes: 2, ContentTypes: []string{"a/b"}}, Response: defaultBody()},
			},
			GRPC: true, MaxHeld: 1 << 20, MaxRatio: 7,
		},
		Redact: Redact{Key: "0123456789abcdef", Detect: []string{DetectCard, DetectPrivateKey}, Rules: []RedactRule{
			{Body: "user.email", Mode: Mask, Last: 4}, {Header: "x-session", Mode: Remove, Last: 4}, {Cookie: "theme", Mode: Keep, Last: 4},
			{Query: "a b", Mode: Hash, Last: 4}, {Path: "/users/{id}", Mode: Last, Last: 2},
		}},
		Routes:  Routes{Templates: []string{"/users/{id}", "/", "/files/{path...}"}, Max: 1},
		Metrics: Metrics{Labels: []string{}, MaxSeries: 1_000_000},
	}, got)
}

func TestTheSinksHostIsOneThatServersTake(t *testing.T) {
	for cluster, want := range map[string]string{
		"logs":           "logs",
		"logs_2.Example": "logs_2.Example",
		"[::1]:80":       "[::1]:80",
		"outbound|9428||logs.observability.svc.cluster.local": "logs.observability.svc.cluster.local:9428",
		"outbound|80|v1|logs.example.com":                     "logs.example.com:80",
		"httproute/default/routelens-sink/rule/0":             "httproute-default-routelens-sink-rule-0",
		"a|b":  "a-b",
		"lögs": "l-gs",
	} {
		c, err := Parse([]byte(`{"sink":{"cluster":"` + cluster + `"}}`))
		require.NoError(t, err)
		assert.Equal(t, want, c.Sink.Authority)
	}
}

func TestDefaultsHangOnOtherKeys(t *testing.T) {
	ndjson, err := Parse([]byte(`{"sink":{"cluster":"logs"}}`))
	require.NoError(t, err)
	assert.Equal(t, "logs", ndjson.Sink.Authority)
	assert.Equal(t, "/", ndjson.Sink.Path)
	assert.Empty(t, ndjson.Sink.Labels)
	for kind, path := range map[string]string{
		Loki: "/loki/api/v1/push", OTLP: "/v1/logs", Elasticsearch: "/logs-routelens-default/_bulk?filter_path=errors,items.*.status,items.*.error.type",
	} {
		c, err := Parse([]byte(`{"sink":{"cluster":"logs","type":"` + kind + `"}}`))
		require.NoError(t, err)
		assert.Equal(t, path, c.Sink.Path)
		assert.Equal(t, kind == Loki, len(c.Sink.Labels) == 2)
	}
	none, err := Parse([]byte(`{"sink":{"cluster":"logs","type":"loki","labels":[]}}`))
	require.NoError(t, err)
	assert.Empty(t, none.Sink.Labels, "as given")
}

func TestBodiesAreWantedWhereAnyRateIs(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`:                                 false,
		`{"bodies":{"rules":[{}]}}`:          false,
		`{"bodies":{"request":{"rate":1}}}`:  true,
		`{"bodies":{"response":{"rate":1}}}`: true,
		`{"bodies":{"rules":[{},{"request":{"rate":0.1}}]}}`:  true,
		`{"bodies":{"rules":[{},{"response":{"rate":0.1}}]}}`: true,
	} {
		c, err := Parse([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, c.Bodies.Wanted(), text)
	}
}

func TestBodyPathsPartAtTheirDots(t *testing.T) {
	for path, want := range map[string][]string{
		"a": {"a"}, "user.email": {"user", "email"}, "cards.#.pan": {"cards", "#", "pan"}, "**.a": {"**", "a"},
		`a\.b.c`: {`a\.b`, "c"}, `\\.b`: {`\\`, "b"}, `\*`: {`\*`}, "é.ü": {"é", "ü"}, `\é`: {`\é`}, " ": {" "},
	} {
		got, ok := SplitBodyPath(path)
		assert.True(t, ok, path)
		assert.Equal(t, want, got, path)
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", `\`, `a\`, `a.\`, "a\n", "\x7f", `\` + "\x00"} {
		_, ok := SplitBodyPath(path)
		assert.False(t, ok, "%q", path)
	}
}

func TestASinksIdentity(t *testing.T) {
	id := func(text string) string {
		c, err := Parse([]byte(text))
		require.NoError(t, err, text)
		return c.SinkID
	}
	base := id(`{"sink":{"cluster":"logs"},"resource":{"a":"b"}}`)
	t.Run("is the same however the text is laid out and whatever else is configured", func(t *testing.T) {
		for _, same := range []string{
			"{ \"resource\" : {\"a\": \"b\"},\n \"sink\": {\t\"cluster\": \"logs\" } }",
			`{"sink":{"cluster":"logs"},"resource":{"a":"b"},"sampling":{"rate":1},"metrics":{"max_series":7}}`,
		} {
			assert.Equal(t, base, id(same), same)
		}
	})
	t.Run("differs where sink or resource differ", func(t *testing.T) {
		seen := map[string]string{}
		for _, text := range []string{
			`{}`,
			`{"sink":{"cluster":"logs"}}`,
			`{"sink":{"cluster":"logs"},"resource":{"a":"b"}}`,
			`{"sink":{"cluster":"logs"},"resource":{"a":" b"}}`,
			`{"sink":{"cluster":"logs2"},"resource":{"a":"b"}}`,
			`{"sink":{"cluster":"logs","type":"loki"},"resource":{"a":"b"}}`,
			`{"sink":{"cluster":"logs","headers":{"authorization":"other"}},"resource":{"a":"b"}}`,
		} {
			assert.Empty(t, seen[id(text)], text)
			seen[id(text)] = text
		}
	})
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int{
		"0B": 0, "1B": 1, "007KiB": 7 << 10, "256KiB": 256 << 10, "1MiB": 1 << 20, "1GiB": 1 << 30, "1024MiB": 1 << 30, "1073741824B": 1 << 30,
	} {
		got, ok := parseSize(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "B", "KiB", "1", "1K", "1KB", "1kib", "-1B", "+1B", " 1B", "1 KiB", "1B ", "1.5MiB", "1e3B", "0x1B", "1_0B",
		"2GiB", "1073741825B", "2147483648B", "4294967297B", "99999999999999999999B", "2097152KiB", "1KiBB", "١B"} {
		_, ok := parseSize(text)
		assert.False(t, ok, "%q", text)
	}
	for _, n := range []int{0, 1, 1023, 1 << 10, 1<<10 + 1, 1 << 20, 3 << 20, 1 << 30} {
		got, ok := parseSize(sizeText(n))
		assert.True(t, ok)
		assert.Equal(t, n, got, "what is written reads back")
	}
}

func TestTemplates(t *testing.T) {
	for _, good := range []string{"/", "/a", "/a/", "//", "/a//b", "/{id}", "/{id}/", "/{A_9}/b", "/{rest...}", "/a/{b}/{rest...}", "/...", "/a.b-c~d", "/%7Bid%7D", "/é"} {
		assert.True(t, isTemplate(good), good)
	}
	for _, bad := range []string{"", "a", "a/b", "/{}", "/{", "/}", "/{a", "/a}", "/{a}b", "/b{a}", "/{a}{b}", "/{a b}", "/{a-b}", "/{é}", "/{...}", "/{a...}/b", "/{a...}/",
		"/{a....}", "/{a......}", "/{{a}}", "/a b", "/a\tb", "/a\x00", "/a\x7f", "/ "} {
		assert.False(t, isTemplate(bad), bad)
	}
}

func TestProblemsAreOneALine(t *testing.T) {
	_, err := Parse([]byte(`{"a\nb":1,"sink":{"type":"x
y"}}`))
	require.Error(t, err, "a raw line feed in a text is no JSON")
	_, err = Parse([]byte(`{"a\nb":1,"` + strings.Repeat("k", 5000) + `":1,"":1,"sink":{"type":"x\ny"}}`))
	var problems Problems
	require.ErrorAs(t, err, &problems)
	assert.Len(t, strings.Split(err.Error(), "\n"), len(problems))
	assert.Less(t, len(err.Error()), 1000)
}
