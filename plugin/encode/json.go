package encode

import (
	"strconv"
	"strings"
	"time"
)

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

// maxFields is how many fields a store may make of a body: VictoriaLogs takes an object
// apart, drops each record of more than 1000 fields (-insert.maxFieldsPerLine), and
// answers as if all were well. A client could keep its exchange out of the log. There are
// two bodies, and what else is in a record.
const maxFields = 400

// hasFewFields tells whether valid JSON makes no more; a list is one. It looks at each
// byte of what may be much, so it does nothing else.
func hasFewFields(doc string) bool {
	if len(doc) <= len(`"":1,`)*maxFields || doc[0] == '[' {
		return true
	}
	fields, lists := 0, 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			for i++; i < len(doc) && doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case '[':
			lists++
		case ']':
			lists--
		case ':':
			if lists == 0 {
				fields++
			}
		}
	}
	return fields <= maxFields
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
