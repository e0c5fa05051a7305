package protocols

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/record"
)

func otlp(t *testing.T) encode.Dialect {
	c, err := config.Parse([]byte(`{"sink":{"type":"otlp","cluster":"logs"},"resource":{"service.name":"shop","a\"b":"<é\u0001"}}`))
	require.NoError(t, err)
	return encode.New(&c)
}

// golden are the records of the golden file: one of each kind.
func golden(t *testing.T) []string {
	file, err := os.ReadFile("../../plugin/encode/testdata/otlp.golden")
	require.NoError(t, err)
	var records []string
	for line := range strings.Lines(string(file)) {
		if !strings.HasPrefix(line, "#") {
			records = append(records, line)
		}
	}
	require.Greater(t, len(records), 20)
	return records
}

var ids = regexp.MustCompile(`"(traceId|spanId)":"([^"]*)"`)

// parse reads a request by protobuf's own JSON mapping, which refuses unknown fields, wrong types and text
// that is not UTF-8. Ids are the one exception that OTLP makes of it: they are hex there, not base64.
func parse(t *testing.T, request string) *logs.LogsData {
	t.Helper()
	request = ids.ReplaceAllStringFunc(request, func(field string) string {
		parts := ids.FindStringSubmatch(field)
		id, err := hex.DecodeString(parts[2])
		require.NoError(t, err, field)
		require.Len(t, id, map[string]int{"traceId": 16, "spanId": 8}[parts[1]], field)
		return `"` + parts[1] + `":"` + base64.StdEncoding.EncodeToString(id) + `"`
	})
	var data logs.LogsData
	require.NoError(t, protojson.Unmarshal([]byte(request), &data))
	return &data
}

func request(d encode.Dialect, records ...string) string {
	e := d.Envelope()
	return e.Open + strings.Join(records, e.Between) + e.Close
}

func TestOTLPIsWhatItsProtobufSchemaSays(t *testing.T) {
	records := golden(t)
	data := parse(t, request(otlp(t), records...))
	require.Len(t, data.ResourceLogs, 1)
	resource := data.ResourceLogs[0]
	require.Len(t, resource.Resource.Attributes, 2)
	assert.Equal(t, "a\"b", resource.Resource.Attributes[1].Key)
	assert.Equal(t, "<é\x01", resource.Resource.Attributes[1].Value.GetStringValue())
	require.Len(t, resource.ScopeLogs, 1)
	assert.Equal(t, "routelens", resource.ScopeLogs[0].Scope.Name)
	require.Len(t, resource.ScopeLogs[0].LogRecords, len(records))

	full := resource.ScopeLogs[0].LogRecords[0]
	assert.Equal(t, uint64(1770091506000000789), full.TimeUnixNano)
	assert.Equal(t, uint64(1770091506012346467), full.ObservedTimeUnixNano)
	assert.Equal(t, logs.SeverityNumber_SEVERITY_NUMBER_ERROR, full.SeverityNumber)
	assert.Equal(t, "PURGE /orders/7 503 12ms", full.Body.GetStringValue())
	assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", hex.EncodeToString(full.TraceId))
	assert.Equal(t, "b7ad6b7169203331", hex.EncodeToString(full.SpanId))
	assert.Equal(t, uint32(1), full.Flags)
	for _, a := range full.Attributes {
		switch a.Key {
		case "http.response.status_code":
			assert.Equal(t, int64(503), a.Value.GetIntValue())
		case "http.server.request.duration":
			assert.Equal(t, 0.012345678, a.Value.GetDoubleValue())
		case "http.request.header.user-agent":
			assert.Equal(t, "curl/8", a.Value.GetArrayValue().Values[0].GetStringValue())
		case "http.request.body.json":
			assert.Equal(t, "[masked]", a.Value.GetKvlistValue().Values[0].Value.GetKvlistValue().Values[0].Value.GetStringValue())
		}
	}
	for i, r := range resource.ScopeLogs[0].LogRecords {
		seen := map[string]bool{}
		for _, a := range r.Attributes {
			assert.False(t, seen[a.Key], "%s is given twice in %s", a.Key, records[i])
			seen[a.Key] = true
		}
	}
}

func TestAnUnknownFieldWouldFail(t *testing.T) {
	broken := strings.Replace(golden(t)[0], `"severityText"`, `"severity_name"`, 1)
	require.Error(t, protojson.Unmarshal([]byte(request(otlp(t), broken)), &logs.LogsData{}))
}

func TestHostileTextsAreStillValid(t *testing.T) {
	hostile := []string{"\xff\xed\xa0\x80", "\x00\"\\\u2028", "\xc3", strings.Repeat("ü\xf0", 1000)}
	bodies := []string{
		`{"\ud800":"\udc00\ud800","":{"":[]}}`, `[1e999,-1e999,1e-999,-0,0.0,123456789012345678901234567890,9223372036854775808,-9223372036854775809]`,
		`[null,true,false,{},[],""]`, `{"a":1,"a":2}`, strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat(`{"a":`, 63) + "{}" + strings.Repeat("}", 63),
	}
	d := otlp(t)
	var records []string
	for _, text := range hostile {
		for _, body := range bodies {
			require.True(t, json.Valid([]byte(body)), body)
			r := record.Record{Start: -5, Duration: 1 << 62, FirstByte: 7, Method: text, Host: text, Path: text, Query: text, Route: text, Sampled: "rate", Weight: 1e300,
				RequestHeaders:  []record.Field{{Name: text, Values: []string{text, ""}}},
				Trace:           record.Trace{TraceID: "8448eb211c80319c", SpanID: "b7ad6b7169203331", Flags: 255, Present: true},
				RequestContent:  record.Content{Form: record.JSON, Text: body},
				ResponseContent: record.Content{Form: record.Text, Text: text, Truncated: true}}
			records = append(records, string(d.Append(nil, &r)))
		}
	}
	data := parse(t, request(d, records...))
	require.Len(t, data.ResourceLogs[0].ScopeLogs[0].LogRecords, len(records))

	t.Run("and nested no deeper than other languages read", func(t *testing.T) {
		binary, err := proto.Marshal(data)
		require.NoError(t, err)
		require.NoError(t, proto.UnmarshalOptions{RecursionLimit: 100}.Unmarshal(binary, &logs.LogsData{}))
		require.Error(t, proto.UnmarshalOptions{RecursionLimit: 60}.Unmarshal(binary, &logs.LogsData{}), "it is a test of something")
	})
}
