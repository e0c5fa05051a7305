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
type detectors [kinds]bool

type kind int

const (
	ofCard kind = iota
	ofBearer
	ofJWT
	ofEmail
	ofPrivateKey
	kinds
)

// What the kinds are called, and what stands for them.
var (
	kindNames = [kinds]string{config.DetectCard, config.DetectBearer, config.DetectJWT, config.DetectEmail, config.DetectPrivateKey}
	kindWords = [kinds]string{"[card]", "[token]", "[jwt]", "[email]", "[private_key]"}
)

func newDetectors(names []string) (d detectors) {
	for k := range kinds {
		d[k] = slices.Contains(names, kindNames[k])
	}
	return d
}

func (d *detectors) any() bool { return *d != detectors{} }

// append appends s with what is found in it hidden; of things that overlap, all.
// Where nothing is found nothing is appended.
func (d *detectors) append(dst []byte, s string) (hidden []byte, found bool) {
	if !d.any() {
		return dst, false
	}
	var read [kinds]int // how far each detector has read
	clean := 0          // all before it is written
	begin, end, word := 0, 0, ""
	for i := range len(s) {
		if !triggers[s[i]] {
			continue
		}
		k := trigger(s, i)
		if k == kinds || !d[k] || i < read[k] {
			continue
		}
		b, e := k.find(s, i, &read)
		if e == 0 {
			continue
		}
		b = max(b, clean)
		if found && b < end {
			begin, end = min(begin, b), max(end, e)
			continue
		}
		if found {
			dst = append(append(dst, s[clean:begin]...), word...)
			clean = end
		}
		begin, end, word, found = b, e, kindWords[k], true
	}
	if !found {
		return dst, false
	}
	dst = append(append(dst, s[clean:begin]...), word...)
	return append(dst, s[end:]...), true
}

// triggers are the characters at which trigger may find something: most of a text
// is none, and a look-up costs less than asking.
var triggers = [256]bool{
	'@': true, '%': true, 'e': true, 'B': true, 'b': true, '-': true,
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
}

// trigger tells what may begin at i, or what the character at i is the middle of.
func trigger(s string, i int) kind {
	switch c := s[i]; {
	case c == '@':
		return ofEmail
	case c >= '0' && c <= '9':
		return ofCard
	case c == '%' && encodedAt(s[i:]) > 0:
		return ofEmail
	case c == 'e' && strings.HasPrefix(s[i:], "eyJ"):
		return ofJWT
	case (c == 'B' || c == 'b') && beginsWord(s, i):
		return ofBearer
	case c == '-' && strings.HasPrefix(s[i:], pemBegin):
		return ofPrivateKey
	}
	return kinds
}

// find gives the place of what begins at i, or a zero end, and says how far it
// has read.
func (k kind) find(s string, i int, read *[kinds]int) (begin, end int) {
	begin = i
	next := i + 1
	switch k {
	case ofCard:
		next, end = digitsEnd(s, i), card(s, i)
		if end == 0 && i > 0 && s[i-1] == '%' && i+2 < next { // the first two are an escape's
			begin, end = i+2, card(s, i+2)
		}
	case ofBearer:
		begin, end = credential(s, i)
	case ofJWT:
		end, next = jwt(s, i)
	case ofEmail:
		size := encodedAt(s[i:])
		begin, end = email(s, i, size, read[k])
		next = i + size
	case ofPrivateKey:
		end = privateKey(s, i)
	}
	if k != ofCard { // of which another may begin within
		next = max(next, end)
	}
	read[k] = next
	return begin, end
}

// Lengths of card numbers (ISO/IEC 7812-1).
const (
	minCard = 13
	maxCard = 19
)

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// card gives the end of the longest card number that begins with the group of
// digits at i, or 0; groups stand apart by one space, encoded or not, or dash. The
// sum is taken both ways (Luhn), as the number's end says which digits double.
func card(s string, i int) (end int) {
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
	if card(number[:size], 0) == size {
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
	return card(view(all), 0) == len(all)
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

// beginsWord tells whether no letter, digit or part of an escape before i
// belongs to what begins there. Beyond ASCII there are marks like … as well as
// letters: a secret behind one is hidden, at the price of a word like it behind
// the other.
func beginsWord(s string, i int) bool {
	return i == 0 || s[i-1] >= utf8.RuneSelf || !isAlphanumeric(s[i-1]) || i >= 3 && s[i-3] == '%'
}

// encodedAt gives the size of an @ that s begins with, percent-encoded or not,
// once or more, or 0.
func encodedAt(s string) int {
	if s[0] == '@' {
		return 1
	}
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
