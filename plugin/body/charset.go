package body

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/routelens/routelens/plugin/record"
)

type charset uint8

const (
	unknown charset = iota
	unicode8
	windows1252
	unicode16
	unicode16LE
	unicode16BE
)

// charsetOf knows the labels of RFC 9110 and WHATWG. What calls itself ISO 8859-1
// is read as windows-1252, as browsers do.
func charsetOf(label string) charset {
	switch label {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return unicode8
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "windows-1252", "cp1252", "x-cp1252":
		return windows1252
	case "utf-16", "utf16":
		return unicode16
	case "utf-16le":
		return unicode16LE
	case "utf-16be":
		return unicode16BE
	}
	return unknown
}

// toUTF8 converts a text to UTF-8 without a byte order mark. What is broken in
// it becomes U+FFFD; a character that the cut left incomplete goes.
func (d *Decoder) toUTF8(p part, label string, limit int) (part, record.Omission) {
	set := charsetOf(label)
	switch {
	case set == unknown:
		return p, record.OfCharset
	case bytes.HasPrefix(p.bytes, []byte("\xef\xbb\xbf")): // a mark is stronger than a label
		set, p.bytes = unicode8, p.bytes[3:]
	case set == unicode8 && bytes.HasPrefix(p.bytes, []byte("\xff\xfe")), set == unicode16 && isLittle(p.bytes):
		set = unicode16LE
	case set == unicode8 && bytes.HasPrefix(p.bytes, []byte("\xfe\xff")), set == unicode16:
		set = unicode16BE
	case set == unicode8 && isWide(p.bytes):
		set = unicode16BE
		if isLittle(p.bytes) {
			set = unicode16LE
		}
	case set == windows1252 && utf8.Valid(p.wholeRunes()):
		set = unicode8 // what others write happens to be UTF-8 hardly ever, and many servers read JSON as that whatever its label
	}
	if set == unicode8 {
		if p.bytes = p.wholeRunes(); utf8.Valid(p.bytes) {
			return p, record.NotOmitted
		}
	}
	out := d.utf8[:0]
	for i := 0; i < len(p.bytes); {
		r, size := next(p.bytes[i:], set)
		if size == 0 || p.cut && i+size == len(p.bytes) && r == utf8.RuneError && set != unicode8 {
			break
		}
		if len(out)+utf8.RuneLen(r) > limit {
			p.cut = true
			break
		}
		if i += size; r != mark || i > size {
			out = utf8.AppendRune(out, r)
		}
	}
	d.utf8 = out
	return part{out, p.cut}, record.NotOmitted
}

// isWide tells whether a text without a label or a mark is UTF-16, by its first two
// characters (RFC 4627, 3). As anything else it would hide from who looks for words.
func isWide(b []byte) bool {
	return len(b) >= 4 && (b[0] == 0) != (b[1] == 0) && (b[0] == 0) == (b[2] == 0) && (b[1] == 0) == (b[3] == 0)
}

const mark = '\ufeff'

// isLittle tells which byte comes first, by the mark or the first character
// that has one zero; failing both it is the high one (RFC 2781, 4.3).
func isLittle(b []byte) bool {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe {
		return true
	}
	if len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff {
		return false
	}
	for i := 0; i+1 < len(b); i += 2 {
		if (b[i] == 0) != (b[i+1] == 0) {
			return b[i+1] == 0
		}
	}
	return false
}

// next reads one character, U+FFFD where it is broken.
func next(b []byte, set charset) (r rune, size int) {
	switch set {
	case windows1252:
		if b[0] >= 0x80 && b[0] < 0xa0 {
			return upper1252[b[0]-0x80], 1
		}
		return rune(b[0]), 1
	case unicode16LE, unicode16BE:
		if len(b) < 2 {
			return utf8.RuneError, len(b)
		}
		r := unit(b, set)
		if !utf16.IsSurrogate(r) {
			return r, 2
		}
		if len(b) < 4 {
			return utf8.RuneError, 2
		}
		if pair := utf16.DecodeRune(r, unit(b[2:], set)); pair != utf8.RuneError {
			return pair, 4
		}
		return utf8.RuneError, 2
	}
	return utf8.DecodeRune(b)
}

func unit(b []byte, set charset) rune {
	if set == unicode16LE {
		return rune(b[0]) | rune(b[1])<<8
	}
	return rune(b[1]) | rune(b[0])<<8
}

// wholeRunes is UTF-8 without the character that a cut left incomplete.
func (p part) wholeRunes() []byte {
	b := p.bytes
	for i := len(b) - 1; p.cut && i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}

// upper1252 is what windows-1252 has where ISO 8859-1 has control characters.
var upper1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}
