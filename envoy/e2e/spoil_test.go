package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// spoiler stands between Envoy and a store, and breaks one record of each request in a way that the store refuses.
type spoiler struct {
	*httptest.Server
	mutex    sync.Mutex
	broken   map[string]bool // by the ids of their requests
	requests int
	gzipped  int
}

// spoil changes a request's body, and gives the id of the record that it broke; or none. What the store answers is passed
// on, or answer instead of it, where that is not empty.
type spoil func(body []byte) (spoilt []byte, id, answer string)

func startSpoiler(t *testing.T, store lab.LogStore, way spoil) *spoiler {
	s := &spoiler{broken: map[string]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, zipped, err := plainBody(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		spoilt, id, instead := way(body)
		s.mutex.Lock()
		s.requests++
		if zipped {
			s.gzipped++
		}
		if id != "" {
			s.broken[id] = true
		}
		s.mutex.Unlock()
		request, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+store.Cluster().Address+r.URL.RequestURI(), bytes.NewReader(spoilt))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		request.Header.Set("Content-Type", r.Header.Get("Content-Type"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		if instead != "" && response.StatusCode == http.StatusOK {
			io.WriteString(w, instead)
			return
		}
		io.Copy(w, response.Body)
	}))
	t.Cleanup(s.Close)
	return s
}

func plainBody(r *http.Request) (body []byte, zipped bool, err error) {
	var from io.Reader = r.Body
	if zipped = r.Header.Get("Content-Encoding") == "gzip"; zipped {
		if from, err = gzip.NewReader(from); err != nil {
			return nil, true, err
		}
	}
	body, err = io.ReadAll(from)
	return body, zipped, err
}

var (
	dottedID     = regexp.MustCompile(`"envoy\.request_id":"([^"]*)"`)
	underscoreID = regexp.MustCompile(`"envoy_request_id":"([^"]*)"`)
	statusCode   = regexp.MustCompile(`"http\.response\.status_code":\d+`)
)

func idIn(record []byte, field *regexp.Regexp) string {
	if found := field.FindSubmatch(record); found != nil {
		return string(found[1])
	}
	return ""
}

// cutLine makes the first line no JSON.
func cutLine(body []byte) ([]byte, string, string) {
	line, rest, _ := bytes.Cut(body, []byte("\n"))
	return append(append(line[:len(line)-1:len(line)-1], '\n'), rest...), idIn(line, dottedID), ""
}

// wrongType makes a text of the first document's status, which is to be a number.
func wrongType(body []byte) ([]byte, string, string) {
	lines := bytes.SplitAfterN(body, []byte("\n"), 3)
	lines[1] = statusCode.ReplaceAll(lines[1], []byte(`"http.response.status_code":"none"`))
	return bytes.Join(lines, nil), idIn(lines[1], dottedID), ""
}

// refusedByBackend takes the first log record out, and tells as OTLP asks of a backend that refuses one.
func refusedByBackend(body []byte) ([]byte, string, string) {
	open := []byte(`"logRecords":[`)
	start := bytes.Index(body, open) + len(open)
	var first json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(body[start:]))
	if decoder.Decode(&first) != nil {
		return body, "", ""
	}
	rest := bytes.TrimPrefix(body[start+int(decoder.InputOffset()):], []byte(","))
	id := regexp.MustCompile(`"envoy\.request_id","value":\{"stringValue":"([^"]*)"`)
	return append(body[:start:start], rest...), idIn(first, id), `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no room for one"}}`
}

// push is a request in Loki's dialect.
type push struct {
	Streams []struct {
		Stream map[string]string   `json:"stream"`
		Values [][]json.RawMessage `json:"values"`
	} `json:"streams"`
}

// retimed gives the last entry of the last stream another time. Loki tells of an entry that is far behind its stream in
// the last stream alone, and it is behind only where another is before it.
func retimed(by time.Duration) spoil {
	return func(body []byte) ([]byte, string, string) {
		var request push
		if json.Unmarshal(body, &request) != nil {
			return body, "", ""
		}
		entries := request.Streams[len(request.Streams)-1].Values
		if len(entries) < 2 {
			return body, "", ""
		}
		last := entries[len(entries)-1]
		last[0] = json.RawMessage(fmt.Sprintf(`"%d"`, time.Now().Add(by).UnixNano()))
		spoilt, _ := json.Marshal(request)
		return spoilt, idIn(last[2], underscoreID), ""
	}
}

// spoiling is a way to break a record for a sink, and what is to become of it.
type spoiling struct {
	name   string
	to     string // heading of the sink
	way    spoil
	reason string // of routelens_records_dropped_total; empty: the store says nothing, and it counts as delivered
}

var spoilings = []spoiling{
	{"a line that VictoriaLogs drops without a word", "VictoriaLogs, lines of JSON", cutLine, ""},
	{"a log record that a backend refuses by partial success", "OpenTelemetry Collector", refusedByBackend, "rejected"},
	{"an entry too old for Loki", "Loki", retimed(-30 * 24 * time.Hour), "too_old"},
	{"an entry far behind its stream in Loki", "Loki", retimed(-2 * time.Hour), "out_of_order"},
	{"a document of the wrong type for OpenSearch", "Elasticsearch and OpenSearch", wrongType, "rejected"},
}

func TestASinkThatRefusesOneRecordOfEachBatchHoldsTheOthers(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		for _, to := range sinks {
			for _, c := range spoilings {
				if c.to == to.heading {
					t.Run(c.name, func(t *testing.T) { spoilOneOfEach(t, wasm, to, c) })
				}
			}
		}
	})
}

func spoilOneOfEach(t *testing.T, wasm string, to sink, c spoiling) {
	store := to.start(t)
	between := startSpoiler(t, store, c.way)
	plugin := documented(t, to.heading, unhurried)
	plugin["sink.compression"] = "gzip"
	s := open(t, standOptions{wasm: wasm, logs: store, sink: strings.TrimPrefix(between.URL, "http://"), concurrency: 4, plugin: plugin})
	report := s.load(t, lab.Load{Mix: lab.ShopMix(), Total: spoiltRequests, Workers: 32})
	sent, stats := s.reconcileCounters(t, report)
	pipeline, broken := stats.Pipeline(), len(between.broken)
	t.Logf("%d requests to the sink, %d of them gzipped, %d with a broken record; %s", between.requests, between.gzipped, broken, pipeline)
	require.Zero(t, pipeline.Retries, "what is sent again is broken again")
	assert.Positive(t, broken)
	assert.Positive(t, between.gzipped)
	assert.Equal(t, sent, pipeline.Emitted)
	if c.reason == "" {
		assert.Equal(t, sent, pipeline.Delivered)
	} else {
		assert.Equal(t, sent-broken, pipeline.Delivered)
		assert.EqualValues(t, broken, stats.Sum(metrics.Dropped, "reason="+c.reason), "dropped as "+c.reason)
		assert.EqualValues(t, broken, stats.Sum(metrics.Dropped), "and for no other reason")
	}
	missing, doubled := s.compare(t, report)
	assert.Empty(t, lab.Examples(doubled))
	assert.Len(t, missing, broken)
	for _, id := range missing {
		if !between.broken[id] {
			assert.Fail(t, "a record that was not broken is missing", id)
			break
		}
	}
}
