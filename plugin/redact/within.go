package redact

import "github.com/routelens/routelens/plugin/config"

const (
	remove = config.Remove
	last   = config.Last
)

// finding is what was found in a text.
type finding uint8

const (
	nothing   finding = iota
	something         // and hidden
	unclear           // the text has to be hidden whole
	tooDeep           // nothing can be said
)

// within looks into a text at a place that rules may go on from: it may hold a
// JSON document, or several, one after the other. What is left of it lives
// until the next call.
func (r *Redactor) within(text []byte, states []int32, nested int) ([]byte, finding) {
	if begin := begins(text); begin >= 0 {
		if nested > maxNested {
			return nil, tooDeep
		}
		hidden, f := r.documents(text, states, nested)
		if f != plain {
			return hidden, f
		}
	}
	if hidden, found := r.detect.append(r.found[:0], view(text)); found {
		r.found = hidden
		return hidden, something
	}
	return nil, nothing
}

// plain is the finding that a text is no JSON.
const plain finding = 255

// begins is where a text begins as a JSON document might, or negative.
func begins(text []byte) int {
	for i, c := range text {
		switch c {
		case ' ', '\t', '\n', '\r':
		case '{', '[', '"':
			return i
		default:
			return -1
		}
	}
	return -1
}

func (r *Redactor) documents(text []byte, states []int32, nested int) ([]byte, finding) {
	p := &r.passes[nested]
	p.begin(r, nested, p.dst[:0], text, r.paths.again(p.states[:0], states))
	for count := 0; p.space(); count++ {
		if count > 0 {
			p.dst = append(p.dst, '\n')
			p.states, p.rule = r.paths.again(p.states[:0], states), none
		}
		switch came := p.value(); {
		case came == beyond:
			return nil, tooDeep
		case came != whole && p.ruled:
			return nil, unclear
		case came != whole:
			return nil, plain
		}
	}
	if p.hit {
		return p.dst, something
	}
	return nil, nothing
}

// mayBeMessage tells whether a text could be a protobuf message as well: then a
// rule that goes on below may name a part of it
// (https://protobuf.dev/programming-guides/encoding/).
func mayBeMessage(b []byte) bool {
	for i := 0; i < len(b); {
		tag, size := varint(b[i:])
		if size == 0 || tag>>3 == 0 {
			return false
		}
		i += size
		switch tag & 7 {
		case 0:
			_, size = varint(b[i:])
			if size == 0 {
				return false
			}
		case 1:
			size = 8
		case 2:
			length, n := varint(b[i:])
			if n == 0 || length > uint64(len(b)) {
				return false
			}
			size = n + int(length)
		case 3, 4:
			size = 0
		case 5:
			size = 4
		default:
			return false
		}
		if i += size; i > len(b) {
			return false
		}
	}
	return len(b) > 0
}

func varint(b []byte) (v uint64, size int) {
	for i := 0; i < len(b) && i < 10; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
