package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/routelens/routelens/plugin/metrics"
)

// readLoki reads an answer of Loki's push API. Loki tells in words what it refused,
// and as of 3.7 a 400 means one of three things:
//
//   - The request could not be read: nothing of it is stored.
//   - The distributor refused entries or whole streams (their age, their size, their
//     labels). It says so once all others are stored, in texts that are counted where
//     there are several: "2 errors like: entry for stream '{…}' has timestamp too old:
//     …; 1 errors like: …".
//   - The ingester refused entries that came behind too much newer ones of their
//     stream. The others are stored, and so are those of other streams, but only the
//     last stream is told of: "entry with timestamp … ignored, reason: '…',⏎ user '…',
//     total ignored: 2 out of 20 for stream: {…}", with at most ten of the lines.
//
// What a 429 or 5xx has of a request stored already is sent again with the rest:
// Loki drops an entry that it has.
//
// Source: https://github.com/grafana/loki, pkg/distributor/distributor.go and
// validator.go, pkg/ingester/instance.go and stream.go, pkg/util/errors.
func readLoki(r *Response, b batch) outcome {
	o := byStatus(judge(r.Status), r, b)
	switch {
	case r.Status == 400:
		size := answerSize(o.records)
		o = outcome{records: o.records, words: r.text(size)}
		if behind, ok := strings.CutPrefix(lokiBehind(o.words), lokiIgnored); ok {
			o.readBehind(behind)
		} else {
			o.readRefusals(o.words, b)
		}
		if len(o.words) == size { // it is cut
			o.doubt(o.rest())
		}
	case r.Status > 200 && r.Status < 300 && r.Status != 204:
		// limits_config.block_ingestion_until: Loki stores nothing, or nothing of
		// a policy's streams, and answers 260 unless told otherwise.
		if words := r.text(maxWords); strings.HasPrefix(words, "ingestion blocked for ") {
			o.words = words
			if strings.Contains(words, "(policy: ") && len(b.groups()) > 1 {
				o.doubt(o.records)
			}
			o.lose(metrics.Rejected, o.records)
		}
	}
	return o
}

const lokiIgnored = "total ignored: "

// lokiBehind is the end of an ingester's answer, from its count on; "" in another.
func lokiBehind(words string) string {
	return words[max(0, strings.LastIndex(words, lokiIgnored)):]
}

// readBehind reads the end of an ingester's answer: "2 out of 20 for stream: …". What
// else it ignored is among the lines before, and what it has no line for is as the
// last of them: too far behind.
func (o *outcome) readBehind(count string) {
	n, rest, ok := leading(count)
	if !ok || !strings.HasPrefix(rest, " out of ") {
		o.lose(metrics.Rejected, o.records)
		return
	}
	ignored := clamp(n, o.records)
	other := strings.Count(o.words, "reason: 'Per stream rate limit exceeded")
	o.lose(metrics.Rejected, min(ignored, other))
	o.lose(metrics.OutOfOrder, ignored-min(ignored, other))
}

// readRefusals reads a distributor's answer. One with words that Loki is not known
// to use says nothing of what else was stored: all is given up.
func (o *outcome) readRefusals(words string, b batch) {
	if words == "" {
		o.lose(metrics.Rejected, o.records)
	}
	var unnamed []group // streams that no text was about yet
	for o.rest() > 0 && words != "" {
		var n int64
		var text string
		n, text, words = nextRefusal(words)
		switch why, of := lokiRefusal(text); of {
		case entries:
			o.lose(why, clamp(n, o.records))
		case streams:
			if unnamed == nil {
				unnamed = b.groups()
			}
			before := len(unnamed)
			unnamed = slices.DeleteFunc(unnamed, func(g group) bool {
				named := g.named(text)
				if named {
					o.lose(why, len(g.records))
				}
				return named
			})
			if len(unnamed) == before {
				o.lose(why, o.records)
			}
		default:
			o.lose(why, o.records)
		}
	}
}

// nextRefusal cuts off the first of the texts, and how many times it was said.
func nextRefusal(words string) (n int64, text, more string) {
	const like, next = " errors like: ", "; "
	n, text = 1, words
	if count, rest, ok := leading(words); ok && strings.HasPrefix(rest, like) {
		n, text = count, rest[len(like):]
	}
	for at := 0; ; {
		end := strings.Index(text[at:], next)
		if end < 0 {
			return n, text, ""
		}
		end += at
		at = end + len(next)
		if _, rest, ok := leading(text[at:]); ok && strings.HasPrefix(rest, like) {
			return n, text[:end], text[at:]
		}
	}
}

// lokiScope is what a text of Loki's is about.
type lokiScope uint8

const (
	request lokiScope = iota
	entries
	streams
)

// lokiRefusal tells why records were refused, by a part that each of Loki's texts
// has of its own.
func lokiRefusal(text string) (why metrics.Reason, of lokiScope) {
	for _, known := range lokiTexts {
		if strings.Contains(text, known.part) {
			return known.why, known.of
		}
	}
	return metrics.Rejected, request
}

var lokiTexts = []struct {
	part string
	why  metrics.Reason
	of   lokiScope
}{
	{"has timestamp too old", metrics.TooOld, entries},
	{"has timestamp too new", metrics.Rejected, entries},
	{"entry too far behind", metrics.OutOfOrder, entries},
	{"entry out of order", metrics.OutOfOrder, entries},
	{"max entry size '", metrics.Rejected, entries},
	{"includes structured metadata, but", metrics.Rejected, entries},
	{"has structured metadata too large", metrics.Rejected, entries},
	{"has too many structured metadata labels", metrics.Rejected, entries},
	{" label names; limit ", metrics.Rejected, streams},
	{"has label name too long", metrics.Rejected, streams},
	{"has label value too long", metrics.Rejected, streams},
	{"has duplicate label name", metrics.Rejected, streams},
	{"missing required labels '", metrics.Rejected, streams},
}

// named tells whether a text names the stream: all its labels are in it, as
// Prometheus writes them.
func (g *group) named(text string) bool {
	all := true
	gjson.ParseBytes(g.key).ForEach(func(name, value gjson.Result) bool {
		all = strings.Contains(text, name.Str+"="+strconv.Quote(value.Str))
		return all
	})
	return all
}
