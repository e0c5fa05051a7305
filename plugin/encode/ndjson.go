package encode

import (
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

// ndjson is one flat JSON object a line (https://github.com/ndjson/ndjson-spec).
type ndjson struct {
	resource []byte // already encoded: `,"service.name":"shop"`
	line     object
	scratch  []byte
}

func newNDJSON(c *config.Config) *ndjson {
	return &ndjson{resource: encoded(c.Resource), scratch: make([]byte, 0, 64)}
}

// encoded gives the resource as further members of an object.
func encoded(resource []config.Attribute) (members []byte) {
	for _, a := range resource {
		members = jsontext.AppendString(appendKey(members, a.Name), a.Value)
	}
	return members
}

func (d *ndjson) AppendKey(dst []byte, _ *record.Record) []byte { return dst }

func (d *ndjson) Append(dst []byte, r *record.Record) []byte {
	dst = appendTime(append(dst, `{"time":"`...), r.Start)
	dst = append(append(dst, `","severity":"`...), r.Severity()...)
	dst = append(dst, `","message":`...)
	d.scratch = appendMessage(d.scratch[:0], r)
	dst = jsontext.AppendString(dst, string(d.scratch))
	d.line.dst = append(dst, d.resource...)
	fields(&d.line, r, d.scratch)
	return append(d.line.dst, "}\n"...)
}

func (d *ndjson) Envelope() Envelope { return Envelope{ContentType: "application/x-ndjson"} }

// object writes fields into a JSON object that is open and not empty.
type object struct{ dst []byte }

func (o *object) text(key, value string) {
	o.dst = jsontext.AppendString(appendKey(o.dst, key), value)
}

func (o *object) integer(key string, n int64) {
	o.dst = appendCount(appendKey(o.dst, key), n)
}

func (o *object) seconds(key string, ns int64) {
	o.dst = appendSeconds(appendKey(o.dst, key), ns)
}

func (o *object) number(key string, f float64) {
	o.dst = appendNumber(appendKey(o.dst, key), f)
}

func (o *object) truth(key string) { o.dst = append(appendKey(o.dst, key), "true"...) }

func (o *object) json(key, doc string) bool {
	if !hasFewFields(doc) {
		return false
	}
	o.dst = appendLine(appendKey(o.dst, key), doc)
	return true
}

func (o *object) list(prefix string, f record.Field) {
	dst := append(o.dst, `,"`...)
	dst = jsontext.AppendEscaped(append(dst, prefix...), f.Name)
	dst = append(dst, `":`...)
	for i, value := range f.Values {
		dst = append(dst, "[,"[min(i, 1)])
		dst = jsontext.AppendString(dst, value)
	}
	o.dst = append(dst, ']')
}

func appendKey(dst []byte, key string) []byte {
	return append(jsontext.AppendEscaped(append(dst, `,"`...), key), `":`...)
}
