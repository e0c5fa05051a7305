package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/routelens/routelens/envoy/config"
)

// OTLPPath is where an OpenTelemetry Collector takes logs.
const OTLPPath = "/v1/logs"

// Collector is a running OpenTelemetry Collector that writes what it takes to a file.
type Collector struct {
	*Process
	Address string // host:port
	URL     string
	file    string
	marks   atomic.Int64
}

// StartCollector returns once the Collector takes records.
func StartCollector(ctx context.Context, o StoreOptions) (_ *Collector, err error) {
	if o.Address == "" {
		if o.Address, err = FreeAddress(0); err != nil {
			return nil, err
		}
	}
	c := &Collector{Address: o.Address, URL: "http://" + o.Address, file: filepath.Join(o.Dir, "otelcol.jsonl")}
	settings := filepath.Join(o.Dir, "otelcol.yaml")
	text := fmt.Sprintf(`receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
exporters: {file: {path: %q, flush_interval: 20ms}}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines: {logs: {receivers: [otlp], exporters: [file]}}
`, o.Address, c.file)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if c.Process, err = start("otelcol", o.Binary, o.Dir, "--config", "file:"+settings); err != nil {
		return nil, err
	}
	if err := c.Serves(ctx, 20*time.Second, func(ctx context.Context) (string, bool) {
		err := c.mark(ctx, "ready")
		return fmt.Sprint(err), err == nil
	}); err != nil {
		return nil, err
	}
	return c, nil
}

// Cluster is the sink "logs".
func (c *Collector) Cluster() *config.Cluster {
	return &config.Cluster{Name: "logs", Address: c.Address}
}

// Stored counts a run's records.
func (c *Collector) Stored(ctx context.Context, run string) (map[string]int, error) {
	ids := map[string]int{}
	err := c.each(ctx, func(_ []attribute, l logRecord) {
		if id := l.id(); strings.HasPrefix(id, run) {
			ids[id]++
		}
	})
	return ids, err
}

// Records are a request's.
func (c *Collector) Records(ctx context.Context, id string) (records []Record, _ error) {
	err := c.each(ctx, func(resource []attribute, l logRecord) {
		if l.id() == id {
			records = append(records, l.record(resource))
		}
	})
	return records, err
}

// mark has the Collector write a record that is known by its text.
func (c *Collector) mark(ctx context.Context, text string) error {
	_, err := post(ctx, c.URL+OTLPPath, "application/json", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"`+text+`"}}]}]}]}`)
	return err
}

// each reads the file, once what was taken before is in it: it is written in the order in which it came, so that holds
// once a record of our own is there.
func (c *Collector) each(ctx context.Context, visit func(resource []attribute, l logRecord)) error {
	last := fmt.Sprintf("mark %d", c.marks.Add(1))
	if err := c.mark(ctx, last); err != nil {
		return err
	}
	var lines []byte
	err := Until(ctx, "the Collector to write", 10*time.Second, func(context.Context) (string, bool) {
		var err error
		lines, err = os.ReadFile(c.file)
		return fmt.Sprintf("%d bytes, %v", len(lines), err), bytes.Contains(lines, []byte(`{"stringValue":"`+last+`"}`)) && bytes.HasSuffix(lines, []byte("\n"))
	})
	if err != nil {
		return err
	}
	for line := range bytes.Lines(lines) {
		var request logsRequest
		if err := json.Unmarshal(line, &request); err != nil {
			return fmt.Errorf("the Collector's file: %w", err)
		}
		for _, r := range request.ResourceLogs {
			for _, s := range r.ScopeLogs {
				for _, l := range s.LogRecords {
					visit(r.Resource.Attributes, l)
				}
			}
		}
	}
	return nil
}

// logsRequest is OTLP's ExportLogsServiceRequest, as JSON.
type logsRequest struct {
	ResourceLogs []struct {
		Resource  struct{ Attributes []attribute }
		ScopeLogs []struct{ LogRecords []logRecord }
	}
}

type attribute struct {
	Key   string
	Value anyValue
}

type logRecord struct {
	TimeUnixNano, ObservedTimeUnixNano string
	SeverityNumber                     int
	SeverityText                       string
	Body                               anyValue
	Attributes                         []attribute
	TraceID                            string `json:"traceId"`
	SpanID                             string `json:"spanId"`
	Flags                              int
}

func (l logRecord) id() string {
	for _, a := range l.Attributes {
		if a.Key == "envoy.request_id" {
			return a.Value.text()
		}
	}
	return ""
}

// record has the parts of a log record that are no attributes under the names of the other dialects.
func (l logRecord) record(resource []attribute) Record {
	r := Record{"message": l.Body.text(), "severity": l.SeverityText, "severity_number": strconv.Itoa(l.SeverityNumber)}
	if ns, err := strconv.ParseInt(l.TimeUnixNano, 10, 64); err == nil {
		r["time"] = time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
	}
	if l.TraceID != "" {
		r["trace_id"], r["span_id"], r["trace_flags"] = l.TraceID, l.SpanID, fmt.Sprintf("%02x", l.Flags)
	}
	for _, a := range append(resource, l.Attributes...) {
		r.keep(a.Key, a.Value.plain())
	}
	return r
}

// anyValue is OTLP's AnyValue: one of these is set.
type anyValue struct {
	StringValue *string
	BoolValue   *bool
	IntValue    *wholeNumber
	DoubleValue *float64
	ArrayValue  *struct{ Values []anyValue }
	KvlistValue *struct{ Values []attribute }
}

// wholeNumber is a 64-bit integer, which JSON may hold as a text.
type wholeNumber json.Number

// UnmarshalJSON takes both forms.
func (n *wholeNumber) UnmarshalJSON(text []byte) error {
	*n = wholeNumber(strings.Trim(string(text), `"`))
	if _, err := strconv.ParseInt(string(*n), 10, 64); err != nil {
		return errors.New("an intValue that is no integer")
	}
	return nil
}

func (v anyValue) text() string {
	text, _ := v.plain().(string)
	return text
}

// plain is the value as encoding/json would have read it.
func (v anyValue) plain() any {
	switch {
	case v.StringValue != nil:
		return *v.StringValue
	case v.BoolValue != nil:
		return *v.BoolValue
	case v.IntValue != nil:
		return json.Number(*v.IntValue)
	case v.DoubleValue != nil:
		return *v.DoubleValue
	case v.ArrayValue != nil:
		list := make([]any, len(v.ArrayValue.Values))
		for i, inner := range v.ArrayValue.Values {
			list[i] = inner.plain()
		}
		return list
	case v.KvlistValue != nil:
		object := map[string]any{}
		for _, a := range v.KvlistValue.Values {
			object[a.Key] = a.Value.plain()
		}
		return object
	}
	return nil
}
