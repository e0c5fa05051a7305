package body

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/redact"
)

// fake hides by simple means what a redact.Redactor hides by certain ones:
// members named so, at any depth, and a word that stands for a detector's find.
type fake struct {
	name, word string
	opaque     []bool // as JSON was called
}

func (f *fake) Names() bool   { return f.name != "" }
func (f *fake) Detects() bool { return f.word != "" }

func (f *fake) words(s string) string {
	if f.word == "" {
		return s
	}
	return strings.ReplaceAll(s, f.word, "[word]")
}

func (f *fake) JSON(dst, doc []byte, o redact.Options) ([]byte, redact.Verdict) {
	f.opaque = append(f.opaque, o.Opaque)
	doc = bytes.Clone(doc)
	if o.Cut && !json.Valid(doc) {
		doc = closeJSON(doc, 2*len(doc)+2)
	}
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	begin := len(dst)
	if !json.Valid(doc) {
		return dst, redact.Invalid
	}
	if bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > 5000 {
		return dst, redact.NotRedactable
	}
	dst = f.value(dst, decoder)
	if !json.Valid(dst[begin:]) {
		panic("the fake is broken")
	}
	return dst, redact.Redacted
}

func (f *fake) value(dst []byte, d *json.Decoder) []byte {
	token, _ := d.Token()
	switch t := token.(type) {
	case json.Delim:
		dst = append(dst, byte(t))
		for first := true; d.More(); first = false {
			if !first {
				dst = append(dst, ',')
			}
			if t == '[' {
				dst = f.value(dst, d)
				continue
			}
			key, _ := d.Token()
			dst = append(jsontext.AppendString(dst, f.words(key.(string))), ':')
			end := len(dst)
			if dst = f.value(dst, d); f.Names() && strings.EqualFold(f.name, key.(string)) {
				dst = append(dst[:end], `"[masked]"`...)
			}
		}
		d.Token()
		return append(dst, byte(t)+2)
	case string:
		return jsontext.AppendString(dst, f.words(t))
	case json.Number:
		return append(dst, t...)
	case bool:
		if t {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	}
	return append(dst, "null"...)
}

func (f *fake) Form(dst, body []byte, cut bool) ([]byte, redact.Verdict) {
	if bytes.Contains(body, []byte("%%")) {
		return dst, redact.NotRedactable
	}
	for i, pair := range strings.Split(string(body), "&") {
		if i > 0 {
			dst = append(dst, '&')
		}
		name, value, ok := strings.Cut(pair, "=")
		if dst = append(dst, f.words(name)...); !ok {
			continue
		}
		if f.Names() && strings.EqualFold(name, f.name) {
			value = redact.Masked
		}
		dst = append(append(dst, '='), f.words(value)...)
	}
	return dst, redact.Redacted
}

func (f *fake) Text(dst []byte, text string, cut bool) []byte {
	if cut && f.Detects() {
		text = text[:max(strings.LastIndexByte(text, ' '), 0)]
	}
	return append(dst, f.words(text)...)
}

func (f *fake) Select(dst []record.Field, listed []string, all [][2]string) []record.Field {
	for _, name := range listed {
		var values []string
		for _, h := range all {
			if strings.EqualFold(h[0], name) {
				values = append(values, f.words(h[1]))
			}
		}
		if values != nil {
			dst = append(dst, record.Field{Name: name, Values: values})
		}
	}
	return dst
}
