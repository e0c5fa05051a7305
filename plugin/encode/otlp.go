package encode

import (
	"strconv"
	"strings"

	"github.com/tidwall/sjson"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/record"
)

// otlp is OTLP/HTTP's JSON for logs
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): protobuf's
// JSON mapping, so 64-bit integers are texts, but with ids in hex. What all
// records have in common, resource and scope, stands once around them.
type otlp struct {
	envelope Envelope
	line     attributes
	scratch  []byte
}

func newOTLP(c *config.Config) *otlp {
	return &otlp{envelope: otlpEnvelope(c.Resource), scratch: make([]byte, 0, 64)}
}

// otlpEnvelope is a request for one resource and one scope, parted where the
// records go.
func otlpEnvelope(resource []config.Attribute) Envelope {
	request := `{"resourceLogs":[{}]}`
	for i, a := range resource {
		at := "resourceLogs.0.resource.attributes." + strconv.Itoa(i)
		request = set(request, at+".key", a.Name)
		request = set(request, at+".value.stringValue", a.Value)
	}
	request = set(request, "resourceLogs.0.scopeLogs.0.scope.name", "routelens")
	request = set(request, "resourceLogs.0.scopeLogs.0.logRecords.0", "")
	records := strings.LastIndex(request, `""`)
	return Envelope{
		ContentType: "application/json",
		Open:        request[:records], Close: request[records+len(`""`):],
		Between: ",",
	}
}

// set fails on a bad path alone, and the paths are this file's own.
func set(doc, path, value string) string {
	doc, _ = sjson.Set(doc, path, value)
	return doc
}

func (d *otlp) AppendKey(dst []byte, _ *record.Record) []byte { return dst }

func (d *otlp) Append(dst []byte, r *record.Record) []byte {
	start := max(r.Start, 0) // it has no sign there
	dst = appendCount(append(dst, `{"timeUnixNano":"`...), start)
	dst = appendCount(append(dst, `","observedTimeUnixNano":"`...), max(start+r.Duration, start))
	severity := r.Severity()
	dst = append(append(dst, `","severityNumber":`...), severityNumber(severity)...)
	dst = append(append(dst, `,"severityText":"`...), severity...)
	d.scratch = appendMessage(d.scratch[:0], r)
	dst = jsontext.AppendString(append(dst, `","body":{"stringValue":`...), string(d.scratch))
	dst = append(dst, `},"attributes":`...)
	open := len(dst) // of the comma before the first attribute
	d.line.dst = dst
	facts(&d.line, r, d.scratch)
	d.line.dst[open] = '['
	dst = append(d.line.dst, ']')
	if t := r.Trace; t.Present {
		dst = append(dst, `,"traceId":"`...)
		if len(t.TraceID) == 16 { // B3 has ids of 64 bits as well, OpenTelemetry has not
			dst = append(dst, "0000000000000000"...)
		}
		dst = append(append(dst, t.TraceID...), `","spanId":"`...)
		dst = append(append(dst, t.SpanID...), `","flags":`...)
		dst = appendCount(dst, int64(t.Flags))
	}
	return append(dst, '}')
}

func (d *otlp) Envelope() Envelope { return d.envelope }

// severityNumber is OpenTelemetry's for a record's severity.
func severityNumber(severity string) string {
	switch severity {
	case "ERROR":
		return "17"
	case "WARN":
		return "13"
	}
	return "9"
}

// attributes writes fields into a list of key-values, each after a comma.
type attributes struct{ dst []byte }

func (a *attributes) open(prefix, key, kind string) []byte {
	dst := jsontext.AppendEscaped(append(append(a.dst, `,{"key":"`...), prefix...), key)
	dst = append(append(dst, `","value":{"`...), kind...)
	return append(dst, `":`...)
}

func (a *attributes) text(key, value string) {
	a.dst = append(jsontext.AppendString(a.open("", key, "stringValue"), value), "}}"...)
}

func (a *attributes) integer(key string, n int64) {
	a.dst = append(appendCount(append(a.open("", key, "intValue"), '"'), n), `"}}`...)
}

func (a *attributes) seconds(key string, ns int64) {
	a.dst = append(appendSeconds(a.open("", key, "doubleValue"), ns), "}}"...)
}

func (a *attributes) number(key string, f float64) {
	a.dst = append(appendNumber(a.open("", key, "doubleValue"), f), "}}"...)
}

func (a *attributes) truth(key string) {
	a.dst = append(a.open("", key, "boolValue"), "true}}"...)
}

func (a *attributes) list(prefix string, f record.Field) {
	dst := a.open(prefix, f.Name, "arrayValue")
	dst = append(dst, `{"values":`...)
	for i, value := range f.Values {
		dst = append(append(dst, "[,"[min(i, 1)]), `{"stringValue":`...)
		dst = append(jsontext.AppendString(dst, value), '}')
	}
	a.dst = append(dst, "]}}}"...)
}

func (a *attributes) json(key, doc string) bool {
	dst := jsontext.AppendEscaped(append(a.dst, `,{"key":"`...), key)
	dst = appendAnyValue(append(dst, `","value":`...), doc)
	a.dst = append(dst, '}')
	return true
}
