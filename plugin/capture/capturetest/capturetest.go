// Package capturetest is a host to capture from, for tests: one exchange in
// memory, read by attribute, by CEL list, or by header map, as from Envoy.
package capturetest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Host is a [capture.Source]. Its zero value has CEL and knows nothing.
type Host struct {
	WithoutCEL bool              // as outside Envoy
	Attributes map[string][]byte // by dotted path; see [Int]
	Request    [][2]string       // headers, repeated ones too
	Response   [][2]string
	Trailers   [][2]string // of the request
	Answered   [][2]string // trailers of the response
	Chunk      []byte      // of either body, passing now
	Mangle     func(list []byte) []byte
	Calls      map[string]int // how often each method was called; nil: not counted

	compiled []string
}

// Int is a number, a time or a duration as the host gives it.
func Int(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func (h *Host) count(call string) {
	if h.Calls != nil {
		h.Calls[call]++
	}
}

// Property reads an attribute, or the first value of a header.
func (h *Host) Property(path []string) ([]byte, bool) {
	h.count("Property")
	if len(path) == 3 && strings.HasPrefix(path[0], "re") {
		value, ok := get(h.maps(path[0]+"."+path[1]), path[2])
		return []byte(value), ok
	}
	value, ok := h.Attributes[strings.Join(path, ".")]
	return value, ok
}

func (h *Host) maps(name string) [][2]string {
	return map[string][][2]string{"request.headers": h.Request, "response.headers": h.Response, "request.trailers": h.Trailers, "response.trailers": h.Answered}[name]
}

func get(headers [][2]string, name string) (string, bool) {
	for _, header := range headers {
		if header[0] == name {
			return header[1], true
		}
	}
	return "", false
}

// Compile takes a list of attributes, each as it is, as `has(a)?a:”` or, a
// header's, as `"n" in h?h["n"]:""`, of the one expression for an id, and of
// others that give the first attribute that is there, `(condition?a:condition?b:”)`.
func (h *Host) Compile(expression string) (token []byte, ok bool) {
	h.count("Compile")
	if h.WithoutCEL {
		return nil, false
	}
	h.compiled = append(h.compiled, expression)
	return binary.LittleEndian.AppendUint32(nil, uint32(len(h.compiled)-1)), true
}

// Evaluate gives a list as Envoy serialises it. An attribute that is absent and
// not asked for by has() fails the whole.
func (h *Host) Evaluate(token []byte) ([]byte, bool) {
	h.count("Evaluate")
	list, _ := strings.CutPrefix(h.compiled[binary.LittleEndian.Uint32(token)], "[")
	list, _ = strings.CutSuffix(list, "]")
	var values [][]byte
	for _, term := range strings.Split(list, ",") {
		value, ok := h.term(term)
		if !ok {
			return nil, false
		}
		values = append(values, value)
	}
	result := Serialise(values...)
	if h.Mangle != nil {
		result = h.Mangle(result)
	}
	return result, true
}

func (h *Host) term(term string) ([]byte, bool) {
	if strings.HasPrefix(term, "('traceparent' in ") {
		return []byte(h.id()), true
	}
	if name, of, ok := strings.Cut(term, `" in `); ok {
		message, _, _ := strings.Cut(of, "?")
		if name = name[1:]; term != fmt.Sprintf(`"%s" in %s?%s["%s"]:""`, name, message, message, name) {
			panic("capturetest: a term it does not know: " + term)
		}
		value, _ := get(h.maps(message), name)
		return []byte(value), true
	}
	if branches, ok := strings.CutPrefix(term, "((has(xds.listener_direction)&&xds.listener_direction==1)?("); ok {
		in, out, _ := strings.Cut(strings.TrimSuffix(branches, "))"), "):(")
		if string(h.Attributes["xds.listener_direction"]) == string(Int(1)) {
			return h.term(in)
		}
		return h.term(out)
	}
	if term == "''" {
		return nil, true
	}
	if condition, ok := strings.CutPrefix(term, "("); ok {
		_, name, _ := strings.Cut(condition, "?")
		name, ok := strings.CutSuffix(name, ":'')")
		if !ok {
			panic("capturetest: a term it does not know: " + term)
		}
		for _, name := range strings.Split(name, ":") {
			if _, after, ok := strings.Cut(name, "?"); ok {
				name = after
			}
			if value, ok := h.Attributes[name]; ok {
				return value, true
			}
		}
		return nil, true
	}
	name, optional := strings.CutPrefix(term, "has(")
	if optional {
		name, _, _ = strings.Cut(name, ")")
		if term != fmt.Sprintf("has(%s)?%s:''", name, name) {
			panic("capturetest: a term it does not know: " + term)
		}
	}
	value, ok := h.Attributes[name]
	return value, ok || optional
}

func (h *Host) id() string {
	for _, name := range []string{"traceparent", "b3"} {
		if value, ok := get(h.Request, name); ok {
			return value
		}
	}
	trace, ok1 := get(h.Request, "x-b3-traceid")
	span, ok2 := get(h.Request, "x-b3-spanid")
	if ok1 && ok2 {
		if sampled, ok := get(h.Request, "x-b3-sampled"); ok {
			return trace + "-" + span + "-" + sampled
		}
		return trace + "-" + span
	}
	if id, ok := h.Attributes["request.id"]; ok {
		return " " + string(id)
	}
	return ""
}

// Serialise writes a list as proxy-wasm writes the keys of a header map.
func Serialise(values ...[]byte) []byte {
	pairs := make([][2][]byte, len(values))
	for i, value := range values {
		pairs[i][0] = value
	}
	return serialise(pairs)
}

// Map writes names and values, by turns, as proxy-wasm writes a header map.
func Map(words ...string) []byte {
	pairs := make([][2][]byte, len(words)/2)
	for i := range pairs {
		pairs[i] = [2][]byte{[]byte(words[2*i]), []byte(words[2*i+1])}
	}
	return serialise(pairs)
}

func serialise(pairs [][2][]byte) []byte {
	list := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)))
	for _, p := range pairs {
		list = binary.LittleEndian.AppendUint32(list, uint32(len(p[0])))
		list = binary.LittleEndian.AppendUint32(list, uint32(len(p[1])))
	}
	for _, p := range pairs {
		list = append(append(append(append(list, p[0]...), 0), p[1]...), 0)
	}
	return list
}

// RequestHeader and ResponseHeader give the first value of a header.
func (h *Host) RequestHeader(name string) string {
	h.count("RequestHeader")
	return first(h.Request, name)
}
func (h *Host) ResponseHeader(name string) string {
	h.count("ResponseHeader")
	return first(h.Response, name)
}

func first(headers [][2]string, name string) string {
	value, _ := get(headers, name)
	return value
}

// RequestHeaders and the others give the header maps.
func (h *Host) RequestHeaders() [][2]string  { h.count("RequestHeaders"); return h.Request }
func (h *Host) ResponseHeaders() [][2]string { h.count("ResponseHeaders"); return h.Response }
func (h *Host) RequestTrailers() [][2]string { h.count("RequestTrailers"); return h.Trailers }
func (h *Host) ResponseTrailers() [][2]string {
	h.count("ResponseTrailers")
	return h.Answered
}

// RequestBody and ResponseBody read from the chunk.
func (h *Host) RequestBody(start, size int) []byte {
	h.count("RequestBody")
	return h.chunk(start, size)
}

func (h *Host) ResponseBody(start, size int) []byte {
	h.count("ResponseBody")
	return h.chunk(start, size)
}

func (h *Host) chunk(start, size int) []byte {
	if start >= len(h.Chunk) {
		return nil // as Envoy refuses
	}
	return append([]byte(nil), h.Chunk[start:min(len(h.Chunk), start+size)]...)
}
