package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
)

func TestAFrameFitsABatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int // of records
		want  []int // records in each frame
		lost  uint64
	}{
		{"small records fill a frame", []int{200, 200, 200, 200, 200, 200}, []int{4, 2}, 0},
		{"a record that would burst the frame begins the next", []int{500, 600, 100}, []int{1, 2}, 0},
		{"one as large as a batch has a frame to itself", []int{100, 1000, 100}, []int{1, 1, 1}, 0},
		{"one larger than a batch is dropped", []int{100, 1100, 100}, []int{2}, 1},
		{"as many records as a batch takes", []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{8, 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			stats := stats{values: map[string]uint64{}}
			var frames []queue.Frame
			w := &worker{
				pipeline: metrics.NewPipeline(&stats, nil, nil), dialect: dialect{}, maxRecord: 1024, fullFrame: 1024, fullCount: 8,
				enqueue: func(b []byte) bool {
					f, ok := queue.Parse(append([]byte(nil), b...))
					require.True(t, ok)
					frames = append(frames, f)
					return true
				},
			}
			b := queue.NewBuilder(queue.Ordinary)
			for _, n := range c.sizes {
				w.emit(b, &record.Record{Path: strings.Repeat("x", n-1)})
			}
			w.send(b)
			var got []int
			for _, f := range frames {
				got = append(got, f.Count)
				if f.Count > 1 {
					assert.LessOrEqual(t, len(f.Bytes()), 1024)
				}
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.lost, stats.values["reason=.=too_large;.;"+metrics.Dropped])
			assert.Equal(t, uint64(len(c.sizes)), stats.values[metrics.Emitted])
		})
	}
}

// dialect encodes a record as its path on a line.
type dialect struct{ name }

func (dialect) Envelope() encode.Envelope { return encode.Envelope{} }

func TestARecordTooLargeForItsBodiesIsSentWithoutThem(t *testing.T) {
	content := func(n int) record.Content {
		return record.Content{Form: record.Text, Text: strings.Repeat("y", n)}
	}
	for _, c := range []struct {
		name              string
		path              int // bytes
		request, response record.Content
		sent              int // bytes; 0: it is dropped
		omitted           uint64
	}{
		{"it fits", 100, content(400), content(500), 1000, 0},
		{"both bodies are too much", 100, content(500), content(500), 100, 2},
		{"one is", 100, record.Content{}, content(2000), 100, 1},
		{"one is, and the other was left out already", 100, record.Content{Omitted: record.OfGRPC}, content(2000), 100, 1},
		{"it is too large without them", 1100, content(1), content(1), 0, 0},
		{"it has none", 1100, record.Content{}, record.Content{}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			stats := stats{values: map[string]uint64{}}
			w := &worker{pipeline: metrics.NewPipeline(&stats, nil, record.Omissions()), dialect: withContents{}, maxRecord: 1024, fullFrame: 1 << 20, fullCount: 8}
			b := queue.NewBuilder(queue.Ordinary)
			w.emit(b, &record.Record{Path: strings.Repeat("x", c.path), RequestContent: c.request, ResponseContent: c.response})
			f, ok := queue.Parse(b.Frame())
			require.True(t, ok)
			sent := 0
			f.Each(func(_, record []byte) { sent = len(record) })
			assert.Equal(t, c.sent, sent)
			assert.Equal(t, c.omitted, stats.values["reason=.=no_room;.;"+metrics.BodiesOmitted])
			assert.Equal(t, map[bool]uint64{true: 1}[c.sent == 0], stats.values["reason=.=too_large;.;"+metrics.Dropped])
		})
	}
}

// withContents encodes a record as its path and its contents.
type withContents struct{ dialect }

func (withContents) AppendKey(dst []byte, _ *record.Record) []byte { return dst }
func (withContents) Append(dst []byte, r *record.Record) []byte {
	return append(append(append(dst, r.Path...), r.RequestContent.Text...), r.ResponseContent.Text...)
}
