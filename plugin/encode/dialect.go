// Package encode writes records in the dialects of the sinks. A worker appends
// each record in its final form; the collector only joins: it parses nothing and
// escapes nothing.
package encode

import (
	"strconv"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

// Dialect is what one sink understands.
type Dialect interface {
	// AppendKey appends what the record is grouped by, if anything: records of
	// one key stand together in a request.
	AppendKey(dst []byte, r *record.Record) []byte
	// Append appends the record.
	Append(dst []byte, r *record.Record) []byte
	// Envelope is what stands around records in a request.
	Envelope() Envelope
}

// Envelope is what stands around the records of a request:
//
//	Open { GroupOpen key GroupMid record { Between record } GroupClose } Close
//
// with Separator between groups.
type Envelope struct {
	ContentType                                string
	Open, Close                                string
	GroupOpen, GroupMid, GroupClose, Separator string
	Between                                    string
}

// New makes the dialect of a configuration's sink.
func New(c *config.Config) Dialect {
	switch c.Sink.Type {
	case config.Loki:
		return newLoki(c)
	case config.OTLP:
		return newOTLP(c)
	case config.Elasticsearch:
		return newElasticsearch(c)
	}
	return newNDJSON(c)
}

func appendCount(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

func appendNumber(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'g', -1, 64) }
