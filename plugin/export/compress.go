package export

import (
	"bytes"
	"compress/gzip"
)

// compressor gzips request bodies. Its tables take 1.3 MB, so there is
// one, used again, and none before it is needed.
type compressor struct {
	writer *gzip.Writer
	out    bytes.Buffer
}

// minCompressed is the size, in bytes, below which a body goes as it is: it fills
// a packet or two either way.
const minCompressed = 2 << 10

// compress gives the gzipped body, valid until the next call; false where that
// would gain nothing.
func (c *compressor) compress(body []byte) ([]byte, bool) {
	if len(body) < minCompressed {
		return nil, false
	}
	c.out.Reset()
	if c.writer == nil {
		c.writer, _ = gzip.NewWriterLevel(&c.out, gzip.BestSpeed) // the level is a valid one
	}
	c.writer.Reset(&c.out)
	if _, err := c.writer.Write(body); err != nil {
		return nil, false
	}
	if err := c.writer.Close(); err != nil {
		return nil, false
	}
	return c.out.Bytes(), c.out.Len() < len(body)
}
