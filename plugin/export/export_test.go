package export_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/export/sinktest"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
)

// lines encodes a record as its path on a line.
type lines struct{}

func (lines) AppendKey(dst []byte, _ *record.Record) []byte { return dst }
func (lines) Append(dst []byte, r *record.Record) []byte    { return append(append(dst, r.Path...), '\n') }

// frame makes a frame of n records, each of the name and its number.
func frame(t testing.TB, class queue.Class, name string, n int) queue.Frame {
	b := queue.NewBuilder(class)
	for i := range n {
		b.Add(lines{}, &record.Record{Path: fmt.Sprint(name, i)})
	}
	f, ok := queue.Parse(append([]byte(nil), b.Frame()...))
	require.True(t, ok)
	return f
}

// rig is an exporter between a hand-moved clock, a fake sink and a ledger.
type rig struct {
	*export.Exporter
	t      testing.TB
	now    time.Time
	sink   *sinktest.Sink
	ledger *sinktest.Ledger
	random float64
	warned []string
}

func settings() config.Sink {
	return config.Sink{
		Type: config.NDJSON, Cluster: "logs", MaxInFlight: 4,
		Batch:  config.Batch{MaxBytes: 1000, MaxRecords: 50, MaxDelay: time.Second},
		Retry:  config.Retry{Initial: 100 * time.Millisecond, Max: time.Second, MaxElapsed: time.Minute},
		Buffer: config.Buffer{MaxBytes: 100_000},
	}
}

func newRig(t testing.TB, edit func(s *config.Sink)) *rig {
	s := settings()
	if edit != nil {
		edit(&s)
	}
	r := &rig{t: t, now: time.Unix(1_800_000_000, 0), sink: &sinktest.Sink{}, ledger: sinktest.NewLedger(), random: 0.5}
	r.Exporter = export.New(&config.Config{Sink: s}, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return r.random }, func(m string) { r.warned = append(r.warned, m) })
	return r
}

func (r *rig) add(class queue.Class, name string, n int) { r.Add(frame(r.t, class, name, n), r.now) }
func (r *rig) pump()                                     { r.Pump(r.now, false) }
func (r *rig) pass(d time.Duration)                      { r.now = r.now.Add(d); r.pump() }

// answer answers the oldest open request.
func (r *rig) answer(status int, headers ...[2]string) {
	open := r.sink.Open()
	require.NotEmpty(r.t, open, "a request should be under way")
	open[0].Answer(r.now, status, headers...)
}

func (r *rig) open() int { return len(r.sink.Open()) }

// late lets everything that waits be due, and sends it.
func (r *rig) late() { r.pass(time.Second) }

func TestABatchIsSentForWhicheverComesFirst(t *testing.T) {
	t.Run("nothing yet: it waits", func(t *testing.T) {
		r := newRig(t, nil)
		r.pump()
		r.add(queue.Ordinary, "a", 3)
		r.pass(999 * time.Millisecond)
		assert.Zero(t, r.open())
		assert.Equal(t, queue.Holding{Waiting: 3}, r.Holding())
	})
	t.Run("age", func(t *testing.T) {
		r := newRig(t, nil)
		r.add(queue.Ordinary, "a", 3)
		r.pass(time.Second)
		require.Equal(t, 1, r.open())
		assert.Equal(t, "a0\na1\na2\n", string(r.sink.Requests[0].Body))
		assert.Equal(t, queue.Holding{InFlight: 3}, r.Holding())
		r.answer(204)
		assert.Equal(t, 3, r.ledger.Done)
		assert.Equal(t, queue.Holding{}, r.Holding())
		assert.Zero(t, r.Bytes())
	})
	t.Run("count", func(t *testing.T) {
		r := newRig(t, func(s *config.Sink) { s.Batch.MaxRecords = 10 })
		r.add(queue.Ordinary, "a", 6)
		r.pump()
		assert.Zero(t, r.open())
		r.add(queue.Ordinary, "b", 6)
		r.pump()
		assert.Equal(t, 1, r.open())
		assert.Equal(t, queue.Holding{Waiting: 6, InFlight: 6}, r.Holding(), "a frame is not split: ten would be passed")
	})
	t.Run("bytes", func(t *testing.T) {
		r := newRig(t, nil)
		r.add(queue.Ordinary, strings.Repeat("x", 600), 1)
		r.pump()
		assert.Zero(t, r.open())
		r.add(queue.Ordinary, strings.Repeat("y", 600), 1)
		r.pump()
		assert.Equal(t, 1, r.open())
		assert.LessOrEqual(t, len(r.sink.Requests[0].Body), 1000)
	})
	t.Run("flush", func(t *testing.T) {
		r := newRig(t, nil)
		r.add(queue.Ordinary, "a", 1)
		r.Pump(r.now, true)
		assert.Equal(t, 1, r.open())
	})
}

func TestAFrameLargerThanABatchGoesAlone(t *testing.T) {
	r := newRig(t, nil)
	r.add(queue.Ordinary, strings.Repeat("x", 5000), 1)
	r.add(queue.Ordinary, "b", 1)
	r.late()
	require.Equal(t, 2, r.open())
	assert.Len(t, r.sink.Requests[0].Body, 5002)
	assert.Equal(t, "b0\n", string(r.sink.Requests[1].Body))
}

func TestImportantRecordsGoFirst(t *testing.T) {
	r := newRig(t, nil)
	r.add(queue.Ordinary, "o", 1)
	r.add(queue.Important, "i", 1)
	r.late()
	assert.Equal(t, "i0\no0\n", string(r.sink.Requests[0].Body))
}

func TestNoMoreRequestsAreUnderWayThanAllowed(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.MaxInFlight, s.Batch.MaxRecords = 2, 1 })
	for i := range 5 {
		r.add(queue.Ordinary, fmt.Sprint("r", i, "-"), 1)
	}
	r.pump()
	assert.Equal(t, 2, r.open())
	r.answer(200)
	assert.Equal(t, 1, r.open(), "an answer alone sends nothing: Pump does")
	r.pump()
	assert.Equal(t, 2, r.open())
}

func TestTheAnswerDecidesWhatBecomesOfABatch(t *testing.T) {
	for status, want := range map[int]string{
		200: "delivered", 202: "delivered", 204: "delivered", 299: "delivered",
		0: "again", 408: "again", 429: "again", 500: "again", 502: "again", 503: "again", 504: "again", 599: "again",
		100: "rejected", 301: "rejected", 400: "rejected", 401: "rejected", 403: "rejected", 404: "rejected", 413: "rejected", 415: "rejected", 422: "rejected",
	} {
		t.Run(fmt.Sprint(status, " is ", want), func(t *testing.T) {
			r := newRig(t, nil)
			r.add(queue.Ordinary, "a", 3)
			r.late()
			r.answer(status)
			assert.Equal(t, map[string]int{"delivered": 3}[want], r.ledger.Done)
			assert.Equal(t, map[string]int{"rejected": 3}[want], r.ledger.Lost[metrics.Rejected])
			assert.Equal(t, map[string]int{"again": 1}[want], r.ledger.Retries)
			assert.Equal(t, uint32(map[string]int{"again": 3}[want]), r.Holding().Waiting)
			assert.Zero(t, r.Holding().InFlight)
			assert.Equal(t, map[string]int{"again": 1, "rejected": 1}[want], len(r.warned), "%q", r.warned)
		})
	}
}

func TestASinkThatRefusesIsToldOfWhenItBegins(t *testing.T) {
	r := newRig(t, nil)
	for _, status := range []int{400, 400, 503, 401, 200, 400, 400} {
		r.add(queue.Ordinary, "a", 1)
		r.late()
		r.now = r.now.Add(time.Millisecond)
		r.answer(status)
		if status == 503 {
			r.late()
			r.answer(413)
		}
	}
	assert.Len(t, r.warned, 3, "%q", r.warned)
	assert.Contains(t, r.warned[0], "status 400")
	assert.Contains(t, r.warned[1], "failed")
	assert.Contains(t, r.warned[2], "status 400")
	assert.Equal(t, 6, r.ledger.Lost[metrics.Rejected], "each is counted")
}

func TestADispatchErrorIsAFailureLikeAnother(t *testing.T) {
	r := newRig(t, nil)
	r.sink.Refuse = errors.New("no such cluster")
	r.add(queue.Ordinary, "a", 3)
	r.late()
	assert.Equal(t, queue.Holding{Waiting: 3}, r.Holding())
	assert.Contains(t, r.warned[0], "no such cluster")
	r.sink.Refuse = nil
	r.pass(time.Second)
	r.answer(200)
	assert.Equal(t, 3, r.ledger.Done)
	assert.Len(t, r.warned, 1)
}

func TestRetriesWaitWithFullJitterUnderADoublingCeiling(t *testing.T) {
	for _, random := range []float64{0, 0.25, 0.999} {
		r := newRig(t, nil)
		r.random = random
		r.add(queue.Ordinary, "a", 1)
		r.late()
		for attempt, ceiling := range []time.Duration{100, 200, 400, 800, 1000, 1000, 1000} {
			r.now = r.now.Add(time.Millisecond)
			r.answer(503)
			wait := time.Duration(random * float64(ceiling*time.Millisecond))
			if wait > 0 {
				r.pass(wait - 1)
				require.Zero(t, r.open(), "attempt %d: before its time", attempt)
			}
			r.pass(1)
			require.Equal(t, 1, r.open(), "attempt %d: at its time", attempt)
		}
		r.answer(200)
		assert.Equal(t, 1, r.ledger.Done)
	}
}

func TestFailuresThatWereUnderWayTogetherCountAsOne(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Batch.MaxRecords = 1 })
	r.random = 0.999
	for range 4 {
		r.add(queue.Ordinary, "a", 1)
	}
	r.pump()
	require.Equal(t, 4, r.open())
	r.now = r.now.Add(10 * time.Millisecond)
	for range 4 {
		r.answer(500)
	}
	r.pass(100 * time.Millisecond)
	assert.Equal(t, 1, r.open(), "the ceiling is still that of the first failure")
	assert.Len(t, r.warned, 1)
}

func TestWhileTheSinkFailsOneRequestAtATimeFeelsItsWay(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Batch.MaxRecords = 1 })
	for range 8 {
		r.add(queue.Ordinary, "a", 1)
	}
	r.pump()
	for range 4 {
		r.answer(0)
	}
	for range 5 {
		r.pass(time.Second)
		require.Equal(t, 1, r.open())
		r.answer(503)
	}
	r.pass(time.Second)
	r.answer(200)
	r.pump()
	assert.Equal(t, 4, r.open(), "once it answers, all go again")
}

func TestWhatFailedGoesBeforeWhatCameSince(t *testing.T) {
	r := newRig(t, nil)
	r.add(queue.Ordinary, "a", 1)
	r.late()
	r.add(queue.Ordinary, "b", 1)
	r.answer(503)
	r.late()
	require.Equal(t, 1, r.open())
	assert.Equal(t, "a0\nb0\n", string(r.sink.Open()[0].Body))
}

func TestAShorterWaitDoesNotEndALongerOne(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Batch.MaxRecords = 1 })
	for range 2 {
		r.add(queue.Ordinary, "a", 1)
	}
	r.pump()
	r.answer(429, [2]string{"retry-after", "10"})
	r.answer(503)
	r.pass(9 * time.Second)
	assert.Zero(t, r.open())
	r.pass(2 * time.Second)
	assert.Equal(t, 1, r.open())
}

func TestEveryAnswerIsTimed(t *testing.T) {
	r := newRig(t, nil)
	for _, status := range []int{200, 400, 503} {
		r.add(queue.Ordinary, "a", 1)
		r.late()
		r.answer(status)
	}
	assert.Equal(t, 3, r.ledger.Answers)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	base := time.Unix(1_800_000_001, 0).UTC()
	for _, c := range []struct {
		name, value string
		wait        time.Duration
	}{
		{"seconds", "30", 30 * time.Second},
		{"a date", base.Add(20 * time.Second).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 20 * time.Second},
		{"a date that is past", base.Add(-time.Hour).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 0},
		{"zero", "0", 0},
		{"no number", "soon", 0},
		{"a negative number", "-5", 0},
		{"more than an hour", "86400", time.Hour},
		{"more than fits", "99999999999999999999999", time.Hour},
		{"empty", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(s *config.Sink) { s.Retry.MaxElapsed = 24 * time.Hour })
			r.random = 0
			r.add(queue.Ordinary, "a", 1)
			r.late()
			require.True(t, base.Equal(r.now))
			r.answer(429, [2]string{":status", "429"}, [2]string{"Retry-After", c.value})
			if c.wait > 0 {
				r.pass(c.wait - 1)
				require.Zero(t, r.open())
			}
			r.pass(1)
			assert.Equal(t, 1, r.open())
		})
	}
}

func TestASuccessOfARequestSentBeforeTheFailureDoesNotEndTheWait(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Batch.MaxRecords = 1 })
	for range 6 {
		r.add(queue.Ordinary, "a", 1)
	}
	r.pump()
	r.now = r.now.Add(time.Millisecond)
	r.answer(429, [2]string{"retry-after", "10"})
	r.answer(200)
	r.answer(200)
	r.answer(200)
	r.pass(9 * time.Second)
	assert.Zero(t, r.open(), "the sink asked for ten seconds")
	r.pass(2 * time.Second)
	assert.Equal(t, 1, r.open())
	r.answer(200)
	r.pump()
	assert.Equal(t, 2, r.open())
}

func TestARecordIsGivenUpSoLongAfterItsFirstAttempt(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Retry.MaxElapsed = 5 * time.Second })
	r.add(queue.Ordinary, "a", 2)
	r.late()
	first := r.now
	for range 8 {
		r.answer(503)
		r.pass(600 * time.Millisecond)
		require.Zero(t, r.ledger.Lost[metrics.RetriesExhausted], "after %v", r.now.Sub(first))
	}
	r.answer(503)
	r.add(queue.Ordinary, "b", 1)
	r.pass(600 * time.Millisecond)
	assert.Equal(t, 2, r.ledger.Lost[metrics.RetriesExhausted])
	assert.Equal(t, uint32(1), r.Holding().Waiting, "what was never tried stays")
}

func TestARecordThatIsHandedOverKeepsTheTimeOfItsFirstAttempt(t *testing.T) {
	briefly := func(s *config.Sink) { s.Retry.MaxElapsed = 5 * time.Second }
	r, next := newRig(t, briefly), newRig(t, briefly)
	r.add(queue.Ordinary, "a", 2)
	r.late()
	r.now = r.now.Add(time.Second)
	r.answer(503)
	next.now = r.now.Add(3 * time.Second)
	next.add(queue.Ordinary, "b", 1)
	r.GiveBack(func(b []byte) bool {
		f, ok := queue.Parse(b)
		require.True(t, ok)
		next.Add(f, next.now)
		return ok
	})
	next.Pump(next.now, true)
	next.answer(503) // both were tried now, one of them 4 s ago before
	next.pump()
	assert.Zero(t, next.ledger.Lost[metrics.RetriesExhausted])
	next.sink.Refuse = errors.New("down")
	next.pass(1001 * time.Millisecond)
	assert.Equal(t, 2, next.ledger.Lost[metrics.RetriesExhausted])
	assert.Equal(t, queue.Holding{Waiting: 1}, next.Holding(), "what was first tried later stays")
}

func TestMaxElapsedZeroMeansNoSecondTry(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Retry.MaxElapsed = 0 })
	r.add(queue.Ordinary, "a", 2)
	r.late()
	r.now = r.now.Add(time.Millisecond)
	r.answer(503)
	r.pump()
	assert.Equal(t, 2, r.ledger.Lost[metrics.RetriesExhausted])
}

func TestAFullBufferShedsOrdinaryRecordsFirst(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Buffer.MaxBytes = 1800 })
	r.sink.Refuse = errors.New("down")
	for i := range 10 {
		r.add(queue.Ordinary, fmt.Sprint("o", i, strings.Repeat("x", 170)), 1)
		r.add(queue.Important, fmt.Sprint("i", i, strings.Repeat("x", 170)), 1)
		require.LessOrEqual(t, r.Bytes(), 1800)
	}
	assert.Equal(t, 10+1, r.ledger.Lost[metrics.BufferFull], "ten ordinary ones, and one that there was no room for")
	assert.Equal(t, uint32(9), r.Holding().Waiting)
	r.sink.Refuse = nil
	r.Pump(r.now, true)
	for _, q := range r.sink.Requests {
		assert.NotContains(t, string(q.Body), "o")
		assert.NotContains(t, string(q.Body), "i0", "the oldest goes first")
	}
}

func TestWhatIsUnderWayCountsTowardsTheBuffer(t *testing.T) {
	r := newRig(t, func(s *config.Sink) { s.Buffer.MaxBytes = 1000 })
	r.add(queue.Important, strings.Repeat("x", 600), 1)
	r.late()
	r.add(queue.Ordinary, strings.Repeat("y", 600), 1)
	assert.Equal(t, 1, r.ledger.Lost[metrics.BufferFull])
	r.answer(503)
	assert.Equal(t, uint32(1), r.Holding().Waiting, "what failed comes back to the room it had")
}

func TestGiveBackEmptiesTheBacklogIntoTheQueue(t *testing.T) {
	r := newRig(t, nil)
	f := frame(t, queue.Important, "flying", 2)
	r.Add(f, r.now)
	r.late()
	r.add(queue.Ordinary, "a", 3)
	r.add(queue.Important, "b", 2)
	var given []int
	r.GiveBack(func(b []byte) bool {
		f, ok := queue.Parse(b)
		require.True(t, ok)
		given = append(given, f.Count)
		return f.Class == queue.Ordinary
	})
	assert.Equal(t, []int{3, 2}, given)
	assert.Equal(t, 2, r.ledger.Lost[metrics.QueueError], "what the queue does not take is dropped")
	assert.Equal(t, queue.Holding{InFlight: 2}, r.Holding(), "what is under way stays so")
	r.answer(500)
	assert.Equal(t, queue.Holding{Waiting: 2}, r.Holding())
}

func TestAfterForgetNothingIsCounted(t *testing.T) {
	r := newRig(t, nil)
	r.add(queue.Ordinary, "a", 3)
	r.late()
	r.add(queue.Ordinary, "b", 2)
	r.Forget()
	assert.Equal(t, queue.Holding{}, r.Holding())
	assert.Zero(t, r.Bytes())
	r.answer(200)
	assert.Zero(t, r.ledger.Sum(), "somebody else has counted them")
	r.add(queue.Ordinary, "c", 4)
	r.late()
	r.answer(200)
	assert.Equal(t, 4, r.ledger.Done)
	assert.Equal(t, queue.Holding{}, r.Holding())
}

func TestALokiRequestIsValidAndGroupsByStream(t *testing.T) {
	c, err := config.Parse([]byte(`{"sink":{"type":"loki","cluster":"logs","labels":["service.name","http.route"]},"resource":{"service.name":"shop"}}`))
	require.NoError(t, err)
	d := encode.New(&c)
	sink, ledger := &sinktest.Sink{}, sinktest.NewLedger()
	e := export.New(&c, d.Envelope(), sink.Send, ledger, func() float64 { return 0 }, func(string) {})
	now := time.Unix(1_800_000_000, 0)
	for _, class := range []queue.Class{queue.Ordinary, queue.Important} {
		b := queue.NewBuilder(class)
		for i := range 10 {
			b.Add(d, &record.Record{Start: int64(i + 1), Method: "GET", Path: "/\"\xff", Route: fmt.Sprint("r", i%3), Status: 200, Sampled: "rate", Weight: 1})
		}
		f, ok := queue.Parse(append([]byte(nil), b.Frame()...))
		require.True(t, ok)
		e.Add(f, now)
	}
	e.Pump(now, true)
	require.Len(t, sink.Requests, 1)
	var push struct {
		Streams []struct {
			Stream map[string]string
			Values [][3]json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(sink.Requests[0].Body, &push), "%s", sink.Requests[0].Body)
	require.Len(t, push.Streams, 3)
	total := 0
	for i, s := range push.Streams {
		assert.Equal(t, map[string]string{"service_name": "shop", "http_route": fmt.Sprint("r", i)}, s.Stream)
		total += len(s.Values)
	}
	assert.Equal(t, 20, total)
}

func TestAnNDJSONRequestIsOneRecordALine(t *testing.T) {
	c, err := config.Parse([]byte(`{"sink":{"cluster":"logs"}}`))
	require.NoError(t, err)
	d := encode.New(&c)
	sink := &sinktest.Sink{}
	e := export.New(&c, d.Envelope(), sink.Send, sinktest.NewLedger(), func() float64 { return 0 }, func(string) {})
	b := queue.NewBuilder(queue.Ordinary)
	for i := range 5 {
		b.Add(d, &record.Record{Start: int64(i), Path: "/\n", Weight: math.Pi})
	}
	f, _ := queue.Parse(b.Frame())
	e.Add(f, time.Unix(0, 0))
	e.Pump(time.Unix(1, 0), true)
	require.Len(t, sink.Requests, 1)
	all := strings.Split(strings.TrimSuffix(string(sink.Requests[0].Body), "\n"), "\n")
	require.Len(t, all, 5)
	for _, line := range all {
		assert.True(t, json.Valid([]byte(line)), line)
	}
}
