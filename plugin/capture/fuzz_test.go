package capture

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/record"
)

func FuzzAListIsSpreadWithinItsBytes(f *testing.F) {
	whole := capturetest.Serialise([]byte("cart"), nil, capturetest.Int(200))
	f.Add(whole)
	for n := range whole {
		f.Add(whole[:n])
	}
	for _, at := range []int{0, 4, 7, 8, 11, 12, 20, 24, 27} {
		for _, b := range []byte{1, 0x7f, 0xff} {
			broken := append([]byte(nil), whole...)
			broken[at] = b
			f.Add(broken)
		}
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		got := make([][]byte, 3)
		s := &set{}
		for i := range got {
			s.attributes = append(s.attributes, attribute{set: func(_ *record.Record, value []byte) {
				require.Nil(t, got[i], "each is set once at most")
				require.NotEmpty(t, value)
				got[i] = value
			}})
		}
		if !s.spread(list, &record.Record{}) {
			return
		}
		size := 0
		for _, value := range got {
			size += len(value)
			number(value)
		}
		require.LessOrEqual(t, 4+8*3+size, len(list))
	})
}

func FuzzAnyBytesOfAHostAreCapturedAlikeWithCELAndWithout(f *testing.F) {
	f.Add("cart", "/a?b", "x-many", "\xff\x00", "00-"+traceID+"-"+spanID+"-01", int64(200))
	f.Add("", "", "b3", "0", "", int64(-1))
	f.Add("\xff", "?", "grpc-status", "14", "\n", int64(1<<62))
	c := parse(f, everything)
	f.Fuzz(func(t *testing.T, word, target, name, value, traceparent string, number int64) {
		host := func(without bool) *capturetest.Host {
			h := &capturetest.Host{WithoutCEL: without, Attributes: map[string][]byte{}}
			for path, v := range whole().Attributes {
				if h.Attributes[path] = []byte(word); len(v) == 8 && v[7] == 0 {
					h.Attributes[path] = capturetest.Int(number)
				}
			}
			h.Request = [][2]string{{":path", target}, {name, value}, {"traceparent", traceparent}, {"x-many", value}, {"x-request-id", word}}
			h.Response, h.Trailers, h.Answered = h.Request, h.Request, h.Request
			return h
		}
		with, without := capture(New(host(false), c, admits(true)), passed), capture(New(host(true), c, admits(true)), passed)
		require.Equal(t, without, with)
		require.GreaterOrEqual(t, with.Status, int64(0))
		require.GreaterOrEqual(t, with.Duration, int64(0))
		require.GreaterOrEqual(t, with.Flags, int64(0))
	})
}
