package redact

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/config"
)

// paths are the paths of all body rules in one automaton: a trie of their
// segments. A place in a document is a set of nodes, and a key leads from one
// set to the next, so the work for a key does not grow with the number of rules
// that begin alike: all those that begin with ** and a word are one look-up.
type paths struct {
	nodes []node
	marks []uint32 // the turn in which a node came into the set
	turn  uint32

	numbers bool // some key, or part of one, may be the number of an item
}

type node struct {
	keys  map[string]int32 // by a key, folded
	sizes uint64           // a bit for the length of each of the keys: most names need no look-up
	globs []glob           // by a key that has these parts
	item  int32            // by an item of a list, 0: not so
	deep  int32            // by any number of keys, 0: not so
	stays bool             // it was come to by **: every key leads here again
	rule  int32            // that ends here, or none
	below int32            // the first rule that goes on from here, or none
}

const none = math.MaxInt32

// glob is a segment with stars, cut apart at them.
type glob struct {
	parts []string
	to    int32
}

func newPaths() paths { return paths{nodes: []node{{rule: none, below: none}}} }

// insert adds the path of a rule. The first of two rules for one path stays.
func (p *paths) insert(path string, rule int32) {
	segments, _ := config.SplitBodyPath(path)
	at := int32(0)
	for _, segment := range segments {
		p.nodes[at].below = min(p.nodes[at].below, rule)
		at = p.child(at, segment)
	}
	p.nodes[at].rule = min(p.nodes[at].rule, rule)
}

func (p *paths) finish() { p.marks = make([]uint32, len(p.nodes)) }

func (p *paths) child(at int32, segment string) int32 {
	next := int32(len(p.nodes))
	n := &p.nodes[at]
	parts := splitSegment(segment)
	switch {
	case segment == "#":
		if n.item != 0 {
			return n.item
		}
		n.item = next
	case segment == "**":
		if n.deep != 0 {
			return n.deep
		}
		n.deep = next
	case len(parts) > 1:
		for _, g := range n.globs {
			if strings.Join(g.parts, "*") == strings.Join(parts, "*") && len(g.parts) == len(parts) {
				return g.to
			}
		}
		n.globs = append(n.globs, glob{parts, next})
	default:
		if n.keys == nil {
			n.keys = map[string]int32{}
		}
		if to, ok := n.keys[parts[0]]; ok {
			return to
		}
		n.keys[parts[0]] = next
		n.sizes |= sizeBit(parts[0])
	}
	p.numbers = p.numbers || segment != "#" && segment != "**" && !slices.ContainsFunc(parts, notNumber)
	p.nodes = append(p.nodes, node{stays: segment == "**", rule: none, below: none})
	return next
}

func notNumber(part string) bool { return digitsEnd(part, 0) < len(part) }

func sizeBit(key string) uint64 { return 1 << (len(key) & 63) }

// splitSegment cuts a segment apart at the stars that have no \ before them.
func splitSegment(segment string) []string {
	parts := []string{}
	part := []byte{}
	for i := 0; i < len(segment); i++ {
		switch c := segment[i]; {
		case c == '*':
			parts = append(parts, string(appendFolded(nil, string(part))))
			part = part[:0]
			continue
		case c == '\\' && i+1 < len(segment):
			i++
		}
		part = append(part, segment[i])
	}
	return append(parts, string(appendFolded(nil, string(part))))
}

// matches tells whether a key has the parts, in their order.
func (g *glob) matches(key string) bool {
	key, ok := strings.CutPrefix(key, g.parts[0])
	last := len(g.parts) - 1
	for _, part := range g.parts[1:last] {
		at := strings.Index(key, part)
		if at < 0 {
			return false
		}
		key = key[at+len(part):]
	}
	return ok && strings.HasSuffix(key, g.parts[last])
}

// start appends the set of a whole document.
func (p *paths) start(dst []int32) []int32 {
	p.next()
	return p.add(dst, 0)
}

// again appends a set as it is.
func (p *paths) again(dst, set []int32) []int32 {
	p.next()
	for _, n := range set {
		dst = p.add(dst, n)
	}
	return dst
}

// next begins a new set.
func (p *paths) next() {
	if p.turn++; p.turn == 0 {
		clear(p.marks)
		p.turn = 1
	}
}

// add appends a node, and where no key at all leads from it.
func (p *paths) add(dst []int32, n int32) []int32 {
	for ok := true; ok; n, ok = p.nodes[n].deep, p.nodes[n].deep != 0 {
		if p.marks[n] == p.turn {
			break
		}
		p.marks[n] = p.turn
		dst = append(dst, n)
	}
	return dst
}

// step appends where a key leads, folded.
func (p *paths) step(dst, from []int32, key string) []int32 {
	p.next()
	return p.follow(dst, from, key)
}

func (p *paths) follow(dst, from []int32, key string) []int32 {
	bit := sizeBit(key)
	for _, at := range from {
		n := &p.nodes[at]
		if n.stays {
			dst = p.add(dst, at)
		}
		if n.sizes&bit != 0 {
			if to, ok := n.keys[key]; ok {
				dst = p.add(dst, to)
			}
		}
		for i := range n.globs {
			if n.globs[i].matches(key) {
				dst = p.add(dst, n.globs[i].to)
			}
		}
	}
	return dst
}

// item appends where an item of a list leads. Lists are looked through, so that
// `cards.pan` and `cards.#.pan` are alike. Without an index (-1) no number of a
// path is one.
func (p *paths) item(dst, from []int32, index int) []int32 {
	p.next()
	for _, at := range from {
		if to := p.nodes[at].item; to != 0 {
			dst = p.add(dst, to)
		}
		dst = p.add(dst, at)
	}
	if index >= 0 && p.numbers {
		var digits [20]byte
		dst = p.follow(dst, from, view(strconv.AppendInt(digits[:0], int64(index), 10)))
	}
	return dst
}

// single completes the set that begins at begin, the last one made, for a value
// that is no list: it may be what a list of one became.
func (p *paths) single(set []int32, begin int) []int32 {
	for i := begin; i < len(set); i++ {
		if to := p.nodes[set[i]].item; to != 0 {
			set = p.add(set, to)
		}
	}
	return set
}

// ends gives the first rule that ends in the set.
func (p *paths) ends(set []int32) int32 {
	rule := int32(none)
	for _, n := range set {
		rule = min(rule, p.nodes[n].rule)
	}
	return rule
}

// goesOn gives the first rule that goes on from the set.
func (p *paths) goesOn(set []int32) int32 {
	rule := int32(none)
	for _, n := range set {
		rule = min(rule, p.nodes[n].below)
	}
	return rule
}

// appendFolded appends a name with its letters alike in any case, as Unicode
// has them folded and as encoding/json compares; the Turkish ones too, which
// Java takes for an i.
func appendFolded(dst []byte, name string) []byte {
	begin := len(dst)
	dst = append(dst, name...) // at once: TinyGo calls its runtime for each append
	for i, c := range dst[begin:] {
		if c >= utf8.RuneSelf {
			return appendFoldedRunes(dst[:begin+i], name[i:])
		}
		if c >= 'a' && c <= 'z' {
			dst[begin+i] = c - ('a' - 'A')
		}
	}
	return dst
}

func appendFoldedRunes(dst []byte, name string) []byte {
	for _, r := range name {
		dst = utf8.AppendRune(dst, foldRune(r))
	}
	return dst
}

func foldRune(r rune) rune {
	if r == 'ı' || r == 'İ' {
		return 'I'
	}
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}

// join appends to the set that was made last what is in another.
func (p *paths) join(set, other []int32) []int32 {
	for _, n := range other {
		set = p.add(set, n)
	}
	return set
}
