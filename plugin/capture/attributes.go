// Package capture turns what the proxy knows at the end of a stream into a
// [record.Record].
//
// A host call costs about a microsecond, most of it the crossing. So the
// attributes are read as one CEL list in a single call where the host is an
// Envoy that compiles CEL, and one by one where it is not.
package capture

import (
	"encoding/binary"
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// Source is the part of the host that capture reads from.
type Source interface {
	Property(path []string) ([]byte, bool)
	Compile(expression string) (token []byte, ok bool)
	Evaluate(token []byte) ([]byte, bool)
	RequestHeaders() [][2]string
	ResponseHeaders() [][2]string
	RequestTrailers() [][2]string
	ResponseTrailers() [][2]string
}

// attribute is one attribute of Envoy's
// (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes)
// and where it goes in a record. The value is the host's bytes: text as it is,
// numbers, times and durations as 8 bytes, little-endian.
type attribute struct {
	path string
	set  func(r *record.Record, value []byte)
}

// set is a list of attributes that are read together.
type set struct {
	attributes []attribute
	paths      [][]string
	token      []byte // of the compiled list; nil: one by one
}

func newSet(host Source, attributes []attribute) *set {
	s := &set{attributes: attributes}
	terms := make([]string, len(attributes))
	for i, a := range attributes {
		path := strings.SplitN(a.path, ".", 3)
		s.paths = append(s.paths, path)
		terms[i] = term(a.path, path)
	}
	if len(attributes) > 0 {
		s.token, _ = host.Compile("[" + strings.Join(terms, ",") + "]")
	}
	return s
}

// term is the CEL that gives an attribute, or "" where there is none: an error
// in one element would fail the whole list.
func term(dotted string, path []string) string {
	if len(path) == 3 { // a header, by its name
		m, name := path[0]+"."+path[1], "'"+path[2]+"'"
		return name + " in " + m + "?" + m + "[" + name + "]:''"
	}
	return "has(" + dotted + ")?" + dotted + ":''"
}

// read reads the attributes of the current stream into r.
func (s *set) read(host Source, r *record.Record) {
	if s.token != nil {
		if list, ok := host.Evaluate(s.token); ok && s.spread(list, r) {
			return
		}
	}
	for i, a := range s.attributes {
		if value, ok := host.Property(s.paths[i]); ok && len(value) > 0 {
			a.set(r, value)
		}
	}
}

// spread hands out a list in the form in which proxy-wasm serialises header
// maps: the count, the sizes of each key and value, then each with a zero byte
// after it. A list's elements are the keys. It tells whether the list was whole.
func (s *set) spread(list []byte, r *record.Record) bool {
	n := len(s.attributes)
	if len(list) < 4+8*n || binary.LittleEndian.Uint32(list) != uint32(n) {
		return false
	}
	at := 4 + 8*n
	for i := range n {
		size := int(binary.LittleEndian.Uint32(list[4+8*i:]))
		skip := int(binary.LittleEndian.Uint32(list[8+8*i:]))
		if size < 0 || skip < 0 || size > len(list)-at || skip > len(list)-at-size {
			return false
		}
		if size > 0 {
			s.attributes[i].set(r, list[at:at+size])
		}
		at += size + 1 + skip + 1
	}
	return true
}

// number reads an integer, a time or a duration.
func number(value []byte) int64 {
	if len(value) != 8 {
		return record.Unknown
	}
	return int64(binary.LittleEndian.Uint64(value))
}
