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
	// RequestHeader and ResponseHeader give "" for what is absent.
	RequestHeader(name string) string
	ResponseHeader(name string) string
	RequestHeaders() [][2]string
	ResponseHeaders() [][2]string
	RequestTrailers() [][2]string
	ResponseTrailers() [][2]string
	// RequestBody and ResponseBody read from the chunk that is just passing.
	RequestBody(start, size int) []byte
	ResponseBody(start, size int) []byte
}

// attribute is one attribute of Envoy's
// (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes)
// and where it goes in a record. A header is written request.headers/NAME. The
// value is the host's bytes: text as it is, numbers, times and durations as 8
// bytes, little-endian.
type attribute struct {
	path string
	set  func(r *record.Record, value []byte)
	may  presence
}

// presence tells whether an attribute may be absent from an ordinary exchange.
type presence bool

const (
	always presence = false
	maybe  presence = true
)

// set is a list of attributes that are read together.
type set struct {
	attributes []attribute
	paths      [][]string
	// The compiled list, in two forms. An absent attribute fails a whole list
	// unless its element asks first, which costs as much as reading it: so the
	// quick form asks only for those that may be absent, the careful one for all.
	quick, careful []byte
}

func newSet(host Source, attributes []attribute) *set {
	s := &set{attributes: attributes}
	quick, careful := make([]string, len(attributes)), make([]string, len(attributes))
	for i, a := range attributes {
		var path []string // none of an expression, which asks by itself
		if message, name, ok := strings.Cut(a.path, "/"); ok {
			careful[i] = `"` + name + `" in ` + message + `?` + message + `["` + name + `"]:""`
			path = append(strings.Split(message, "."), name)
		} else if careful[i] = a.path; !isExpression(a.path) {
			careful[i] = ifThere(a.path)
			path = strings.Split(a.path, ".")
		}
		s.paths = append(s.paths, path)
		quick[i] = careful[i]
		if a.may == always {
			quick[i] = a.path
		}
	}
	if len(attributes) > 0 {
		s.quick, _ = host.Compile("[" + strings.Join(quick, ",") + "]")
		s.careful, _ = host.Compile("[" + strings.Join(careful, ",") + "]")
	}
	return s
}

func isExpression(path string) bool { return strings.Contains(path, "(") }

// read reads the attributes of the current stream into r. Where the host has no
// CEL it reads them one by one, without the expressions, and answers false.
func (s *set) read(host Source, r *record.Record) bool {
	for _, form := range [2][]byte{s.quick, s.careful} {
		if form != nil {
			if list, ok := host.Evaluate(form); ok && s.spread(list, r) {
				return true
			}
		}
	}
	for i, a := range s.attributes {
		if s.paths[i] == nil {
			continue
		}
		if value, ok := host.Property(s.paths[i]); ok && len(value) > 0 {
			a.set(r, value)
		}
	}
	return false
}

// spread hands out a list. It tells whether the list was whole.
func (s *set) spread(list []byte, r *record.Record) bool {
	n := len(s.attributes)
	if entries(list) != n {
		return false
	}
	at := 4 + 8*n
	for i := range n {
		value, _, next := entry(list, i, at)
		if next == 0 {
			return false
		}
		if len(value) > 0 {
			s.attributes[i].set(r, value)
		}
		at = next
	}
	return true
}

// entries counts what a list or a map holds, in the form in which proxy-wasm
// serialises header maps: the count, the sizes of each key and value, then each
// with a zero byte after it. A list's elements are the keys.
func entries(b []byte) int {
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4)/8 {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b))
}

// entry gives one of them, where it is in the bytes, and where the next is: 0 if it
// is not whole. The first is after the sizes.
func entry(b []byte, i, at int) (key, value []byte, next int) {
	keySize, valueSize := int(binary.LittleEndian.Uint32(b[4+8*i:])), int(binary.LittleEndian.Uint32(b[8+8*i:]))
	room := len(b) - at - 2
	if keySize < 0 || valueSize < 0 || keySize > room || valueSize > room-keySize {
		return nil, nil, 0
	}
	from := at + keySize + 1
	return b[at : at+keySize], b[from : from+valueSize], from + valueSize + 1
}

// number reads an integer, a time or a duration.
func number(value []byte) int64 {
	if len(value) != 8 {
		return record.Unknown
	}
	return int64(binary.LittleEndian.Uint64(value))
}
