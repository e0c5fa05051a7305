package redact

import "strings"

// appendUnescaped appends a percent-decoded text; where plus is set, + is a
// space, as in forms. What is no escape is left as it is, and not sound.
func appendUnescaped(dst []byte, s string, plus bool) (text []byte, sound bool) {
	sound = true
	begin := len(dst)
	dst = append(dst, s...) // at once: TinyGo calls its runtime for each append
	to := begin
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+' && plus:
			c = ' '
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			c = byte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
		case c == '%':
			sound = false
		}
		dst[to] = c
		to++
	}
	return dst[:to], sound
}

// appendEscaped appends a text so that it stands for itself in a query or a
// path. The brackets of what stands for a value can be read.
func appendEscaped(dst []byte, text string, plus bool) []byte {
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ' && plus:
			dst = append(dst, '+')
		case c > ' ' && c < 0x7f && strings.IndexByte(`%&+;=#?/"<>\^{|}`+"`", c) < 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// maxEscaped is how many times over a text may be percent-encoded to be looked
// into: decoding without end would be as much work as a client likes.
const maxEscaped = 3

// detectEscaped looks for what the detectors know in a percent-encoded text, as
// it is decoded once or more. Where something is found, all of it is given
// encoded once.
func (r *Redactor) detectEscaped(s string, plus bool) (hidden string, found bool) {
	if !r.Detects() || s == "" {
		return s, false
	}
	r.plain, _ = appendUnescaped(r.plain[:0], s, plus)
	for range maxEscaped {
		switch words, f := r.within(r.plain, nil, 0); f {
		case something:
			r.plain, found = append(r.plain[:0], words...), true
		case unclear, tooDeep:
			return Masked, true
		}
		size := len(r.plain)
		r.plain, _ = appendUnescaped(r.plain[:0], view(r.plain), false) // in place, as it never grows
		if len(r.plain) == size {
			break
		}
	}
	if !found {
		return s, false
	}
	return string(appendEscaped(nil, view(r.plain), plus)), true
}
