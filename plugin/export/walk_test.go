package export_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/export/sinktest"
	"github.com/routelens/routelens/plugin/queue"
)

// TestOnAnyWalkEachRecordIsAccountedForOnce walks an exporter at random, and
// follows each record by its name.
func TestOnAnyWalkEachRecordIsAccountedForOnce(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 20
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { walk(t, rand.New(rand.NewPCG(uint64(seed), 2))) })
	}
}

func walk(t *testing.T, random *rand.Rand) {
	s := settings()
	s.MaxInFlight = 1 + random.IntN(4)
	s.Batch.MaxBytes, s.Batch.MaxRecords = 100+random.IntN(2000), 1+random.IntN(30)
	s.Buffer.MaxBytes = 2000 + random.IntN(8000)
	s.Retry.MaxElapsed = time.Duration(random.IntN(20)) * time.Second
	r, most := newRig(t, nil), s.MaxInFlight
	r.Exporter = export.New(&config.Config{Sink: s}, encode.Envelope{}, r.sink.Send, r.ledger, random.Float64, func(string) {})
	added, given, forgotten, accepted := 0, 0, 0, map[string]int{}
	check := func() {
		h := r.Holding()
		require.Equal(t, added, r.ledger.Sum()+given+forgotten+int(h.Waiting)+int(h.InFlight))
		require.LessOrEqual(t, r.open(), most)
		if h == (queue.Holding{}) {
			require.Zero(t, r.Bytes())
		}
	}
	stale := map[*sinktest.Request]bool{} // sent before Forget
	for i := range 500 {
		r.now = r.now.Add(time.Duration(random.IntN(400)) * time.Millisecond)
		r.sink.Refuse = nil
		if random.IntN(20) == 0 {
			r.sink.Refuse = errors.New("refused")
		}
		switch random.IntN(12) {
		case 0, 1, 2:
			n := 1 + random.IntN(8)
			r.add(queue.Class(random.IntN(int(queue.Classes))), fmt.Sprint("r", i, strings.Repeat("x", random.IntN(200)), "-"), n)
			added += n
		case 3, 4, 5, 6, 7, 8:
			if open := r.sink.Open(); len(open) > 0 {
				q := open[random.IntN(len(open))]
				status := []int{200, 204, 200, 0, 429, 500, 400}[random.IntN(7)]
				if status/100 == 2 && !stale[q] {
					for name := range strings.Lines(string(q.Body)) {
						accepted[name]++
					}
				}
				var headers [][2]string
				if random.IntN(3) == 0 {
					headers = [][2]string{{"retry-after", fmt.Sprint(random.IntN(3))}}
				}
				q.Answer(r.now, status, headers...)
			}
		case 9:
			r.Pump(r.now, random.IntN(2) == 0)
		case 10:
			if random.IntN(10) == 0 {
				r.GiveBack(func(b []byte) bool {
					f, ok := queue.Parse(b)
					require.True(t, ok)
					taken := random.IntN(4) > 0
					if taken {
						given += f.Count
					}
					return taken
				})
			}
		case 11:
			if random.IntN(20) == 0 {
				h := r.Holding()
				forgotten += int(h.Waiting) + int(h.InFlight)
				r.Forget()
				for _, q := range r.sink.Open() {
					stale[q] = true
				}
				most += len(r.sink.Open()) // the proxy still has them under way
			}
		}
		r.pump()
		check()
	}
	for range 200 { // at the end the sink is well
		r.now = r.now.Add(time.Second)
		r.sink.Refuse = nil
		r.Pump(r.now, true)
		for _, q := range r.sink.Open() {
			if !stale[q] {
				for name := range strings.Lines(string(q.Body)) {
					accepted[name]++
				}
			}
			q.Answer(r.now, 200)
		}
		check()
	}
	require.Equal(t, queue.Holding{}, r.Holding())
	require.Len(t, accepted, r.ledger.Done)
	for name, times := range accepted {
		require.Equal(t, 1, times, name)
	}
}

func BenchmarkAddPumpAnswer(b *testing.B) {
	r := newRig(b, func(s *config.Sink) { s.Batch.MaxBytes, s.Batch.MaxRecords = 256<<10, 2000 })
	f := frame(b, queue.Ordinary, strings.Repeat("x", 800), 20)
	b.ReportAllocs()
	b.SetBytes(int64(len(f.Bytes())))
	sent := 0
	for b.Loop() {
		r.Add(f, r.now)
		r.Pump(r.now, true)
		r.sink.Requests[0].Answer(r.now, 200)
		r.sink.Requests = r.sink.Requests[:0]
		sent += 20
	}
	require.Equal(b, sent, r.ledger.Done)
}
