package export

import (
	"strings"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/metrics"
)

// Response is a sink's answer. Status 0 means that none came.
type Response struct {
	Status  int
	Headers [][2]string
	// Body reads the first bytes of the body, so many at most. It may be called
	// until the callback that was given the answer returns; nil: there is none.
	Body func(most int) []byte
}

// text is the first bytes of the body. Nobody else has them: no copy is made of
// what may be large.
func (r *Response) text(most int) string {
	if r.Body == nil {
		return ""
	}
	body := r.Body(most)
	return unsafe.String(unsafe.SliceData(body), len(body))
}

// outcome is what an answer means for the records of a request. Every record has
// one fate: what is neither lost, unknown nor to be sent again is delivered.
type outcome struct {
	records int  // of the request
	repeat  bool // all of them are to be sent again
	lost    []loss
	unknown int    // of which the answer does not tell what became
	again   []bool // whether to send it again, by place in the request; nil: none is
	put     int    // how many are true in again
	words   string // what the sink says of it
}

type loss struct {
	why     metrics.Reason
	records int
}

// rest is how many records have no other fate yet.
func (o *outcome) rest() int {
	rest := o.records - o.unknown - o.put
	for _, l := range o.lost {
		rest -= l.records
	}
	return rest
}

// lose gives records up. A sink may say any number: no more are than are left.
func (o *outcome) lose(why metrics.Reason, n int) {
	if n = min(n, o.rest()); n <= 0 {
		return
	}
	for i := range o.lost {
		if o.lost[i].why == why {
			o.lost[i].records += n
			return
		}
	}
	o.lost = append(o.lost, loss{why, n})
}

// lostRecords is how many were given up, for any reason.
func (o *outcome) lostRecords() (n int) {
	for _, l := range o.lost {
		n += l.records
	}
	return n
}

// doubt says that of so many records nothing is known.
func (o *outcome) doubt(n int) { o.unknown += max(0, min(n, o.rest())) }

// putOff says that the record at a place in the request is to be sent again.
func (o *outcome) putOff(place int) {
	if o.again == nil {
		o.again = make([]bool, o.records)
	}
	if o.rest() > 0 && !o.again[place] {
		o.again[place] = true
		o.put++
	}
}

// reader reads what an answer in a sink's dialect means for the batch that was
// sent. What it reads was written by others: any text is answered with some
// outcome, and none with a trap.
type reader func(r *Response, b batch) outcome

func newReader(sinkType string) reader {
	switch sinkType {
	case config.OTLP:
		return readOTLP
	case config.Elasticsearch:
		return readBulk
	case config.Loki:
		return readLoki
	}
	return readStatus
}

// readStatus is the reader of sinks whose status alone tells.
func readStatus(r *Response, b batch) outcome { return byStatus(judge(r.Status), r, b) }

// byStatus gives all records of a batch one fate.
func byStatus(v verdict, r *Response, b batch) outcome {
	o := outcome{records: b.records()}
	switch v {
	case again:
		o.repeat, o.words = true, r.text(maxWords)
	case refused:
		o.words = r.text(maxWords)
		o.lose(metrics.Rejected, o.records)
	}
	return o
}

// maxWords bounds, in bytes, what is read of an answer that is only to be quoted.
const maxWords = 4 << 10

// answerSize bounds, in bytes, what is read of an answer that tells of single
// records. Elasticsearch's takes 30 bytes for each that went well where
// filter_path is used as by default, 250 where it is not, and some hundred more
// for one that did not; Loki's takes 200 for each that is of a second of its own.
// The cap is what the largest requests are worth: an answer is held only while it
// is read, but a VM's memory never shrinks.
func answerSize(records int) int { return min(64<<10+512*records, 4<<20) }

// verdict is what a status means for the batch that was sent.
type verdict uint8

const (
	accepted verdict = iota
	refused          // for good: sending it again would change nothing
	again            // the sink, or the way to it, is in trouble
)

// judge reads a status (RFC 9110, 15; RFC 6585, 4). 0 is no answer at all.
func judge(status int) verdict {
	switch {
	case status >= 200 && status < 300:
		return accepted
	case status == 0 || status == 408 || status == 429 || status >= 500:
		return again
	}
	return refused
}

// clamp brings a number that a sink names into bounds. An int has 32 bits in a VM.
func clamp(n int64, most int) int { return int(max(0, min(n, int64(most)))) }

// leading reads the number that a text begins with, and gives what follows it.
func leading(s string) (n int64, rest string, ok bool) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	for i := range digits {
		n = min(n*10+int64(s[i]-'0'), 1<<40) // far beyond any count, and far from overflow
	}
	return n, s[digits:], digits > 0
}
