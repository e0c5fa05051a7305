package body

import (
	"slices"
	"strings"
)

// Kind is how a body is read.
type Kind uint8

// The kinds.
const (
	Binary      Kind = iota // anything that is none of the others
	Text                    // also XML, scripts, YAML
	JSON                    // one document
	JSONLines               // one a line, or after each RS (RFC 7464)
	Form                    // application/x-www-form-urlencoded
	Multipart               // of any kind
	GRPC                    // length-prefixed messages
	GRPCWeb                 // with trailers as a last frame
	GRPCWebText             // that in base64
	EventStream             // never recorded
)

// IsGRPC tells whether bodies.grpc decides about it.
func (k Kind) IsGRPC() bool { return k == GRPC || k == GRPCWeb || k == GRPCWebText }

// isText tells whether it has a character set.
func (k Kind) isText() bool { return k == Text || k == JSON || k == JSONLines || k == Form }

// Type is a content type, read.
type Type struct {
	Media    string // in lower case, without parameters
	Kind     Kind
	Charset  string // in lower case; "" where none is given
	Boundary string // of a multipart type
}

// ParseType reads a Content-Type header. A type in lower case costs no memory.
func ParseType(contentType string) Type {
	end := strings.IndexAny(contentType, ";,")
	if end < 0 {
		end = len(contentType)
	}
	t := Type{Media: strings.ToLower(strings.Trim(contentType[:end], " \t"))}
	t.Kind = kindOf(t.Media)
	if end < len(contentType) && contentType[end] == ';' {
		for rest := contentType[end:]; ; {
			name, value, next, ok := parameter(rest)
			if !ok {
				break
			}
			switch {
			case t.Charset == "" && strings.EqualFold(name, "charset"):
				t.Charset = strings.ToLower(strings.Trim(value, " '"))
			case t.Boundary == "" && strings.EqualFold(name, "boundary"):
				t.Boundary = value
			}
			rest = next
		}
	}
	return t
}

// linesTypes hold a JSON document a line.
var linesTypes = []string{"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines",
	"application/stream+json", "application/json-seq", "text/x-ndjson"}

// textTypes are texts though they are not text/*.
var textTypes = []string{"application/xml", "application/xml-dtd", "application/javascript", "application/x-javascript", "application/ecmascript", "application/graphql",
	"application/yaml", "application/x-yaml", "application/toml", "application/sql", "application/xhtml+xml", "application/openmetrics-text", "application/jwt",
	"application/x-pem-file", "application/pem-certificate-chain", "message/http"}

func kindOf(media string) Kind {
	major, minor, _ := strings.Cut(media, "/")
	switch {
	case media == "application/json", media == "text/json", media == "application/x-json", media == "application/csp-report":
		return JSON
	case media == "application/x-www-form-urlencoded":
		return Form
	case media == "text/event-stream":
		return EventStream
	case major == "multipart":
		return Multipart
	case slices.Contains(linesTypes, media), strings.HasSuffix(minor, "+json-seq"):
		return JSONLines
	case strings.HasSuffix(minor, "+json"):
		if !isGRPC(media) {
			return JSON
		}
	case major == "text", slices.Contains(textTypes, media), strings.HasSuffix(minor, "+xml"), strings.HasSuffix(minor, "+yaml"):
		return Text
	}
	switch {
	case !isGRPC(media):
		return Binary
	case strings.HasPrefix(media, "application/grpc-web-text"):
		return GRPCWebText
	case strings.HasPrefix(media, "application/grpc-web"):
		return GRPCWeb
	}
	return GRPC
}

// isGRPC knows application/grpc, its -web and -web-text, each with or without +proto and
// the like, and nothing that only begins so.
func isGRPC(media string) bool {
	rest, ok := strings.CutPrefix(media, "application/grpc")
	if !ok {
		return false
	}
	if web, ok := strings.CutPrefix(rest, "-web"); ok {
		rest, _ = strings.CutPrefix(web, "-text")
	}
	return rest == "" || rest[0] == '+'
}

// parameter reads "; name=value" or "; name="quoted value"" off the front of s
// (RFC 9110, 5.6.6). Where s has none left, or cannot be read, ok is false.
func parameter(s string) (name, value, rest string, ok bool) {
	equals := -1
	for equals < 0 {
		s = strings.TrimLeft(s, " \t\r\n;")
		i := strings.IndexAny(s, "=;")
		if i < 0 {
			return "", "", "", false
		}
		if s[i] == '=' {
			equals = i
		} else {
			s = s[i:] // a word without a value
		}
	}
	name, s = strings.Trim(s[:equals], " \t"), strings.TrimLeft(s[equals+1:], " \t")
	if s == "" || s[0] != '"' {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimRight(value, " \t\r\n"), rest, true
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			// A browser leaves the backslashes of a Windows path as they are: only
			// a quote and a backslash are ever escaped.
			i++
		case '"':
			return name, unquote(s[1:i]), s[i+1:], true
		}
	}
	return name, unquote(s[1:]), "", true
}

func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}
