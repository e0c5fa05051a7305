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
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
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
	s.Type = []string{config.NDJSON, config.OTLP, config.Elasticsearch, config.Loki}[random.IntN(4)]
	envelope := encode.Envelope{}
	if random.IntN(2) == 0 {
		envelope = encode.Envelope{GroupOpen: "#", GroupMid: "\n"}
	}
	r, most := newRig(t, nil), s.MaxInFlight
	r.Exporter = export.New(&config.Config{Sink: s}, envelope, r.sink.Send, r.ledger, random.Float64, func(string) {})
	added, given, forgotten := 0, 0, 0
	ended := map[string]bool{} // by an answer: such a record is not to be seen again
	answer := func(q *sinktest.Request, a answer, headers ...[2]string) {
		for i, name := range sentLines(q) {
			require.False(t, ended[name], "%s was sent again", name)
			if !a.again(i) {
				ended[name] = true
			}
		}
		q.Say(r.now, a.status, a.words, headers...)
	}
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
			b := queue.NewBuilder(queue.Class(random.IntN(int(queue.Classes))))
			for n := range 1 + random.IntN(8) {
				b.Add(streams{}, &record.Record{Route: fmt.Sprint("s", random.IntN(3)), Path: fmt.Sprint("r", i, strings.Repeat("x", random.IntN(200)), "-", n)})
			}
			f, ok := queue.Parse(append([]byte(nil), b.Frame()...))
			require.True(t, ok)
			r.Add(f, r.now)
			added += f.Count
		case 3, 4, 5, 6, 7, 8:
			if open := r.sink.Open(); len(open) > 0 {
				q := open[random.IntN(len(open))]
				var headers [][2]string
				if random.IntN(3) == 0 {
					headers = [][2]string{{"retry-after", fmt.Sprint(random.IntN(3))}}
				}
				a := randomAnswer(random, s.Type, len(sentLines(q)))
				if stale[q] {
					q.Say(r.now, a.status, a.words, headers...)
				} else {
					answer(q, a, headers...)
				}
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
			if stale[q] {
				q.Answer(r.now, 200)
			} else {
				answer(q, answerOf(200, `{"errors":false}`, false))
			}
		}
		check()
	}
	require.Equal(t, queue.Holding{}, r.Holding())
	lost := r.ledger.Lost
	require.Len(t, ended, r.ledger.Done+r.ledger.Unknown+lost[metrics.Rejected]+lost[metrics.OutOfOrder]+lost[metrics.TooOld])
}

// answer is what a sink says, and which records, by place in the request, it is to
// be asked again to take.
type answer struct {
	status int
	words  string
	again  func(place int) bool
}

func answerOf(status int, words string, again bool) answer {
	return answer{status, words, func(int) bool { return again }}
}

// randomAnswer makes an answer about n records up: whole, in part, cut or garbage.
func randomAnswer(random *rand.Rand, sinkType string, n int) answer {
	switch random.IntN(8) {
	case 0:
		return answerOf([]int{0, 429, 503}[random.IntN(3)], "", true)
	case 1:
		return answerOf([]int{401, 404, 413}[random.IntN(3)], "", false)
	case 2:
		garbage := make([]byte, random.IntN(200))
		for i := range garbage {
			garbage[i] = byte(random.IntN(256))
		}
		return answerOf([]int{200, 204, 260, 400}[random.IntN(4)], string(garbage), false)
	}
	some := random.IntN(2*n + 1)
	switch sinkType {
	case config.OTLP:
		return answerOf(200, fmt.Sprintf(`{"partialSuccess":{"rejectedLogRecords":"%d","errorMessage":"m"}}`, some), false)
	case config.Loki:
		text := "1 errors like: stream '{http_route=\"s1\", service_name=\"shop\"}' has label value too long: 'x'"
		return answerOf(400, []string{
			"entry with timestamp t ignored, reason: 'entry too far behind, x',\n" + fmt.Sprintf("user 'u', total ignored: %d out of %d for stream: {}", some, n),
			fmt.Sprintf("%d errors like: entry for stream '{}' has timestamp too old: t", some),
			fmt.Sprintf("%s; %d errors like: entry for stream '{}' has timestamp too new: t", text, some), text, text + "; " + text,
		}[random.IntN(5)], false)
	case config.Elasticsearch:
		statuses := make([]int, max(0, n+random.IntN(5)-2))
		for i := range statuses {
			statuses[i] = []int{201, 201, 201, 200, 409, 400, 404, 429, 503, 0}[random.IntN(10)]
		}
		words := items(statuses...)
		whole := len(statuses)
		if whole > 0 && random.IntN(4) == 0 { // it is cut before the status of an item
			whole = random.IntN(whole)
			parts := strings.SplitAfterN(words, `{"create":`, whole+2)
			words = strings.Join(parts[:whole+1], "") + parts[whole+1][:random.IntN(20)]
		}
		failed := strings.Contains(words, `"errors":true`)
		return answer{200, words, func(place int) bool {
			return failed && place < whole && (statuses[place] == 429 || statuses[place] == 503)
		}}
	}
	return answerOf(200, "", false)
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
