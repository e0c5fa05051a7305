package secretstest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// body makes a body and says in the headers what it is, truthfully most times.
func (e *Exchange) body(headers *[][2]string, where string) []byte {
	var kind string
	var body []byte
	switch e.random.IntN(12) {
	case 0, 1, 2, 3:
		kind, body = "application/json", []byte(e.document(where))
	case 4:
		kind, body = "application/problem+json; charset=utf-8", []byte(e.document(where))
	case 5:
		kind, body = "application/x-www-form-urlencoded", []byte(e.form(where))
	case 6:
		kind, body = "multipart/form-data; boundary=limit", []byte(e.multipart(where))
	case 7:
		kind, body = "application/grpc", e.grpc(where)
	case 8:
		kind, body = pick(e, "text/plain", "text/html", "application/xml"), []byte("<note>"+e.free(where)+"password: "+e.plant(where+", free text", e.word())+"</note>")
	case 9:
		kind, body = "application/x-ndjson", []byte(e.document(where)+"\n"+e.document(where)+"\n")
	case 10:
		kind, body = "application/json; charset=utf-16le", utf16LE(e.document(where))
	default:
		return nil
	}
	if e.once(15) {
		kind = pick(e, "application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "application/grpc", "nonsense", "multipart/form-data; boundary=other", "application/json; charset=utf-16be")
	}
	if kind != "application/grpc" || e.once(2) {
		encoding := pick(e, "", "", "", "gzip", "deflate", "deflate, gzip", "x-gzip", "br", "identity")
		body = compress(encoding, body, e.once(2))
		if encoding != "" && !e.once(20) {
			*headers = append(*headers, [2]string{"content-encoding", encoding})
		}
	}
	*headers = append(*headers, [2]string{"content-type", kind})
	return body
}

func compress(encoding string, body []byte, raw bool) []byte {
	for coding := range strings.SplitSeq(encoding, ", ") {
		var b bytes.Buffer
		var w io.WriteCloser
		switch {
		case strings.HasSuffix(coding, "gzip"):
			w = gzip.NewWriter(&b)
		case coding == "deflate" && raw:
			w, _ = flate.NewWriter(&b, flate.BestSpeed)
		case coding == "deflate":
			w = zlib.NewWriter(&b)
		default:
			continue
		}
		w.Write(body)
		w.Close()
		body = b.Bytes()
	}
	return body
}

func utf16LE(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// document is a JSON text.
func (e *Exchange) document(where string) string {
	var b strings.Builder
	e.object(&b, where, 0, true)
	return b.String()
}

func (e *Exchange) space(b *strings.Builder) { b.WriteString(pick(e, "", "", "", " ", "\n  ", "\t")) }

// key is written in any letters, unless there is a secret in it, with any escapes.
func (e *Exchange) key(b *strings.Builder, key string) {
	if !strings.HasPrefix(key, free) && e.once(4) {
		key = pick(e, strings.ToUpper(key), strings.ToUpper(key[:1])+key[1:])
	}
	e.text(b, key, pick(e, 0, 0, 2, 5))
	e.space(b)
	b.WriteByte(':')
	e.space(b)
}

func (e *Exchange) object(b *strings.Builder, where string, depth int, root bool) {
	b.WriteByte('{')
	count := 0
	member := func(key string, value func()) {
		if count++; count > 1 {
			b.WriteByte(',')
		}
		e.space(b)
		e.key(b, key)
		value()
		e.space(b)
	}
	for range e.random.IntN(5) {
		switch e.random.IntN(7) {
		case 0:
			member("password", func() { e.hidden(b, where+", password") })
		case 1:
			member("note", func() { e.text(b, e.free(where), pick(e, 0, 3)) })
		case 2:
			if depth < 5 {
				member("inner", func() { e.object(b, where, depth+1, false) })
			}
		case 3:
			if depth < 5 {
				member("list", func() { e.list(b, func() { e.object(b, where, depth+1, false) }) })
			}
		case 4:
			if depth < 3 {
				member("payload", func() { // JSON in a text
					var inner strings.Builder
					e.object(&inner, where+", JSON in a text", depth+2, false)
					e.text(b, inner.String(), pick(e, 0, 4))
				})
			}
		case 5:
			member("amount", func() { b.WriteString(pick(e, "118", "-1.5e3", "0", "true", "null", `""`)) })
		case 6:
			member(free+e.formed(where+", key"), func() { b.WriteString("1") })
		}
	}
	if root {
		if e.once(2) {
			member("user", func() { e.user(b, where) })
		}
		if e.once(2) {
			member("cards", func() {
				e.list(b, func() {
					number := e.digits(16)
					e.Secrets = append(e.Secrets, Secret{Where: where + ", pan", Text: number, Shown: 4})
					b.WriteByte('{')
					e.key(b, "pan")
					b.WriteString(pick(e, number, `"`+number+`"`))
					b.WriteByte('}')
				})
			})
		}
	}
	b.WriteByte('}')
}

// free begins the keys that no rule names.
const free = "k "

func (e *Exchange) user(b *strings.Builder, where string) {
	b.WriteByte('{')
	for i := range 1 + e.random.IntN(2) { // twice at times
		if i > 0 {
			b.WriteByte(',')
		}
		e.key(b, "email")
		e.hidden(b, where+", user.email")
	}
	if e.once(2) {
		b.WriteByte(',')
		e.key(b, "api.key")
		e.hidden(b, where+", a key with a dot")
	}
	b.WriteByte('}')
}

func (e *Exchange) list(b *strings.Builder, item func()) {
	b.WriteByte('[')
	for i := range e.random.IntN(4) {
		if i > 0 {
			b.WriteByte(',')
		}
		e.space(b)
		item()
	}
	b.WriteByte(']')
}

// hidden is a value of any type, all of it secret.
func (e *Exchange) hidden(b *strings.Builder, where string) {
	switch e.random.IntN(6) {
	case 0:
		b.WriteString(e.plant(where, e.digits(12)))
	case 1:
		b.WriteByte('{')
		e.key(b, "it is")
		e.text(b, e.plant(where, e.word()), 0)
		b.WriteByte('}')
	case 2:
		e.list(b, func() { e.text(b, e.plant(where, e.word()), 3) })
	default:
		e.text(b, pick(e, "", "é\"\\", "\U0001F600")+e.plant(where, e.word()), pick(e, 0, 2))
	}
}

// text writes a JSON string in which one of so many characters is escaped though
// it need not be; 0 is none.
func (e *Exchange) text(b *strings.Builder, text string, escaped int) {
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || escaped > 0 && e.once(escaped):
			if r1, r2 := utf16.EncodeRune(r); r1 != utf8.RuneError {
				fmt.Fprintf(b, `\u%04x\u%04X`, r1, r2)
			} else {
				fmt.Fprintf(b, pick(e, `\u%04x`, `\u%04X`), r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

func (e *Exchange) form(where string) string {
	var pairs []string
	for range 1 + e.random.IntN(4) {
		var name, value string
		switch e.random.IntN(5) {
		case 0:
			name, value = pick(e, "password", "Password", "login[password]", "login.password"), e.plant(where+", form", e.word())
		case 1:
			name, value = pick(e, "user[email]", "user.email"), e.plant(where+", form", e.word())
		case 2:
			name, value = "note", e.free(where+", form")
		case 3:
			var inner strings.Builder
			e.object(&inner, where+", JSON in a form", 1, false)
			name, value = "payload", inner.String()
		default:
			name, value = "page", "2"
		}
		value = e.encode(value)
		if e.once(2) {
			value = strings.ReplaceAll(value, "%20", "+")
		}
		pairs = append(pairs, e.encode(name)+"="+value)
	}
	return strings.Join(pairs, "&")
}

func (e *Exchange) multipart(where string) string {
	var b strings.Builder
	for range 1 + e.random.IntN(3) {
		fmt.Fprintf(&b, "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: text/plain\r\n\r\n%s\r\n",
			strings.NewReplacer("\n", " ", `"`, "").Replace(e.formed(where+", file name")), e.plant(where+", multipart", e.word())+e.free(where))
	}
	return b.String() + "--limit--\r\n"
}

// grpc is messages, some compressed with what the body's own header does not say.
func (e *Exchange) grpc(where string) []byte {
	var b []byte
	for range 1 + e.random.IntN(3) {
		message := e.message(where, 0)
		b = append(b, 0)
		b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
		b = append(b, message...)
	}
	return b
}

// message is a protobuf message; its field 15 is secret at any depth, and 1.3.
func (e *Exchange) message(where string, depth int) []byte {
	var m []byte
	field := func(number int, content []byte) {
		m = binary.AppendUvarint(m, uint64(number)<<3|2)
		m = binary.AppendUvarint(m, uint64(len(content)))
		m = append(m, content...)
	}
	for range 1 + e.random.IntN(4) {
		switch e.random.IntN(5) {
		case 0:
			field(15, []byte(e.plant(where+", protobuf", e.word())))
		case 1:
			if depth < 4 {
				field(2, e.message(where, depth+1))
			}
		case 2:
			if depth == 0 {
				var inner []byte
				secret := e.plant(where+", protobuf", e.word())
				inner = append(inner, 3<<3|2, byte(len(secret)))
				field(1, append(inner, secret...))
			}
		case 3:
			field(4, []byte(e.free(where+", protobuf")))
		default:
			m = append(m, 5<<3|0, 42)
		}
	}
	return m
}
