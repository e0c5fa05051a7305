package redact

import (
	"strings"

	"github.com/routelens/routelens/plugin/config"
)

// cookie gives a Cookie header with every value masked that no rule treats
// otherwise. Names compare exactly, as browsers and servers do: a rule may show
// a value, and shows no other's.
func (r *Redactor) cookie(header string) (hidden string, kept bool) {
	var dst []byte
	for more := true; more; {
		var pair string
		pair, header, more = strings.Cut(header, ";")
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		begin := len(dst)
		if begin > 0 {
			dst = append(dst, "; "...)
		}
		if dst, kept = r.pair(dst, pair); !kept {
			dst = dst[:begin]
		}
	}
	return view(dst), len(dst) > 0
}

// pair appends a cookie, unless a rule removes it.
func (r *Redactor) pair(dst []byte, pair string) (out []byte, kept bool) {
	name, value, valued := strings.Cut(pair, "=")
	if !valued { // browsers take such a cookie for a value without a name
		return append(dst, Masked...), true
	}
	name = strings.TrimSpace(name)
	t, named := r.cookies[name]
	if !named {
		t = masking
	}
	if t.mode == config.Remove {
		return dst, false
	}
	dst = append(append(dst, r.value(name)...), '=')
	if t.mode != config.Keep {
		return r.replace(dst, t, strings.TrimSpace(value)), true
	}
	if several(value) {
		return append(dst, Masked...), true
	}
	return append(dst, r.value(value)...), true
}

// several tells whether an old server may read further cookies out of a value,
// or of an attribute's.
func several(value string) bool {
	return strings.Contains(value, ",") && strings.Contains(value, "=") || strings.Count(value, `"`)%2 == 1
}

// setCookie gives a Set-Cookie header with its value treated like a cookie's,
// and with the attributes that are known.
func (r *Redactor) setCookie(header string) (hidden string, kept bool) {
	pair, attributes, more := strings.Cut(header, ";")
	dst, kept := r.pair(nil, strings.TrimSpace(pair))
	if !kept {
		return "", false
	}
	for more {
		var attribute string
		attribute, attributes, more = strings.Cut(attributes, ";")
		name, value, valued := strings.Cut(strings.TrimSpace(attribute), "=")
		switch {
		case !isAttribute(strings.TrimSpace(name)):
			dst = append(append(dst, "; "...), Masked...)
			continue
		case several(value) || strings.Contains(value, "="):
			value = Masked
		}
		dst = append(append(dst, "; "...), name...)
		if valued {
			dst = append(append(dst, '='), r.value(value)...)
		}
	}
	return view(dst), true
}

// isAttribute tells whether a name is a cookie attribute's (RFC 6265bis).
func isAttribute(name string) bool {
	for _, known := range []string{"expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "partitioned", "priority"} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}
