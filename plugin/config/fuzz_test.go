package config

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParseGivesAValueInBoundsOrEveryProblem(f *testing.F) {
	for key, values := range agreed {
		for _, value := range append(values.good, values.bad...) {
			f.Add([]byte(document(key, value)))
		}
	}
	f.Add([]byte{})
	f.Add([]byte("\ufeff{}"))
	f.Add([]byte("{\"resource\":{\"\xff\":\"\\ud800\"}}"))
	f.Add([]byte(`{"bodies":{"rules":[{"match":{"routes":["a"]},"request":{"rate":1}},{}]},"redact":{"rules":[{"body":"a"},{"cookie":"b","mode":"keep"}]}}`))
	f.Add([]byte(`{"sink":{"cluster":"a","type":"elasticsearch"},"resource":{"a":"","a.b":""}}`))
	f.Add([]byte(`{"sink":{"cluster":"a","type":"loki","labels":["x"],"retry":{"initial":"1m","max":"1s"}},"resource":{"x":"y"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err == nil {
			requireInBounds(t, &c)
			return
		}
		require.Equal(t, Config{}, c)
		var problems Problems
		require.True(t, errors.As(err, &problems), "%T", err)
		require.NotEmpty(t, problems)
		for _, p := range problems {
			require.NotEmpty(t, p.Path)
			require.NotEmpty(t, p.Rule)
			require.LessOrEqual(t, len(p.Found), maxShown+len("…"))
		}
		require.False(t, json.Valid(data) && problems[0].Rule == "must be valid JSON")
	})
}

// requireInBounds holds every value to its own kind: written out and read
// again, it is taken.
func requireInBounds(t *testing.T, c *Config) {
	require.NotEmpty(t, c.Sink.Path)
	require.Equal(t, c.Sink.Enabled(), c.Sink.Authority != "")
	require.LessOrEqual(t, c.Sink.Retry.Initial, c.Sink.Retry.Max)
	require.LessOrEqual(t, c.Sink.Batch.MaxBytes, c.Sink.Buffer.MaxBytes)
	for _, rule := range c.Redact.Rules {
		_, _, places := rule.place()
		require.Equal(t, 1, places)
		require.True(t, rule.Mode != Hash || c.Redact.Key != "", "a hash has its key")
	}
	inBounds := func(path string, f field) {
		switch k := f.kind.(type) {
		case required:
			require.True(t, *k.to == "" || k.rule.ok(*k.to), path)
		case text:
			require.True(t, *k.to == "" || k.rule.ok(*k.to), path)
		case texts:
			seen := map[string]bool{}
			for _, s := range *k.to {
				require.True(t, k.rule.ok(s) && !seen[s], path)
				seen[s] = true
			}
		case dictionary:
			seen := map[string]bool{}
			for _, a := range *k.to {
				require.True(t, k.names.ok(a.Name) && k.values.ok(a.Value) && !seen[a.Name], path)
				seen[a.Name] = true
			}
		case choice:
			require.Contains(t, k.among, *k.to, path)
		case number:
			require.True(t, *k.to >= k.min && *k.to <= k.max, path)
		case integer:
			require.True(t, *k.to >= k.min && *k.to <= k.max, path)
		case size:
			require.True(t, *k.to >= k.min && *k.to <= k.max, path)
		case duration:
			require.True(t, *k.to >= k.min && *k.to <= k.max, path)
		case boolean, object, objects:
		default:
			t.Fatalf("%s: %T has no bounds", path, k)
		}
	}
	walk("", spec(c), inBounds)
	for i := range c.Bodies.Rules {
		walk("", bodyRule(&c.Bodies.Rules[i]), inBounds)
	}
	for i := range c.Redact.Rules {
		walk("", redactRule(&c.Redact.Rules[i]), inBounds)
	}
}

func FuzzACredentialIsNeverShown(f *testing.F) {
	const credential = "s3cr3t"
	for _, text := range []string{`"s3cr3t"`, `"s3cr3t`, `["s3cr3t"]`, `{"x":"s3cr3t"}`, `{"A":"s3cr3t"}`, `{"x":{"y":"s3cr3t"}}`, `{"x":"s3cr3t\n"}`, `{"x":"s3cr3t"}}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, headers string) {
		if path, err := json.Marshal("?" + headers); err == nil { // of the sink, with the text as its query
			_, err := Parse([]byte(`{"sink":{"cluster":"a","path":` + string(path) + `}}`))
			require.ErrorContains(t, err, `; found ""`)
		}
		for _, document := range []string{
			`{"sink":{"cluster":"a","headers":{"x":` + headers + `}}}`,
			`{"sink":{"headers":` + headers + `,"headers":` + headers + `}}`,
			`{"sink":{"headers":{}},"sink":{"headers":` + headers + `}}`,
			`{"sink":[{"headers":` + headers + `}]}`,
			`[{"sink":{"headers":` + headers + `}}]`,
			`{"redact":{"key":` + headers + `}}`,
			`{"redact":{"key":` + headers + `,"key":` + headers + `}}`,
			`{"redact":` + headers + `}`,
			`{"redact":{"rules":[]},"redact":{"key":` + headers + `}}`,
			`{"redact":[{"key":` + headers + `}]}`,
			`{"bodies":{"rules":[{"match":{"headers":{"x":` + headers + `}}}]}}`,
			`{"bodies":{"rules":[{"match":{"headers":` + headers + `}}]}}`,
		} {
			if _, err := Parse([]byte(document)); err != nil {
				for _, p := range err.(Problems) {
					if strings.HasPrefix(p.Path, "sink.headers") || strings.Contains(p.Path, ".match.headers") || slices.Contains([]string{"sink", "redact", "redact.key", "configuration"}, p.Path) {
						require.NotContains(t, p.Found, credential, document)
					}
				}
			}
		}
	})
}
