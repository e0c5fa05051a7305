package redact

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

var tenRules = []string{
	"user.email", "user.phone hash", "cards.#.pan last", "**.password", "**.secret remove", "*token*", "items.#.customer.name", "a.b.c", "**.address.street", `meta.x\.y`,
}

// order is a document of about size bytes.
func order(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"id":"ord_8f3a","user":{"name":"Jane","email":"jane@example.org","phone":"+49 170 1234567"},"cards":[{"pan":"4111111111111111","exp":"12/29"}],"items":[`)
	for i := 0; b.Len() < size-250; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"sku-%d","title":"A thing with a name, \"quoted\"","price":%d.95,"qty":%d,"customer":{"name":"J"},"tags":["a","b"],"ok":true}`, i, i, i%7)
	}
	b.WriteString(`],"password":"s3cr3t","created":"2026-11-25T19:00:00Z"}`)
	return []byte(b.String())
}

func BenchmarkJSON(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for name, detect := range map[string][]string{"rules": nil, "rules and detectors": config.Detectors} {
			b.Run(fmt.Sprintf("%s, %d KiB", name, size>>10), func(b *testing.B) {
				r := New(&config.Redact{Key: key, Rules: rules(tenRules...), Detect: detect})
				doc := order(size)
				dst := make([]byte, 0, 2*size)
				verdict := Invalid
				b.ReportAllocs()
				b.SetBytes(int64(len(doc)))
				for b.Loop() {
					dst, verdict = r.JSON(dst[:0], doc, Options{})
				}
				require.Equal(b, Redacted, verdict)
				require.NotContains(b, string(dst), "s3cr3t")
				require.Contains(b, string(dst), "[masked]1111")
			})
		}
	}
}

func BenchmarkForm(b *testing.B) {
	r := New(&config.Redact{Key: key, Rules: rules(tenRules...), Detect: config.Detectors})
	form := []byte(strings.Repeat("user[name]=Jane+Doe&user[email]=jane%40example.org&password=s3cr3t&items[0][sku]=1&", 12) + "end=1")
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(form)))
	for b.Loop() {
		dst, _ = r.Form(dst[:0], form, false)
	}
	require.NotContains(b, string(dst), "s3cr3t")
}
