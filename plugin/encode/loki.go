package encode

import (
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

// loki is Loki's JSON push
// (https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs):
// the line is the message, a short list of fields are stream labels, and all the
// rest is structured metadata, whose values are texts.
type loki struct {
	labels   []label
	resource []byte // already encoded metadata
	line     metadata
	scratch  []byte
}

// label is a stream label: either fixed, or taken from a record.
type label struct {
	open  string // `"http_route":"`
	fixed string
	of    func(dst []byte, r *record.Record) []byte
}

func newLoki(c *config.Config) *loki {
	names := c.Sink.Labels
	if len(names) == 0 { // Loki refuses a stream without labels
		names = []string{"service.name"}
	}
	d := &loki{scratch: make([]byte, 0, 64), line: metadata{labels: names}}
	for _, name := range names {
		d.labels = append(d.labels, newLabel(name, c.Resource))
	}
	for _, a := range c.Resource {
		if !isLabel(names, a.Name) {
			d.resource = jsontext.AppendString(appendUnderscored(d.resource, "", a.Name), a.Value)
		}
	}
	return d
}

func newLabel(name string, resource []config.Attribute) label {
	key := appendUnderscored(nil, "", name)
	l := label{open: string(key[1:]) + `"`, of: fromRecord[name]}
	for _, a := range resource {
		if a.Name == name {
			l.of, l.fixed = nil, a.Value
		}
	}
	if l.of == nil && l.fixed == "" {
		l.fixed = absent // Loki takes an empty one for none, and refuses a stream without any
		if name == "service.name" {
			l.fixed = "unknown_service" // OpenTelemetry's default
		}
	}
	return l
}

// fromRecord gives the labels that a record has; config.LokiLabels lists them.
var fromRecord = map[string]func(dst []byte, r *record.Record) []byte{
	"severity":                  func(dst []byte, r *record.Record) []byte { return append(dst, r.Severity()...) },
	"http.route":                func(dst []byte, r *record.Record) []byte { return jsontext.AppendEscaped(dst, orAbsent(r.Route)) },
	"envoy.cluster":             func(dst []byte, r *record.Record) []byte { return jsontext.AppendEscaped(dst, orAbsent(r.Cluster)) },
	"http.response.status_code": func(dst []byte, r *record.Record) []byte { return appendCount(dst, r.Status) },
	"http.request.method": func(dst []byte, r *record.Record) []byte {
		if !record.KnownMethod(r.Method) {
			return append(dst, record.OtherMethod...)
		}
		return append(dst, r.Method...)
	},
}

func isLabel(labels []string, name string) bool {
	for _, l := range labels {
		if l == name {
			return true
		}
	}
	return false
}

func (d *loki) AppendKey(dst []byte, r *record.Record) []byte {
	for i := range d.labels {
		l := &d.labels[i]
		dst = append(append(dst, "{,"[min(i, 1)]), l.open...)
		if l.of != nil {
			dst = l.of(dst, r)
		} else {
			dst = jsontext.AppendEscaped(dst, l.fixed)
		}
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func (d *loki) Append(dst []byte, r *record.Record) []byte {
	dst = appendCount(append(dst, `["`...), r.Start)
	d.scratch = appendMessage(d.scratch[:0], r)
	dst = jsontext.AppendString(append(dst, `",`...), string(d.scratch))
	dst = append(dst, ',')
	open := len(dst) // of the comma before the first field
	d.line.dst = append(dst, d.resource...)
	d.line.text("severity", r.Severity())
	fields(&d.line, r, d.scratch)
	d.line.dst[open] = '{'
	return append(d.line.dst, "}]"...)
}

func (d *loki) Envelope() Envelope {
	return Envelope{
		ContentType: "application/json",
		Open:        `{"streams":[`, Close: `]}`,
		GroupOpen: `{"stream":`, GroupMid: `,"values":[`, GroupClose: `]}`, Separator: ",",
		Between: ",",
	}
}

// metadata writes fields into an open object whose values are all texts and
// whose keys are Prometheus label names. What is a stream label already is left
// out: Loki would show it a second time, as "…_extracted".
type metadata struct {
	dst    []byte
	labels []string
}

func (m *metadata) text(key, value string) {
	if !isLabel(m.labels, key) {
		m.dst = jsontext.AppendString(appendUnderscored(m.dst, "", key), value)
	}
}

func (m *metadata) integer(key string, n int64) {
	if !isLabel(m.labels, key) {
		m.dst = append(appendCount(append(appendUnderscored(m.dst, "", key), '"'), n), '"')
	}
}

func (m *metadata) seconds(key string, ns int64) {
	m.dst = append(appendSeconds(append(appendUnderscored(m.dst, "", key), '"'), ns), '"')
}

func (m *metadata) number(key string, f float64) {
	m.dst = append(appendNumber(append(appendUnderscored(m.dst, "", key), '"'), f), '"')
}

func (m *metadata) truth(key string) { m.text(key, "true") }

func (m *metadata) json(key, doc string) bool {
	m.text(key, doc)
	return true
}

func (m *metadata) list(prefix string, f record.Field) {
	dst := append(appendUnderscored(m.dst, prefix, f.Name), '"')
	for i, value := range f.Values {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = jsontext.AppendEscaped(dst, value)
	}
	m.dst = append(dst, '"')
}

// appendUnderscored appends a further key of an object, with what Prometheus does not
// allow in a label's name turned to underscores.
func appendUnderscored(dst []byte, prefix, key string) []byte {
	dst = append(dst, `,"`...)
	for _, part := range [2]string{prefix, key} {
		for i := range len(part) {
			c := part[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
				c = '_'
			}
			dst = append(dst, c)
		}
	}
	return append(dst, `":`...)
}
