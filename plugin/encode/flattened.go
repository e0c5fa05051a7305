package encode

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Bounds of the types flattened (Elasticsearch) and flat_object (OpenSearch). A
// document beyond one is refused as a whole: a client could keep its exchange
// out of the log by its body.
const (
	maxFlattened = 20     // levels: depth_limit
	maxTerm      = 32_000 // bytes of a value with the keys that lead to it: Lucene's 32766, less the field's own name
	maxNumber    = 1000   // characters of a number: Jackson's StreamReadConstraints
)

// flattened tells which JSON those types take.
type flattened struct {
	keys []uint64 // hashes of all keys, each with its object
}

// level is an object or a list that is open.
type level struct {
	object int // its number, from 1; 0 is a list
	key    int // bytes of the present key
}

// takes tells whether valid JSON is an object within these bounds that has no key
// twice, which is no fault in JSON but one to these servers. (Where hashes are
// equal by chance it says no, which does no harm.)
func (f *flattened) takes(doc string) bool {
	if !strings.HasPrefix(doc, "{") {
		return false
	}
	f.keys = f.keys[:0]
	var open [maxFlattened]level
	depth, path, objects := 0, 0, 0
	key := false // comes next
	for i := 0; i < len(doc); {
		size := 1
		switch c := doc[i]; {
		case (c == '{' || c == '[') && depth == maxFlattened:
			return false
		case c == '{':
			objects++
			open[depth] = level{object: objects}
			depth++
			key = true
		case c == '[':
			open[depth] = level{}
			depth++
		case (c == '}' || c == ']') && depth > 0:
			depth--
			path -= open[depth].key
			key = false
		case c == ',' && depth > 0:
			key = open[depth-1].object > 0
		case c == '"' && key:
			size = scalarLen(doc[i:])
			name := unquoted(doc[i : i+size])
			if strings.IndexByte(name, 0) >= 0 { // it parts keys and value in a term
				return false
			}
			at := &open[depth-1]
			f.keys = append(f.keys, hash(at.object, name))
			path += len(name) + 1 - at.key
			at.key = len(name) + 1
			key = false
		case c == '"', c >= 'a', c == '-', c >= '0' && c <= '9':
			size = scalarLen(doc[i:])
			if path+size > maxTerm || c != '"' && size > maxNumber {
				return false
			}
		}
		i += size
	}
	slices.Sort(f.keys)
	distinct := len(slices.Compact(f.keys)) == len(f.keys)
	if cap(f.keys) > 4<<10 {
		f.keys = nil
	}
	return distinct
}

// unquoted gives what a JSON string holds.
func unquoted(token string) string {
	if strings.IndexByte(token, '\\') >= 0 {
		return gjson.Parse(token).Str
	}
	return strings.Trim(token, `"`)
}

// hash is FNV-1a over an object's number and a key.
func hash(object int, key string) uint64 {
	const prime = 1099511628211
	h := (uint64(14695981039346656037) ^ uint64(object)) * prime
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	return h
}
