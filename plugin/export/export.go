// Package export takes frames to the sink: it batches them, keeps a bounded
// number of requests under way, repeats what failed, and accounts for every
// record. It is a state machine without a clock: [Exporter.Pump] and the answers
// to its requests move it, and are told the time.
package export

import (
	"strconv"
	"time"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
)

// Response is a sink's answer. Status 0 means that none came.
type Response struct {
	Status  int
	Headers [][2]string
	Body    []byte
}

// Send dispatches one request. It copies the body before it returns; answer is
// called later, at most once. An error means that nothing was sent.
type Send func(body []byte, answer func(Response, time.Time)) error

// Stats is where records are accounted for.
type Stats interface {
	Delivered(records int)
	Dropped(why metrics.Reason, records int)
	Retried()
	Answered(milliseconds uint64)
}

// Exporter is the way from frames to the sink.
type Exporter struct {
	sink     config.Sink
	envelope encode.Envelope
	send     Send
	stats    Stats
	warn     func(string)
	backoff  backoff

	waiting backlog
	flying  struct{ requests, records, bytes int }
	term    int    // grows with Forget: answers of an earlier term are not counted
	body    []byte // reused

	refusing bool // the sink refused records, and has accepted none since
}

// New makes an Exporter. random gives numbers in [0,1); warn takes a message for
// the proxy's log, when the sink begins to fail or to refuse records.
func New(sink config.Sink, envelope encode.Envelope, send Send, stats Stats, random func() float64, warn func(string)) *Exporter {
	return &Exporter{
		sink: sink, envelope: envelope, send: send, stats: stats, warn: warn,
		backoff: backoff{config: sink.Retry, random: random},
	}
}

// Add takes a frame in. Where the buffer is full, ordinary records go first.
func (e *Exporter) Add(f queue.Frame, now time.Time) {
	e.waiting.push(item{frame: f, arrived: now})
	e.shed()
}

func (e *Exporter) shed() {
	if n := e.waiting.shed(max(0, e.sink.Buffer.MaxBytes-e.flying.bytes)); n > 0 {
		e.stats.Dropped(metrics.BufferFull, n)
	}
}

// Pump sends what is due, or with flush all that waits.
func (e *Exporter) Pump(now time.Time, flush bool) {
	e.stats.Dropped(metrics.RetriesExhausted, e.waiting.expire(now.Add(-e.sink.Retry.MaxElapsed)))
	for e.due(now, flush) && e.flying.requests < e.backoff.allowed(now, e.sink.MaxInFlight) {
		if !e.dispatch(e.waiting.next(e.sink.Batch.MaxBytes, e.sink.Batch.MaxRecords), now) {
			return
		}
	}
}

func (e *Exporter) due(now time.Time, flush bool) bool {
	oldest, any := e.waiting.oldest()
	return any && (flush || e.waiting.bytes >= e.sink.Batch.MaxBytes ||
		e.waiting.records >= e.sink.Batch.MaxRecords ||
		now.Sub(oldest) >= e.sink.Batch.MaxDelay)
}

func (e *Exporter) dispatch(b batch, now time.Time) bool {
	e.body = b.appendBody(e.body[:0], &e.envelope)
	for i := range b {
		if b[i].frame.Tried() == 0 {
			b[i].frame.SetTried(now.UnixNano())
		}
	}
	term := e.term
	err := e.send(e.body, func(r Response, then time.Time) {
		if term == e.term {
			e.fly(b, -1)
			e.answered(b, r, now, then)
		}
	})
	if err != nil {
		e.retry(b, now, now, 0, err.Error())
		return false
	}
	e.fly(b, 1)
	return true
}

func (e *Exporter) fly(b batch, sign int) {
	e.flying.requests += sign
	e.flying.records += sign * b.records()
	e.flying.bytes += sign * b.bytes()
}

func (e *Exporter) answered(b batch, r Response, sent, now time.Time) {
	e.stats.Answered(uint64(max(0, now.Sub(sent).Milliseconds())))
	switch judge(r.Status) {
	case accepted:
		e.backoff.succeed(sent)
		e.refusing = false
		e.stats.Delivered(b.records())
	case refused:
		e.backoff.succeed(sent) // it answers: the records are at fault
		e.stats.Dropped(metrics.Rejected, b.records())
		if !e.refusing {
			e.warn("the sink refused " + strconv.Itoa(b.records()) + " records with status " + strconv.Itoa(r.Status) + ": " + excerpt(r.Body))
		}
		e.refusing = true
	case again:
		e.retry(b, sent, now, retryAfter(r.Headers, now), "status "+strconv.Itoa(r.Status)+" "+excerpt(r.Body))
	}
}

func (e *Exporter) retry(b batch, sent, now time.Time, after time.Duration, why string) {
	if e.backoff.failures == 0 {
		e.warn("the sink failed, and will be asked again: " + why)
	}
	e.backoff.fail(sent, now, after)
	e.stats.Retried()
	e.waiting.putBack(b)
	e.shed()
}

const maxExcerpt = 200

func excerpt(body []byte) string {
	return strconv.QuoteToASCII(string(body[:min(len(body), maxExcerpt)]))
}

// Holding tells how many records are here.
func (e *Exporter) Holding() queue.Holding {
	return queue.Holding{Waiting: uint32(e.waiting.records), InFlight: uint32(e.flying.records)}
}

// Bytes tells how much memory they take.
func (e *Exporter) Bytes() int { return e.waiting.bytes + e.flying.bytes }

// GiveBack empties the backlog into the given queue. What the queue does not
// take is dropped.
func (e *Exporter) GiveBack(enqueue func(frame []byte) bool) {
	for class := range e.waiting.lists {
		for len(e.waiting.lists[class]) > 0 {
			i := e.waiting.pop(class)
			if !enqueue(i.frame.Bytes()) {
				e.stats.Dropped(metrics.QueueError, i.frame.Count)
			}
		}
	}
}

// Forget lets everything go uncounted: somebody else has accounted for it.
func (e *Exporter) Forget() {
	e.waiting = backlog{}
	e.flying.requests, e.flying.records, e.flying.bytes = 0, 0, 0
	e.term++
}
