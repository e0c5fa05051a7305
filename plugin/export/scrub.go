package export

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/routelens/routelens/plugin/config"
)

// scrubber takes the configuration's secrets out of the words of others: a sink may
// echo what it was sent.
type scrubber struct{ secrets []string }

const (
	scrubbed = "[secret]"

	// A secret that is cut off after so many bytes is one still.
	tellingBytes = 8
	// One of fewer bytes is a secret as a word of its own only: as part of others
	// it would make every text unreadable, and is guessed in no time.
	shortSecret = 4
	// A segment of sink.path of so many bytes with a digit is likely a token, as some
	// vendors have it; without one, the name of an index.
	tokenBytes = 24
)

// newScrubber knows the values of sink.headers, redact.key, the values in the query of
// sink.path and the tokens in its path, in the forms in which they are likely to come back: whole,
// in parts (a credential without its scheme, the password of Basic), escaped.
func newScrubber(c *config.Config) *scrubber {
	s := &scrubber{}
	for _, h := range c.Sink.Headers {
		s.learn(h.Value)
		for part := range strings.FieldsFuncSeq(h.Value, func(r rune) bool { return strings.ContainsRune(" ,;", r) }) {
			s.learnPart(part)
			s.learnPart(strings.TrimRight(part, "="))
			if _, value, ok := strings.Cut(part, "="); ok {
				s.learnPart(strings.Trim(value, `"`))
			}
			// Basic, and Elasticsearch's ApiKey.
			if plain, err := base64.StdEncoding.DecodeString(part); err == nil {
				if _, password, ok := strings.Cut(string(plain), ":"); ok {
					s.learn(string(plain))
					s.learn(password)
				}
			}
		}
	}
	s.learn(c.Redact.Key)
	path, query, _ := strings.Cut(c.Sink.Path, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) >= tokenBytes && strings.ContainsAny(segment, "0123456789") {
			s.learn(segment)
		}
	}
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if slices.Contains(namesOfFields, name) {
			continue
		}
		if value == "" {
			value = name
		}
		s.learn(value)
		if plain, err := url.QueryUnescape(value); err == nil {
			s.learn(plain)
		}
	}
	return s
}

// namesOfFields are parameters of VictoriaLogs and Elasticsearch that list names of
// fields: without those, what a sink has to say of a field could not be read.
var namesOfFields = []string{"_time_field", "_msg_field", "_stream_fields", "filter_path"}

// learnPart learns what is long enough not to be a word such as Bearer.
func (s *scrubber) learnPart(part string) {
	if len(part) >= tellingBytes {
		s.learn(part)
	}
}

// learn adds a secret in each form that differs.
func (s *scrubber) learn(secret string) {
	quoted := strconv.Quote(secret)
	forms := []string{secret, quoted[1 : len(quoted)-1], strings.ReplaceAll(secret, "/", `\/`), url.QueryEscape(secret), url.PathEscape(secret), jsonEscapes.Replace(secret)}
	for i, form := range forms {
		if form != "" && (i == 0 || form != secret) {
			s.secrets = append(s.secrets, form)
		}
	}
}

// jsonEscapes escapes as Go's encoding/json does, which many sinks use.
var jsonEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "<", `\u003c`, ">", `\u003e`, "&", `\u0026`)

// excerpt gives the beginning of a text, quoted, with every secret masked. It is cut
// where no secret is.
func (s *scrubber) excerpt(words string) string {
	var b strings.Builder
	for at := 0; at < min(len(words), maxExcerpt); {
		if n := s.at(words, at); n > 0 {
			b.WriteString(scrubbed)
			at += n
			continue
		}
		b.WriteByte(words[at])
		at++
	}
	return strconv.QuoteToASCII(b.String())
}

// maxExcerpt is how much is quoted of what a sink said, in bytes.
const maxExcerpt = 200

// at is how many bytes of a secret stand at a place in a text.
func (s *scrubber) at(words string, at int) (longest int) {
	for _, secret := range s.secrets {
		n := agree(words[at:], secret)
		switch {
		case n <= longest, n < len(secret) && n < tellingBytes:
		case n < shortSecret && (at > 0 && isWord(words[at-1]) || at+n < len(words) && isWord(words[at+n])):
		default:
			longest = n
		}
	}
	return longest
}

// agree is how many bytes two texts have in common from their beginning on, in
// any case.
func agree(a, b string) (n int) {
	for n < len(a) && n < len(b) && lower(a[n]) == lower(b[n]) {
		n++
	}
	return n
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isWord(c byte) bool {
	return lower(c) >= 'a' && lower(c) <= 'z' || c >= '0' && c <= '9'
}
