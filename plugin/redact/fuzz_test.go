package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
)

func decodeJSON(t *testing.T, doc []byte) any {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), "%q", doc)
	return v
}

// deep tells whether a document goes beyond maxDepth.
func deep(doc []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func FuzzADocumentWithoutRulesStaysWhatItIs(f *testing.F) {
	for _, doc := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"x\u0041\n\ud83d\ude00\ud800"],"":{"":""}}`, `[1,]`, `"` + "\xff\xc3" + `"`, `{"a":1}x`, ` [ ] `, `[[[[`, `123`, `1`, `-`, `{"a":"{\"b\":1}"}`, "\ufeff{}",
		strings.Repeat("[", maxDepth+1), `{"a":01}`, `tru`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := New(&config.Redact{})
		got, verdict := r.JSON(nil, doc, Options{})
		switch verdict {
		case Redacted:
			require.True(t, json.Valid(got), "%q", got)
			require.Equal(t, decodeJSON(t, doc), decodeJSON(t, got))
			again, _ := r.JSON(nil, got, Options{})
			require.Equal(t, got, again)
			cut, verdict := r.JSON(nil, doc, Options{Cut: true})
			require.Equal(t, Redacted, verdict)
			if len(cut) > 0 {
				require.Equal(t, got, cut)
			}
		case Invalid:
			require.False(t, json.Valid(doc), "%q", doc)
			require.Empty(t, got)
		case NotRedactable:
			require.True(t, deep(doc))
			require.Empty(t, got)
		}
	})
}

func FuzzADocumentThatIsCutIsClosed(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c\u0041","password":{"x":[1]}}],"d":-1.5e3}`), 20)
	f.Add([]byte(`[{"password":"s"},tru`), 100)
	f.Add([]byte(`{"a":"{\"password\":1}"`), 22)
	f.Fuzz(func(t *testing.T, doc []byte, at int) {
		if at >= 0 && at < len(doc) {
			doc = doc[:at]
		}
		for _, r := range []*Redactor{New(&config.Redact{}), New(&config.Redact{Rules: rules("**.password", "a.b remove"), Detect: config.Detectors})} {
			got, verdict := r.JSON(nil, doc, Options{Cut: true})
			if verdict != Redacted {
				require.Empty(t, got)
			} else if len(got) > 0 {
				require.True(t, json.Valid(got), "%q", got)
			}
		}
	})
}

// checkMasked looks for a password as a server would, in documents within
// strings too.
func checkMasked(t *testing.T, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.EqualFold(key, "password") {
				require.Equal(t, Masked, value)
				continue
			}
			checkMasked(t, value, depth)
		}
	case []any:
		for _, item := range v {
			checkMasked(t, item, depth)
		}
	case string:
		if json.Valid([]byte(v)) && depth > 0 {
			checkMasked(t, decodeJSON(t, []byte(v)), depth-1)
		}
	}
}

func FuzzWhatAServerReadsOfADocumentIsMasked(f *testing.F) {
	for _, doc := range []string{
		`{"password":1,"a":[{"Password":{"x":1},"b":"{\"pa\\u0073sword\":[1]}"}],"password":null}`, `{"\u0070assword":"x"}`, `{"password\u0000":1,"pa\u017Fsword":2}`,
		`{"a":"\"{\\\"password\\\":1}\""}`, `{"a":"{\"password\":1}{\"password\":2} x"}`, `[["{\"a\":\"[{\\\"password\\\":3}]\"}"]]`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := New(&config.Redact{Rules: rules("**.password", "*.x.*", "b.#.c"), Detect: config.Detectors})
		for _, o := range []Options{{}, {Cut: true}, {Opaque: true}} {
			got, verdict := r.JSON(nil, doc, o)
			if verdict != Redacted || len(got) == 0 {
				continue
			}
			require.True(t, json.Valid(got), "%q", got)
			checkMasked(t, decodeJSON(t, got), 10)
		}
	})
}

const secret = "Zq7Xw9Kv3T"

// plain takes all escapes out of a text.
func plainText(text string) string {
	for range 12 {
		text = strings.NewReplacer(`\u005c`, `\`, `\u005C`, `\`).Replace(text)
		var b strings.Builder
		for i := 0; i < len(text); i++ {
			if text[i] == '\\' && i+5 < len(text) && text[i+1] == 'u' {
				var r rune
				if n, _ := fmt.Sscanf(text[i+2:i+6], "%04x", &r); n == 1 {
					b.WriteRune(r)
					i += 5
					continue
				}
			}
			b.WriteByte(text[i])
		}
		text = strings.ReplaceAll(b.String(), `\\`, `\`)
	}
	return text
}

// requireNothingOf checks that not even five characters of the secret are left.
func requireNothingOf(t *testing.T, secret, text string) {
	text = plainText(text)
	for i := range len(secret) - 4 {
		require.NotContains(t, text, secret[i:i+5])
	}
}

// plant writes a document around a password, as the script has it.
func plant(script []byte) []byte {
	value := `"` + secret + `"`
	keys := []string{`"password"`, `"\u0070assword"`, `"PASSWORD"`, `"pass\u0077\u006frd"`, `"pa\u017fsword"`, `"password\u0000"`, `"\ud800password"`, "\"pass\xffword\""}
	if len(script) > 0 {
		switch script[0] % 5 {
		case 1:
			value = `{"a":[` + value + `],"b":` + value + `}`
		case 2:
			value = `[1,` + value + `,{}]`
		case 3:
			value = `"` + fmt.Sprintf(`\u%04x`, secret[0]) + secret[1:] + `"`
		case 4:
			value = `"{\"a\":\"` + secret + `\"}"`
		}
	}
	doc := keys[len(script)%len(keys)] + `:` + value
	inObject := true
	for i, c := range script {
		if len(doc) > 64<<10 {
			break // each doubling doubles what follows
		}
		if inObject {
			doc = [...]string{`{` + doc + `}`, `{"a":1, ` + doc + `}`, "{\n" + doc + ` , "z":["q"]}`, `{` + doc + `,` + doc + `}`}[c%4]
			inObject = false
		}
		switch c >> 4 % 6 {
		case 0:
			doc = `"k\"` + fmt.Sprint(i) + `":` + doc
			inObject = true
		case 1:
			doc = `[` + doc + `]`
		case 2:
			doc = `[null, ` + doc + ` ,1.5]`
		case 3:
			quoted, _ := json.Marshal(doc)
			doc = string(quoted)
		case 4:
			doc = `[` + doc + `,{"password":"` + secret + `"}]`
		case 5:
			doc = `{"":` + doc + `}`
		}
	}
	if inObject {
		doc = `{` + doc + `}`
	}
	return []byte(doc)
}

func FuzzNoSecretPlantedInADocumentSurvives(f *testing.F) {
	f.Add([]byte{}, 1000)
	f.Add([]byte{0x01, 0x30, 0x31, 0x12}, 40)
	f.Add([]byte{0x34, 0x33, 0x32, 0x31, 0x30}, 100)
	f.Add([]byte{0x02, 0x13, 0x50, 0x41, 0x22, 0x00}, 30)
	f.Fuzz(func(t *testing.T, script []byte, at int) {
		doc := plant(script[:min(len(script), 40)])
		whole := New(&config.Redact{Rules: rules("**.password")})
		got, _ := whole.JSON(nil, doc, Options{})
		requireNothingOf(t, secret, string(got))
		if at >= 0 && at < len(doc) {
			doc = doc[:at]
		}
		for _, mode := range []string{config.Mask, config.Remove, config.Hash, config.Last} {
			r := New(&config.Redact{Key: key, Rules: rules("x.y", "**.password "+mode)})
			got, verdict := r.JSON(nil, doc, Options{Cut: true})
			requireNothingOf(t, secret, string(got))
			require.True(t, verdict != Redacted || len(got) == 0 || json.Valid(got), "%q", got)
		}
	})
}

func FuzzNoSecretPlantedInAFormSurvives(f *testing.F) {
	f.Add("a=1", "b=2", 100)
	f.Add("{", "}", 7)
	f.Add("a;b", "%zz", 20)
	f.Add("[x", "&&=", 30)
	f.Fuzz(func(t *testing.T, before, after string, at int) {
		if len(before+after) > 1000 {
			return
		}
		r := New(&config.Redact{Rules: rules("user.password", "password"), Detect: config.Detectors})
		for _, name := range []string{"password", "PassWord", "p%61ssword", "user[password]", "user.password", "user%5Bpassword%5D", "user[0][password]", "password[]", "+password+"} {
			form := before + "&" + name + "=" + secret + "&" + after
			got, _ := r.Form(nil, []byte(form), false)
			requireNothingOf(t, secret, string(got))
			if at >= 0 && at < len(form) {
				got, _ = r.Form(nil, []byte(form[:at]), true)
				requireNothingOf(t, secret, string(got))
			}
		}
	})
}

// What a server reads is the reference.
func FuzzWhatAServerReadsOfAFormIsMasked(f *testing.F) {
	f.Add("a=1&password=x&b=2")
	f.Add("pass%77ord=%zz&&=&password")
	f.Add("password%5b%5d=1&%=2;3")
	f.Fuzz(func(t *testing.T, form string) {
		got, verdict := hiding("password").Form(nil, []byte(form), false)
		if verdict != Redacted || begins([]byte(form)) >= 0 {
			return
		}
		want, _ := url.ParseQuery(form)
		values, _ := url.ParseQuery(string(got))
		for name, values := range values {
			for _, value := range values {
				if value != Masked && name != Masked {
					require.NotEqual(t, "password", name)
					require.Contains(t, want[name], value)
				}
			}
		}
	})
}

func FuzzNothingThatIsDetectedSurvives(f *testing.F) {
	f.Add("a ", " b", 10)
	f.Add("2024 ", " 7", 20)
	f.Add("Bearer ", "-", 30)
	f.Add("%", "%20", 12)
	f.Add("eyJ.", ".x", 50)
	f.Add("-----BEGIN ", "-----END ", 60)
	f.Fuzz(func(t *testing.T, before, after string, at int) {
		r := detecting(config.Detectors...)
		edge := byte(' ')
		if before != "" {
			edge = before[len(before)-1]
		}
		for _, planted := range []struct {
			text, secret string
			alone        bool
		}{
			{"5500 0055 5555 5559", "5500 0055 5555 5559", isDigit(edge) || strings.ContainsAny(before+after, "0123456789")},
			{"5500005555555559", "5500005555555559", isDigit(edge) || strings.ContainsAny(before+after, "0123456789")},
			{"Bearer " + secret, secret, isAlphanumeric(edge)},
			{"Basic Wmo6WnE3WHc5S3YzVA==", "Wmo6WnE3WHc5S3YzVA", isAlphanumeric(edge)},
			{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + secret, secret, false},
			{"-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----", secret, false},
			{"zq7.xw9@example.org", "zq7.xw9@", false},
		} {
			if planted.alone || strings.Contains(before+after, planted.secret[:5]) || strings.HasSuffix(before, "@") || strings.HasSuffix(before, "%40") {
				continue
			}
			text := before + planted.text + after
			got := r.Words(text)
			for i := range len(planted.secret) - 4 {
				require.NotContains(t, got, planted.secret[i:i+5], "%q", text)
			}
			if at >= 0 && at < len(text) {
				text = text[:at]
			}
			got = string(r.Text(nil, text, true))
			for i := range len(planted.secret) - 4 {
				require.NotContains(t, got, planted.secret[i:i+5], "%q", text)
			}
		}
	})
}

func FuzzNoCookieSurvivesThatNoRuleKeeps(f *testing.F) {
	f.Add("theme=dark; ", "; a=b")
	f.Add("theme=\"a; ", "\"")
	f.Add("theme=a, ", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret[:5]) || strings.Contains(before, "theme") && !strings.Contains(before, ";") {
			return
		}
		r := New(&config.Redact{Rules: []config.RedactRule{{Cookie: "theme", Mode: config.Keep}}, Detect: config.Detectors})
		for _, name := range []string{"cookie", "set-cookie"} {
			for _, value := range []string{before + ";session=" + secret + after, "session=" + secret + ";" + after, secret, before + "; " + secret} {
				for _, f := range r.Select(nil, []string{name}, [][2]string{{name, value}}) {
					requireNothingOf(t, secret, f.Values[0])
				}
			}
		}
	})
}

// What a server makes of a path is the reference.
func FuzzNoVariableOfAPathSurvives(f *testing.F) {
	f.Add("/users", "")
	f.Add("/./x/../Users/", "/")
	f.Add("//%75sers%2f", "%2Fkeys")
	f.Add("/users/a/..", "/../b")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, secret[:5]) {
			return
		}
		target := before + "/" + secret + after
		decoded, err := url.PathUnescape(target)
		if err != nil {
			return
		}
		for _, read := range []string{target, decoded} {
			segments := strings.Split(path.Clean("/"+read), "/")
			if len(segments) == 3 && strings.EqualFold(segments[1], "users") && strings.Contains(segments[2], secret) {
				requireNothingOf(t, secret, hidingPath("/users/{id}").Path(target))
			}
		}
	})
}
