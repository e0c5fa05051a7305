package body

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/record"
)

// maxLayers is how often a body may have been compressed.
const maxLayers = 3

// decompress undoes a Content-Encoding: gzip and deflate, also several of them.
// It reads no more than limit bytes, and fails where they are more than the
// ratio times what there was.
func (d *Decoder) decompress(p part, encoding string, limit int) (part, record.Omission) {
	size := len(p.bytes)
	for layer := 0; ; {
		at := strings.LastIndexByte(encoding, ',') // the last was applied last
		name := strings.Trim(encoding[at+1:], " \t")
		if name != "" && !strings.EqualFold(name, "identity") {
			if layer++; layer > maxLayers {
				return p, record.OfEncoding
			}
			var why record.Omission
			into := &d.layers[layer%2]
			if p, why = d.inflater.inflate(into, p, name, limit); why != record.NotOmitted {
				return p, why
			}
			if tooMuch(len(p.bytes), size, d.ratio) {
				return p, record.OfRatio
			}
		}
		if at < 0 {
			return p, record.NotOmitted
		}
		encoding = encoding[:at]
	}
}

func tooMuch(inflated, size, ratio int) bool { return int64(inflated) > int64(size)*int64(ratio) }

// inflater keeps what is costly to make: the windows of gzip and deflate.
type inflater struct {
	source bytes.Reader
	gzip   *gzip.Reader
	flate  io.ReadCloser
}

// inflate undoes one encoding into *into. What ends too early, and what is
// longer than limit, gives its beginning.
func (f *inflater) inflate(into *[]byte, p part, encoding string, limit int) (part, record.Omission) {
	switch {
	case strings.EqualFold(encoding, "gzip"), strings.EqualFold(encoding, "x-gzip"):
		return f.gunzip(into, p, limit)
	case strings.EqualFold(encoding, "deflate"):
		// RFC 9110 means zlib by it, some servers the bare format within.
		if isZlib(p.bytes) {
			if whole, why := f.deflate(into, part{p.bytes[2:], p.cut}, limit); why == record.NotOmitted {
				return whole, why
			}
		}
		return f.deflate(into, p, limit)
	}
	return p, record.OfEncoding
}

// isZlib tells whether a zlib header stands in front (RFC 1950), without a
// dictionary of its own.
func isZlib(b []byte) bool {
	return len(b) >= 2 && b[0]&0x0f == 8 && b[0]>>4 <= 7 && b[1]&0x20 == 0 && (uint(b[0])<<8|uint(b[1]))%31 == 0
}

func (f *inflater) gunzip(into *[]byte, p part, limit int) (part, record.Omission) {
	f.source.Reset(p.bytes)
	if f.gzip == nil {
		f.gzip = new(gzip.Reader)
	}
	if err := f.gzip.Reset(&f.source); err != nil {
		return failed(part{(*into)[:0], p.cut}, err)
	}
	if n := len(p.bytes); !p.cut && n >= 18 { // how long it says it is: a guess at how much room it takes
		if size := binary.LittleEndian.Uint32(p.bytes[n-4:]); uint64(size) < uint64(min(limit, 64*n)) {
			*into = slices.Grow((*into)[:0], int(size)+1)
		}
	}
	return fill(into, f.gzip, p.cut, limit)
}

// deflate leaves a zlib stream's checksum alone.
func (f *inflater) deflate(into *[]byte, p part, limit int) (part, record.Omission) {
	f.source.Reset(p.bytes)
	if f.flate == nil {
		f.flate = flate.NewReader(&f.source)
	} else if err := f.flate.(flate.Resetter).Reset(&f.source, nil); err != nil {
		return failed(part{(*into)[:0], p.cut}, err)
	}
	return fill(into, f.flate, p.cut, limit)
}

// fill reads at most limit bytes.
func fill(into *[]byte, from io.Reader, cut bool, limit int) (part, record.Omission) {
	const step = 4 << 10
	b := (*into)[:0]
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(max(step, len(b)), limit+1-len(b)))
		}
		n, err := from.Read(b[len(b):min(cap(b), limit+1)])
		b = b[:len(b)+n]
		*into = b
		switch {
		case len(b) > limit:
			return part{b[:limit], true}, record.NotOmitted
		case err == io.EOF:
			return part{b, cut}, record.NotOmitted
		case err != nil:
			return failed(part{b, cut}, err)
		}
	}
}

// failed tells a stream that ends too early from one that is broken.
func failed(p part, err error) (part, record.Omission) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return part{p.bytes, true}, record.NotOmitted
	}
	return p, record.Malformed
}
