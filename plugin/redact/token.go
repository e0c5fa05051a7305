package redact

import (
	"unicode/utf8"
)

// token is a string of a document, with its quotes.
type token struct {
	begin, end int
	escaped    bool // it has a \
	broken     bool // half a surrogate pair, bytes that are not UTF-8, or U+FFFD, which stood for such: nobody can say what a server makes of it
	null       bool // it has U+0000, where some servers end a text
}

// scanString reads the string that begins at at.
func scanString(src []byte, at int) (t token, o outcome) {
	t.begin = at
	for i := at + 1; i < len(src); {
		switch c := src[i]; {
		case c == '"':
			t.end = i + 1
			return t, whole
		case c < ' ':
			return t, invalid
		case c == '\\':
			size, o := t.escape(src[i:])
			if o != whole {
				return t, o
			}
			i += size
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(src[i:])
			t.broken = t.broken || r == utf8.RuneError
			i += size
		}
	}
	return t, ended
}

// escape reads the escape that s begins with.
func (t *token) escape(s []byte) (size int, o outcome) {
	t.escaped = true
	if len(s) < 2 {
		return 0, ended
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, whole
	case 'u':
	default:
		return 0, invalid
	}
	for i := 2; i < 6; i++ {
		if i == len(s) {
			return 0, ended
		}
		if hexDigit(s[i]) < 0 {
			return 0, invalid
		}
	}
	r, size := escapedRune(s)
	t.broken = t.broken || r == utf8.RuneError
	t.null = t.null || r == 0
	return size, whole
}

// escapedRune gives the character of a whole \u escape, or of a surrogate pair
// of two.
func escapedRune(s []byte) (r rune, size int) {
	r = hexRune(s[2:6])
	switch {
	case r < 0xd800 || r > 0xdfff:
		return r, 6
	case r < 0xdc00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u':
		if low := hexRune(s[8:12]); low >= 0xdc00 && low <= 0xdfff {
			return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, 12
		}
	}
	return utf8.RuneError, 6
}

// hexRune reads four hexadecimal digits; it is negative where there are others.
func hexRune(s []byte) rune {
	r := rune(0)
	for _, c := range s[:4] {
		r = r<<4 | hexDigit(c)
	}
	return r
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// appendDecoded appends the text of a string, given without its quotes. What is
// broken becomes U+FFFD.
func appendDecoded(dst, inner []byte) []byte {
	for i := 0; i < len(inner); {
		c := inner[i]
		switch {
		case c == '\\' && inner[i+1] == 'u':
			r, size := escapedRune(inner[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		case c == '\\':
			dst = append(dst, unescaped(inner[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			end := i + 1
			for end < len(inner) && inner[end] < utf8.RuneSelf && inner[end] != '\\' {
				end++
			}
			dst = append(dst, inner[i:end]...)
			i = end
		default:
			r, size := utf8.DecodeRune(inner[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// scanNumber reads the number that begins at at (RFC 8259, 6). One that src ends
// in may be a whole one.
func scanNumber(src []byte, at int) (end int, o outcome) {
	i := at
	if src[i] == '-' {
		i++
	}
	begin := i
	i = digits(src, i)
	if i > begin+1 && src[begin] == '0' {
		return 0, invalid
	}
	if i == begin {
		return i, missing(src, i)
	}
	if i < len(src) && src[i] == '.' {
		begin = i + 1
		if i = digits(src, begin); i == begin {
			return i, missing(src, i)
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		begin = i
		if i = digits(src, begin); i == begin {
			return i, missing(src, i)
		}
	}
	return i, whole
}

func digits(src []byte, at int) int {
	for at < len(src) && isDigit(src[at]) {
		at++
	}
	return at
}

// missing is what is wrong where there is no digit.
func missing(src []byte, at int) outcome {
	if at == len(src) {
		return ended
	}
	return invalid
}

// scanWord reads true, false or null.
func scanWord(src []byte, at int) (end int, o outcome) {
	word := ""
	switch src[at] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return 0, invalid
	}
	for i := range len(word) {
		if at+i == len(src) {
			return 0, ended
		}
		if src[at+i] != word[i] {
			return 0, invalid
		}
	}
	return at + len(word), whole
}
