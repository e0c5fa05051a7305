// Package body makes of the bytes of a body what may be recorded of it: it
// inflates, converts to UTF-8, takes gRPC and multipart apart, has everything
// redacted, and keeps to a length. What it cannot read for certain it leaves
// out, with the reason.
package body

import (
	"encoding/base64"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// Redactor is what a [Decoder] needs of [redact.Redactor].
type Redactor interface {
	Names() bool
	Detects() bool
	JSON(dst, doc []byte, o redact.Options) ([]byte, redact.Verdict)
	Form(dst, body []byte, cut bool) ([]byte, redact.Verdict)
	Text(dst []byte, text string, cut bool) []byte
	Select(dst []record.Field, listed []string, all [][2]string) []record.Field
}

// Raw is a body as it passed, or its beginning.
type Raw struct {
	Bytes                                      []byte
	Size                                       int64 // that passed: beyond len(Bytes), the rest was not copied
	ContentType, ContentEncoding, GRPCEncoding string
}

// Decoder reads bodies, one at a time. It keeps its buffers.
type Decoder struct {
	redact   Redactor
	grpc     bool
	ratio    int
	trailers []string // what is shown of gRPC-Web trailers
	inflater inflater
	layers   [2][]byte // what was inflated last, and the layer within
	utf8     []byte    // what was converted
	doc      []byte    // JSON before it is redacted
	text     []byte    // a text within, redacted
	inner    []byte    // a message that was inflated
	proto    writer
	fields   []field // of the protobuf messages under way, the inner ones last
	pairs    [][2]string
	selected []record.Field
	outs     [2][]byte // in turns
	turn     int
}

// New prepares a Decoder. Of c it takes the limits and what may be shown of
// trailers.
func New(c *config.Config, r Redactor) *Decoder {
	return &Decoder{
		redact: r, grpc: c.Bodies.GRPC, ratio: max(c.Bodies.MaxRatio, 1),
		trailers: append([]string{grpcStatus}, without(c.Headers.ResponseTrailers, grpcStatus)...),
	}
}

func without(names []string, name string) (others []string) {
	for _, n := range names {
		if n != name {
			others = append(others, n)
		}
	}
	return others
}

// kept is how large a buffer may be that waits for the next body: as large as
// bodies may be. A VM's memory never shrinks, and garbage of that size makes it
// grow more than what is kept.
const kept = 1 << 20

// Decode gives what may be recorded of a body: a text of at most limit bytes,
// which is valid until the call after the next, so that the two bodies of one
// exchange live at once; or the reason why there is none. Of an empty body that
// is nothing.
//
// What is longer than limit, once it is decoded and redacted, is cut: JSON to
// its last whole value that fits, then closed, so that it still parses. What is
// cut is never embedded as JSON: its form is [record.Text].
func (d *Decoder) Decode(raw *Raw, limit int) record.Content {
	switch {
	case raw.Size == 0 && len(raw.Bytes) == 0:
		return record.Content{}
	case limit <= 0:
		return omit(record.NoRoom)
	}
	d.turn = 1 - d.turn
	c, out := d.decode(raw, d.outs[d.turn][:0], limit)
	if c.Omitted == record.NotOmitted {
		c.Text = unsafe.String(unsafe.SliceData(out), len(out))
	}
	d.outs[d.turn] = small(out)
	d.layers[0], d.layers[1], d.utf8, d.doc, d.text = small(d.layers[0]), small(d.layers[1]), small(d.utf8), small(d.doc), small(d.text)
	d.inner, d.proto = small(d.inner), writer{}
	return c
}

func small(buffer []byte) []byte {
	if cap(buffer) > kept {
		return nil
	}
	return buffer[:0]
}

func omit(why record.Omission) record.Content { return record.Content{Omitted: why} }

// part is a body on its way through the decoder: its bytes, or the beginning of
// them where it is cut.
type part struct {
	bytes []byte
	cut   bool
}

func (p part) upTo(limit int) part {
	if len(p.bytes) > limit {
		return part{p.bytes[:limit], true}
	}
	return p
}

// decode appends to dst, which is empty, what becomes the text.
func (d *Decoder) decode(raw *Raw, dst []byte, limit int) (record.Content, []byte) {
	t := ParseType(raw.ContentType)
	switch {
	case t.Kind == EventStream:
		return omit(record.OfStream), dst
	case t.Kind.IsGRPC() && !d.grpc:
		return omit(record.OfGRPC), dst
	}
	p := part{raw.Bytes, int64(len(raw.Bytes)) < raw.Size}
	p, why := d.decompress(p, raw.ContentEncoding, limit)
	if why != record.NotOmitted {
		return omit(why), dst
	}
	p = p.upTo(limit)
	if t.Kind.isText() {
		if p, why = d.toUTF8(p, t.Charset, limit); why != record.NotOmitted {
			return omit(why), dst
		}
	}
	dst = slices.Grow(dst, len(p.bytes)) // rather at once than in steps, each of which is garbage
	switch t.Kind {
	case JSON:
		return d.json(dst, p, limit)
	case JSONLines:
		return d.lines(dst, p, limit)
	case Form:
		return d.form(dst, p, limit)
	case Text:
		return d.plain(dst, p, limit)
	case Multipart:
		return d.multipart(dst, p, t.Boundary, limit)
	case GRPC, GRPCWeb, GRPCWebText:
		return d.messages(dst, p, t, raw.GRPCEncoding, limit)
	}
	return d.binary(dst, p, limit)
}

// binary shows bytes that are no text. What is to be hidden in them nobody can
// tell.
func (d *Decoder) binary(dst []byte, p part, limit int) (record.Content, []byte) {
	if d.redact.Names() || d.redact.Detects() {
		return omit(record.NotRedactable), dst
	}
	p = p.upTo(limit / 4 * 3)
	return record.Content{Form: record.Base64, Truncated: p.cut}, base64.StdEncoding.AppendEncode(dst, p.bytes)
}

// asText ends a text: it is cut to limit bytes, between characters.
func asText(dst []byte, cut bool, limit int) (record.Content, []byte) {
	if len(dst) > limit {
		dst, cut = dst[:runes(dst, limit)], true
	}
	return record.Content{Form: record.Text, Truncated: cut}, dst
}

// runes is the length of the whole characters among the first n bytes.
func runes(s []byte, n int) int {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// asJSON ends a JSON document that is whole, if it is not cut: an object or a
// list is embedded, anything else is a text.
func asJSON(dst []byte, cut bool, limit int) (record.Content, []byte) {
	if len(dst) > limit {
		if dst[0] != '{' && dst[0] != '[' {
			return asText(dst, true, limit)
		}
		if dst, cut = closeJSON(dst, limit), true; len(dst) == 0 {
			return omit(record.NoRoom), dst
		}
	}
	if !cut && len(dst) > 0 && (dst[0] == '{' || dst[0] == '[') {
		return record.Content{Form: record.JSON}, dst
	}
	return record.Content{Form: record.Text, Truncated: cut}, dst
}

// view is a text for as long as the bytes stay.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
