package redact

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/config"
)

func TestDetectors(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
	for _, c := range []struct{ name, text, want string }{
		{"find a card", "4111111111111111", "[card]"},
		{"find a card with spaces or dashes", "a 4111 1111 1111 1111, 5500-0055-5555-5559.", "a [card], [card]."},
		{"find cards of every length", "4222222222222 30569309025904 378282246310005 6304000000000000 4000000000000000006", "[card] [card] [card] [card] [card]"},
		{"find a card among escapes", "c=%204111%201111%201111%201111%2C7 4111+1111+1111+1111", "c=%20[card]%2C7 [card]"},
		{"find a token among escapes", "a%3Dx%20Bearer%20abc", "a%3Dx%20Bearer%20[token]"},
		{"find a card that is padded with zeros", "0004111111111111111", "[card]"},
		{"find a card after other digits", "2024 4111 1111 1111 1111 7", "2024 [card] 7"},
		{"find a card in the middle of a word", "card4111111111111111x", "card[card]x"},
		{"keep what has a wrong sum", "4111111111111112", "4111111111111112"},
		{"keep what is part of a longer number", "41111111111111110000", "41111111111111110000"},
		{"keep double spaces", "4111  1111  1111  1111", "4111  1111  1111  1111"},
		{"keep timestamps", "1764097931009 1764097931000008 1764097931000000001", "1764097931009 1764097931000008 1764097931000000001"},
		{"find a bearer token", "Bearer abc.d|e:f", "Bearer [token]"},
		{"find a bearer token in any case", "authorization: bEARER\tabc, BEARER%20x", "authorization: bEARER\t[token], BEARER%20[token]"},
		{"find the token behind two words", "Bearer bearer abc", "Bearer bearer [token]"},
		{"find credentials", "Basic dXNlcjpwYXNz basic dXNlcjpwYXNz", "Basic [token] basic [token]"},
		{"keep words that follow", "Basic plan, Bearer, forbearer x", "Basic plan, Bearer, forbearer x"},
		{"find a JWT", "a=" + jwt + "&b", "a=[jwt]&b"},
		{"find a JWT without a signature, and one that is encrypted", "eyJhbGciOiJub25lIn0.eyJh. eyJh..aXY.Y3Q.dGFn eyJh.eyJi", "[jwt] [jwt] [jwt]"},
		{"keep what only begins like a JWT", "eyJhbGciOiJub25lIn0 eyJ. eyJ", "eyJhbGciOiJub25lIn0 eyJ. eyJ"},
		{"find an address", "To: <jane.o'neil+x@mail.example.org>.", "To: <[email]>."},
		{"find an address at the end of a sentence", "mail jane@example.org.", "mail [email]."},
		{"find an encoded address", "?a=jane%2Bx%40example.org&b=jane%252540example.org", "?a=[email]&b=[email]"},
		{"find an address in any script", "用户@例子.公司 x", "[email] x"},
		{"keep other signs", "@ a@b @a.b a@.b a@b. %40 a@b..c", "@ a@b @a.b a@.b a@b. %40 a@b..c"},
		{"find a private key", "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", "a [private_key]\nb"},
		{"find a private key without its end", "a -----BEGIN PRIVATE KEY-----\\nMII -----END CERTIFICATE-----", "a [private_key]"},
		{"find a key whose spaces are encoded", "-----BEGIN+PRIVATE+KEY-----MII-----END+PRIVATE+KEY-----x", "[private_key]x"},
		{"keep a certificate", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"},
		{"find several things", "jane@example.org Bearer " + jwt + " 4111111111111111", "[email] Bearer [token] [card]"},
		{"keep a text without any", "just words\xff", "just words\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, detecting(config.Detectors...).Words(c.text))
		})
	}
}

func TestADetectorFindsNothingThatIsNotAskedFor(t *testing.T) {
	const text = "jane@example.org Bearer abc 4111111111111111 eyJh.eyJi -----BEGIN PRIVATE KEY-----"
	assert.Equal(t, text, New(&config.Redact{}).Words(text))
	for _, name := range config.Detectors {
		got := detecting(name).Words(text)
		assert.NotEqual(t, text, got)
		assert.Equal(t, 1, strings.Count(got, "["), name)
	}
}

func TestATextThatIsCutLosesItsUnfinishedEnd(t *testing.T) {
	for text, want := range map[string]string{
		"one two":             "one",
		"one two ":            "one two",
		"one":                 "",
		"card 4111 1111 1111": "card",
		"card 4111-1111 111x": "card",
		"a jane@example.or":   "a",
		"jane@example.org x":  "[email]",
	} {
		assert.Equal(t, want, string(detecting(config.Detectors...).Text(nil, text, true)))
	}
	assert.Equal(t, "one tw", string(New(&config.Redact{}).Text(nil, "one tw", true)))
	assert.Equal(t, "b [email]", string(detecting(config.DetectEmail).Text([]byte("b "), "jane@example.org", false)))
}

// A client chooses what the detectors read: whatever it is, the work is in
// proportion to its size.
func TestNoTextMakesTheWorkGrowFasterThanItself(t *testing.T) {
	r := detecting(config.Detectors...)
	for _, unit := range []string{
		"1 ", "4111 ", "0", "0 ", "1-1", "a@", "a%40", "%25", "%40", "a@b.", "a@b", "eyJ", "eyJ.", "eyJa.a.", "bearer ", "Bearer+", "basic ", "basic+", "basic-", "basic%20", "basic%20+",
		"%20", "1%20", "4111%201", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "-----END ", "-----BEGIN PRIVATE KEY----------END ", "-", ".", "%", "1@", "é@é.é",
	} {
		text := strings.Repeat(unit, 256<<10/len(unit))
		inProportion(t, unit, func() { r.Words(text) })
	}
}
