package encode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/plugin/record"
)

func parse(t testing.TB, text string) *config.Config {
	c, err := config.Parse([]byte(text))
	require.NoError(t, err)
	return &c
}

func dialects(t testing.TB) map[string]Dialect {
	return map[string]Dialect{
		"ndjson": New(parse(t, `{"sink":{"cluster":"logs"},"resource":{"service.name":"shop","deployment.environment.name":"a\"b\u0001"}}`)),
		"loki": New(parse(t, `{"sink":{"type":"loki","cluster":"logs","labels":["service.name","severity","http.route","http.request.method","http.response.status_code","envoy.cluster"]},
			"resource":{"service.name":"shop","deployment.environment.name":"a\"b\u0001"}}`)),
		"otlp":          New(parse(t, `{"sink":{"type":"otlp","cluster":"logs"},"resource":{"service.name":"shop","deployment.environment.name":"a\"b\u0001"}}`)),
		"elasticsearch": New(parse(t, `{"sink":{"type":"elasticsearch","cluster":"logs"},"resource":{"service.name":"shop","deployment.environment.name":"a\"b\u0001"}}`)),
		"loki-bare":     New(parse(t, `{"sink":{"type":"loki","cluster":"logs","labels":[]}}`)),
	}
}

func TestEachDialectEqualsItsGoldenFile(t *testing.T) {
	for name, d := range dialects(t) {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			for _, x := range exchanges() {
				b.WriteString("# " + x.name + "\n")
				if key := d.AppendKey(nil, &x.record); len(key) > 0 {
					b.Write(append(key, '\n'))
				}
				b.WriteString(strings.TrimSuffix(string(d.Append(nil, &x.record)), "\n") + "\n")
			}
			goldentest.Equal(t, "testdata/"+name+".golden", b.String())
		})
	}
}

// values is a writer that collects what fields gives, as JSON reads it back.
type values map[string]any

func (v values) put(key string, value any) {
	if _, twice := v[key]; twice {
		panic(key + " is given twice")
	}
	v[key] = value
}
func (v values) text(key, value string)       { v.put(key, valid(value)) }
func (v values) integer(key string, n int64)  { v.put(key, float64(n)) }
func (v values) seconds(key string, ns int64) { v.put(key, float64(ns)/1e9) }
func (v values) number(key string, f float64) { v.put(key, f) }
func (v values) truth(key string)             { v.put(key, true) }
func (v values) json(key, doc string) bool {
	value, err := read([]byte(doc))
	if err != nil {
		panic(err)
	}
	v.put(key, value)
	return true
}
func (v values) list(prefix string, f record.Field) {
	list := []any{}
	for _, value := range f.Values {
		list = append(list, valid(value))
	}
	v.put(prefix+valid(f.Name), list)
}

// read gives what JSON holds, with numbers beyond any float64 as their digits.
func read(doc []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	err = d.Decode(&value)
	return plain(value), err
}

func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if f, err := value.Float64(); err == nil {
			return f
		}
		return value.String()
	case map[string]any:
		for key := range value {
			value[key] = plain(value[key])
		}
	case []any:
		for i := range value {
			value[i] = plain(value[i])
		}
	}
	return value
}

// valid turns each byte that is not UTF-8 to U+FFFD.
func valid(s string) string { return string([]rune(s)) }

func TestEachLineOfNDJSONReadsBackAsItsRecord(t *testing.T) {
	d := New(parse(t, `{"sink":{"cluster":"logs"},"resource":{"service.name":"shop"}}`))
	for _, x := range append(exchanges(), exchange{"huge values", huge()}) {
		t.Run(x.name, func(t *testing.T) {
			line := d.Append([]byte("before"), &x.record)
			require.True(t, bytes.HasPrefix(line, []byte("before")))
			line = line[len("before"):]
			require.Equal(t, 1, bytes.Count(line, []byte("\n")), "one line")
			require.True(t, bytes.HasSuffix(line, []byte("}\n")))

			want := values{"service.name": "shop", "time": "2026-02-03T04:05:06.000000789Z", "severity": x.record.Severity()}
			want.text("message", string(appendMessage(nil, &x.record)))
			fields(want, &x.record, nil)
			got, err := read(line)
			require.NoError(t, err)
			requireValues(t, want, got.(map[string]any))
		})
	}
}

// requireValues compares seconds loosely: they are written exactly, but float64
// cannot hold them so.
func requireValues(t testing.TB, want values, got map[string]any) {
	t.Helper()
	require.Len(t, got, len(want))
	for key, value := range want {
		if f, ok := value.(float64); ok && f != 0 {
			require.InEpsilon(t, f, got[key], 1e-9, key)
		} else {
			require.Equal(t, value, got[key], key)
		}
	}
}

func TestLokiMetadataIsTextUnderLabelNames(t *testing.T) {
	for name, d := range dialects(t) {
		if !strings.HasPrefix(name, "loki") {
			continue
		}
		for _, x := range append(exchanges(), exchange{"huge values", huge()}) {
			t.Run(name+", "+x.name, func(t *testing.T) {
				labels := map[string]string{}
				require.NoError(t, json.Unmarshal(d.AppendKey(nil, &x.record), &labels))
				require.NotEmpty(t, labels)
				var entry [3]json.RawMessage
				require.NoError(t, json.Unmarshal(d.Append(nil, &x.record), &entry))
				var at string
				require.NoError(t, json.Unmarshal(entry[0], &at))
				assert.Equal(t, "1770091506000000789", at)
				metadata := map[string]string{}
				require.NoError(t, json.Unmarshal(entry[2], &metadata))
				for key, value := range labels {
					assert.Regexp(t, `^[a-zA-Z_][a-zA-Z0-9_]*$`, key)
					assert.NotEmpty(t, value, "Loki takes an empty label for none, and refuses a stream without any: %s", key)
					assert.NotContains(t, metadata, key, "a label is not repeated with each line")
				}
				for key := range metadata {
					assert.Regexp(t, `^[a-zA-Z_][a-zA-Z0-9_]*$`, key)
				}
			})
		}
	}
}

func TestAFieldWithoutValuesIsLeftOut(t *testing.T) {
	r := unknown()
	r.RequestHeaders = []record.Field{{Name: "x-none"}, {Name: "x-some", Values: []string{"v"}}}
	for name, d := range dialects(t) {
		line := bytes.TrimPrefix(d.Append(nil, &r), []byte(`{"create":{}}`))
		require.True(t, json.Valid(line), "%s: %s", name, line)
		assert.NotContains(t, string(line), "none", name)
	}
}

func TestSecondsAreExact(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0", 1: "0.000000001", 1e9: "1", 1_500_000_000: "1.5", 12_345_678: "0.012345678", 100: "0.0000001",
		1<<63 - 1: "9223372036.854775807",
	} {
		assert.Equal(t, want, string(appendSeconds(nil, ns)))
	}
}

func TestAddressesArePartedFromTheirPorts(t *testing.T) {
	for _, c := range []struct{ value, address, port string }{
		{"shop.example:8443", "shop.example", "8443"},
		{"shop.example", "shop.example", ""},
		{"[::1]:80", "::1", "80"},
		{"[::1]", "::1", ""},
		{"::1", "::1", ""},
		{"1.2.3.4:0", "1.2.3.4", "0"},
		{"shop:http", "shop:http", ""},
		{"shop:", "shop:", ""},
		{"shop:99999", "shop:99999", ""},
		{"shop:12345678901234567890", "shop:12345678901234567890", ""},
		{"", "", ""},
		{":", ":", ""},
		{"[]:1", "", "1"},
	} {
		got := values{}
		hostPort(got, "address", "port", c.value)
		want := values{}
		some(want, "address", c.address)
		if n, ok := digits(c.port); ok {
			want.integer("port", n)
		}
		assert.Equal(t, want, got, c.value)
	}
}
