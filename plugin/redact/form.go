package redact

import (
	"bytes"
	"strings"
)

// Form appends a form body (application/x-www-form-urlencoded) with the values
// hidden of the fields that the body rules name: user[email] and user.email are
// the path user.email. Of a cut form the last field is left out, as nobody knows
// where it would have ended.
func (r *Redactor) Form(dst, body []byte, cut bool) ([]byte, Verdict) {
	if !r.Names() && !r.Detects() {
		return append(dst, body...), Redacted
	}
	// Sent by a client that did not say it is JSON. What begins with a quote may be
	// fields all the same: a name of them, or the whole.
	if at := begins(body); at >= 0 && body[at] != '"' {
		if r.Names() && MayBeFields(body) {
			return dst, NotRedactable
		}
		dst, verdict := r.JSON(dst, body, Options{Cut: cut})
		if verdict == Invalid {
			verdict = NotRedactable
		}
		return dst, verdict
	}
	form := view(body)
	if cut {
		form = form[:strings.LastIndexByte(form, '&')+1]
		form = strings.TrimSuffix(form, "&")
	}
	written := false
	for more := form != ""; more; {
		var field string
		field, form, more = strings.Cut(form, "&")
		begin := len(dst)
		if written {
			dst = append(dst, '&')
		}
		kept, verdict := false, Redacted
		if dst, kept, verdict = r.field(dst, field); verdict != Redacted {
			return dst, verdict
		}
		if !kept {
			dst = dst[:begin]
			continue
		}
		written = true
	}
	r.letGo()
	return dst, Redacted
}

// MayBeFields tells whether a body that begins like JSON can be read as fields of a
// form as well, the first of which has an odd name.
func MayBeFields(body []byte) bool {
	_, others, _ := bytes.Cut(body, []byte("&"))
	return bytes.IndexByte(others, '=') >= 0
}

// field appends a field of a form, unless a rule removes it.
func (r *Redactor) field(dst []byte, field string) (out []byte, kept bool, verdict Verdict) {
	if field == "" {
		return dst, true, Redacted
	}
	name, value, valued := strings.Cut(field, "=")
	sound := false
	r.name, sound = appendUnescaped(r.name[:0], name, true)
	r.text, _ = appendUnescaped(r.text[:0], value, true)
	if begins(r.name) >= 0 { // a document without a name
		return append(dst, Masked...), true, Redacted
	}
	set, rule := r.formPlace(view(r.name))
	if !sound || strings.ContainsAny(strings.TrimRight(field, "\r\n"), ";\r\n") { // some servers take ; for &, and no form has line breaks
		rule = doubtful
	}
	if rule == doubtful && !r.Names() {
		rule = none
	}
	if ruled := rule != none && rule != doubtful; !ruled && r.Names() && (!valued || !isFieldName(r.name)) {
		return append(dst, Masked...), true, Redacted // it is something else than a form
	}
	if rule != none {
		t := masking
		if rule >= 0 {
			t = r.treats[rule]
		}
		if t.mode == remove {
			return dst, false, Redacted
		}
		name, _, _ = strings.Cut(name, ";")
		dst = append(r.appendName(dst, name), '=')
		return r.replaceEscaped(dst, t, view(r.text)), true, Redacted
	}
	dst = r.appendName(dst, name)
	if !valued {
		return dst, true, Redacted
	}
	dst = append(dst, '=')
	hidden, f := r.within(r.text, set, 0)
	switch f {
	case tooDeep, unclear:
		return append(dst, Masked...), true, Redacted
	case something:
		return appendEscaped(dst, view(hidden), true), true, Redacted
	}
	hiddenAgain, _ := r.detectEscaped(value, true)
	return append(dst, hiddenAgain...), true, Redacted
}

// isFieldName tells whether a name is one that a form would have. In a body that
// is no form anything may stand before the first =.
func isFieldName(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"\\<>{}()|^`,:", c) >= 0 {
			return false
		}
	}
	return true
}

// replaceEscaped appends what stands for a value, percent-encoded.
func (r *Redactor) replaceEscaped(dst []byte, t treatment, value string) []byte {
	r.found = r.replace(r.found[:0], t, value)
	return appendEscaped(dst, view(r.found), true)
}

// appendName appends a name, in which a detector may find something too.
func (r *Redactor) appendName(dst []byte, name string) []byte {
	name, _ = r.detectEscaped(name, true)
	return append(dst, name...)
}

// formPlace finds where a field's name leads, and the rule that hides its value.
func (r *Redactor) formPlace(name string) (set []int32, rule int32) {
	if !r.Names() {
		return nil, none
	}
	name = strings.TrimSpace(name)
	keys, ok := formKeys(r.parts[:0], name)
	r.parts = keys
	if !ok || strings.IndexByte(name, 0) >= 0 {
		return nil, doubtful
	}
	p := &r.paths
	// The name as one key, which has dots and brackets in it, or what PHP makes of those.
	r.folded = appendFolded(r.folded[:0], name)
	rule = r.ruleOf(view(r.folded))
	if underscore(r.folded) {
		rule = min(rule, r.ruleOf(view(r.folded)))
	}
	set = p.single(p.start(r.sets[0][:0]), 0)
	for i, key := range keys {
		r.sets[i%2] = set
		rule = min(rule, p.ends(set))
		r.folded = appendFolded(r.folded[:0], key)
		from := set
		set = p.step(r.sets[(i+1)%2][:0], from, view(r.folded))
		if key == "" || i > 0 && digitsEnd(key, 0) == len(key) { // an item of a list
			set = p.join(set, from)
		}
		set = p.single(set, 0)
	}
	return set, min(rule, p.ends(set))
}

// ruleOf finds the rule for a name that is one key.
func (r *Redactor) ruleOf(key string) int32 {
	p := &r.paths
	r.sets[0] = p.start(r.sets[0][:0])
	r.sets[1] = p.step(r.sets[1][:0], r.sets[0], key)
	r.sets[1] = p.single(r.sets[1], 0)
	return p.ends(r.sets[1])
}

// underscore writes _ where PHP does in the name of a variable
// (https://www.php.net/manual/en/language.variables.external.php).
func underscore(name []byte) (changed bool) {
	for i, c := range name {
		if c == '.' || c == ' ' {
			name[i], changed = '_', true
		}
	}
	return changed
}

// formKeys appends the parts of a name such as user[email], items[0].name or
// tags[]. Servers read odd brackets in odd ways: such a name is not ok.
func formKeys(keys []string, name string) (parts []string, ok bool) {
	if strings.IndexAny(name, ".[]") < 0 {
		return append(keys, name), true
	}
	begin := 0
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '.', '[':
			if i > begin || i > 0 && name[i-1] != ']' || i == 0 {
				keys = append(keys, name[begin:i])
			}
			begin = i + 1
			if name[i] == '.' {
				continue
			}
			size := strings.IndexAny(name[begin:], "[]")
			if size < 0 || name[begin+size] == '[' {
				return keys, false
			}
			keys = append(keys, strings.Trim(name[begin:begin+size], `'" `))
			i = begin + size
			begin = i + 1
			if begin < len(name) && name[begin] != '.' && name[begin] != '[' {
				return keys, false
			}
		case ']':
			return keys, false
		}
	}
	if begin < len(name) || len(keys) == 0 {
		keys = append(keys, name[begin:])
	}
	return keys, true
}
