package jsontext

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
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
		require.Equal(t, string([]rune(s)), got)
	})
}
