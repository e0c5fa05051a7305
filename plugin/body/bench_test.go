package body

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// copier takes the redactor's cost out of what is measured.
type copier struct{ fake }

func (*copier) JSON(dst, doc []byte, _ redact.Options) ([]byte, redact.Verdict) {
	return append(dst, doc...), redact.Redacted
}

// orders is a list of orders in JSON of about the given size, that packs as such lists do.
func orders(size int) string {
	random := rand.New(rand.NewPCG(1, 2))
	s := "["
	for len(s) < size-100 {
		s += fmt.Sprintf(`{"id":%d,"name":"customer %d","price":%.2f,"tags":["a","b"],"paid":true},`, random.IntN(1e9), random.IntN(1e5), random.Float64()*100)
	}
	return s + "null]"
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		doc := orders(size)
		zipped := encoded("gzip", pack(b, "gzip", doc))
		message := ""
		for i := 0; len(message) < size-100; i++ {
			message += bytesOf(1, varint(1, uint64(i))+bytesOf(2, "customer 12345")+fixed64(3, 4607182418800017408)+bytesOf(4, varint(1, 1)))
		}
		for _, c := range []struct {
			name string
			raw  *Raw
		}{{"plain", encoded("", doc)}, {"gzip", zipped}, {"grpc", entire("application/grpc", frame(0, message))}} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, c.name), func(b *testing.B) {
				config := config.Default()
				config.Bodies.GRPC = true
				d := New(&config, &copier{})
				b.ReportAllocs()
				b.SetBytes(int64(len(doc)))
				var got record.Content
				for b.Loop() {
					got = d.Decode(c.raw, 1<<20)
				}
				require.Equal(b, record.JSON, got.Form)
				require.Greater(b, len(got.Text), size/2)
			})
		}
	}
}
