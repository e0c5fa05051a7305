package encode

import (
	"strings"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

// elasticsearch is the bulk API of Elasticsearch and OpenSearch
// (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk):
// a line that says what to do, and a line that is the document. A data stream
// takes create alone, which index takes as well.
//
// Most keys are ECS's as they are; time, trace_id and span_id stand under ECS's
// names, by which others find them.
type elasticsearch struct {
	resource []byte // already encoded: `,"service.name":"shop"`
	document document
	scratch  []byte
}

func newElasticsearch(c *config.Config) *elasticsearch {
	return &elasticsearch{resource: encoded(c.Resource), scratch: make([]byte, 0, 64)}
}

func (d *elasticsearch) AppendKey(dst []byte, _ *record.Record) []byte { return dst }

func (d *elasticsearch) Append(dst []byte, r *record.Record) []byte {
	dst = appendTime(append(dst, `{"create":{}}`+"\n"+`{"@timestamp":"`...), r.Start)
	dst = append(append(dst, `","severity":"`...), r.Severity()...)
	d.scratch = appendMessage(d.scratch[:0], r)
	dst = jsontext.AppendString(append(dst, `","message":`...), string(d.scratch))
	d.document.dst = append(dst, d.resource...)
	trace(&d.document, r)
	facts(&d.document, r, d.scratch)
	return append(d.document.dst, "}\n"...)
}

func (d *elasticsearch) Envelope() Envelope { return Envelope{ContentType: "application/x-ndjson"} }

// document writes fields as object does, but for what Elasticsearch would guess
// wrong or refuse.
type document struct {
	object
	flattened flattened
}

func (d *document) text(key, value string) {
	switch key {
	case "trace_id":
		key = "trace.id"
	case "span_id":
		key = "span.id"
	}
	d.object.text(key, value)
}

// seconds always have a fraction, as numbers do: an index takes the type of the
// first value that it sees, and would cut all others to whole numbers.
func (d *document) seconds(key string, ns int64) {
	d.dst = appendKey(d.dst, key)
	begin := len(d.dst)
	d.dst = appendFraction(appendSeconds(d.dst, ns), begin)
}

func (d *document) number(key string, f float64) {
	d.dst = appendKey(d.dst, key)
	begin := len(d.dst)
	d.dst = appendFraction(appendNumber(d.dst, f), begin)
}

// appendFraction gives the number that begins there a fraction, if it has none.
func appendFraction(dst []byte, begin int) []byte {
	for _, c := range dst[begin:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// list turns the dots in a header's name: they would make an object of it, where
// another header may be a text.
func (d *document) list(prefix string, f record.Field) {
	f.Name = strings.ReplaceAll(f.Name, ".", "_")
	d.object.list(prefix, f)
}

// json takes what has a place in an index, and leaves the rest to be a text.
func (d *document) json(key, doc string) bool {
	return d.flattened.takes(doc) && d.object.json(key, doc)
}
