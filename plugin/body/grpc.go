package body

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// What the first byte of a message says.
const (
	compressed   = 1 << 0
	trailersFlag = 1 << 7 // gRPC-Web alone
)

// grpcStatus is shown of trailers whatever headers.response_trailers lists.
const grpcStatus = "grpc-status"

// maxTrailers caps the fields of a trailers frame.
const maxTrailers = 100

// messages cuts length-prefixed messages apart and gives a list of them.
func (d *Decoder) messages(dst []byte, p part, t Type, encoding string, limit int) (record.Content, []byte) {
	if t.Kind == GRPCWebText {
		var ok bool
		if p, ok = d.unbase64(p); !ok {
			return omit(record.Malformed), dst
		}
	}
	flags := byte(compressed)
	if t.Kind != GRPC {
		flags |= trailersFlag
	}
	dst = append(dst, '[')
	inflated, cut, rest := 0, p.cut, p.bytes
	for len(rest) > 0 && len(dst) <= limit && inflated <= limit {
		flag := rest[0]
		if flag&^flags != 0 {
			return omit(record.Malformed), dst
		}
		if len(rest) < 5 {
			cut = true
			break
		}
		size := binary.BigEndian.Uint32(rest[1:])
		m := part{bytes: rest[5:]}
		if m.cut = uint64(size) > uint64(len(m.bytes)); !m.cut {
			m.bytes = m.bytes[:size]
		}
		rest = rest[5+len(m.bytes):]
		var why record.Omission
		if flag&compressed != 0 {
			if m, why = d.inflateMessage(m, encoding, limit); why != record.NotOmitted {
				return omit(why), dst
			}
			inflated += len(m.bytes)
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		if flag&trailersFlag != 0 {
			dst = d.trailer(dst, m)
		} else if dst, m.cut, why = d.message(dst, m, t, limit); why != record.NotOmitted {
			return omit(why), dst
		}
		cut = cut || m.cut
	}
	return asJSON(append(dst, ']'), cut || len(rest) > 0, limit)
}

// inflateMessage undoes what the grpc-encoding header names.
func (d *Decoder) inflateMessage(m part, encoding string, limit int) (part, record.Omission) {
	encoding = strings.Trim(encoding, " \t")
	if encoding == "" || strings.EqualFold(encoding, "identity") {
		return m, record.Malformed
	}
	size := len(m.bytes)
	if size == 0 {
		return m, record.NotOmitted
	}
	m, why := d.inflater.inflate(&d.inner, m, encoding, limit)
	if why == record.NotOmitted && tooMuch(len(m.bytes), size, d.ratio) {
		why = record.OfRatio
	}
	return m, why
}

// message appends one message, redacted, and tells whether anything of it is
// missing.
func (d *Decoder) message(dst []byte, m part, t Type, limit int) ([]byte, bool, record.Omission) {
	doc, o := m.bytes, redact.Options{Cut: m.cut}
	readable := true
	switch _, codec, _ := strings.Cut(t.Media, "+"); codec {
	case "json":
	case "", "proto":
		w := d.writer(m, limit)
		readable = w.message()
		d.doc, d.fields, doc = w.dst, w.fields, w.dst
		o = redact.Options{Opaque: true} // what is written is whole, if not all
		m.cut = m.cut || w.full || w.more
	default:
		readable = false
	}
	begin := len(dst)
	if readable {
		out, verdict := d.redact.JSON(dst, doc, o)
		switch {
		case verdict == redact.Redacted:
			if len(out) > begin {
				return out, m.cut, record.NotOmitted
			}
			return append(out, "{}"...), m.cut, record.NotOmitted
		case verdict == redact.NotRedactable && d.hides():
			return out, m.cut, record.NotRedactable
		case o.Cut && len(m.bytes) == 0:
			return append(out[:begin], "{}"...), true, record.NotOmitted
		}
		dst = out[:begin]
	}
	if d.hides() {
		return dst, m.cut, record.Malformed
	}
	if isText(m.bytes) {
		return jsontext.AppendString(dst, view(m.bytes)), m.cut, record.NotOmitted
	}
	return appendBase64(dst, m.bytes), m.cut, record.NotOmitted
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, `{"base64":"`...), b), `"}`...)
}

// trailer appends a trailers frame: of its fields those that may be shown.
func (d *Decoder) trailer(dst []byte, m part) []byte {
	d.pairs = d.pairs[:0]
	for rest := m.bytes; len(rest) > 0 && len(d.pairs) < maxTrailers; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		rest = after
		if name, value, ok := strings.Cut(view(line), ":"); ok && (ended || !m.cut) {
			d.pairs = append(d.pairs, [2]string{strings.Trim(name, " \t"), strings.Trim(value, " \t\r")})
		}
	}
	d.selected = d.redact.Select(d.selected[:0], d.trailers, d.pairs)
	dst = append(dst, `{"trailers":{`...)
	for i := range d.selected {
		if i > 0 {
			dst = append(dst, ',')
		}
		f := &d.selected[i]
		dst = append(jsontext.AppendString(dst, f.Name), ':')
		if len(f.Values) == 1 {
			dst = jsontext.AppendString(dst, f.Values[0])
			continue
		}
		dst = append(dst, '[')
		for j, value := range f.Values {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = jsontext.AppendString(dst, value)
		}
		dst = append(dst, ']')
	}
	return append(dst, "}}"...)
}

// unbase64 decodes one piece of base64 after the other, each padded by itself,
// as gRPC-Web servers flush them.
func (d *Decoder) unbase64(p part) (part, bool) {
	out := d.utf8[:0]
	for b := p.bytes; len(b) > 0; {
		n := len(b)
		if padding := bytes.IndexByte(b, '='); padding >= 0 {
			n = (padding/4 + 1) * 4
		}
		if n = min(n, len(b)) / 4 * 4; n == 0 {
			p.cut = true
			break
		}
		decoded, err := base64.StdEncoding.AppendDecode(out, b[:n])
		if err != nil {
			return p, false
		}
		out, b = decoded, b[n:]
	}
	d.utf8 = out
	return part{out, p.cut}, true
}
