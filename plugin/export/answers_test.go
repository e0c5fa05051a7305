package export_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/export/sinktest"
	"github.com/routelens/routelens/plugin/jsontext"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
)

// newSinkRig is a rig whose sink speaks a dialect. Its requests are records on
// lines all the same; those of loki stand stream by stream.
func newSinkRig(t testing.TB, sinkType string) *rig {
	r := newRig(t, nil)
	s := settings()
	s.Type = sinkType
	envelope := encode.Envelope{}
	if sinkType == config.Loki {
		envelope = encode.Envelope{GroupOpen: "#", GroupMid: "\n"}
	}
	r.Exporter = export.New(&config.Config{Sink: s}, envelope, r.sink.Send, r.ledger, func() float64 { return r.random }, func(m string) { r.warned = append(r.warned, m) })
	return r
}

// of adds one frame whose records are of these routes.
func (r *rig) of(class queue.Class, routes ...string) {
	b := queue.NewBuilder(class)
	for i, route := range routes {
		b.Add(streams{}, &record.Record{Route: route, Path: fmt.Sprint(route, i)})
	}
	f, ok := queue.Parse(append([]byte(nil), b.Frame()...))
	require.True(r.t, ok)
	r.Add(f, r.now)
}

// streams encodes a record as its path on a line, in the stream of its route.
type streams struct{ lines }

func (streams) AppendKey(dst []byte, r *record.Record) []byte {
	return append(jsontext.AppendString(append(dst, `{"service_name":"shop","http_route":`...), r.Route), '}')
}

// say answers the oldest open request with words.
func (r *rig) say(status int, words string) {
	open := r.sink.Open()
	require.NotEmpty(r.t, open, "a request should be under way")
	open[0].Say(r.now, status, words)
}

// items is a bulk answer with one item for each status.
func items(statuses ...int) string {
	var b strings.Builder
	failed := false
	for i, status := range statuses {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"create":{"_index":".ds-logs-1","status":%d`, status)
		if status >= 400 {
			failed = true
			fmt.Fprintf(&b, `,"error":{"type":"type_%d","reason":"as it is"}`, status)
		}
		b.WriteString("}}")
	}
	return fmt.Sprintf(`{"took":3,"errors":%t,"items":[%s]}`, failed, b.String())
}

func TestAnAnswerTellsWhatBecameOfEachRecord(t *testing.T) {
	const ndjson, otlp, bulk, loki = config.NDJSON, config.OTLP, config.Elasticsearch, config.Loki
	type lost = map[metrics.Reason]int
	// Six records: two of each of three streams. In Loki's requests they stand stream
	// by stream.
	const r0, r1 = `'{http_route="r0", service_name="shop"}'`, `'{http_route="r1", service_name="shop"}'`
	const old = "entry for stream " + r0 + " has timestamp too old: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-01-02T00:00:00Z"
	const future = "entry for stream " + r1 + " has timestamp too new: 2027-01-01T00:00:00Z"
	const long = "stream " + r0 + " has label value too long: 'r0'"
	const behind = "entry with timestamp 2026-01-01 00:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-01-01T01:00:00Z',\n"
	const limited = "entry with timestamp 2026-01-01 00:00:00 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream '{}' totaling 1kB, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased',\n"
	const ignored = "user 'fake', total ignored: %d out of %d for stream: {http_route=\"r0\"}"
	for _, c := range []struct {
		name    string
		sink    string
		status  int
		words   string
		done    int
		lost    lost
		unknown int
		again   string // records that are sent again
		warns   string
	}{
		{"ndjson: nothing is read but the status", ndjson, 200, `{"errors":true,"partialSuccess":{"rejectedLogRecords":3}}`, 6, nil, 0, "", ""},

		{"otlp: no words", otlp, 200, "", 6, nil, 0, "", ""},
		{"otlp: an empty object", otlp, 200, "{}", 6, nil, 0, "", ""},
		{"otlp: an empty partial success", otlp, 200, `{"partialSuccess":{}}`, 6, nil, 0, "", ""},
		{"otlp: a number of rejected ones", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":2,"errorMessage":"too dark"}}`, 4, lost{metrics.Rejected: 2}, 0, "", "too dark"},
		{"otlp: the number as a text", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":"2"}}`, 4, lost{metrics.Rejected: 2}, 0, "", "refused 2 of 6"},
		{"otlp: none rejected is a warning", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"be quick"}}`, 6, nil, 0, "", "took all records, but warns: \"be quick\""},
		{"otlp: more rejected than sent", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":"9223372036854775807"}}`, 0, lost{metrics.Rejected: 6}, 0, "", "refused"},
		{"otlp: as many as an int of 32 bits turns to 1", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":4294967297}}`, 0, lost{metrics.Rejected: 6}, 0, "", "refused"},
		{"otlp: fewer than none", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":-3}}`, 6, nil, 0, "", ""},
		{"otlp: no number", otlp, 200, `{"partialSuccess":{"rejectedLogRecords":{"a":1}}}`, 6, nil, 0, "", ""},
		{"otlp: no JSON", otlp, 200, "\x0a\x02\x08\x03", 6, nil, 0, "", ""},
		{"otlp: 500 is for good", otlp, 500, "broken", 0, lost{metrics.Rejected: 6}, 0, "", "broken"},
		{"otlp: 503 is not", otlp, 503, "", 0, nil, 0, "r00 r11 r22 r03 r14 r25", "status 503"},

		{"bulk: no errors", bulk, 200, items(201, 201, 201, 201, 201, 201), 6, nil, 0, "", ""},
		{"bulk: no errors, and no items", bulk, 200, `{"errors":false}`, 6, nil, 0, "", ""},
		{"bulk: no errors, cut after", bulk, 200, items(201)[:40], 6, nil, 0, "", ""},
		{"bulk: errors behind the items", bulk, 200, `{"items":[{"create":{"status":400,"x":"` + strings.Repeat("x", 5000) + `"}}],"errors":false}`, 6, nil, 0, "", ""},
		{"bulk: one refused", bulk, 200, items(201, 201, 400, 201, 201, 201), 5, lost{metrics.Rejected: 1}, 0, "", "refused 1 of 6 records with status 200: \"type_400: as it is\""},
		{"bulk: an id that is there already", bulk, 200, items(201, 409, 400, 201, 201, 201), 5, lost{metrics.Rejected: 1}, 0, "", "type_400"},
		{"bulk: some to be sent again", bulk, 200, items(201, 429, 201, 503, 400, 500), 2, lost{metrics.Rejected: 1}, 0, "r11 r03 r25", "refused 1 of 6"},
		{"bulk: all to be sent again", bulk, 200, items(429, 429, 429, 429, 429, 429), 0, nil, 0, "r00 r11 r22 r03 r14 r25", "put off 6 of 6 records"},
		{"bulk: of other actions", bulk, 200, `{"errors":true,"items":[{"index":{"status":200}},{"update":{"status":404}},{"x":{"status":201}}]}`, 2, lost{metrics.Rejected: 1}, 3, "", "did not tell"},
		{"bulk: fewer items than records", bulk, 200, items(201, 400, 429), 1, lost{metrics.Rejected: 1}, 3, "r22", "type_400"},
		{"bulk: more items than records", bulk, 200, items(201, 400, 201, 201, 201, 201, 400, 429), 5, lost{metrics.Rejected: 1}, 0, "", "refused 1 of 6"},
		{"bulk: cut within an item", bulk, 200, items(201, 400, 201)[:len(items(201, 400))], 1, lost{metrics.Rejected: 1}, 4, "", "type_400"},
		{"bulk: cut within a number", bulk, 200, `{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":20`, 1, nil, 5, "", "did not tell"},
		{"bulk: errors and no items", bulk, 200, `{"errors":true}`, 0, nil, 6, "", "did not tell"},
		{"bulk: items that are no list", bulk, 200, `{"errors":true,"items":{"create":{"status":201}}}`, 0, nil, 6, "", "did not tell"},
		{"bulk: items that are no items", bulk, 200, `{"errors":true,"items":[null,1,"a",[],{},{"create":{"status":"201"}}]}`, 0, nil, 6, "", "did not tell"},
		{"bulk: statuses that are none", bulk, 200, items(0, 99, 600, 201, 1000, 4294967497), 1, nil, 5, "", "type_"},
		{"bulk: no bulk answer", bulk, 200, "<html>welcome</html>", 0, nil, 6, "", "welcome"},
		{"bulk: no words", bulk, 200, "", 0, nil, 6, "", "did not tell"},
		{"bulk: refused as a whole", bulk, 400, items(201, 201), 0, lost{metrics.Rejected: 6}, 0, "", "status 400"},
		{"bulk: an error that is a text", bulk, 200, `{"errors":true,"items":[{"create":{"status":400,"error":"no"}},{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]}`, 5, lost{metrics.Rejected: 1}, 0, "", "\"no\""},

		{"loki: taken", loki, 204, "", 6, nil, 0, "", ""},
		{"loki: one too old", loki, 400, old + "\n", 5, lost{metrics.TooOld: 1}, 0, "", "too old"},
		{"loki: several too old", loki, 400, "2 errors like: " + old, 4, lost{metrics.TooOld: 2}, 0, "", "too old"},
		{"loki: some too old, some too new", loki, 400, "1 errors like: " + future + "; 2 errors like: " + old, 3, lost{metrics.TooOld: 2, metrics.Rejected: 1}, 0, "", "refused 3 of 6"},
		{"loki: a text that has a semicolon", loki, 400, "1 errors like: stream '{a=\"; \"}' has structured metadata too large: '70000' bytes, limit: '65536' bytes; 2 errors like: " + old, 3, lost{metrics.TooOld: 2, metrics.Rejected: 1}, 0, "", ""},
		{"loki: a line too long", loki, 400, "max entry size '262144' bytes exceeded for stream " + r0 + " while adding an entry with length '262145' bytes", 5, lost{metrics.Rejected: 1}, 0, "", "max entry size"},
		{"loki: a stream refused", loki, 400, long, 4, lost{metrics.Rejected: 2}, 0, "", "label value too long"},
		{"loki: a stream refused and an entry too new", loki, 400, "1 errors like: " + long + "; 1 errors like: " + future, 3, lost{metrics.Rejected: 3}, 0, "", ""},
		{"loki: a stream that is named twice", loki, 400, "1 errors like: " + long + "; 1 errors like: " + long, 0, lost{metrics.Rejected: 6}, 0, "", ""},
		{"loki: a stream that is none of ours", loki, 400, "stream '{a=\"b\"}' has label name too long: 'a'", 0, lost{metrics.Rejected: 6}, 0, "", ""},
		{"loki: too far behind", loki, 400, behind + behind + fmt.Sprintf(ignored, 2, 2), 4, lost{metrics.OutOfOrder: 2}, 0, "", "too far behind"},
		{"loki: more of them than lines", loki, 400, behind + fmt.Sprintf(ignored, 5, 6), 1, lost{metrics.OutOfOrder: 5}, 0, "", ""},
		{"loki: some of them for their number", loki, 400, limited + behind + fmt.Sprintf(ignored, 3, 6), 3, lost{metrics.OutOfOrder: 2, metrics.Rejected: 1}, 0, "", ""},
		{"loki: more ignored than sent", loki, 400, behind + fmt.Sprintf(ignored, 20, 20), 0, lost{metrics.OutOfOrder: 6}, 0, "", ""},
		{"loki: ignored without a number", loki, 400, behind + "total ignored: some", 0, lost{metrics.Rejected: 6}, 0, "", ""},
		{"loki: not to be read at all", loki, 400, "loghttp.PushRequest.Streams: []loghttp.LogProtoStream: unmarshalerDecoder: Value looks like Number/Boolean/None", 0, lost{metrics.Rejected: 6}, 0, "", "loghttp"},
		{"loki: 400 without a word", loki, 400, "", 0, lost{metrics.Rejected: 6}, 0, "", "status 400"},
		{"loki: a number beyond any", loki, 400, "99999999999999999999999999 errors like: " + old, 0, lost{metrics.TooOld: 6}, 0, "", ""},
		{"loki: blocked", loki, 260, "ingestion blocked for user 'fake' until '2030-01-01T00:00:00Z' with status code '260'", 0, lost{metrics.Rejected: 6}, 0, "", "blocked"},
		{"loki: a policy's streams blocked", loki, 260, "ingestion blocked for user 'fake' (policy: 'p') until '2030-01-01T00:00:00Z' with status code '260'", 0, nil, 6, "", "blocked"},
		{"loki: another success", loki, 202, "welcome", 6, nil, 0, "", ""},
		{"loki: 429 has no part that is told of", loki, 429, behind + fmt.Sprintf(ignored, 2, 6), 0, nil, 0, "r00 r11 r22 r03 r14 r25", "status 429"},
		{"loki: what is cut leaves the rest open", loki, 400, "1 errors like: " + old + "; " + strings.Repeat("1 errors like: "+future+" and ", 2000), 0, lost{metrics.TooOld: 1, metrics.Rejected: 1}, 4, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newSinkRig(t, c.sink)
			r.of(queue.Ordinary, "r0", "r1", "r2", "r0", "r1", "r2")
			r.late()
			r.now = r.now.Add(time.Millisecond)
			r.say(c.status, c.words)
			if c.lost == nil {
				c.lost = lost{}
			}
			assert.Equal(t, c.done, r.ledger.Done, "delivered")
			assert.Equal(t, c.lost, r.ledger.Lost, "lost")
			assert.Equal(t, c.unknown, r.ledger.Unknown, "unconfirmed")
			assert.Zero(t, r.Holding().InFlight)
			if c.warns == "" && c.done == 6 {
				assert.Empty(t, r.warned)
			} else {
				require.NotEmpty(t, r.warned)
				assert.Contains(t, r.warned[0], c.warns)
			}
			wanted := strings.Fields(c.again)
			assert.EqualValues(t, len(wanted), r.Holding().Waiting)
			assert.Equal(t, min(len(wanted), 1), r.ledger.Retries)
			if len(wanted) > 0 {
				r.pass(time.Second)
				assert.ElementsMatch(t, wanted, sentLines(r.sink.Open()[0]))
			}
		})
	}
}

// sentLines are the records of a request.
func sentLines(q *sinktest.Request) (names []string) {
	for line := range strings.Lines(string(q.Body)) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSuffix(line, "\n"))
		}
	}
	return names
}

func TestWhatIsSentAgainKeepsItsClassItsOrderAndTheTimeOfItsFirstAttempt(t *testing.T) {
	r := newSinkRig(t, config.Elasticsearch)
	first := r.now
	r.add(queue.Ordinary, "o", 3)
	r.add(queue.Important, "i", 3)
	r.add(queue.Ordinary, "p", 2)
	r.Pump(r.now, true)
	require.Equal(t, "i0\ni1\ni2\no0\no1\no2\np0\np1\n", string(r.sink.Requests[0].Body))
	bytes := r.Bytes()
	r.say(200, items(201, 429, 429, 429, 201, 429, 201, 201))
	assert.Equal(t, queue.Holding{Waiting: 4}, r.Holding())
	assert.Less(t, r.Bytes(), bytes)
	r.add(queue.Important, "j", 1)
	r.pass(time.Second)
	assert.Equal(t, "i1\ni2\nj0\no0\no2\n", string(r.sink.Requests[1].Body))
	r.say(200, items(429, 201, 201, 201, 201))
	var left queue.Frame
	r.GiveBack(func(b []byte) (ok bool) { left, ok = queue.Parse(b); return ok })
	assert.Equal(t, 1, left.Count)
	assert.Equal(t, queue.Important, left.Class)
	assert.Equal(t, first.UnixNano(), left.Tried())
	assert.Equal(t, 7+1, r.ledger.Done)
	assert.Zero(t, r.Bytes())
}

func TestARecordIsFoundAgainWhereverItStoodInTheRequest(t *testing.T) {
	r := newRig(t, nil)
	s := settings()
	s.Type = config.Elasticsearch // its answers, for records that stand group by group
	r.Exporter = export.New(&config.Config{Sink: s}, encode.Envelope{GroupOpen: "#", GroupMid: "\n"}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(string) {})
	r.of(queue.Ordinary, "a", "b", "a", "c")
	r.of(queue.Ordinary, "c", "b", "a")
	r.late()
	require.Equal(t, []string{"a0", "a2", "a2", "b1", "b1", "c3", "c0"}, sentLines(r.sink.Requests[0]))
	r.say(200, items(201, 429, 201, 201, 429, 429, 201))
	r.pass(time.Second)
	assert.Equal(t, []string{"a2", "c3", "b1"}, sentLines(r.sink.Requests[1]), "the rest of the first frame, then that of the second")
}

func TestOneRecordThatASinkNeverTakesDelaysNoOthers(t *testing.T) {
	r := newSinkRig(t, config.Elasticsearch)
	r.random = 0.999
	r.add(queue.Ordinary, "a", 2)
	r.late()
	for i := range 20 {
		r.now = r.now.Add(time.Millisecond)
		statuses := []int{500}
		for range sentLines(r.sink.Open()[0])[1:] {
			statuses = append(statuses, 201)
		}
		r.say(200, items(statuses...))
		r.add(queue.Ordinary, fmt.Sprint("b", i), 1)
		r.pass(time.Second)
		require.Equal(t, 1, r.open(), "the wait is still the first one")
	}
	assert.Equal(t, 20, r.ledger.Done)
}

func TestTheItemsOfABatchThatWentWellAreNotRead(t *testing.T) {
	r := newSinkRig(t, config.Elasticsearch)
	for range 10 {
		r.add(queue.Ordinary, "a", 5)
	}
	r.Pump(r.now, true)
	read := 0
	statuses := make([]int, 50)
	for i := range statuses {
		statuses[i] = 201
	}
	answer := items(statuses...) + strings.Repeat(" ", 1<<20)
	r.sink.Open()[0].Give(r.now, export.Response{Status: 200, Body: func(most int) []byte {
		read += min(most, len(answer))
		return []byte(answer[:min(most, len(answer))])
	}})
	assert.Equal(t, 50, r.ledger.Done)
	assert.LessOrEqual(t, read, 4<<10)
}

func TestAnAnswerForEachOfALargeBatchIsReadWhole(t *testing.T) {
	r := newRig(t, nil)
	s := settings()
	s.Type, s.Batch.MaxRecords, s.Batch.MaxBytes, s.Buffer.MaxBytes = config.Elasticsearch, 2000, 1<<20, 4<<20
	r.Exporter = export.New(&config.Config{Sink: s}, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(string) {})
	r.add(queue.Ordinary, "a", 2000)
	r.late()
	var b strings.Builder
	b.WriteString(`{"took":30,"errors":true,"items":[`)
	for i := range 2000 {
		if i > 0 {
			b.WriteByte(',')
		}
		if i == 1999 {
			b.WriteString(`{"create":{"status":400,"error":{"type":"t"}}}`)
			continue
		}
		b.WriteString(`{"create":{"_index":".ds-logs-routelens-default-2026.11.25-000001","_id":"abcdefghijklmnopqrst","_version":1,"result":"created","_shards":{"total":2,"successful":1,"failed":0},"_seq_no":1234567,"_primary_term":1,"status":201}}`)
	}
	b.WriteString("]}")
	require.Greater(t, b.Len(), 400<<10)
	r.say(200, b.String())
	assert.Equal(t, 1999, r.ledger.Done)
	assert.Equal(t, 1, r.ledger.Lost[metrics.Rejected])
}

func TestASinkThatWarnsIsToldOfWhenItBegins(t *testing.T) {
	r := newSinkRig(t, config.OTLP)
	const warning, partial = `{"partialSuccess":{"errorMessage":"slow down"}}`, `{"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"one is bad"}}`
	for _, words := range []string{warning, warning, partial, partial, warning, "{}", warning, partial} {
		r.add(queue.Ordinary, "a", 2)
		r.late()
		r.say(200, words)
	}
	require.Len(t, r.warned, 4, "%q", r.warned)
	for i, part := range []string{"slow down", "one is bad", "slow down", "one is bad"} {
		assert.Contains(t, r.warned[i], part)
	}
	assert.Equal(t, 3, r.ledger.Lost[metrics.Rejected])
	assert.Equal(t, 13, r.ledger.Done)
}

func TestTheStreamsOfATextAreFoundAsLokiWritesThem(t *testing.T) {
	r := newSinkRig(t, config.Loki)
	odd := "a\"b\\c\n\u00e4"
	r.of(queue.Ordinary, odd, "r1", odd)
	r.late()
	labels, err := json.Marshal(odd) // as strconv.Quote has it, for these
	require.NoError(t, err)
	r.say(400, `stream '{http_route=`+string(labels)+`, service_name="shop"}' has label value too long: 'x'`)
	assert.Equal(t, 2, r.ledger.Lost[metrics.Rejected])
	assert.Equal(t, 1, r.ledger.Done)
}
