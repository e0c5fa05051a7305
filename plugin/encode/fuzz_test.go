package encode

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/record"
)

func FuzzAppendStringIsWhatJSONReadsBack(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "caf\xc3\xa9", "\xff", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\u2028\ufffd", "\xef\xbf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := AppendString([]byte("x"), s)
		require.Equal(t, byte('x'), encoded[0])
		require.True(t, json.Valid(encoded[1:]), "%q", encoded)
		var got string
		require.NoError(t, json.Unmarshal(encoded[1:], &got))
		require.Equal(t, valid(s), got)
	})
}

func FuzzEachDialectWritesValidJSON(f *testing.F) {
	f.Add("GET", "/a?b", "host:1", "HTTP/1.1", "x-a", "v\xff", int64(start), int64(200), int64(1e6), int64(0), int64(-1), byte(1))
	f.Add("", "\x00", "[::1]:99999999", "", "\"", "", int64(-1), int64(0), int64(0), int64(-1), int64(1<<62), byte(255))
	all := dialects(f)
	f.Fuzz(func(t *testing.T, method, path, host, protocol, name, value string, begin, status, duration, grpc, flags int64, bits byte) {
		r := full()
		r.Start, r.Status, r.Duration, r.GRPC, r.Flags, r.Trace.Flags = begin, status, max(duration, 0), grpc, flags, bits
		r.Method, r.Path, r.Query, r.Host, r.Client, r.Protocol, r.Route, r.Cluster = method, path, value, host, host, protocol, value, name
		r.RequestHeaders = []record.Field{{Name: name, Values: []string{value, method}}}
		r.RespTrailers = []record.Field{{Name: name}}
		for dialect, d := range all {
			if key := d.AppendKey(nil, &r); len(key) > 0 {
				labels := map[string]string{}
				require.NoError(t, json.Unmarshal(key, &labels), "%s: %q", dialect, key)
			}
			line := d.Append(nil, &r)
			require.True(t, json.Valid(line), "%s: %q", dialect, line)
		}
		got := map[string]any{}
		require.NoError(t, json.Unmarshal(all["ndjson"].Append(nil, &r), &got))
		require.Equal(t, []any{valid(value), valid(method)}, got["http.request.header."+valid(name)])
	})
}
