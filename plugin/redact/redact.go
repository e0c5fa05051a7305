// Package redact keeps out of records what must not be there: header values
// that nobody listed, credentials, what a rule names, and what a detector
// knows by its looks. It would rather hide too much than too little: what
// cannot be told apart with certainty is hidden whole, or refused.
package redact

import (
	"strings"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
)

// Masked stands where a value was.
const Masked = "[masked]"

// Redactor redacts the parts of one exchange at a time: it uses its buffers
// again. Texts that it gives are its caller's.
type Redactor struct {
	treats    []treatment // of the rules, in their order
	paths     paths       // of bodies
	headers   map[string]treatment
	cookies   map[string]treatment
	query     map[string]treatment
	templates []template
	detect    detectors
	seal      seal
	passes    [maxNested + 1]pass // one for each JSON document within another
	sets      [2][]int32          // of a form's field
	parts     []string            // of its name

	// The texts at hand: a token's, a key's as it is compared, what is left of a
	// text and of a key, and a field's name, value and value decoded.
	decoded, folded, found, keys, name, text, plain []byte
}

// New prepares a Redactor.
func New(c *config.Redact) *Redactor {
	r := &Redactor{
		headers: map[string]treatment{},
		cookies: map[string]treatment{},
		query:   map[string]treatment{},
		paths:   newPaths(),
		detect:  newDetectors(c.Detect),
		seal:    newSeal(c.Key),
	}
	for i, rule := range c.Rules {
		t := treatment{mode: rule.Mode, last: rule.Last}
		r.treats = append(r.treats, t)
		switch {
		case rule.Body != "":
			r.paths.insert(rule.Body, int32(i))
		case rule.Header != "":
			first(r.headers, rule.Header, t)
		case rule.Cookie != "":
			first(r.cookies, rule.Cookie, t)
		case rule.Query != "":
			first(r.query, fold(rule.Query), t)
		case rule.Path != "":
			r.templates = append(r.templates, newTemplate(rule.Path, t))
		}
	}
	r.paths.finish()
	return r
}

// first keeps the first of the rules for a name.
func first(rules map[string]treatment, name string, t treatment) {
	if _, taken := rules[name]; !taken {
		rules[name] = t
	}
}

// Names tells whether rules name fields of bodies.
func (r *Redactor) Names() bool { return len(r.paths.nodes) > 1 }

// Detects tells whether there are detectors.
func (r *Redactor) Detects() bool { return r.detect.any() }

// Words hides what the detectors find in a short text.
func (r *Redactor) Words(text string) string {
	if hidden, found := r.detect.append(r.found[:0], text); found {
		r.found = hidden
		return string(hidden)
	}
	return text
}

// Text appends a longer text with what the detectors find hidden. Of one that
// is cut, the end goes that may be half of such a thing.
func (r *Redactor) Text(dst []byte, text string, cut bool) []byte {
	if !r.Detects() {
		return append(dst, text...)
	}
	if cut {
		text = text[:wholeWords(text)]
	}
	if hidden, found := r.detect.append(dst, text); found {
		return hidden
	}
	return append(dst, text...)
}

// wholeWords is where the words end that are whole though the text is cut. A
// number goes with the digits before it, as card numbers have spaces.
func wholeWords(text string) int {
	end := len(text)
	for end > 0 && !isSpace(text[end-1]) {
		end--
	}
	for end > 0 && (isDigit(text[end-1]) || isSpace(text[end-1]) || text[end-1] == '-') {
		end--
	}
	return end
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// view is the text of bytes that do not change while it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// fold gives a name as it is compared.
func fold(name string) string { return strings.TrimSpace(view(appendFolded(nil, name))) }
