// Package sinktest is a sink that answers as a test tells it to, and a ledger of
// what became of the records.
package sinktest

import (
	"time"

	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/metrics"
)

// Sink takes requests and keeps each until it is answered.
type Sink struct {
	// Refuse makes every dispatch fail with it.
	Refuse error
	// Requests are all that were dispatched, in order.
	Requests []*Request
}

// Request is a request on its way.
type Request struct {
	Body     []byte // as sent
	Encoding string // its content-encoding
	Answered bool
	answer   func(export.Response, time.Time)
}

// Send is an [export.Send].
func (s *Sink) Send(body []byte, encoding string, answer func(export.Response, time.Time)) error {
	if s.Refuse != nil {
		return s.Refuse
	}
	s.Requests = append(s.Requests, &Request{Body: append([]byte(nil), body...), Encoding: encoding, answer: answer})
	return nil
}

// Open are the requests that still wait for their answer.
func (s *Sink) Open() (open []*Request) {
	for _, r := range s.Requests {
		if !r.Answered {
			open = append(open, r)
		}
	}
	return open
}

// Answer answers a request; status 0 is a time-out or a lost connection.
func (r *Request) Answer(now time.Time, status int, headers ...[2]string) {
	r.Say(now, status, "said the sink", headers...)
}

// Say answers a request with words.
func (r *Request) Say(now time.Time, status int, words string, headers ...[2]string) {
	r.Give(now, export.Response{Status: status, Headers: headers, Body: func(most int) []byte { return []byte(words[:min(len(words), most)]) }})
}

// Give gives a request its answer.
func (r *Request) Give(now time.Time, response export.Response) {
	if r.Answered {
		panic("sinktest: answered twice")
	}
	r.Answered = true
	r.answer(response, now)
}

// Ledger is an [export.Stats] that adds up.
type Ledger struct {
	Done    int // records delivered
	Unknown int // records unconfirmed
	Lost    map[metrics.Reason]int
	Retries int
	Answers int
}

// NewLedger makes an empty Ledger.
func NewLedger() *Ledger { return &Ledger{Lost: map[metrics.Reason]int{}} }

// Delivered counts records that the sink accepted.
func (l *Ledger) Delivered(n int) { l.Done += n }

// Unconfirmed counts records of which nothing is known.
func (l *Ledger) Unconfirmed(n int) { l.Unknown += n }

// Dropped counts records given up.
func (l *Ledger) Dropped(why metrics.Reason, n int) {
	if n != 0 {
		l.Lost[why] += n
	}
}

// Retried counts requests that failed and are repeated.
func (l *Ledger) Retried() { l.Retries++ }

// Answered counts answers.
func (l *Ledger) Answered(uint64) { l.Answers++ }

// Sum is the number of records accounted for.
func (l *Ledger) Sum() int {
	sum := l.Done + l.Unknown
	for _, n := range l.Lost {
		sum += n
	}
	return sum
}
