package redact

import "github.com/routelens/routelens/plugin/jsontext"

// Verdict is what came of a body.
type Verdict uint8

// The verdicts. Of the latter two nothing is appended.
const (
	Redacted      Verdict = iota
	Invalid               // it is not what it was taken for
	NotRedactable         // it goes deeper than can be looked into
)

// Options say what a document is.
type Options struct {
	Cut    bool // only its beginning: it is cut back to its last whole token, and closed
	Opaque bool // of protobuf messages: lists are repeated fields, and a text may hide the fields that a rule goes on to
}

// The bounds of JSON documents. No stack grows with what a client sends.
const (
	maxDepth  = 64 // objects and lists within each other
	maxNested = 4  // documents within strings of each other
)

// JSON appends a document with what the rules name and the detectors find
// hidden, without space between its tokens. Of a cut document without a whole
// token nothing is left.
func (r *Redactor) JSON(dst, doc []byte, o Options) ([]byte, Verdict) {
	begin := len(dst)
	p := &r.passes[0]
	states := p.states[:0]
	if r.Names() {
		states = r.paths.start(states)
	}
	p.begin(r, 0, dst, doc, states)
	p.cut, p.opaque = o.Cut, o.Opaque
	came := p.value()
	if came == whole && p.space() {
		came = invalid
	}
	if came == ended && o.Cut {
		p.close()
		came = whole
	}
	dst = p.dst
	p.src, p.dst = nil, nil
	r.letGo()
	switch came {
	case whole:
		return dst, Redacted
	case beyond:
		return dst[:begin], NotRedactable
	}
	return dst[:begin], Invalid
}

// letGo frees what only a large body needed.
func (r *Redactor) letGo() {
	for _, b := range []*[]byte{&r.decoded, &r.folded, &r.found, &r.keys, &r.name, &r.text, &r.plain} {
		*b = small(*b)
	}
	if clear(r.parts); cap(r.parts) > maxParts {
		r.parts = nil
	}
	for i := range r.passes {
		r.passes[i].text = small(r.passes[i].text)
		r.passes[i].dst = small(r.passes[i].dst)
	}
}

// outcome is how far a pass came.
type outcome uint8

const (
	whole   outcome = iota
	ended           // the document ended within a value
	invalid         // it is no JSON
	beyond          // it goes deeper than can be looked into
)

// pass is one way through a document: it is checked, matched and written in one
// go, so that the work is the same whatever the document holds.
type pass struct {
	r      *Redactor
	nested int // documents around this one
	opaque bool
	cut    bool

	src    []byte
	at     int
	dst    []byte
	frames []frame
	states []int32 // the sets of all frames, and of the value at hand
	rule   int32   // that hides the value at hand, or none; doubtful
	muted  int     // the frame, counted from 1, that is hidden whole; 0: none
	hides  treatment
	from   int    // where that frame begins in src
	hit    bool   // something was hidden
	ruled  bool   // by a rule
	text   []byte // the text of a token
}

// frame is an object or a list that is open.
type frame struct {
	close      byte
	items      int // written
	index      int // of the next item
	key        token
	begin, end int // its set, in states
}

// doubtful is the rule of a key that cannot be read with certainty.
const doubtful = -1

func (p *pass) begin(r *Redactor, nested int, dst, src []byte, states []int32) {
	*p = pass{r: r, nested: nested, src: src, dst: dst, frames: p.frames[:0], states: states, rule: none, text: p.text}
}

// What may come next in a document.
type expectation uint8

const (
	aValue expectation = iota
	aFirstValue
	aMember
	aFirstMember
	more
)

// value goes through the value that comes next.
func (p *pass) value() outcome {
	for expect := aValue; ; {
		if !p.space() {
			return ended
		}
		c, came := p.src[p.at], whole
		switch {
		case len(p.frames) > 0 && c == p.top().close && expect != aValue && expect != aMember:
			p.at++
			p.pop()
			expect = more
		case expect == more:
			if c != ',' {
				return invalid
			}
			p.at++
			if expect = aValue; p.top().close == '}' {
				expect = aMember
			}
			continue
		case expect == aMember || expect == aFirstMember:
			came = p.member()
			expect = aValue
			if came == whole {
				continue
			}
		case c == '{' || c == '[':
			came = p.push(c)
			if expect = aFirstValue; c == '{' {
				expect = aFirstMember
			}
		default:
			came = p.scalar(c)
			expect = more
		}
		if came != whole {
			return came
		}
		if len(p.frames) == 0 {
			return whole
		}
	}
}

// space skips white space, and tells whether anything follows.
func (p *pass) space() bool {
	for ; p.at < len(p.src); p.at++ {
		switch p.src[p.at] {
		case ' ', '\t', '\n', '\r':
		default:
			return true
		}
	}
	return false
}

func (p *pass) top() *frame { return &p.frames[len(p.frames)-1] }

// member reads a key, and the colon after it.
func (p *pass) member() outcome {
	if p.src[p.at] != '"' {
		return invalid
	}
	key, came := scanString(p.src, p.at)
	if came != whole {
		return came
	}
	p.at = key.end
	if !p.space() {
		return ended
	}
	if p.src[p.at] != ':' {
		return invalid
	}
	p.at++
	f := p.top()
	f.key = key
	if p.muted == 0 {
		p.step(f)
	}
	return whole
}

// step finds the set of a member.
func (p *pass) step(f *frame) {
	p.states, p.rule = p.states[:f.end], none
	if f.begin == f.end {
		return
	}
	if f.key.broken || f.key.null {
		p.rule = doubtful
		return
	}
	r := p.r
	key := p.decode(f.key)
	if p.opaque && string(key) == leaf { // the place of a value that could not be taken apart is its parent's
		p.states = r.paths.again(p.states, p.states[f.begin:f.end])
		return
	}
	r.folded = appendFolded(r.folded[:0], view(key))
	p.states = r.paths.step(p.states, p.states[f.begin:f.end], view(r.folded))
}

// leaf is the key of bytes in what is shown of a protobuf message: others are
// field numbers.
const leaf = "base64"

// decode gives the text of a token, until the next call.
func (p *pass) decode(t token) []byte {
	inner := p.src[t.begin+1 : t.end-1]
	if !t.escaped && !t.broken {
		return inner
	}
	p.text = appendDecoded(p.text[:0], inner)
	return p.text
}

// place completes the set of the value at hand, and finds what hides it.
func (p *pass) place(list bool) {
	paths, begin := &p.r.paths, 0
	if len(p.frames) > 0 {
		f := p.top()
		if begin = f.end; f.close == ']' {
			p.states, p.rule = p.states[:f.end], none
			if f.begin < f.end {
				p.states = paths.item(p.states, p.states[f.begin:f.end], p.index(f))
			}
			f.index++
		}
	}
	if !list {
		p.states = paths.single(p.states, begin)
	}
	if p.rule != doubtful {
		p.rule = paths.ends(p.states[begin:])
	}
}

func (p *pass) index(f *frame) int {
	if p.opaque {
		return -1
	}
	return f.index
}

// treatment is what the rule of the value at hand does to it.
func (p *pass) treatment() treatment {
	if p.rule == doubtful {
		return masking
	}
	return p.r.treats[p.rule]
}

// set is the set of the value at hand.
func (p *pass) set() []int32 {
	if len(p.frames) == 0 {
		return p.states
	}
	return p.states[p.top().end:]
}

// push opens an object or a list.
func (p *pass) push(c byte) outcome {
	if len(p.frames) == maxDepth {
		return beyond
	}
	f := frame{close: c + 2} // in ASCII
	if p.muted == 0 {
		p.place(c == '[')
		f.begin = len(p.states) - len(p.set())
		f.end = len(p.states)
		if p.rule != none {
			p.muted, p.from, p.hides = len(p.frames)+1, p.at, p.treatment()
		} else {
			p.lead()
			p.dst = append(p.dst, c)
		}
	}
	p.frames = append(p.frames, f)
	p.at++
	return whole
}

// pop closes the innermost object or list.
func (p *pass) pop() {
	depth := len(p.frames)
	c := p.top().close
	p.frames = p.frames[:depth-1]
	switch p.muted {
	case 0:
		p.dst = append(p.dst, c)
	case depth:
		p.muted = 0
		p.hide(p.hides, view(p.src[p.from:p.at]), true)
	}
}

// close closes what a cut document left open.
func (p *pass) close() {
	if p.muted > 0 {
		p.frames = p.frames[:p.muted-1]
	}
	for i := len(p.frames) - 1; i >= 0; i-- {
		p.dst = append(p.dst, p.frames[i].close)
	}
}

// lead writes what stands before a value: a comma and its key.
func (p *pass) lead() {
	if len(p.frames) == 0 {
		return
	}
	f := p.top()
	if f.items++; f.items > 1 {
		p.dst = append(p.dst, ',')
	}
	if f.close == '}' {
		p.key(f.key)
		p.dst = append(p.dst, ':')
	}
}

// key writes a key, in which a detector may find something too.
func (p *pass) key(key token) {
	r := p.r
	if r.Detects() {
		text := p.src[key.begin+1 : key.end-1]
		if key.escaped || key.broken {
			r.decoded = appendDecoded(r.decoded[:0], text)
			text = r.decoded
		}
		if hidden, found := r.detect.append(r.keys[:0], view(text)); found {
			r.keys = hidden
			p.dst = jsontext.AppendString(p.dst, view(hidden))
			p.hit = true
			return
		}
	}
	p.copy(key)
}

// copy writes a string as it is, or, where that is broken, its text.
func (p *pass) copy(t token) {
	if t.broken {
		p.r.decoded = appendDecoded(p.r.decoded[:0], p.src[t.begin+1:t.end-1])
		p.dst = jsontext.AppendString(p.dst, view(p.r.decoded))
		return
	}
	p.dst = append(p.dst, p.src[t.begin:t.end]...)
}

// hide writes what stands for a value.
func (p *pass) hide(t treatment, value string, composed bool) {
	p.hit, p.ruled = true, true
	if t.mode == remove && len(p.frames) > 0 {
		return
	}
	if t.mode == last && composed {
		t = masking
	}
	p.lead()
	p.r.found = p.r.replace(p.r.found[:0], t, value)
	p.dst = jsontext.AppendString(p.dst, view(p.r.found))
}

// scalar goes through a string, a number, true, false or null.
func (p *pass) scalar(c byte) outcome {
	begin := p.at
	if c == '"' {
		t, came := scanString(p.src, begin)
		if came != whole {
			return came
		}
		p.at = t.end
		if p.muted == 0 {
			p.place(false)
			return p.string(t)
		}
		return whole
	}
	end, came := 0, whole
	number := c == '-' || isDigit(c)
	if number {
		end, came = scanNumber(p.src, begin)
		if end == len(p.src) && p.cut && came == whole { // there may have been more of it
			came = ended
		}
	} else {
		end, came = scanWord(p.src, begin)
	}
	if came != whole {
		return came
	}
	p.at = end
	if p.muted > 0 {
		return whole
	}
	p.place(false)
	switch raw := p.src[begin:end]; {
	case p.rule != none:
		p.hide(p.treatment(), view(raw), false)
	case number && p.r.detect[ofCard] && cardNumber(view(raw)):
		p.hit = true
		p.lead()
		p.dst = append(p.dst, `"`+kindWords[ofCard]+`"`...)
	default:
		p.lead()
		p.dst = append(p.dst, raw...)
	}
	return whole
}

// string writes a string that is a value.
func (p *pass) string(t token) outcome {
	r := p.r
	below := r.paths.goesOn(p.set())
	if p.rule == none && below == none && !r.Detects() {
		p.lead()
		p.copy(t)
		return whole
	}
	text := p.decode(t)
	if p.rule == none && p.opaque && below != none && (p.leaf() || mayBeMessage(text)) {
		p.rule = below
	}
	if p.rule != none {
		p.hide(p.treatment(), view(text), false)
		return whole
	}
	hidden, f := r.within(text, p.set(), p.nested+1)
	if f == tooDeep {
		return beyond
	}
	p.lead()
	switch f {
	case nothing:
		p.copy(t)
	case something:
		p.hit, p.ruled = true, p.ruled || below != none
		p.dst = jsontext.AppendString(p.dst, view(hidden))
	case unclear:
		p.hit, p.ruled = true, true
		p.dst = jsontext.AppendString(p.dst, Masked)
	}
	return whole
}

// leaf tells whether the value at hand stands for bytes.
func (p *pass) leaf() bool {
	if len(p.frames) == 0 || p.top().close != '}' {
		return false
	}
	key := p.top().key
	return string(p.src[key.begin+1:key.end-1]) == leaf
}
