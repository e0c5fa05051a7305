package encode

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/jsontext"
)

// maxNested is how many levels of a document are taken apart; what is deeper
// stays JSON, as a text. Protobuf's readers, Go's aside, refuse a whole request
// that has 100 messages within each other: each level is three of them, and six
// stand around.
const maxNested = 24

// appendAnyValue appends a JSON document as an OpenTelemetry AnyValue
// (https://opentelemetry.io/docs/specs/otel/common/#anyvalue). The document must
// be valid.
func appendAnyValue(dst []byte, doc string) []byte {
	var open [maxNested]byte // the brackets that are
	depth := 0
	key := false // comes next
	for i := 0; i < len(doc); {
		size := 1
		switch c := doc[i]; {
		case c <= ' ' || c == ':':
			i++
			continue
		case c == ',':
			dst = append(dst, ',')
			key = depth > 0 && open[depth-1] == '{'
			i++
			continue
		case c == '"' && key:
			size = scalarLen(doc[i:])
			dst = appendJSONString(append(dst, `{"key":`...), doc[i:i+size])
			dst = append(dst, `,"value":`...)
			key = false
			i += size
			continue
		case (c == '{' || c == '[') && depth < maxNested:
			if c == '{' {
				dst = append(dst, `{"kvlistValue":{"values":[`...)
			} else {
				dst = append(dst, `{"arrayValue":{"values":[`...)
			}
			open[depth] = c
			depth++
			key = c == '{'
			i++
			continue
		case c == '{' || c == '[':
			size = nestedLen(doc[i:])
			dst = append(jsontext.AppendString(append(dst, `{"stringValue":`...), doc[i:i+size]), '}')
		case c == '}' || c == ']':
			dst = append(dst, "]}}"...)
			depth = max(depth-1, 0)
			key = false
		default:
			size = scalarLen(doc[i:])
			dst = appendScalar(dst, doc[i:i+size])
		}
		i += size // a value has ended
		if depth == 0 {
			return dst
		}
		if open[depth-1] == '{' {
			dst = append(dst, '}')
		}
	}
	return dst
}

// appendScalar appends what is neither an object nor a list. A number that no
// int64 and no double holds is its digits, as a text.
func appendScalar(dst []byte, token string) []byte {
	switch token[0] {
	case '"':
		return append(appendJSONString(append(dst, `{"stringValue":`...), token), '}')
	case 't', 'f':
		return append(append(append(dst, `{"boolValue":`...), token...), '}')
	case 'n':
		return append(dst, "{}"...)
	}
	if !strings.ContainsAny(token, ".eE") {
		if n, err := strconv.ParseInt(token, 10, 64); err == nil {
			return append(appendCount(append(dst, `{"intValue":"`...), n), `"}`...)
		}
	} else if _, err := strconv.ParseFloat(token, 64); err == nil {
		return append(append(append(dst, `{"doubleValue":`...), token...), '}')
	}
	return append(jsontext.AppendString(append(dst, `{"stringValue":`...), token), '}')
}

// appendJSONString appends a JSON string as it is, but for the halves of
// surrogate pairs that stand alone, which protobuf's strict readers refuse.
func appendJSONString(dst []byte, token string) []byte {
	for {
		i := strings.IndexByte(token, '\\')
		if i < 0 || i+1 >= len(token) {
			return append(dst, token...)
		}
		dst = append(dst, token[:i]...)
		token = token[i:]
		size := 2
		if r := unicodeEscape(token); r >= 0 {
			size = 6
			if utf16.IsSurrogate(r) {
				if pair := utf16.DecodeRune(r, unicodeEscape(token[6:])); pair == utf8.RuneError {
					dst, token = append(dst, `\ufffd`...), token[6:]
					continue
				}
				size = 12
			}
		}
		dst = append(dst, token[:size]...)
		token = token[size:]
	}
}

// unicodeEscape reads the \uXXXX that s begins with, or gives -1.
func unicodeEscape(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(s[2:6], 16, 32)
	if err != nil {
		return -1
	}
	return rune(n)
}

// scalarLen is the length of the scalar that s begins with, at least 1.
func scalarLen(s string) int {
	if s[0] != '"' {
		for i := 1; i < len(s); i++ {
			if c := s[i]; c <= ' ' || c == ',' || c == ']' || c == '}' {
				return i
			}
		}
		return len(s)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(s)
}

// nestedLen is the length of the object or list that s begins with.
func nestedLen(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			i += scalarLen(s[i:])
			continue
		}
		i++
		if depth == 0 {
			return i
		}
	}
	return len(s)
}
