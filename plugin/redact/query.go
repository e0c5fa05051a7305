package redact

import "strings"

// Query gives a query string with the values hidden that the rules name. Names
// compare as a server may read them: decoded, in any case, without space around
// them, and token[] or token[a] as parts of token. A value whose name cannot be
// read with certainty is hidden.
func (r *Redactor) Query(query string) string {
	if query == "" || len(r.query) == 0 && !r.Detects() {
		return query
	}
	dst := make([]byte, 0, len(query)+len(Masked))
	written := false
	for more := true; more; {
		var parameter string
		parameter, query, more = strings.Cut(query, "&")
		begin := len(dst)
		if written {
			dst = append(dst, '&')
		}
		kept := false
		if dst, kept = r.parameter(dst, parameter); !kept {
			dst = dst[:begin]
		}
		written = written || kept
	}
	return view(dst)
}

// parameter appends a parameter, unless a rule removes it.
func (r *Redactor) parameter(dst []byte, parameter string) (out []byte, kept bool) {
	name, value, valued := strings.Cut(parameter, "=")
	t, named := r.parameterRule(name)
	// Some servers take a semicolon for a separator: what hides behind one
	// cannot be told, and is masked with the rest.
	if strings.Contains(parameter, ";") && len(r.query) > 0 {
		t, named = masking, true
		name, _, _ = strings.Cut(name, ";")
	}
	if !named {
		dst = r.appendName(dst, name)
		if valued {
			hidden, _ := r.detectEscaped(value, true)
			dst = append(append(dst, '='), hidden...)
		}
		return dst, true
	}
	if t.mode == remove {
		return dst, false
	}
	text, _ := appendUnescaped(nil, value, true)
	return r.replaceEscaped(append(r.appendName(dst, name), '='), t, view(text)), true
}

// parameterRule finds the rule for a parameter.
func (r *Redactor) parameterRule(name string) (t treatment, named bool) {
	if len(r.query) == 0 {
		return t, false
	}
	decoded, sound := appendUnescaped(nil, name, true)
	if !sound || strings.IndexByte(view(decoded), 0) >= 0 {
		return masking, true
	}
	folded := fold(view(decoded))
	if t, named = r.query[folded]; named {
		return t, true
	}
	if name := []byte(folded); underscore(name) {
		if t, named = r.query[view(name)]; named {
			return t, true
		}
	}
	whole, _, _ := strings.Cut(folded, "[")
	t, named = r.query[strings.TrimSpace(whole)]
	return t, named
}
