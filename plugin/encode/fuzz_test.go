package encode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/record"
)

func FuzzEachDialectWritesValidJSON(f *testing.F) {
	f.Add("GET", "/a?b", "host:1", "HTTP/1.1", "x-a", "v\xff", int64(start), int64(200), int64(1e6), int64(0), int64(-1), byte(1))
	f.Add("POST", `{"a":[1,{"b":"\ud800"}],"c":{}}`, "host", "HTTP/2", "x.y", "[1e999,\n[]]", int64(start), int64(200), int64(1e6), int64(0), int64(-1), byte(1))
	f.Add("", "\x00", "[::1]:99999999", "", "\"", "", int64(-1), int64(0), int64(0), int64(-1), int64(1<<62), byte(255))
	all := dialects(f)
	f.Fuzz(func(t *testing.T, method, path, host, protocol, name, value string, begin, status, duration, grpc, flags int64, bits byte) {
		r := full()
		r.Start, r.Status, r.Duration, r.GRPC, r.Flags, r.Trace.Flags = begin, status, max(duration, 0), grpc, flags, bits
		r.Method, r.Path, r.Query, r.Host, r.Client, r.Protocol, r.Route, r.Cluster = method, path, value, host, host, protocol, value, name
		r.RequestHeaders = []record.Field{{Name: name, Values: []string{value, method}}}
		r.RespTrailers = []record.Field{{Name: name}}
		r.RequestContent, r.ResponseContent = contentOf(value), contentOf(path)
		for dialect, d := range all {
			if key := d.AppendKey(nil, &r); len(key) > 0 {
				labels := map[string]string{}
				require.NoError(t, json.Unmarshal(key, &labels), "%s: %q", dialect, key)
			}
			line := d.Append(nil, &r)
			if dialect == "elasticsearch" {
				action, document, _ := bytes.Cut(line, []byte("\n"))
				require.JSONEq(t, `{"create":{}}`, string(action))
				line = document
			}
			require.True(t, json.Valid(line), "%s: %q", dialect, line)
			require.Equal(t, strings.HasSuffix(string(line), "\n"), bytes.Count(line, []byte("\n")) == 1, "%s: %q", dialect, line)
		}
		got, err := read(all["ndjson"].Append(nil, &r))
		require.NoError(t, err)
		require.Equal(t, []any{valid(value), valid(method)}, got.(map[string]any)["http.request.header."+valid(name)])
	})
}

// contentOf takes a text for what it is: JSON, or a text.
func contentOf(s string) record.Content {
	s = strings.Trim(s, " \t\r\n")
	if json.Valid([]byte(s)) && strings.ContainsAny(s[:1], "{[") {
		return record.Content{Form: record.JSON, Text: s}
	}
	return record.Content{Form: record.Text, Text: s, Truncated: true}
}

func FuzzJSONIsTheSameAsAnAnyValue(f *testing.F) {
	for _, b := range bodies {
		f.Add(b.content.Text)
	}
	for _, s := range []string{`{`, `[`, `"`, `{"`, `{"a"`, `{"a":`, `{"a":{}`, `]`, `}`, `,`, `[,`, `{,`, `"\`, `"\u`, `"\ud800\`, `"\ud800\u`, `[tru]`, `nul`, `-`, "[1\f]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got := appendAnyValue([]byte("x"), doc)
		require.Equal(t, byte('x'), got[0])
		taken := (&flattened{}).takes(doc)
		if json.Valid([]byte(doc)) && hasTwins(doc) {
			require.False(t, taken, "a key stands twice in it")
		} else if json.Valid([]byte(doc)) {
			requireAnyValue(t, doc, string(got[1:]))
		}
	})
}
