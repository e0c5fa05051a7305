package body

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

// The bounds, in bytes, of a name, a file name or a content type of a part, and
// of the boundary between parts, which RFC 2046 bounds by 70.
const (
	maxName     = 256
	maxBoundary = 200
)

// multipart lists the parts (RFC 2046, 5.1; RFC 7578): what their headers say
// and how long they are, never what they hold.
func (d *Decoder) multipart(dst []byte, p part, boundary string, limit int) (record.Content, []byte) {
	if boundary == "" || len(boundary) > maxBoundary {
		return omit(record.Malformed), dst
	}
	line, ok := delimiter(p.bytes, 0, boundary)
	if !ok {
		return omit(record.Malformed), dst
	}
	dst = append(dst, '[')
	cut := false
	for !line.last && len(dst) <= limit {
		head, content, whole := header(p.bytes, line.end)
		if !whole { // it says nothing for certain
			cut = true
			break
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		next, ok := delimiter(p.bytes, content, boundary)
		if !ok {
			next = separator{start: len(p.bytes), last: true}
			cut = true
		}
		dst = d.part(dst, head, next.start-content, !ok)
		line = next
	}
	return asJSON(append(dst, ']'), cut, limit)
}

// separator is a line between parts, with the line break before it.
type separator struct {
	start, end int
	last       bool // the one after the last part
}

// delimiter finds the next one. A line break alone passes for CRLF. Only where lines
// begin is the boundary compared: a client chooses it, and may fill a body with
// what nearly is one.
func delimiter(b []byte, from int, boundary string) (separator, bool) {
	for at := from; ; {
		if s, ok := separatorAt(b, from, at, boundary); ok {
			return s, true
		}
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return separator{}, false
		}
		at += i + 1
	}
}

// separatorAt reads the line at at, if it is one.
func separatorAt(b []byte, from, at int, boundary string) (s separator, ok bool) {
	rest, dashed := bytes.CutPrefix(b[at:], []byte("--"))
	if !dashed || len(rest) < len(boundary) || string(rest[:len(boundary)]) != boundary {
		return s, false
	}
	s.start = at
	if s.start > from {
		if s.start--; s.start > from && b[s.start-1] == '\r' {
			s.start--
		}
	}
	end := at + len("--") + len(boundary)
	if s.last = bytes.HasPrefix(b[end:], []byte("--")); s.last {
		end += len("--")
	}
	for end < len(b) && (b[end] == ' ' || b[end] == '\t') {
		end++
	}
	if end < len(b) && b[end] == '\r' {
		end++
	}
	if end < len(b) && b[end] == '\n' {
		s.end = end + 1
		return s, true
	}
	s.end = end // cut within the line, or else it is another
	return s, end == len(b)
}

// header gives the lines of a part's header, and where its content begins.
func header(b []byte, from int) (head []byte, content int, whole bool) {
	for at := from; at < len(b); {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			break
		}
		if i == 0 || i == 1 && b[at] == '\r' {
			return b[from:at], at + i + 1, true
		}
		at += i + 1
	}
	return nil, 0, false
}

// part appends what is recorded of one.
func (d *Decoder) part(dst, head []byte, size int, cut bool) []byte {
	dst = append(dst, '{')
	var name, file, media string
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		head = rest
		key, value, _ := strings.Cut(view(line), ":")
		value = strings.Trim(value, " \t\r")
		switch key = strings.Trim(key, " \t"); {
		case strings.EqualFold(key, "content-disposition"):
			name, file = disposition(value)
		case strings.EqualFold(key, "content-type"):
			media = value
		}
	}
	dst = d.member(dst, `"name":`, name)
	dst = d.member(dst, `"filename":`, file)
	dst = d.member(dst, `"content_type":`, media)
	dst = strconv.AppendInt(append(dst, `"size":`...), int64(size), 10)
	if cut {
		dst = append(dst, `,"truncated":true`...)
	}
	return append(dst, '}')
}

// member appends a text that a client chose, redacted before it is cut, if there is one.
func (d *Decoder) member(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	d.text = d.redact.Text(d.text[:0], value, false)
	text := d.text
	if len(text) > maxName {
		text = text[:runes(text, maxName)]
	}
	return append(jsontext.AppendString(append(dst, key...), view(text)), ',')
}

// disposition reads a Content-Disposition (RFC 6266).
func disposition(value string) (name, file string) {
	_, rest, _ := strings.Cut(value, ";")
	var extended string
	for {
		key, value, next, ok := parameter(rest)
		if !ok {
			break
		}
		switch {
		case strings.EqualFold(key, "name") && name == "":
			name = value
		case strings.EqualFold(key, "filename") && file == "":
			file = value
		case strings.EqualFold(key, "filename*") && extended == "":
			if _, escaped, ok := strings.Cut(value, "''"); ok {
				extended = unescape(escaped)
			}
		}
		rest = next
	}
	if extended != "" {
		file = extended
	}
	return name, file
}

// unescape undoes percent-encoding. What is none stays.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
