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

// Send dispatches one request, whose body has the given content-encoding ("": none).
// It copies the body before it returns; answer is called later, at most once. An
// error means that nothing was sent.
type Send func(body []byte, encoding string, answer func(Response, time.Time)) error

// Stats is where records are accounted for.
type Stats interface {
	Delivered(records int)
	Unconfirmed(records int)
	Dropped(why metrics.Reason, records int)
	Retried()
	Answered(milliseconds uint64)
}

// Exporter is the way from frames to the sink.
type Exporter struct {
	sink     config.Sink
	envelope encode.Envelope
	read     reader
	scrub    *scrubber
	send     Send
	stats    Stats
	warn     func(string)
	backoff  backoff

	waiting backlog
	flying  struct{ requests, records, bytes int }
	term    int         // grows with Forget: answers of an earlier term are not counted
	body    []byte      // reused
	gzip    *compressor // nil: none

	refusing bool // the sink refused records, and has accepted no whole batch since
	warning  bool // the sink warned, and has taken no batch without a word since
}

// New makes an Exporter to a configuration's sink. random gives numbers in [0,1);
// warn takes a message for the proxy's log, when the sink begins to fail or to
// refuse records.
func New(c *config.Config, envelope encode.Envelope, send Send, stats Stats, random func() float64, warn func(string)) *Exporter {
	e := &Exporter{
		sink: c.Sink, envelope: envelope, read: newReader(c.Sink.Type), scrub: newScrubber(c), send: send, stats: stats, warn: warn,
		backoff: backoff{config: c.Sink.Retry, random: random},
	}
	if c.Sink.Compression == config.Gzip {
		e.gzip = &compressor{}
	}
	return e
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
	body, encoding := e.encoded()
	term := e.term
	err := e.send(body, encoding, func(r Response, then time.Time) {
		if term == e.term {
			e.fly(b, -1)
			e.answered(b, &r, now, then)
		}
	})
	if err != nil {
		e.fail("the sink failed, and will be asked again: " + e.scrub.excerpt(err.Error()))
		e.retry(b, now, now, 0, false)
		return false
	}
	e.fly(b, 1)
	return true
}

// encoded is the body as it is sent. What is sent again is compressed again: it
// stands among other records by then, and to keep both forms would take more of
// the proxy's memory than this takes of its time.
func (e *Exporter) encoded() (body []byte, encoding string) {
	if e.gzip != nil {
		if compressed, ok := e.gzip.compress(e.body); ok {
			return compressed, "gzip"
		}
	}
	return e.body, ""
}

func (e *Exporter) fly(b batch, sign int) {
	e.flying.requests += sign
	e.flying.records += sign * b.records()
	e.flying.bytes += sign * b.bytes()
}

// answered gives each record of a batch the one fate that the answer has for it.
func (e *Exporter) answered(b batch, r *Response, sent, now time.Time) {
	e.stats.Answered(uint64(max(0, now.Sub(sent).Milliseconds())))
	o := e.read(r, b)
	status := "status " + strconv.Itoa(r.Status)
	if o.repeat {
		e.fail("the sink failed, and will be asked again: " + status + " " + e.scrub.excerpt(o.words))
		e.retry(b, sent, now, retryAfter(r.Headers, now), false)
		return
	}
	e.stats.Delivered(o.rest())
	e.stats.Unconfirmed(o.unknown)
	for _, l := range o.lost {
		e.stats.Dropped(l.why, l.records)
	}
	e.tell(&o, status)
	if o.put == 0 {
		e.backoff.succeed(sent) // it answers: any record that it refused is at fault
		return
	}
	e.fail("the sink put off " + strconv.Itoa(o.put) + " of " + strconv.Itoa(o.records) + " records, and will be asked again: " + status + " " + e.scrub.excerpt(o.words))
	e.retry(b.only(o.again, &e.envelope), sent, now, retryAfter(r.Headers, now), o.put < o.records)
}

// tell warns where a sink begins to refuse records, to leave open what became of
// them, or to warn.
func (e *Exporter) tell(o *outcome, status string) {
	bad := o.lostRecords() + o.unknown
	switch {
	case bad > 0 && !e.refusing:
		what := "refused"
		if o.unknown > 0 {
			what = "refused or did not tell the fate of"
		}
		e.warn("the sink " + what + " " + strconv.Itoa(bad) + " of " + strconv.Itoa(o.records) + " records with " + status + ": " + e.scrub.excerpt(o.words))
	case bad == 0 && o.put == 0 && o.words != "" && !e.warning:
		e.warn("the sink took all records, but warns: " + e.scrub.excerpt(o.words))
	}
	if e.refusing = bad > 0 || e.refusing && o.put > 0; bad == 0 {
		e.warning = o.words != "" && o.put == 0
	}
}

// fail warns where the sink begins to fail.
func (e *Exporter) fail(message string) {
	if e.backoff.failures == 0 {
		e.warn(message)
	}
}

func (e *Exporter) retry(b batch, sent, now time.Time, after time.Duration, partly bool) {
	e.backoff.fail(sent, now, after, partly)
	e.stats.Retried()
	e.waiting.putBack(b)
	e.shed()
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
