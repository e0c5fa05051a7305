package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// kind is a kind of body with what its record must say, in either direction: the keys are those after http.request.body or
// http.response.body.
type kind struct {
	name, contentType, contentEncoding string
	body                               []byte
	want                               map[string]string
}

const document = `{"user":{"name":"Ada","tags":["a","b"]},"count":3,"share":0.5,"open":true}`

// nested is a document as stores show it that take it apart.
var nested = map[string]string{".json.user.name": "Ada", ".json.user.tags": `["a","b"]`, ".json.count": "3", ".json.share": "0.5", ".json.open": "true"}

var kinds = []kind{
	{"a JSON object", "application/json", "", []byte(document), nested},
	{"a JSON object, compressed", "application/json", "gzip", compressed(document), nested},
	{"a JSON object of many fields", "application/json", "", []byte(`{` + manyFields(500) + `}`), map[string]string{".omitted": "-"}}, // in both directions more than VictoriaLogs takes
	{"a JSON object with a long number", "application/json", "", []byte(`{"a":` + strings.Repeat("1", 1001) + `}`), map[string]string{".omitted": "-"}},
	{"a JSON list", "application/json", "", []byte(`[{"a":1},2,"x"]`), map[string]string{".json": `[{"a":1},2,"x"]`}},
	{"JSON that is cut", "application/json", "", []byte(`{"first":"` + strings.Repeat("x", 100) + `","second":"` + strings.Repeat("y", 5000) + `"}`), map[string]string{
		".content": `{"first":"` + strings.Repeat("x", 100) + `"}`, ".encoding": "text", ".truncated": "true",
	}},
	{"a form", "application/x-www-form-urlencoded", "", []byte("name=Ada&note=two+words"), map[string]string{".content": "name=Ada&note=two+words", ".encoding": "text"}},
	{"a text with umlauts and controls", "text/plain; charset=utf-8", "", []byte("grüße\t\"\\\x01"), map[string]string{".content": "grüße\t\"\\\x01", ".encoding": "text"}},
	{"bytes", "application/octet-stream", "", []byte{0, 255, 1, 254}, map[string]string{".content": "AP8B/g==", ".encoding": "base64"}},
	{"an encoding that cannot be read", "application/json", "br", []byte("\x0b\x02\x80{}\x03"), map[string]string{".omitted": "encoding", ".json": "-", ".content": "-"}},
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"%03x":1`, i)
	}
	return strings.Join(fields, ",")
}

func compressed(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return out.Bytes()
}

// mirror answers with what it was sent.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if value := r.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.Write(body)
}

func TestEachSinkFindsRecordsWithEveryKindOfBody(t *testing.T) {
	eachSink(t, func(t *testing.T, wasm string, to sink) {
		store := to.start(t)
		for _, compression := range []string{"none", "gzip"} {
			t.Run(compression, func(t *testing.T) {
				u := startUpstream(t)
				u.answer(mirror)
				every := map[string]any{"rate": 1, "max_bytes": "4KiB", "content_types": []string{"*/*"}}
				plugin := documented(t, to.heading, settings{
					"sink.compression": compression, "bodies.request": every, "bodies.response": every,
					"headers.request": []string{"x-tag"},
				})
				s := open(t, standOptions{wasm: wasm, logs: store, plugin: plugin, envoy: func(o *config.Options) {
					u.place(t, o)
					o.Routes[0].Name = "echo" // as the queries of docs/sinks.md have it
				}})
				ids := make([]string, len(kinds)) // all are sent first, as each takes a batch's time to arrive
				for i, k := range kinds {
					ids[i] = s.mirror(t, k)
				}
				for i, k := range kinds {
					t.Run(k.name, func(t *testing.T) { s.hasMirrored(t, to, k, ids[i]) })
				}
				s.findsAsDocumented(t, to, ids[0])
			})
		}
	})
}

// mirror sends a body, which comes back as it is.
func (s *stand) mirror(t *testing.T, k kind) (id string) {
	id = newID()
	request := newRequest(t, "POST", s.Entry+"/script/{x}?q=1", id, bytes.NewReader(k.body), http.Header{
		"Content-Type": {k.contentType}, "X-Tag": {"a", "b"}, "Traceparent": {"00-" + traceID + "-" + spanID + "-01"},
	})
	if k.contentEncoding != "" {
		request.Header.Set("Content-Encoding", k.contentEncoding)
	}
	response, err := (&http.Transport{DisableCompression: true}).RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, k.body, got, k.name)
	return id
}

// hasMirrored compares the record that the store has of a body.
func (s *stand) hasMirrored(t *testing.T, to sink, k kind, id string) {
	want := map[string]string{
		"http.request.method": "POST", "http.response.status_code": "200", "http.route": "echo", "service.name": "shop",
		"severity": "INFO", "trace_id": traceID, "span_id": spanID,
	}
	for _, direction := range []string{"http.request.body", "http.response.body"} {
		want[direction+".size"] = strconv.Itoa(len(k.body))
		for key, value := range k.want {
			want[direction+key] = value
		}
		if list, ok := k.want[".json"]; ok && to.noLists && list != "-" {
			delete(want, direction+".json")
			want[direction+".content"], want[direction+".encoding"] = list, "text"
		}
	}
	record := s.record(t, id)
	assert.Regexp(t, `^POST /script/.* 200`, record["message"])
	at, err := time.Parse(time.RFC3339Nano, record["time"])
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, time.Minute)
	shown := map[string]string{}
	for key, value := range want {
		shown[to.name(key)] = value
	}
	says(t, takenApart(record), shown)
}

// takenApart adds what is in a body, where the store has it as one text.
func takenApart(record lab.Record) map[string]string {
	all := maps.Clone(record)
	for key, text := range record {
		if !strings.HasSuffix(key, "_json") {
			continue
		}
		var document map[string]any
		if json.Unmarshal([]byte(text), &document) == nil {
			spread(all, key, document)
		}
	}
	return all
}

func spread(all lab.Record, key string, value any) {
	object, ok := value.(map[string]any)
	for name, inner := range object {
		spread(all, key+"_"+name, inner)
	}
	if text, isText := value.(string); isText {
		all[key] = text
	} else if !ok {
		text, _ := json.Marshal(value)
		all[key] = string(text)
	}
}

// findsAsDocumented runs the queries that docs/sinks.md gives for a sink.
func (s *stand) findsAsDocumented(t *testing.T, to sink, id string) {
	for _, block := range regexp.MustCompile("(?s)```(logsql|logql|json)\n(.*?)```").FindAllStringSubmatch(section(t, to.heading), -1) {
		query := strings.TrimSpace(strings.ReplaceAll(block[2], "7f9c0e1a-5b8d-4c2e-9a61-0d3f5e7b9c21", id))
		if strings.Contains(query, `"sink"`) {
			continue
		}
		var found []lab.Record
		var err error
		switch store := s.logs.(type) {
		case *lab.Store:
			var rows []map[string]string
			rows, err = store.Query(t.Context(), query)
			for _, row := range rows {
				found = append(found, row)
			}
		case *lab.Loki:
			found, err = store.Query(t.Context(), query)
		case *lab.OpenSearch:
			found, err = store.Query(t.Context(), query)
		}
		require.NoError(t, err, query)
		assert.True(t, slices.ContainsFunc(found, func(r lab.Record) bool { return r[to.name("envoy.request_id")] == id }), "%s finds %v", query, found)
	}
}
