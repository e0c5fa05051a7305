package redact

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

const key = "a key of sixteen characters"

// rules makes rules for paths of bodies, each with its mode behind a space.
func rules(bodies ...string) []config.RedactRule {
	var rules []config.RedactRule
	for _, body := range bodies {
		path, mode, given := strings.Cut(body, " ")
		if !given {
			mode = config.Mask
		}
		rules = append(rules, config.RedactRule{Body: path, Mode: mode, Last: 4})
	}
	return rules
}

func hiding(bodies ...string) *Redactor {
	return New(&config.Redact{Key: key, Rules: rules(bodies...)})
}

func detecting(names ...string) *Redactor { return New(&config.Redact{Detect: names}) }

func TestADocument(t *testing.T) {
	for _, c := range []struct{ name, rules, doc, want string }{
		{"is written without space", "x", " { \"a\" : [ 1 ,\t2.50e+3, {} , [ ] ] ,\r\n\"b\":null} ", `{"a":[1,2.50e+3,{},[]],"b":null}`},
		{"may be a lone value", "x", ` "a" `, `"a"`},
		{"loses a value by its key", "password", `{"password":"s","passwords":"t"}`, `{"password":"[masked]","passwords":"t"}`},
		{"loses a value by its path", "user.email", `{"user":{"email":"a","x":{"email":"b"}},"email":"c"}`, `{"user":{"email":"[masked]","x":{"email":"b"}},"email":"c"}`},
		{"loses a value of any type", "a", `[{"a":1.5},{"a":true},{"a":null},{"a":{"b":[{}]}},{"a":[1,[2]]}]`, `[{"a":"[masked]"},{"a":"[masked]"},{"a":"[masked]"},{"a":"[masked]"},{"a":"[masked]"}]`},
		{"loses items of a list", "cards.#.pan", `{"cards":[{"pan":"1"},{"pan":"2","x":3}]}`, `{"cards":[{"pan":"[masked]"},{"pan":"[masked]","x":3}]}`},
		{"is looked through lists without a sign", "cards.pan", `[{"cards":[[{"pan":"1"}]]}]`, `[{"cards":[[{"pan":"[masked]"}]]}]`},
		{"may have one thing for a list of it", "cards.#.pan", `{"cards":{"pan":"1"}}`, `{"cards":{"pan":"[masked]"}}`},
		{"loses each item of a list", "cards.#", `{"cards":[1,{"a":2},[3]]}`, `{"cards":["[masked]","[masked]","[masked]"]}`},
		{"loses what stands for a list", "cards.#", `{"cards":"1, 2"}`, `{"cards":"[masked]"}`},
		{"loses an item by its number", "a.1", `{"a":["x","y","z"]}`, `{"a":["x","[masked]","z"]}`},
		{"loses items by parts of their numbers", "a.1*|b.*", `{"a":["x","y"],"b":["z"]}`, `{"a":["x","[masked]"],"b":["[masked]"]}`},
		{"loses a value at any depth", "**.pin", `{"pin":1,"a":[{"pin":2,"b":{"pin":3}}]}`, `{"pin":"[masked]","a":[{"pin":"[masked]","b":{"pin":"[masked]"}}]}`},
		{"loses a value at any depth below", "a.**.pin", `{"pin":1,"a":{"pin":2,"b":{"pin":3}}}`, `{"pin":1,"a":{"pin":"[masked]","b":{"pin":"[masked]"}}}`},
		{"loses all below", "a.**", `{"a":{"b":1},"c":2}`, `{"a":"[masked]","c":2}`},
		{"may go whole", "**", `{"a":1}`, `"[masked]"`},
		{"loses values by parts of a key", "*token*", `{"access_token":"a","tokens":1,"tok":2}`, `{"access_token":"[masked]","tokens":"[masked]","tok":2}`},
		{"loses values below any key", "*.id", `{"a":{"id":1},"b":[{"id":2}]}`, `{"a":{"id":"[masked]"},"b":[{"id":"[masked]"}]}`},
		{"loses a value whose key has dots, stars and signs", `a\.b.\#.\*`, `{"a.b":{"#":{"*":1,"c":2}},"a":{"b":3}}`, `{"a.b":{"#":{"*":"[masked]","c":2}},"a":{"b":3}}`},
		{"is read whatever the case of a key", "Password", `{"password":1,"PASSWORD":2,"pa\u017F\u017Fword":3}`, `{"password":"[masked]","PASSWORD":"[masked]","pa\u017F\u017Fword":"[masked]"}`},
		{"is read with its escapes", "password", `{"\u0070assword":1,"pass\u0077ord":2,"p\/":3}`, `{"\u0070assword":"[masked]","pass\u0077ord":"[masked]","p\/":3}`},
		{"loses all values of one key", "a", `{"a":1,"b":2,"a":3}`, `{"a":"[masked]","b":2,"a":"[masked]"}`},
		{"loses what stands at a key that servers may read in several ways", "a", `{"a\u0000":1,"b":{"\ud800a":2,"x":{"` + "\xff" + `a":{"c":[3]}}}}`, `{"a\u0000":"[masked]","b":{"�a":2,"x":{"�a":{"c":[3]}}}}`},
		{"loses such a key's value where a rule may go on", "**.a", `{"a\u0000":1,"b":{"\ud800a":2,"x":{"` + "\xff" + `a":{"c":[3]}}}}`, `{"a\u0000":"[masked]","b":{"�a":"[masked]","x":{"�a":"[masked]"}}}`},
		{"may have odd keys", "a", `{"":1,"__proto__":{"a":2},"constructor":3,"#":4,"**":5}`, `{"":1,"__proto__":{"a":2},"constructor":3,"#":4,"**":5}`},
		{"loses names with their values", "a remove|l.# remove", `{"a":1,"b":2,"a":{"c":3},"l":[1,2]}`, `{"b":2,"l":[]}`},
		{"loses the first, middle and last item", "l.0 remove|l.2 remove|l.4 remove", `{"l":[0,1,2,3,4]}`, `{"l":[1,3]}`},
		{"shows hashes of values", "a hash|b hash|c hash", `{"a":"x","b":"\u0078","c":[ 1 ]}`, `{"a":"[hash:ebb20db31f7ebada]","b":"[hash:ebb20db31f7ebada]","c":"[hash:08334a4606a2ab7f]"}`},
		{"shows the ends of values", "a last|b last", `{"a":"12345678","b":"1234567","a":"xxxxäöü\"","a":12345678,"a":[12345678]}`, `{"a":"[masked]5678","b":"[masked]","a":"[masked]äöü\"","a":"[masked]5678","a":"[masked]"}`},
		{"follows the first of two rules", "**.a last|a", `{"a":"12345678"}`, `{"a":"[masked]5678"}`},
		{"is looked into within strings", "a.b", `{"a":"{\"b\":\"s\",\"c\": 1}"}`, `{"a":"{\"b\":\"[masked]\",\"c\":1}"}`},
		{"is looked into within strings of strings", "a.b", `{"a":"\"[{\\\"\\\\u0062\\\":\\\"s\\\"}]\""}`, `{"a":"\"[{\\\"\\\\u0062\\\":\\\"[masked]\\\"}]\""}`},
		{"may be several within a string", "a.b", `{"a":" {\"b\":1}\n{\"b\":2} "}`, `{"a":"{\"b\":\"[masked]\"}\n{\"b\":\"[masked]\"}"}`},
		{"keeps strings in which nothing is hidden as they are", "a.b", `{"a":"{ \"c\": 1 }","b":"[ 1 ]"}`, `{"a":"{ \"c\": 1 }","b":"[ 1 ]"}`},
		{"keeps strings that only begin like JSON", "**.b", `{"a":"[INFO] {b}","c":"\"quoted\" text"}`, `{"a":"[INFO] {b}","c":"\"quoted\" text"}`},
		{"loses strings that end otherwise than they begin", "**.b", `{"a":"{\"b\":1} trailing"}`, `{"a":"[masked]"}`},
		{"shows no half characters", "x", "{\"a\":\"\\ud800 \xff \\ud83d\\ude00\"}", "{\"a\":\"\ufffd \ufffd \U0001F600\"}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdict := hiding(strings.Split(c.rules, "|")...).JSON([]byte("before "), []byte(c.doc), Options{})
			require.Equal(t, Redacted, verdict)
			assert.Equal(t, "before "+c.want, string(got))
			assert.True(t, json.Valid(got[len("before "):]))
		})
	}
}

func TestADocumentWithoutRulesLosesNothing(t *testing.T) {
	for doc, want := range map[string]string{"{\"\x85\":1,\"a\\u0000\":2}": "{\"\ufffd\":1,\"a\\u0000\":2}", `{"\ud800":{"\udc00":3}}`: "{\"\ufffd\":{\"\ufffd\":3}}"} {
		for _, r := range []*Redactor{hiding(), detecting(config.Detectors...)} {
			got, verdict := r.JSON(nil, []byte(doc), Options{})
			require.Equal(t, Redacted, verdict)
			assert.Equal(t, want, string(got))
		}
	}
}

func TestADocumentThatIsCut(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"is closed", `{"a":[1,{"b":"c"`, `{"a":[1,{"b":"c"}]}`},
		{"loses half a string", `{"a":1,"b":"half`, `{"a":1}`},
		{"loses half an escape", `["a","b\u00`, `["a"]`},
		{"loses a number that may go on", `[1,23`, `[1]`},
		{"loses half a word", `[true,fals`, `[true]`},
		{"loses a key without value", `{"a":1,"b"`, `{"a":1}`},
		{"loses a key with its colon", `{"a":1,"b":`, `{"a":1}`},
		{"loses half a key", `{"a":1,"b`, `{"a":1}`},
		{"keeps what was just opened", `{"a":{`, `{"a":{}}`},
		{"may end at a comma", `[1,`, `[1]`},
		{"may be whole", `{"a":1} `, `{"a":1}`},
		{"may be whole as a string", `"a"`, `"a"`},
		{"loses half of what is hidden", `{"b":1,"secret":{"x":[1,"s`, `{"b":1}`},
		{"loses all with its only token", `"a`, ``},
		{"loses all with its only number", `12`, ``},
		{"may be empty", ` `, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdict := hiding("**.secret").JSON(nil, []byte(c.doc), Options{Cut: true})
			require.Equal(t, Redacted, verdict)
			assert.Equal(t, c.want, string(got))
		})
	}
}

func TestWhatIsNoDocumentIsInvalid(t *testing.T) {
	for _, doc := range []string{
		`{`, `[1,]`, `{"a":1,}`, `{,}`, `[,1]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `[1 2]`, `]`, `}`, `[}`, `{]`, `{"a":1]`, `[1}`, `1 2`, `{} {}`,
		`01`, `-`, `+1`, `1.`, `.5`, `1e`, `1e+`, `--1`, `0x1`, `NaN`, `nul`, `nulL`, `truee`, `'a'`, `"a`, "\"a\nb\"", `"\x"`, `"\u12g4"`, `"\u1"`, `"\`, ``, ` `, "\ufeff", "\x00", `/* */1`,
	} {
		got, verdict := hiding("**.secret").JSON([]byte("x"), []byte(doc), Options{})
		assert.Equal(t, Invalid, verdict, doc)
		assert.Equal(t, "x", string(got), doc)
		assert.False(t, json.Valid([]byte(doc)))
	}
	for _, doc := range []string{`[1,]`, `{"a" 1`, `[01,`, `nulL`, `{"a":1]`, "\"\n", `{} {`} {
		_, verdict := hiding("**.secret").JSON(nil, []byte(doc), Options{Cut: true})
		assert.Equal(t, Invalid, verdict, doc)
	}
}

func TestWhatGoesTooDeepIsNotRedactable(t *testing.T) {
	r := hiding("**.secret")
	for _, open := range []string{"[", `{"a":`, `{"secret":`} {
		closing := map[byte]string{'[': "]", '{': "}"}[open[0]]
		_, verdict := r.JSON(nil, []byte(strings.Repeat(open, maxDepth)+"1"+strings.Repeat(closing, maxDepth)), Options{})
		assert.Equal(t, Redacted, verdict)
		for _, cut := range []bool{false, true} {
			_, verdict = r.JSON(nil, []byte(strings.Repeat(open, 100_000)), Options{Cut: cut})
			assert.Equal(t, NotRedactable, verdict)
		}
	}
	doc := `{"secret":"s3cr3t"}`
	for depth := 0; depth <= maxNested+2; depth++ {
		got, verdict := r.JSON(nil, []byte(doc), Options{})
		assert.Equal(t, depth > maxNested, verdict == NotRedactable, depth)
		assert.NotContains(t, string(got), "s3cr3t")
		quoted, err := json.Marshal(doc)
		require.NoError(t, err)
		doc = string(quoted)
	}
}

func TestAProtobufMessage(t *testing.T) {
	for _, c := range []struct{ name, rule, doc, want string }{
		{"loses a field by its numbers", "1.3", `[{"1":{"3":"s","4":2}}]`, `[{"1":{"3":"[masked]","4":2}}]`},
		{"has fields that are repeated", "1.3", `[{"1":[{"4":1},{"4":2},{"4":3},{"4":4,"3":"s"}]}]`, `[{"1":[{"4":1},{"4":2},{"4":3},{"4":4,"3":"[masked]"}]}]`},
		{"loses bytes in which a field may be", "1.3", `[{"1":{"base64":"YQ=="},"2":{"base64":"YQ=="}}]`, `[{"1":{"base64":"[masked]"},"2":{"base64":"YQ=="}}]`},
		{"loses bytes by their own number", "2", `[{"2":{"base64":"YQ=="}}]`, `[{"2":"[masked]"}]`},
		{"loses a text in which a field may be", "1.5", `[{"1":"*\u0001s","2":"*\u0001s"}]`, `[{"1":"[masked]","2":"*\u0001s"}]`},
		{"keeps a text that is no message", "**.5", `[{"1":"Jane","2":3}]`, `[{"1":"Jane","2":3}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, verdict := hiding(c.rule).JSON(nil, []byte(c.doc), Options{Opaque: true})
			require.Equal(t, Redacted, verdict)
			assert.Equal(t, c.want, string(got))
		})
	}
}

func TestDetectorsReadTextsKeysAndNumbers(t *testing.T) {
	r := detecting(config.Detectors...)
	for doc, want := range map[string]string{
		`{"a":"card 4111 1111 1111 1111."}`:                                              `{"a":"card [card]."}`,
		`{"a":"\u0034111111111111111"}`:                                                  `{"a":"[card]"}`,
		`{"4111-1111-1111-1111":{"a":1}}`:                                                `{"[card]":{"a":1}}`,
		`[4111111111111111,4111111111111112]`:                                            `["[card]",4111111111111112]`,
		`[4111111111111111.0,4.111111111111111e15,-4111111111111111,0.4111111111111111]`: `["[card]","[card]","[card]",0.4111111111111111]`,
		`{"jane@example.org":"to jane\u0040example.org"}`:                                `{"[email]":"to [email]"}`,
		`{"a":"{\"b\":\"\\u0034111111111111111\"}"}`:                                     `{"a":"{\"b\":\"[card]\"}"}`,
	} {
		got, verdict := r.JSON(nil, []byte(doc), Options{})
		require.Equal(t, Redacted, verdict)
		assert.Equal(t, want, string(got))
	}
}

// A client chooses the document: whatever it is, the work is in proportion to
// its size.
func TestNoDocumentMakesTheWorkGrowFasterThanItself(t *testing.T) {
	many := []string{"**.secret", "**.a.**.a.**.a.**.b", "*a*a*a*b", "x.*.y"}
	for i := range 150 {
		many = append(many, fmt.Sprintf("**.name%d", i), fmt.Sprintf("a.b%d.*", i))
	}
	r := New(&config.Redact{Rules: rules(many[:200]...), Detect: config.Detectors})
	repeat := func(begin, unit, end string) string {
		return begin + strings.Repeat(unit, (256<<10)/len(unit)) + end
	}
	nested := `"` + repeat("", `{\"a\":`, "") + `"`
	for _, doc := range []string{
		repeat("[", "1,", "1]"), repeat("[", `"",`, "1]"), repeat("{", `"a":1,`, `"a":1}`), repeat("{", `"secret":1,`, `"a":1}`), repeat("[", `{"a":[{"a":1}]},`, "1]"),
		repeat(`{"`, "a", `":1}`), repeat(`{"`, `\u0061`, `":1}`), repeat(`"`, `\\`, `"`), repeat("[", `"{",`, "1]"), repeat(`"`, `{\"a\":1}`, `"`), repeat(`"`, `[]`, `["`), repeat("", "9", ""),
		repeat("[", `"\"\"",`, "1]"), nested, repeat(`"`, "%2525", `"`), repeat("", " ", "1"), repeat("[", "9e99,", "1]"), repeat("1e", "9", ""),
	} {
		inProportion(t, doc[:20], func() { r.JSON(nil, []byte(doc), Options{}) })
		inProportion(t, doc[:20], func() { r.JSON(nil, []byte(doc), Options{Cut: true, Opaque: true}) })
	}
	for _, unit := range []string{"a=&", "&", "a[", "a[]", "a[0]", "a.", "=", "%25", "secret=1&", ";", "a[b]=1&", "{", "%7B", "a=%7B&", "a=%252525&"} {
		form := strings.Repeat(unit, (256<<10)/len(unit))
		inProportion(t, unit, func() { r.Form(nil, []byte(form), false) })
	}
	templates := hidingPath("/users/{id}", "/{a}/{b...}", "/{x}/users/{id}/{rest...}")
	for _, unit := range []string{"/", "/a", "/..", "/a/..", "%2f", "%25", "a", "\\", "/users/1", "/%2e%2e", ";", "/%252525"} {
		inProportion(t, unit, func() { templates.Path(strings.Repeat(unit, (256<<10)/len(unit))) })
	}
}

// inProportion holds work on 256 KiB to what takes a fraction of a second, and
// would take minutes if it grew with the square. Nothing in between matters, nor
// does what else the machine does.
func inProportion(t *testing.T, name string, work func()) {
	begin := time.Now()
	work()
	assert.Less(t, time.Since(begin), 30*time.Second, name)
}
