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
			"timeout": "1m", "labels": ["team", "http.route"], "max_in_flight": 64,
			"batch": {"max_bytes": "1KiB", "max_records": 1e3, "max_delay": "1.5s"},
			"retry": {"initial": "1m", "max": "1h", "max_elapsed": "0"},
			"buffer": {"max_bytes": "1GiB"}},
		"resource": {"team": "a", "service.name": "\u00e9\"\n"},
		"sampling": {"rate": 1.0, "follow_trace": false, "errors": 0, "slow": {"over": "1ms", "rate": 0.25}, "max_per_second": 0},
		"headers": {"request": ["user-agent"], "response": ["a", "b"], "request_trailers": ["c"], "response_trailers": ["grpc-message"], "mask": ["x-session"]},
		"query": {"mode": "mask", "mask": ["token", "a b"]},
		"routes": {"templates": ["/users/{id}", "/", "/files/{path...}"], "max": 1},
		"metrics": {"labels": [], "max_series": 1000000}
	}`))
	require.NoError(t, err)
	require.NotEmpty(t, got.SinkID)
	got.SinkID = ""
	assert.Equal(t, Config{
		Sink: Sink{
			Type: Loki, Cluster: "logs", Authority: "logs:3100", Path: "/push?a=b", Headers: []Attribute{{"authorization", "Bearer x"}, {"x-scope", ""}},
			Timeout: time.Minute, Labels: []string{"team", "http.route"}, MaxInFlight: 64,
			Batch:  Batch{MaxBytes: 1 << 10, MaxRecords: 1000, MaxDelay: 1500 * time.Millisecond},
			Retry:  Retry{Initial: time.Minute, Max: time.Hour},
			Buffer: Buffer{MaxBytes: 1 << 30},
		},
		Resource: []Attribute{{"team", "a"}, {"service.name", "é\"\n"}},
		Sampling: Sampling{Rate: 1, Slow: Slow{Over: time.Millisecond, Rate: 0.25}},
		Headers: Headers{Request: []string{"user-agent"}, Response: []string{"a", "b"}, RequestTrailers: []string{"c"},
			ResponseTrailers: []string{"grpc-message"}, Mask: []string{"x-session"}},
		Query:   Query{Mode: QueryMask, Mask: []string{"token", "a b"}},
		Routes:  Routes{Templates: []string{"/users/{id}", "/", "/files/{path...}"}, Max: 1},
		Metrics: Metrics{Labels: []string{}, MaxSeries: 1_000_000},
	}, got)
}

func TestDefaultsHangOnOtherKeys(t *testing.T) {
	ndjson, err := Parse([]byte(`{"sink":{"cluster":"logs"}}`))
	require.NoError(t, err)
	assert.Equal(t, "logs", ndjson.Sink.Authority)
	assert.Equal(t, "/", ndjson.Sink.Path)
	loki, err := Parse([]byte(`{"sink":{"cluster":"logs","type":"loki"}}`))
	require.NoError(t, err)
	assert.Equal(t, "/loki/api/v1/push", loki.Sink.Path)
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
