package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path  string // of the key, such as sink.batch.max_bytes
	Rule  string // what must hold
	Found string // the value found, shortened
}

func (p Problem) String() string {
	if p.Found == "" {
		return p.Path + ": " + p.Rule
	}
	return p.Path + ": " + p.Rule + "; found " + p.Found
}

// Problems is every thing that is wrong, in the order of the input.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Parse reads a configuration. Nothing at all means `{}`. The error, if any, is
// of type [Problems] and the value is then of no use.
func Parse(data []byte) (Config, error) {
	c := Default()
	r := &reader{}
	fault, broken := syntaxFault(data)
	switch text := string(data); {
	case strings.TrimSpace(text) == "":
	case broken:
		r.report("configuration", "must be valid JSON", fault)
	default:
		spec(&c).read(r, "", gjson.Parse(text))
		across(&c, r)
		c.SinkID = fingerprint(gjson.Get(text, "sink|@ugly").Raw, gjson.Get(text, "resource|@ugly").Raw)
	}
	if len(r.problems) > 0 {
		return Config{}, r.problems
	}
	complete(&c)
	return c, nil
}

// syntaxFault tells where data stops being JSON. It never quotes it, as what
// stands there may be a credential. encoding/json bounds the depth as well, which
// gjson does not: the VM's stack is small.
func syntaxFault(data []byte) (where string, broken bool) {
	var all json.RawMessage
	var fault *json.SyntaxError
	if !errors.As(json.Unmarshal(data, &all), &fault) {
		return "", false
	}
	before := data[:fault.Offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return "a fault at line " + strconv.Itoa(line) + ", byte " + strconv.Itoa(column), true
}

// fingerprint tells texts apart; it need not withstand an attack.
func fingerprint(texts ...string) string {
	h := fnv.New64a()
	for _, t := range texts {
		h.Write([]byte(t))
		h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

type reader struct{ problems Problems }

func (r *reader) report(path, rule, found string) {
	r.problems = append(r.problems, Problem{path, rule, found})
}

// refuse reports a value that breaks its rule. Values below a sink's headers
// are credentials, and never shown; an object or a list may hold them, and so
// may the query of its path. The key of the hashes is a secret as well, and the
// headers that a rule matches on may be.
func (r *reader) refuse(path, rule string, v gjson.Result) {
	found := shorten(v.Raw)
	switch {
	case strings.HasPrefix(path, "sink.headers"), path == "redact", path == "redact.key", strings.Contains(path, ".match.headers"):
		found = ""
	case v.IsObject():
		found = "an object"
	case v.IsArray():
		found = "a list"
	case path == "sink.path" && v.Type == gjson.String:
		before, _, _ := strings.Cut(v.Str, "?")
		found = shorten(strconv.Quote(before))
	}
	r.report(path, "must be "+rule, found)
}

// sound tells whether nothing was wrong at or below the given keys.
func (r *reader) sound(keys ...string) bool {
	for _, p := range r.problems {
		for _, key := range keys {
			if rest, below := strings.CutPrefix(p.Path, key); below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				return false
			}
		}
	}
	return true
}

const maxShown = 60

func shorten(raw string) string {
	raw = strings.ToValidUTF8(strings.Join(strings.Fields(raw), " "), "\uFFFD")
	if len(raw) <= maxShown {
		return raw
	}
	return strings.ToValidUTF8(raw[:maxShown], "") + "…"
}

func list(words []string) string { return strings.Join(words, ", ") }

func quote(s string) string { return shorten(`"` + s + `"`) }
