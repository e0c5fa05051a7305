package encode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

func BenchmarkAppend(b *testing.B) {
	for name, d := range dialects(b) {
		for kind, r := range map[string]record.Record{"full": full(), "ordinary": exchanges()[1].record, "body of 1 KiB": ofKiB(1), "body of 64 KiB": ofKiB(64)} {
			benchmarkAppend(b, name+", "+kind, d, &r)
		}
	}
}

// ofKiB is an ordinary record with a JSON body of that size.
func ofKiB(n int) record.Record {
	r := exchanges()[1].record
	const item = `{"id":12345,"name":"Widget \"L\"","tags":["a","b"],"price":9.99}`
	r.ResponseContent = record.Content{Form: record.JSON, Text: "[" + strings.Repeat(item+",", n<<10/len(item)) + item + "]"}
	return r
}

func benchmarkAppend(b *testing.B, name string, d Dialect, r *record.Record) {
	b.Run(name, func(b *testing.B) {
		once := len(d.Append(d.AppendKey(nil, r), r))
		require.Greater(b, once, 300)
		dst := make([]byte, 0, 2*once)
		b.ReportAllocs()
		b.SetBytes(int64(once))
		for b.Loop() {
			dst = d.Append(d.AppendKey(dst[:0], r), r)
		}
		require.Len(b, dst, once)
	})
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"clean":   strings.Repeat("Mozilla/5.0 (X11; Linux x86_64) ", 8),
		"escapes": strings.Repeat("a\"b\\c\n\xff", 32),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 6*len(s))
			b.ReportAllocs()
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				dst = jsontext.AppendString(dst[:0], s)
			}
			require.Greater(b, len(dst), len(s))
		})
	}
}
