package encode

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

func TestEachDocumentOfElasticsearchReadsBackAsItsRecord(t *testing.T) {
	d := New(parse(t, `{"sink":{"type":"elasticsearch","cluster":"logs"},"resource":{"service.name":"shop"}}`))
	for _, x := range append(exchanges(), exchange{"huge values", huge()}) {
		t.Run(x.name, func(t *testing.T) {
			require.Empty(t, d.AppendKey(nil, &x.record))
			got := document1(t, d, &x.record)
			want := values{"service.name": "shop", "@timestamp": "2026-02-03T04:05:06.000000789Z", "severity": x.record.Severity()}
			want.text("message", string(appendMessage(nil, &x.record)))
			fields(want, &x.record, nil)
			for own, ecs := range map[string]string{"trace_id": "trace.id", "span_id": "span.id", "http.request.header.x.y.": "http.request.header.x_y_"} {
				if value, ok := want[own]; ok {
					delete(want, own)
					want[ecs] = value
				}
			}
			for _, keys := range []*contentKeys{&requestContent, &responseContent} {
				if _, embedded := got[keys.json]; want[keys.json] != nil && !embedded {
					text, err := read([]byte(got[keys.content].(string)))
					require.NoError(t, err)
					require.Equal(t, want[keys.json], text)
					delete(want, keys.json)
					want[keys.encoding] = "text"
					want[keys.content] = got[keys.content]
				}
			}
			requireValues(t, want, got)
		})
	}
}

// document1 appends one record, of two lines, and reads the second.
func document1(t testing.TB, d Dialect, r *record.Record) map[string]any {
	lines := bytes.Split(d.Append([]byte("before"), r), []byte("\n"))
	require.Len(t, lines, 3)
	require.Equal(t, `before{"create":{}}`, string(lines[0]))
	require.Empty(t, lines[2], "the last line is ended, too")
	document, err := read(lines[1])
	require.NoError(t, err)
	return document.(map[string]any)
}

func TestNoKeyOfADocumentIsAnObjectAsWell(t *testing.T) {
	for _, x := range exchanges() {
		keys := slices.Collect(maps.Keys(document1(t, dialects(t)["elasticsearch"], &x.record)))
		for _, key := range append(slices.Concat(keys, config.ElasticsearchKeys), record.Keys...) {
			for _, other := range keys {
				require.False(t, strings.HasPrefix(other, key+"."), "%s is a text, and an object with %s", key, other)
			}
			require.NotContains(t, strings.TrimSuffix(key, "."), "..")
		}
	}
}

func TestADocumentHasTheKeysThatTheConfigurationKeepsFree(t *testing.T) {
	r := full()
	document := document1(t, dialects(t)["elasticsearch"], &r)
	for _, key := range config.ElasticsearchKeys {
		assert.Contains(t, document, key)
	}
	for key := range document {
		own := record.Taken(key) || slices.Contains(config.ElasticsearchKeys, key)
		assert.True(t, own || key == "service.name" || key == "deployment.environment.name", key)
	}
}

func TestWhatMayHaveAFractionHasOne(t *testing.T) {
	r := unknown()
	r.Duration, r.FirstByte, r.Weight = 2e9, 0, 1e21
	line := string(New(parse(t, `{"sink":{"type":"elasticsearch","cluster":"logs"}}`)).Append(nil, &r))
	assert.Contains(t, line, `"http.server.request.duration":2.0,`)
	assert.Contains(t, line, `"envoy.time_to_first_byte":0.0,`)
	assert.Contains(t, line, `"sampling.weight":1e+21}`)
	assert.Contains(t, line, `"http.response.status_code":0,`)
}

func TestJSONIsEmbeddedWhereAnIndexTakesIt(t *testing.T) {
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	for name, c := range map[string]struct {
		doc  string
		want bool
	}{
		"an object":                           {`{"a":1,"b":{"a":[{"a":1},{"a":2}]},"":null}`, true},
		"an object without keys":              {`{}`, true},
		"a list":                              {`[{"a":1}]`, false},
		"a key twice":                         {`{"a":1,"b":2,"a":3}`, false},
		"a key twice, further down":           {`{"a":[0,{"b":1,"c":[],"b":3}]}`, false},
		"a key twice, after an object":        {`{"a":{"b":1},"c":{},"a":3}`, false},
		"a key twice, once in disguise":       {`{"a\"b":1,"\u0061\"b":2}`, false},
		"a key as a value":                    {`{"a":"a","b":["a","a","b"]}`, true},
		"brackets and commas in texts":        {`{"a":"{,\"a\":","b":"]}","c":[",a"]}`, true},
		"twenty levels":                       {nested(20), true},
		"one level more":                      {nested(21), false},
		"a list as one level more":            {strings.Replace(nested(20), "1", "[1]", 1), false},
		"a value as long as a term":           {`{"a":` + long(maxTerm-4) + `}`, true},
		"a longer one":                        {`{"a":` + long(maxTerm-3) + `}`, false},
		"a longer one with the keys above it": {`{` + long(100) + `:{` + long(100) + `:[` + long(maxTerm-203) + `]}}`, false},
		"a long one beside long keys":         {`{` + long(100) + `:{` + long(100) + `:[]},"a":` + long(maxTerm-203) + `}`, true},
		"a number below a key as long":        {`{` + long(maxTerm-2) + `:1}`, true},
		"a number below a longer one":         {`{` + long(maxTerm-1) + `:1}`, false},
		"a truth below a long key":            {`{"a":{` + long(maxTerm-6) + `:true}}`, false},
		"an empty list below a long key":      {`{` + long(maxTerm+9) + `:[]}`, true},
		"a long number":                       {`{"a":[-` + strings.Repeat("1", maxNumber-1) + `]}`, true},
		"a longer number":                     {`{"a":` + strings.Repeat("1", maxNumber+1) + `}`, false},
		"a longer fraction":                   {`{"a":{"b":0.` + strings.Repeat("1", maxNumber) + `}}`, false},
		"a key with a NUL":                    {`{"a\u0000":1}`, false},
		"a text with a NUL":                   {`{"a":"\u0000"}`, true},
	} {
		f := &flattened{}
		for range 2 { // it is used again
			assert.Equal(t, c.want, f.takes(c.doc), name)
		}
	}
}

// fieldsOf is a document with so many fields, and more in a list.
func fieldsOf(n int) string {
	var b strings.Builder
	b.WriteString(`{"k":[` + strings.Repeat(`{"a":1,"b":2},`, 2*maxFields) + `{}]`)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, `,"k%d":":"`, i)
	}
	return b.String() + "}"
}

func TestNoBodyHasMoreFieldsThanALogStoreTakes(t *testing.T) {
	r := unknown()
	for n, form := range map[int]string{maxFields: `"http.request.body.json":{"k":`, maxFields + 1: `"http.request.body.content":"{\"k\":`} {
		r.RequestContent = record.Content{Form: record.JSON, Text: fieldsOf(n)}
		assert.Contains(t, string(dialects(t)["ndjson"].Append(nil, &r)), form)
		assert.Contains(t, string(dialects(t)["elasticsearch"].Append(nil, &r)), form)
	}
	r.RequestContent.Text = "[" + fieldsOf(2*maxFields) + "]"
	assert.Contains(t, string(dialects(t)["ndjson"].Append(nil, &r)), `"http.request.body.json":[`)
}
