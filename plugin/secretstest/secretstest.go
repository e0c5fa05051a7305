// Package secretstest makes exchanges with secrets in them: in every place that a
// configuration can name, and in every disguise that a client may choose.
package secretstest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Configuration is the part of a configuration that hides every secret of an
// [Exchange]. It records all that can be recorded.
const Configuration = `
	"headers": {
		"request": ["cookie", "x-session", "x-note", "referer", "content-type"], "response": ["set-cookie", "x-session", "x-note", "location"],
		"request_trailers": ["x-session", "x-note"], "response_trailers": ["x-session", "x-note"]
	},
	"query": "keep",
	"redact": {
		"key": "the key of the hashes",
		"rules": [
			{"body": "**.password"},
			{"body": "user.email", "mode": "hash"},
			{"body": "cards.#.pan", "mode": "last", "last": 4},
			{"body": "user.api\\.key", "mode": "remove"},
			{"body": "**.15"},
			{"body": "1.3", "mode": "hash"},
			{"header": "x-session", "mode": "hash"},
			{"cookie": "sid", "mode": "hash"},
			{"cookie": "theme", "mode": "keep"},
			{"query": "token", "mode": "remove"},
			{"query": "sig"},
			{"path": "/users/{id}/cards/{card}", "mode": "hash"}
		],
		"detect": ["card", "bearer", "jwt", "email", "private_key"]
	}`

// Exchange is what a proxy saw.
type Exchange struct {
	Path                                  string // with its query
	Request, Response, Trailers, Answered [][2]string
	RequestBody, ResponseBody             []byte
	Secrets                               []Secret
	random                                *rand.Rand
}

// Secret is a text that must not be in any record, nor a part of it that is
// longer than Shown.
type Secret struct {
	Where, Text string
	Shown       int // characters at its end that may be seen
}

// New makes the exchange of a number: the same number, the same exchange.
func New(seed uint64) *Exchange {
	e := &Exchange{random: rand.New(rand.NewPCG(seed, 0))}
	e.Path = e.target()
	e.Request = [][2]string{{":method", "POST"}, {":path", e.Path}, {":authority", "front.test"}, {"x-request-id", fmt.Sprint(seed)}}
	e.Response = [][2]string{{":status", "200"}}
	e.Request = e.fields(e.Request, "request header")
	e.Request = append(e.Request, [2]string{"cookie", e.cookies()})
	e.Response = e.fields(e.Response, "response header")
	if e.once(2) {
		e.Response = append(e.Response, [2]string{"set-cookie", "sid=" + e.plant("set-cookie", e.word()) + "; Path=/; HttpOnly"})
	}
	e.Trailers, e.Answered = e.fields(nil, "request trailer"), e.fields(nil, "response trailer")
	e.RequestBody = e.body(&e.Request, "request body")
	e.ResponseBody = e.body(&e.Response, "response body")
	return e
}

func (e *Exchange) once(in int) bool { return e.random.IntN(in) == 0 }

func pick[T any](e *Exchange, among ...T) T { return among[e.random.IntN(len(among))] }

// plant notes a secret.
func (e *Exchange) plant(where, text string) string {
	e.Secrets = append(e.Secrets, Secret{Where: where, Text: text})
	return text
}

// word is a secret that only its name tells of.
func (e *Exchange) word() string {
	letters := make([]byte, 12+e.random.IntN(12))
	for i := range letters {
		letters[i] = "bcdfghjkmnpqrstvwxz"[e.random.IntN(19)]
	}
	return string(letters)
}

// digits is a number without a leading zero.
func (e *Exchange) digits(n int) string {
	digits := []byte{byte('1' + e.random.IntN(9))}
	for len(digits) < n {
		digits = append(digits, byte('0'+e.random.IntN(10)))
	}
	return string(digits)
}

// free is a text with perhaps a secret in it that is known by its form.
func (e *Exchange) free(where string) string {
	before, after := pick(e, "", "see ", "id=17, ", "…"), pick(e, "", " please", ", thanks", "\nbye")
	return before + e.formed(where) + after
}

// formed is a secret that its form tells of, or none.
func (e *Exchange) formed(where string) string {
	switch e.random.IntN(8) {
	case 0:
		return e.card(where + ", card")
	case 1:
		return pick(e, "Bearer ", "bearer ", "BEARER  ") + e.plant(where+", bearer token", e.word()+e.word())
	case 2:
		return e.plant(where+", JWT", "eyJ"+e.base64ish(20)+".eyJ"+e.base64ish(40)+"."+e.base64ish(43))
	case 3:
		return e.plant(where+", e-mail", e.word()+pick(e, "", ".", "+x", "_")+e.word()+"@"+pick(e, "shop.example", "mail.shop.example", "example.co.uk"))
	case 4:
		return "-----BEGIN " + pick(e, "", "RSA ", "EC ", "OPENSSH ") + "PRIVATE KEY-----\n" + e.plant(where+", private key", e.base64ish(64)) + "\n-----END PRIVATE KEY-----\n"
	}
	return pick(e, "nothing to see", "hello", "", "50%", "a@", "4111 1111")
}

func (e *Exchange) base64ish(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[e.random.IntN(64)]
	}
	return string(b)
}

// card is a number that passes Luhn's check, in groups at times.
func (e *Exchange) card(where string) string {
	digits := []byte(pick(e, "4", "51", "37", "6011") + e.digits(12))
	digits = append(digits, '0')
	for check := byte('0'); ; check++ {
		if digits[len(digits)-1] = check; luhn(digits) {
			break
		}
	}
	separator := pick(e, "", "", " ", "-")
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && i%4 == 0 {
			b.WriteString(separator)
		}
		b.WriteByte(c)
	}
	return e.plant(where, b.String())
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// fields are header or trailer fields.
func (e *Exchange) fields(fields [][2]string, where string) [][2]string {
	if e.once(2) {
		fields = append(fields, [2]string{"x-session", e.plant(where, e.word())})
	}
	for range e.random.IntN(3) {
		fields = append(fields, [2]string{pick(e, "x-note", "referer", "location"), strings.ReplaceAll(e.free(where), "\n", " ")})
	}
	if name, ok := map[string]string{"request header": "referer", "response header": "location"}[where]; ok && e.once(4) {
		fields = append(fields, [2]string{name, e.url(where)})
	}
	if e.once(20) {
		fields = append(fields, [2]string{"x-note", strings.Repeat("x", 4000+e.random.IntN(100)) + " " + e.formedLine(where)})
	}
	return append(fields, [2]string{"authorization", "Basic " + e.plant(where, e.word())})
}

func (e *Exchange) formedLine(where string) string {
	return strings.ReplaceAll(e.formed(where), "\n", " ")
}

func (e *Exchange) cookies() string {
	all := []string{"theme=dark", "sid=" + e.plant("cookie", e.word()), "other=" + e.plant("cookie", e.word())}
	if e.once(3) {
		all = append(all, "SID="+e.plant("cookie", e.word()), e.plant("cookie without a name", e.word()))
	}
	e.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return strings.Join(all, pick(e, "; ", ";", " ; "))
}

// url may have a token in its fragment, as OAuth's answers to browsers have.
func (e *Exchange) url(where string) string {
	url := "https://front.test" + e.target()
	if e.once(2) {
		url += "#" + pick(e, "", "/orders?", "state=1&") + "token=" + e.encode(e.plant(where+", fragment", e.word()))
	}
	return url
}

// target is a path with its query.
func (e *Exchange) target() string {
	var path string
	switch e.random.IntN(3) {
	case 0:
		path = pick(e, "/users/", "//users/", "/./users/", "/x/../users/", "/%75sers/", "/USERS/") + e.encode(e.plant("path", e.word())) + pick(e, "/cards/", "//cards/", "/%63ards/") + e.encode(e.plant("path", e.word())) + pick(e, "", "/")
	case 1:
		path = "/notes/" + e.encode(strings.NewReplacer("\n", "", "/", "").Replace(e.free("path")))
	default:
		path = "/orders"
	}
	for i := range e.random.IntN(4) {
		path += string("?&"[min(i, 1)])
		switch e.random.IntN(4) {
		case 0:
			path += e.encode(pick(e, "token", "Token", "token[]", "token[a]")) + "=" + e.encode(e.plant("query", e.word()))
		case 1:
			path += "sig=" + e.encode(e.plant("query", e.word()))
		case 2:
			path += "q=" + e.encode(e.free("query"))
		default:
			path += "page=2"
		}
	}
	return path
}

// encode percent-encodes what must be and, at times, what need not.
func (e *Exchange) encode(text string) string {
	often := pick(e, 1, 3, 1000)
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
		if !plain || e.once(often) {
			fmt.Fprintf(&b, pick(e, "%%%02x", "%%%02X"), c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
