package body

import (
	"bytes"

	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// hides tells whether anything is to be hidden in bodies.
func (d *Decoder) hides() bool { return d.redact.Names() || d.redact.Detects() }

// json reads one document.
func (d *Decoder) json(dst []byte, p part, limit int) (record.Content, []byte) {
	out, verdict := d.redact.JSON(dst, p.bytes, redact.Options{Cut: p.cut})
	switch {
	case verdict == redact.Redacted:
		return asJSON(out, p.cut, limit)
	case !d.hides():
		return asText(append(out[:0], p.bytes...), p.cut, limit)
	case verdict == redact.NotRedactable:
		return omit(record.NotRedactable), out
	}
	return omit(record.Malformed), out
}

// lines reads a document a line, and gives a text of them, a line each.
func (d *Decoder) lines(dst []byte, p part, limit int) (record.Content, []byte) {
	for rest := p.bytes; len(rest) > 0 && len(dst) <= limit; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		rest = after
		line = bytes.Trim(line, " \t\r\x1e") // RS stands before each document of a sequence
		if len(line) == 0 {
			continue
		}
		from := len(dst)
		if from > 0 {
			dst = append(dst, '\n')
		}
		begin := len(dst)
		cut := p.cut && !ended
		out, verdict := d.redact.JSON(dst, line, redact.Options{Cut: cut})
		switch {
		case verdict == redact.Redacted && len(out) > begin:
			dst = out
		case verdict == redact.Redacted: // nothing of it is whole
			dst = out[:from]
			continue
		case !d.hides():
			dst = append(out[:begin], line...)
		case cut && verdict == redact.Invalid:
			dst = out[:from]
			continue
		case verdict == redact.NotRedactable:
			return omit(record.NotRedactable), out
		default:
			return omit(record.Malformed), out
		}
		if len(dst) > limit { // the last, which may be closed
			closed := closeJSON(dst[begin:], limit-begin)
			if verdict == redact.Redacted && len(closed) > 0 {
				return record.Content{Form: record.Text, Truncated: true}, dst[:begin+len(closed)]
			}
		}
	}
	return asText(dst, p.cut, limit)
}

// form reads fields. JSON under this type is what curl sends unless it is told
// better: its names would be no field's. What can be read as either is left out.
func (d *Decoder) form(dst []byte, p part, limit int) (record.Content, []byte) {
	if mayBeJSON(p.bytes) {
		if d.redact.Names() && redact.MayBeFields(p.bytes) {
			return omit(record.NotRedactable), dst
		}
		out, verdict := d.redact.JSON(dst, p.bytes, redact.Options{Cut: p.cut})
		dst = out[:0]
		switch {
		case verdict == redact.Redacted:
			return asJSON(out, p.cut, limit)
		case d.redact.Names() && verdict == redact.NotRedactable:
			return omit(record.NotRedactable), dst
		case d.redact.Names():
			return omit(record.Malformed), dst
		}
	}
	out, verdict := d.redact.Form(dst, p.bytes, p.cut)
	switch verdict {
	case redact.Redacted:
		return asText(out, p.cut, limit)
	case redact.NotRedactable:
		return omit(record.NotRedactable), out
	}
	return omit(record.Malformed), out
}

// plain reads any other text. Where fields are to be hidden it must be JSON, as
// they could not be told apart in anything else.
func (d *Decoder) plain(dst []byte, p part, limit int) (record.Content, []byte) {
	if mayBeJSON(p.bytes) {
		out, verdict := d.redact.JSON(dst, p.bytes, redact.Options{Cut: p.cut})
		if verdict == redact.Redacted {
			return asJSON(out, p.cut, limit)
		}
		dst = out[:0]
	}
	if d.redact.Names() {
		return omit(record.NotRedactable), dst
	}
	return asText(d.redact.Text(dst, view(p.bytes), p.cut), p.cut, limit)
}

// mayBeJSON tells whether an object or a list may begin.
func mayBeJSON(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// closeJSON cuts a valid object or list to its last whole value that fits into
// limit bytes together with the brackets that close what is open then. It
// overwrites doc. Where not even the outer brackets fit, nothing is left.
func closeJSON(doc []byte, limit int) []byte {
	var closers []byte // of the brackets that are open
	safe, depth := 0, 0
	inText := false
	for i := 0; i < len(doc) && i+len(closers) <= limit; i++ {
		c := doc[i]
		switch {
		case inText && c == '\\':
			i++
			continue
		case c == '"':
			inText = !inText
			continue
		case inText:
			continue
		case c == ',' && len(closers) > 0:
			safe, depth = i, len(closers)
			continue
		case c == '{':
			closers = append(closers, '}')
		case c == '[':
			closers = append(closers, ']')
		case (c == '}' || c == ']') && len(closers) > 0:
			closers = closers[:len(closers)-1]
		default:
			continue
		}
		if i+1+len(closers) > limit {
			break
		}
		// Whatever is opened after this does not fit, or is safe itself: the
		// first closers stay those of here.
		if safe, depth = i+1, len(closers); depth == 0 {
			break
		}
	}
	out := doc[:safe]
	for depth--; depth >= 0; depth-- {
		out = append(out, closers[depth])
	}
	return out
}
