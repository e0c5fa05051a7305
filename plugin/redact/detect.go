package redact

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/config"
)

// detectors find what is hidden wherever it stands. Each is a small function,
// asked only at the characters that such a thing begins with, and none reads a
// text twice: a client chooses what they read.
type detectors struct{ card, bearer, jwt, email, privateKey bool }

// What stands for what they find.
const (
	cardWord       = "[card]"
	tokenWord      = "[token]"
	jwtWord        = "[jwt]"
	emailWord      = "[email]"
	privateKeyWord = "[private_key]"
)

func newDetectors(names []string) detectors {
	has := func(name string) bool { return slices.Contains(names, name) }
	return detectors{
		card: has(config.DetectCard), bearer: has(config.DetectBearer), jwt: has(config.DetectJWT),
		email: has(config.DetectEmail), privateKey: has(config.DetectPrivateKey),
	}
}

func (d *detectors) any() bool { return d.card || d.bearer || d.jwt || d.email || d.privateKey }

// append appends s with what is found in it hidden. Where nothing is found
// nothing is appended.
func (d *detectors) append(dst []byte, s string) (hidden []byte, found bool) {
	if !d.any() {
		return dst, false
	}
	clean, floor := 0, 0 // no address begins before floor
	for i := 0; i < len(s); {
		begin, end, word := i, 0, ""
		next := i + 1
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if d.card {
				end, next = card(s, i)
				word = cardWord
			}
		case c == '@':
			if d.email {
				begin, end = email(s, i, 1, floor)
				floor, word = i+1, emailWord
			}
		case c == '%':
			if size := encodedAt(s[i:]); d.email && size > 0 {
				begin, end = email(s, i, size, floor)
				floor, word = i+size, emailWord
			}
			next = escapeEnd(s, i)
		case c == 'e':
			if d.jwt && strings.HasPrefix(s[i:], "eyJ") {
				end, next = jwt(s, i)
				word = jwtWord
			}
		case c == 'B' || c == 'b':
			if d.bearer && beginsWord(s, i) {
				begin, end = credential(s, i)
				word = tokenWord
			}
		case c == '-':
			if d.privateKey && strings.HasPrefix(s[i:], pemBegin) {
				end = privateKey(s, i)
				word = privateKeyWord
			}
		}
		if end == 0 {
			i = next
			continue
		}
		dst = append(append(dst, s[clean:begin]...), word...)
		clean, floor, i, found = end, end, end, true
	}
	if !found {
		return dst, false
	}
	return append(dst, s[clean:]...), true
}

// Lengths of card numbers (ISO/IEC 7812-1).
const (
	minCard = 13
	maxCard = 19
)

// card finds a card number that begins with the group of digits at i; groups
// stand apart by one space, encoded or not, or dash. Where two overlap, both are hidden. If there
// is none, the search goes on at next.
func card(s string, i int) (end, next int) {
	next = digitsEnd(s, i)
	end = oneCard(s, i)
	for at := next; at < end; {
		group := at
		if isDigit(s[at]) {
			end = max(end, oneCard(s, at))
			group = digitsEnd(s, at)
		}
		at = max(group, at+1) // a gap
	}
	return end, next
}

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// oneCard gives the end of the longest card number that begins at i, or 0. The
// sum is taken both ways (Luhn), as the number's end says which digits double.
func oneCard(s string, i int) (end int) {
	for i+1 < len(s) && s[i] == '0' && isDigit(s[i+1]) {
		i++ // padding
	}
	odd, even := 0, 0
	for at, count := i, 0; at < len(s); at++ {
		if !isDigit(s[at]) {
			size := gap(s[at:])
			if size == 0 || at+size == len(s) || !isDigit(s[at+size]) {
				break
			}
			at += size
		}
		if count++; count > maxCard {
			break
		}
		d := int(s[at] - '0')
		if count%2 == 1 {
			odd, even = odd+doubled(d), even+d
		} else {
			odd, even = odd+d, even+doubled(d)
		}
		if at+1 < len(s) && isDigit(s[at+1]) || !issued(s[i], count) {
			continue
		}
		if sum := [2]int{odd, even}[count%2]; sum%10 == 0 {
			end = at + 1
		}
	}
	return end
}

// gap gives the size of what may stand between the groups of a card number.
func gap(s string) int {
	switch {
	case s[0] == ' ' || s[0] == '-' || s[0] == '+':
		return 1
	case strings.HasPrefix(s, "%20"):
		return len("%20")
	}
	return 0
}

func doubled(digit int) int {
	if digit *= 2; digit > 9 {
		digit -= 9
	}
	return digit
}

// issued tells whether card numbers of this length begin so: without it, one in
// ten timestamps in ms, us and ns would be a card.
func issued(first byte, count int) bool {
	switch {
	case count < minCard || first == '0':
		return false
	case count == 13:
		return first >= '4' && first <= '6'
	}
	return first != '1' || count == 15
}

// cardNumber tells whether a number of a document is a card's: its whole part,
// or what it is with an exponent. The digits of a fraction are none.
func cardNumber(number string) bool {
	number = strings.TrimPrefix(number, "-")
	size := digitsEnd(number, 0)
	if oneCard(number[:size], 0) == size {
		return size > 0
	}
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return false
	}
	mantissa, exponent := number[:at], strings.TrimPrefix(number[at+1:], "+")
	fraction := 0
	if size < at {
		fraction = at - size - 1
	}
	power := 0
	for i := range len(exponent) {
		if !isDigit(exponent[i]) || power > maxCard+fraction {
			return false
		}
		power = power*10 + int(exponent[i]-'0')
	}
	if power < fraction || size+power > maxCard {
		return false
	}
	var digits [2 * maxCard]byte
	all := append(digits[:0], mantissa[:size]...)
	all = append(all, mantissa[min(size+1, at):]...)
	for range power - fraction {
		all = append(all, '0')
	}
	return oneCard(view(all), 0) == len(all)
}

// email finds an address around the @ at at, which is size bytes long. What
// stands before floor is spoken for.
func email(s string, at, size, floor int) (begin, end int) {
	begin = at
	for begin > floor && isLocal(s[begin-1]) {
		begin--
	}
	end = at + size
	dot := 0
	for end < len(s) && (isAlphanumeric(s[end]) || s[end] == '-' || s[end] == '.' && s[end-1] != '.') {
		if s[end] == '.' {
			dot = end
		}
		end++
	}
	for end > at+size && (s[end-1] == '.' || s[end-1] == '-') {
		end--
	}
	if dot >= end { // it was the end of a sentence
		dot = at + size + strings.LastIndexByte(s[at+size:end], '.')
	}
	if begin == at || dot <= at+size {
		return 0, 0
	}
	return begin, end
}

// escapeEnd is where the search goes on behind the % at i: not in the middle of
// an escape, whose digits are none of the text's.
func escapeEnd(s string, i int) int {
	switch {
	case i+2 >= len(s) || !isDigit(s[i+1]) || hexDigit(s[i+2]) < 0:
		return i + 1
	case isDigit(s[i+2]):
		return i + 3
	}
	return i + 2
}

// beginsWord tells whether no letter, digit or part of an escape before i
// belongs to what begins there.
func beginsWord(s string, i int) bool {
	return i == 0 || !isAlphanumeric(s[i-1]) || i >= 3 && s[i-3] == '%'
}

// encodedAt gives the size of a percent-encoded @, once or more, that s begins
// with, or 0.
func encodedAt(s string) int {
	i := 1
	for strings.HasPrefix(s[i:], "25") {
		i += 2
	}
	if strings.HasPrefix(s[i:], "40") {
		return i + 2
	}
	return 0
}

func isLocal(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("._%+-'!#$*^`{|}~", c) >= 0
}

// isAlphanumeric takes every letter beyond ASCII for one.
func isAlphanumeric(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// jwt finds the JSON Web Token that begins at i: two parts or more, of which
// only the second may be empty (a JWE's key).
func jwt(s string, i int) (end, next int) {
	end = base64End(s, i)
	if end == len(s) || s[end] != '.' {
		return 0, end
	}
	second := base64End(s, end+1)
	if second == end+1 && (second == len(s) || s[second] != '.') {
		return 0, end
	}
	for end = second; end < len(s) && s[end] == '.'; {
		end = base64End(s, end+1)
	}
	return end, end
}

func base64End(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == '-' || s[i] == '_' || s[i] == '=') {
		i++
	}
	return i
}

// credential finds what follows the word Bearer or Basic at i (RFC 6750, RFC
// 7617), up to what cannot be part of it: tokens are made of more than the
// standards allow.
func credential(s string, i int) (begin, end int) {
	basic := false
	switch {
	case hasFoldedPrefix(s[i:], "bearer"):
		begin = i + len("bearer")
	case hasFoldedPrefix(s[i:], "basic"):
		begin, basic = i+len("basic"), true
	default:
		return 0, 0
	}
	word := begin
	for begin < len(s) {
		if c := s[begin]; isSpace(c) || c == '+' && !basic {
			begin++
		} else if strings.HasPrefix(s[begin:], "%20") {
			begin += len("%20")
		} else {
			break
		}
	}
	if begin == word {
		return 0, 0
	}
	if basic {
		end = begin
		for end < len(s) && (base64Digit(s[end]) >= 0 || s[end] == '=') {
			end++
		}
		if !hasColon(s[begin:end]) {
			return 0, 0
		}
		return begin, end
	}
	for end = begin; end < len(s) && !endsToken(s[end]); {
		end++
	}
	if token := s[begin:end]; token == "" || strings.EqualFold(token, "bearer") || strings.EqualFold(token, "basic") {
		return 0, 0
	}
	return begin, end
}

func hasFoldedPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func endsToken(c byte) bool {
	return c <= ' ' || c == 0x7f || strings.IndexByte(`"'\,;<>&()`, c) >= 0
}

// hasColon tells whether base64 has a colon in it, as a user with a password
// has: "Basic plan" is no credential.
func hasColon(token string) bool {
	var bits, count uint
	for i := range len(token) {
		digit := base64Digit(token[i])
		if digit < 0 {
			break
		}
		bits, count = bits<<6|uint(digit), count+6
		if count >= 8 {
			count -= 8
			if byte(bits>>count) == ':' {
				return true
			}
		}
	}
	return false
}

func base64Digit(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case isDigit(c):
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

// The ends of PEM (RFC 7468), and how far from them a label is looked for.
const (
	pemBegin = "-----BEGIN"
	pemEnd   = "-----END"
	maxLabel = 48
)

// privateKey gives the end of the private key whose first line begins at i, or
// 0 if it is something else. Without a last line it goes on to the text's end.
func privateKey(s string, i int) (end int) {
	if !labelled(s[i+len(pemBegin):]) {
		return 0
	}
	for at := i + len(pemBegin); ; {
		found := strings.Index(s[at:], pemEnd)
		if found < 0 {
			return len(s)
		}
		if at += found + len(pemEnd); labelled(s[at:]) {
			dashes := strings.Index(s[at:min(len(s), at+maxLabel)], "-----")
			if dashes < 0 {
				return at
			}
			return at + dashes + len("-----")
		}
	}
}

// labelled tells whether the label that s begins with is a private key's.
func labelled(s string) bool {
	label := s[:min(len(s), maxLabel)]
	if at := strings.Index(label, "-----"); at >= 0 {
		label = label[:at]
	}
	return strings.Contains(label, "PRIVATE")
}
