package encode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkAppend(b *testing.B) {
	for name, d := range dialects(b) {
		b.Run(name, func(b *testing.B) {
			r := full()
			once := len(d.Append(d.AppendKey(nil, &r), &r))
			require.Greater(b, once, 1000)
			dst := make([]byte, 0, 2*once)
			b.ReportAllocs()
			b.SetBytes(int64(once))
			for b.Loop() {
				dst = d.Append(d.AppendKey(dst[:0], &r), &r)
			}
			require.Len(b, dst, once)
		})
	}
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
				dst = AppendString(dst[:0], s)
			}
			require.Greater(b, len(dst), len(s))
		})
	}
}
