package encode

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string (RFC 8259). Runs that need no escape
// are copied whole. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// appendEscaped appends the inside of a JSON string.
func appendEscaped(dst []byte, s string) []byte {
	clean := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, s[clean:i]...), `\ufffd`...)
			i++
			clean = i
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[clean:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		clean = i
	}
	return append(dst, s[clean:]...)
}

// appendLine appends JSON without the line feeds that may stand between its
// tokens: one would end the record. Within strings there is none.
func appendLine(dst []byte, doc string) []byte {
	for {
		i := strings.IndexByte(doc, '\n')
		if i < 0 {
			return append(dst, doc...)
		}
		dst = append(dst, doc[:i]...)
		doc = doc[i+1:]
	}
}

// appendSeconds appends ns as decimal seconds, exactly.
func appendSeconds(dst []byte, ns int64) []byte {
	dst = strconv.AppendInt(dst, ns/1e9, 10)
	fraction := ns % 1e9
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for digit := int64(1e8); fraction > 0; digit /= 10 {
		dst = append(dst, byte('0'+fraction/digit))
		fraction %= digit
	}
	return dst
}

// appendTime appends a Unix time in ns by RFC 3339, in UTC.
func appendTime(dst []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
}
