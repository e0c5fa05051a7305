package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/record"
)

// textRule is what a text must be. The words complete "must be …", pattern is
// the same for JSON Schema (an ECMA-262 regular expression).
type textRule struct {
	words   string
	pattern string
	ok      func(string) bool
}

var (
	freeText = textRule{"a text", "^", func(string) bool { return true }}

	oneLine = textRule{"a text without control characters", `^[^\u0000-\u001f\u007f]*$`, func(s string) bool { return !hasControl(s) }}

	anyText = textRule{"a text without control characters that is not empty", `^[^\u0000-\u001f\u007f]+$`, func(s string) bool { return s != "" && !hasControl(s) }}

	// A key of resource stands on each record beside the record's own.
	aResourceKey = textRule{"a text without control characters that is not empty, and none of a record's own keys", anyText.pattern, func(s string) bool { return anyText.ok(s) && !record.Taken(s) }}

	aPath = textRule{`a path that begins with "/", without spaces`, `^/[^\u0000-\u0020\u007f]*$`, func(s string) bool {
		return strings.HasPrefix(s, "/") && !hasControl(s) && !strings.Contains(s, " ")
	}}

	// RFC 9110, 5.1, in the lower case that HTTP/2 and Envoy use.
	aHeaderName = textRule{"a header name in lower case", `^[a-z0-9!#$%&'*+.^_|~` + "`" + `-]+$`, func(s string) bool {
		for i := range len(s) {
			c := s[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+.^_|~`-", c) >= 0) {
				return false
			}
		}
		return s != ""
	}}

	aTemplate = textRule{`a path template such as "/users/{id}" or "/files/{path...}"`, `^(/([^{}/\u0000-\u0020\u007f]*|\{[A-Za-z0-9_]+\}))+$|^(/([^{}/\u0000-\u0020\u007f]*|\{[A-Za-z0-9_]+\}))*/\{[A-Za-z0-9_]+\.\.\.\}$`, isTemplate}
)

// Bounds of redaction's body paths.
const maxBodyPath = 32 // segments

var (
	// A path as gjson and sjson write it, with ** for any depth.
	aBodyPath = textRule{`a path such as "user.email", "cards.#.pan" or "**.password", with \\ before a dot or a star that is part of a key`, `^([^\u0000-\u001f\u007f.\\]|\\[^\u0000-\u001f\u007f])+(\.([^\u0000-\u001f\u007f.\\]|\\[^\u0000-\u001f\u007f])+){0,31}$`, func(s string) bool {
		segments, ok := SplitBodyPath(s)
		return ok && len(segments) <= maxBodyPath
	}}

	aContentType = textRule{`a content type in lower case, such as "application/json" or "text/*"`, `^[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+$`, func(s string) bool {
		kind, sub, _ := strings.Cut(s, "/")
		return isContentToken(kind) && isContentToken(sub)
	}}

	// Methods differ by case, and none that is in use has small letters: "post" is a mistake.
	aMethod = textRule{`a method in capitals, such as "POST"`, `^[A-Z-]+$`, func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !(r >= 'A' && r <= 'Z' || r == '-') }) < 0
	}}

	aHashKey = textRule{"a text of at least 16 characters", `^[\s\S]{16,}$`, func(s string) bool { return utf8.RuneCountInString(s) >= 16 }}
)

func isContentToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$&^_.+*-", r))
	}) < 0
}

// SplitBodyPath parts a path at the dots that have no \ before them. The segments
// still have theirs.
func SplitBodyPath(s string) (segments []string, ok bool) {
	begin := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == '.':
			if i == begin {
				return nil, false
			}
			segments = append(segments, s[begin:i])
			begin = i + 1
		case s[i] == '\\':
			if i++; i == len(s) {
				return nil, false
			}
		}
	}
	return segments, !hasControl(s)
}

func oneOf(words []string) textRule {
	return textRule{"one of " + list(words), "^(" + strings.Join(words, "|") + ")$", func(s string) bool { return slices.Contains(words, s) }}
}

func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) >= 0
}

func isTemplate(s string) bool {
	if !aPath.ok(s) {
		return false
	}
	segments := strings.Split(s[1:], "/")
	for i, segment := range segments {
		name, variable := strings.CutPrefix(segment, "{")
		if !variable {
			if strings.ContainsAny(segment, "{}") {
				return false
			}
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		if i == len(segments)-1 {
			name = strings.TrimSuffix(name, "...")
		}
		if !closed || !isName(name) {
			return false
		}
	}
	return true
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return s != ""
}

var units = []struct {
	name  string
	bytes int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// parseSize reads a size such as "256KiB" in bytes.
func parseSize(s string) (int, bool) {
	for _, unit := range units {
		digits, found := strings.CutSuffix(s, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || int64(n)*int64(unit.bytes) > 1<<30 {
			return 0, false
		}
		return int(n) * unit.bytes, true
	}
	return 0, false
}

// sizeText is the shortest way to write a size.
func sizeText(n int) string {
	for _, unit := range units {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.Itoa(n/unit.bytes) + unit.name
		}
	}
	return "0B"
}
