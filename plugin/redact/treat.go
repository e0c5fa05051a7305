package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"unicode/utf8"
	"unsafe"

	"github.com/routelens/routelens/plugin/config"
)

// treatment is what a rule does to a value.
type treatment struct {
	mode string
	last int // how many characters mode last leaves
}

var masking = treatment{mode: config.Mask}

// replace appends what stands for a value.
func (r *Redactor) replace(dst []byte, t treatment, value string) []byte {
	switch t.mode {
	case config.Hash:
		return r.seal.append(dst, value)
	case config.Last:
		return append(append(dst, Masked...), end(value, t.last)...)
	}
	return append(dst, Masked...)
}

// end gives the last n characters of a value that has twice as many.
func end(value string, n int) string {
	at := len(value)
	for range n {
		_, size := utf8.DecodeLastRuneInString(value[:at])
		at -= size
	}
	if utf8.RuneCountInString(value[:at]) < n {
		return ""
	}
	return value[at:]
}

// seal makes hashes that only who has the key can make.
type seal struct {
	mac hash.Hash
	sum []byte
}

func newSeal(key string) seal { return seal{mac: hmac.New(sha256.New, []byte(key))} }

// append appends 64 bits of a hash: enough to tell the values of a log apart.
func (s *seal) append(dst []byte, value string) []byte {
	s.mac.Reset()
	s.mac.Write(unsafe.Slice(unsafe.StringData(value), len(value)))
	s.sum = s.mac.Sum(s.sum[:0])
	dst = append(dst, "[hash:"...)
	for _, b := range s.sum[:8] {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return append(dst, ']')
}

const hexDigits = "0123456789abcdef"

// maxScratch is the largest buffer that is kept for the next exchange.
const maxScratch = 64 << 10

// maxParts is the same for the parts of a form field's name.
const maxParts = 1 << 10

// small lets a large buffer go.
func small(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b
}
