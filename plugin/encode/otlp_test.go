package encode

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logRecord is OTLP's, as far as it is written.
type logRecord struct {
	TimeUnixNano, ObservedTimeUnixNano string
	SeverityNumber                     int
	SeverityText                       string
	Body                               map[string]any
	Attributes                         []any
	TraceID, SpanID                    string
	Flags                              int
}

func TestEachRecordOfOTLPReadsBackAsItsRecord(t *testing.T) {
	d := dialects(t)["otlp"]
	for _, x := range append(exchanges(), exchange{"huge values", huge()}) {
		t.Run(x.name, func(t *testing.T) {
			require.Empty(t, d.AppendKey(nil, &x.record))
			line := d.Append([]byte("before"), &x.record)
			require.Equal(t, "before", string(line[:6]))
			var got logRecord
			require.NoError(t, strict(line[6:]).Decode(&got))

			assert.Equal(t, strconv.Itoa(start), got.TimeUnixNano)
			assert.Equal(t, strconv.FormatInt(start+x.record.Duration, 10), got.ObservedTimeUnixNano)
			assert.Equal(t, x.record.Severity(), got.SeverityText)
			assert.Equal(t, map[string]int{"INFO": 9, "WARN": 13, "ERROR": 17}[got.SeverityText], got.SeverityNumber)
			assert.Equal(t, map[string]any{"stringValue": valid(string(appendMessage(nil, &x.record)))}, got.Body)
			if trace := x.record.Trace; trace.Present {
				assert.Equal(t, strings.Repeat("0", 32-len(trace.TraceID))+trace.TraceID, got.TraceID)
				assert.Equal(t, trace.SpanID, got.SpanID)
				assert.Equal(t, int(trace.Flags), got.Flags)
			} else {
				assert.Empty(t, got.TraceID+got.SpanID)
			}

			want := values{}
			facts(want, &x.record, nil)
			require.Len(t, got.Attributes, len(want))
			for _, a := range got.Attributes {
				attribute := a.(map[string]any)
				require.Len(t, attribute, 2)
				key := attribute["key"].(string)
				require.Contains(t, want, key)
				requireSame(t, want[key], attribute["value"], 0)
			}
		})
	}
}

func strict(doc []byte) *json.Decoder {
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.DisallowUnknownFields()
	return d
}

// requireAnyValue compares an AnyValue with the document that it was.
func requireAnyValue(t testing.TB, doc, value string) {
	want, err := read([]byte(doc))
	require.NoError(t, err)
	var got any
	require.NoError(t, json.Unmarshal([]byte(value), &got), value)
	requireSame(t, want, got, 0)
}

// requireSame compares an AnyValue, as JSON reads it, with a value.
func requireSame(t testing.TB, want, value any, depth int) {
	t.Helper()
	got, ok := value.(map[string]any)
	require.True(t, ok, "%v", value)
	if want == nil {
		require.Empty(t, got)
		return
	}
	require.Len(t, got, 1)
	for kind, got := range got {
		switch want := want.(type) {
		case map[string]any:
			if depth == maxNested {
				requireText(t, want, got)
				return
			}
			require.Equal(t, "kvlistValue", kind)
			members := got.(map[string]any)["values"].([]any)
			require.Len(t, members, len(want))
			for _, m := range members {
				member := m.(map[string]any)
				require.Len(t, member, 2)
				require.Contains(t, want, member["key"])
				requireSame(t, want[member["key"].(string)], member["value"], depth+1)
			}
		case []any:
			if depth == maxNested {
				requireText(t, want, got)
				return
			}
			require.Equal(t, "arrayValue", kind)
			items := got.(map[string]any)["values"].([]any)
			require.Len(t, items, len(want))
			for i := range items {
				requireSame(t, want[i], items[i], depth+1)
			}
		case bool:
			require.Equal(t, "boolValue", kind)
			require.Equal(t, want, got)
		case float64:
			requireNumber(t, want, kind, got)
		default:
			require.Equal(t, "stringValue", kind)
			require.Equal(t, want, got)
		}
	}
}

// requireText compares what is nested too deep to be taken apart.
func requireText(t testing.TB, want, got any) {
	t.Helper()
	value, err := read([]byte(got.(string)))
	require.NoError(t, err)
	require.Equal(t, want, value)
}

func requireNumber(t testing.TB, want float64, kind string, got any) {
	t.Helper()
	switch got := got.(type) {
	case float64:
		require.Equal(t, "doubleValue", kind)
		require.InDelta(t, want, got, 1e-9*max(want, -want))
	case string: // an integer, or one that is beyond all
		require.Contains(t, []string{"intValue", "stringValue"}, kind)
		require.Regexp(t, `^-?[0-9]+$`, got)
		n, err := strconv.ParseFloat(got, 64)
		require.NoError(t, err)
		require.Equal(t, want, n+0)
	default:
		t.Fatalf("%T is no number", got)
	}
}

// hasTwins tells whether an object has a key twice, which no map can hold.
func hasTwins(doc string) bool {
	var twins func(d *json.Decoder) bool
	twins = func(d *json.Decoder) bool {
		token, _ := d.Token()
		delim, nested := token.(json.Delim)
		if !nested {
			return false
		}
		found, seen := false, map[any]bool{}
		for d.More() {
			if delim == '{' {
				key, _ := d.Token()
				found = found || seen[key]
				seen[key] = true
			}
			found = twins(d) || found
		}
		d.Token()
		return found
	}
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	return twins(d)
}

func TestResourceAndScopeStandOnceAroundTheRecordsOfOTLP(t *testing.T) {
	for name, c := range map[string]struct{ resource, want string }{
		"a resource": {`{"service.name":"shop","a\"b":"\u0001é<\\","e":""}`, `{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
			{"key":"a\"b","value":{"stringValue":"\u0001é<\\"}},{"key":"e","value":{"stringValue":""}}]}`},
		"no resource": {`{}`, ``},
		"twelve keys": {`{` + twelve(`"k%":"v%"`) + `}`, `{"attributes":[` + twelve(`{"key":"k%","value":{"stringValue":"v%"}}`) + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(parse(t, `{"sink":{"type":"otlp","cluster":"logs"},"resource":`+c.resource+`}`)).Envelope()
			assert.Equal(t, "application/json", e.ContentType)
			resource := ""
			if c.want != "" {
				resource = `"resource":` + c.want + `,`
			}
			want := `{"resourceLogs":[{` + resource + `"scopeLogs":[{"scope":{"name":"routelens"},"logRecords":[{},{}]}]}]}`
			assert.JSONEq(t, want, e.Open+"{}"+e.Between+"{}"+e.Close)
			assert.Empty(t, e.GroupOpen+e.GroupMid+e.GroupClose+e.Separator)
		})
	}
}

func twelve(item string) string {
	items := make([]string, 12)
	for i := range items {
		items[i] = strings.ReplaceAll(item, "%", strconv.Itoa(i))
	}
	return strings.Join(items, ",")
}

func TestATextOfSurrogatesIsStrictlyValid(t *testing.T) {
	for token, want := range map[string]string{
		`"a"`: `"a"`, `"\n\\\""`: `"\n\\\""`, `"\u00e9\ud83d\ude00"`: `"\u00e9\ud83d\ude00"`, `"\uD83D\uDE00"`: `"\uD83D\uDE00"`,
		`"\ud83d"`: `"\ufffd"`, `"\ude00\ud83d"`: `"\ufffd\ufffd"`, `"\ud83d\ud83d\ude00"`: `"\ufffd\ud83d\ude00"`, `"\ud83d\n"`: `"\ufffd\n"`,
		`"\\ud83d"`: `"\\ud83d"`, `"\\\ud83d"`: `"\\\ufffd"`, `"\ud83dx\ude00"`: `"\ufffdx\ufffd"`,
	} {
		assert.Equal(t, want, string(appendJSONString(nil, token)), token)
	}
}

func TestWhatIsNestedTooDeepStaysJSON(t *testing.T) {
	for _, depth := range []int{maxNested - 1, maxNested, maxNested + 1, 10_000} {
		doc := strings.Repeat(`{"a":[`, depth/2) + strings.Repeat("[", depth%2) + strings.Repeat("]", depth%2) + strings.Repeat("]}", depth/2)
		got := string(appendAnyValue(nil, doc))
		requireAnyValue(t, doc, got)
		assert.Equal(t, min(depth, maxNested), len(regexp.MustCompile(`"(kvlist|array)Value"`).FindAllString(got, -1)))
		assert.Equal(t, depth > maxNested, strings.Contains(got, "stringValue"))
	}
}
