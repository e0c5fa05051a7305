package export_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/export/sinktest"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
)

func newGzipRig(t testing.TB) *rig {
	r := newRig(t, nil)
	s := settings()
	s.Compression, s.Type = config.Gzip, config.Elasticsearch
	s.Batch.MaxBytes, s.Batch.MaxRecords, s.Buffer.MaxBytes = 1<<20, 10_000, 8<<20
	r.Exporter = export.New(&config.Config{Sink: s}, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(string) {})
	return r
}

func inflated(t *testing.T, q *sinktest.Request) string {
	require.Equal(t, "gzip", q.Encoding)
	reader, err := gzip.NewReader(bytes.NewReader(q.Body))
	require.NoError(t, err)
	body, err := io.ReadAll(reader)
	require.NoError(t, err)
	return string(body)
}

func TestABodyIsGzippedWhereThatGainsSomething(t *testing.T) {
	for _, c := range []struct {
		name string
		add  func(r *rig) (body string)
		gzip bool
	}{
		{"a large one", func(r *rig) string {
			r.add(queue.Ordinary, strings.Repeat("x", 1000), 3)
			return strings.Repeat("x", 1000) + "0\n" + strings.Repeat("x", 1000) + "1\n" + strings.Repeat("x", 1000) + "2\n"
		}, true},
		{"a small one", func(r *rig) string { r.add(queue.Ordinary, "x", 2); return "x0\nx1\n" }, false},
		{"one that is as good as random", func(r *rig) string {
			random := rand.New(rand.NewPCG(1, 2))
			b := make([]byte, 5000)
			for i := range b {
				b[i] = byte(random.IntN(256))
			}
			r.add(queue.Ordinary, string(b), 1)
			return string(b) + "0\n"
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newGzipRig(t)
			for range 2 { // the writer is used again
				body := c.add(r)
				r.late()
				q := r.sink.Open()[0]
				if c.gzip {
					assert.Equal(t, body, inflated(t, q))
					assert.Less(t, len(q.Body), len(body))
				} else {
					assert.Empty(t, q.Encoding)
					assert.Equal(t, body, string(q.Body))
				}
				r.say(200, `{"errors":false}`)
			}
		})
	}
}

func TestWhatIsSentAgainIsCompressedAgain(t *testing.T) {
	r := newGzipRig(t)
	long := strings.Repeat("x", 1500)
	r.add(queue.Ordinary, long, 3)
	r.late()
	require.Equal(t, 3, strings.Count(inflated(t, r.sink.Open()[0]), "\n"))
	r.say(200, items(429, 201, 429))
	r.pass(time.Second)
	assert.Equal(t, long+"0\n"+long+"2\n", inflated(t, r.sink.Open()[0]))
	r.say(503, "")
	r.pass(time.Second)
	assert.Equal(t, long+"0\n"+long+"2\n", inflated(t, r.sink.Open()[0]))
}

func BenchmarkGzip(b *testing.B) {
	r := newGzipRig(b)
	var records []queue.Frame
	random := rand.New(rand.NewPCG(1, 2))
	for range 16 {
		builder := queue.NewBuilder(queue.Ordinary)
		for builder.Len() < queue.FrameSize {
			builder.Add(lines{}, &record.Record{Path: fmt.Sprintf(`{"time":"2026-11-25T19:30:00.%09dZ","severity":"INFO","message":"GET /orders/%d/items 200 %dms","service.name":"shop","http.request.method":"GET","url.path":"/orders/%d/items","http.route":"/orders/{id}/items","http.response.status_code":200,"trace_id":"%016x%016x","span_id":"%016x","duration":0.%06d}`,
				random.IntN(1e9), random.IntN(1e6), random.IntN(1000), random.IntN(1e6), random.Uint64(), random.Uint64(), random.Uint64(), random.IntN(1e6))})
		}
		f, ok := queue.Parse(append([]byte(nil), builder.Frame()...))
		require.True(b, ok)
		records = append(records, f)
	}
	size, sent := 0, 0
	for _, f := range records {
		size += len(f.Bytes())
	}
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, f := range records {
			r.Add(f, r.now)
		}
		r.Pump(r.now, true)
		sent = len(r.sink.Requests[0].Body)
		require.Equal(b, "gzip", r.sink.Requests[0].Encoding)
		r.sink.Requests[0].Say(r.now, 200, `{"errors":false}`)
		r.sink.Requests = r.sink.Requests[:0]
	}
	b.ReportMetric(float64(size)/float64(sent), "ratio")
}
