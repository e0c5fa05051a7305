package body

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/redact"
)

// A protobuf message without its schema is shown by what is on the wire: an
// object with field numbers for names, in their order, a list where a number
// repeats. A varint is a signed number, a text beyond 2^53: zigzag is not undone.
// What has a fixed size may be a float or not: "42i64", or "1.5 or
// 4609434218613702656i64" where that is likely. What has a length is a text
// where it can be one, else a message, else {"base64":"…"}; where detectors are
// on, which cannot look into that, {"bytes":n} is all that is shown.

// The bounds of what is taken apart.
const (
	maxDepth  = 32
	maxFields = 8 << 10 // that are open at once
	maxEither = 8       // texts that may be messages, within each other: each is read both ways, and so is all within it
)

// The wire types.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wireGroup  = 3
	wireEnd    = 4
	wire32     = 5
)

// field is one field: b[start:end] is its value.
type field struct {
	number     uint32
	start, end int32
	wire       uint8
}

// writer writes one message.
type writer struct {
	redact  Redactor
	scratch *[]byte
	detects bool
	b       []byte
	cut     bool
	dst     []byte
	limit   int
	fields  []field
	full    bool // what is missing at the end did not fit
	more    bool // some message has fields beyond maxFields
	eithers int  // that are open
}

func (d *Decoder) writer(m part, limit int) *writer {
	w := &d.proto
	*w = writer{redact: d.redact, scratch: &d.text, detects: d.redact.Detects(), b: m.bytes, cut: m.cut, dst: d.doc[:0], limit: limit, fields: d.fields[:0]}
	return w
}

// message writes the whole, unless it is none.
func (w *writer) message() bool {
	if result := w.scan(0, len(w.b)); result == broken || result == short && !w.cut {
		return false
	}
	w.object(0, 0)
	return true
}

// object writes the fields from an index on, and forgets them.
func (w *writer) object(from, depth int) {
	end := len(w.fields)
	slices.SortStableFunc(w.fields[from:], func(a, b field) int { return int(a.number) - int(b.number) })
	w.dst = append(w.dst, '{')
	for i := from; i < end && w.fits(); {
		number := w.fields[i].number
		last := i + 1
		for last < end && w.fields[last].number == number {
			last++
		}
		if i > from {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(strconv.AppendUint(append(w.dst, '"'), uint64(number), 10), '"', ':')
		if last == i+1 {
			w.value(w.fields[i], depth)
		} else {
			w.list(i, last, depth)
		}
		i = last
	}
	w.dst = append(w.dst, '}')
	w.fields = w.fields[:from]
}

func (w *writer) list(i, end, depth int) {
	w.dst = append(w.dst, '[')
	for first := i; i < end && w.fits(); i++ {
		if i > first {
			w.dst = append(w.dst, ',')
		}
		w.value(w.fields[i], depth)
	}
	w.dst = append(w.dst, ']')
}

// fits tells whether more may be written: the document stays whole, and is cut
// back to the limit once it is redacted.
func (w *writer) fits() bool {
	w.full = w.full || len(w.dst) > w.limit
	return !w.full
}

func (w *writer) value(f field, depth int) {
	b := w.b[f.start:f.end]
	switch f.wire {
	case wireVarint:
		v, _ := binary.Uvarint(b)
		w.number(int64(v))
	case wire32:
		v := binary.LittleEndian.Uint32(b)
		w.fixed(int64(int32(v)), float64(math.Float32frombits(v)), 32)
	case wire64:
		v := binary.LittleEndian.Uint64(b)
		w.fixed(int64(v), math.Float64frombits(v), 64)
	case wireGroup:
		from := len(w.fields)
		if depth >= maxDepth || w.scan(int(f.start), int(f.end)) != whole {
			w.fields = w.fields[:from]
			w.bytes(b)
			return
		}
		w.object(from, depth+1)
	case wireBytes:
		w.delimited(f, b, depth)
	}
}

// number writes a number that JavaScript and JSON stores read back as it is.
func (w *writer) number(v int64) {
	const exact = 1 << 53
	if v < -exact || v > exact {
		w.dst = append(strconv.AppendInt(append(w.dst, '"'), v, 10), '"')
		return
	}
	w.dst = strconv.AppendInt(w.dst, v, 10)
}

// fixed writes the integer, and the float before it where one of that size is
// what people write.
func (w *writer) fixed(v int64, float float64, bits int) {
	w.dst = append(w.dst, '"')
	if size := math.Abs(float); size >= 1e-6 && size < 1e15 {
		w.dst = append(strconv.AppendFloat(w.dst, float, 'f', -1, bits), " or "...)
	}
	w.dst = append(strconv.AppendInt(w.dst, v, 10), 'i')
	w.dst = append(strconv.AppendInt(w.dst, int64(bits), 10), '"')
}

// delimited writes what has a length.
func (w *writer) delimited(f field, b []byte, depth int) {
	from := len(w.fields)
	isMessage := false
	if depth < maxDepth && len(b) > 0 {
		isMessage = w.scan(int(f.start), int(f.end)) == whole
	}
	text, lines := isText(b), false
	if !text {
		lines = isLines(b)
	}
	switch {
	case isMessage && (text || lines) && w.detects:
		w.either(b, from, depth, text)
	case text, lines && !isMessage:
		w.dst = jsontext.AppendString(w.dst, view(b))
	case isMessage:
		w.object(from, depth+1)
	default:
		w.bytes(b)
	}
	w.fields = w.fields[:from]
}

// either writes what may be a text and may be a message, where detectors are
// on: as the one it could hide what shows in the other, so that nothing of it is
// shown where anything is found in either, nor where too many are within each other.
func (w *writer) either(b []byte, from, depth int, text bool) {
	begin := len(w.dst)
	if w.eithers == maxEither {
		w.dst = append(w.dst, `"`+redact.Masked+`"`...)
		return
	}
	w.eithers++
	w.object(from, depth+1)
	w.eithers--
	doc := w.dst[begin:]
	words := w.redact.Text((*w.scratch)[:0], view(b), false)
	found := !bytes.Equal(words, b)
	if !found {
		var verdict redact.Verdict
		words, verdict = w.redact.JSON(words[:0], doc, redact.Options{Opaque: true})
		found = verdict != redact.Redacted || !bytes.Equal(words, doc)
	}
	*w.scratch = words
	switch {
	case found:
		w.dst = append(w.dst[:begin], `"`+redact.Masked+`"`...)
	case text:
		w.dst = jsontext.AppendString(w.dst[:begin], view(b))
	}
}

// bytes writes what is neither text nor message.
func (w *writer) bytes(b []byte) {
	if w.detects {
		w.dst = append(strconv.AppendInt(append(w.dst, `{"bytes":`...), int64(len(b)), 10), '}')
		return
	}
	w.dst = appendBase64(w.dst, b)
}

// isText tells whether bytes are UTF-8 without control characters.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// isLines is the same for texts with line breaks and tabs: the first bytes of
// many messages.
func isLines(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// scanned is what a walk over fields found.
type scanned uint8

const (
	whole  scanned = iota
	short          // the last field is incomplete
	broken         // it is no message
)

// scan appends the fields of the message w.b[at:end], without what an
// incomplete one has.
func (w *writer) scan(at, end int) scanned {
	for at < end {
		if len(w.fields) >= maxFields {
			w.more = true
			return whole
		}
		number, wire, start, result := w.tag(at, end)
		if result != whole {
			return result
		}
		f := field{number: number, wire: wire}
		if wire == wireGroup {
			var inner int
			if inner, at, result = w.group(number, start, end); result != whole {
				return result
			}
			f.start, f.end = int32(start), int32(inner)
		} else {
			if start, at, result = w.extent(wire, start, end); result != whole {
				return result
			}
			f.start, f.end = int32(start), int32(at)
		}
		w.fields = append(w.fields, f)
	}
	return whole
}

// tag reads a field's number and wire type.
func (w *writer) tag(at, end int) (number uint32, wire uint8, after int, _ scanned) {
	tag, n := binary.Uvarint(w.b[at:end])
	switch {
	case n == 0:
		return 0, 0, 0, short
	case n < 0, tag>>3 == 0, tag > math.MaxUint32:
		return 0, 0, 0, broken
	}
	return uint32(tag >> 3), uint8(tag & 7), at + n, whole
}

// extent finds where a value begins and ends.
func (w *writer) extent(wire uint8, at, end int) (start, after int, _ scanned) {
	size := 0
	switch wire {
	case wireVarint:
		_, size = binary.Uvarint(w.b[at:end])
		if size < 0 {
			return 0, 0, broken
		}
		if size == 0 {
			return 0, 0, short
		}
	case wire64:
		size = 8
	case wire32:
		size = 4
	case wireBytes:
		length, n := binary.Uvarint(w.b[at:end])
		switch {
		case n < 0, length > math.MaxInt32:
			return 0, 0, broken
		case n == 0:
			return 0, 0, short
		}
		at, size = at+n, int(length)
	default:
		return 0, 0, broken
	}
	if size > end-at {
		return 0, 0, short
	}
	return at, at + size, whole
}

// group finds the end of a group: of what it holds, and behind its end tag.
func (w *writer) group(number uint32, at, end int) (inner, after int, _ scanned) {
	var open [maxDepth]uint32
	open[0] = number
	depth := 1
	for at < end {
		number, wire, next, result := w.tag(at, end)
		if result != whole {
			return 0, 0, result
		}
		switch wire {
		case wireGroup:
			if depth == maxDepth {
				return 0, 0, broken
			}
			open[depth] = number
			depth++
		case wireEnd:
			if open[depth-1] != number {
				return 0, 0, broken
			}
			if depth--; depth == 0 {
				return at, next, whole
			}
		default:
			if _, next, result = w.extent(wire, next, end); result != whole {
				return 0, 0, result
			}
		}
		at = next
	}
	return 0, 0, short
}
