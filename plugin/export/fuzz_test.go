package export_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/queue"
)

// An answer is a sink's to write: whatever it is, each record has one fate, and
// only what was sent is sent again.

func FuzzAnyOTLPAnswerGivesEachRecordOneFate(f *testing.F) {
	f.Add(200, `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too dark"}}`)
	f.Add(200, `{"partialSuccess":{"rejectedLogRecords":-1e400}}`)
	f.Add(503, "")
	fuzz(f, config.OTLP)
}

func FuzzAnyBulkAnswerGivesEachRecordOneFate(f *testing.F) {
	f.Add(200, items(201, 429, 400, 409, 503, 201))
	f.Add(200, items(201, 429, 400)[:70])
	f.Add(200, `{"errors":true,"items":[{"create":{"status":-201}},{"a":{"b":[[[[`)
	f.Add(429, "slow down")
	fuzz(f, config.Elasticsearch)
}

func FuzzAnyLokiAnswerGivesEachRecordOneFate(f *testing.F) {
	f.Add(400, `2 errors like: entry for stream '{http_route="r0"}' has timestamp too old: x; 1 errors like: stream '{http_route="r1", service_name="shop"}' has label value too long: 'r1'`)
	f.Add(400, "entry with timestamp t ignored, reason: 'entry too far behind, x',\nuser 'fake', total ignored: 2 out of 6 for stream: {}")
	f.Add(260, "ingestion blocked for user 'fake' (policy: 'p')")
	f.Add(400, "; 1 errors like: ; ; 0 errors like: ")
	fuzz(f, config.Loki)
}

func fuzz(f *testing.F, sinkType string) {
	f.Fuzz(func(t *testing.T, status int, words string) {
		r := newSinkRig(t, sinkType)
		r.of(queue.Ordinary, "r0", "r1", "r2")
		r.of(queue.Important, "r1", "r1", "r0")
		r.late()
		sent := sentLines(r.sink.Open()[0])
		require.Len(t, sent, 6)
		r.say(status, words)
		holding := r.Holding()
		require.Zero(t, holding.InFlight)
		require.Equal(t, 6, r.ledger.Sum()+int(holding.Waiting))
		for _, n := range r.ledger.Lost {
			require.Positive(t, n)
		}
		if holding.Waiting == 0 {
			require.Zero(t, r.Bytes())
			return
		}
		r.pass(time.Second)
		again := sentLines(r.sink.Open()[0])
		require.Len(t, again, int(holding.Waiting))
		require.Subset(t, sent, again)
		r.say(204, `{"errors":false}`)
		require.Equal(t, 6, r.ledger.Sum())
	})
}

func FuzzNoSecretIsQuoted(f *testing.F) {
	f.Add("s3cr3t-t0ken", "you sent authorization: Bearer s3cr3t-t0ken", 0)
	f.Add("pass word", `{"error":"bad credential pass+word"}`, 3)
	f.Add("a\"b\\c</>&", `a\"b\\c\u003c/\u003e\u0026`, 190)
	f.Add("abcd", "ABCD", 198)
	f.Fuzz(func(t *testing.T, secret, words string, at int) {
		if len(secret) < 4 || len(secret) > 1000 || strings.Contains(secret, "\x00") { // of a header no value has it
			return
		}
		c := config.Config{Sink: settings()}
		c.Sink.Headers = []config.Attribute{{Name: "authorization", Value: secret}}
		r := newRig(t, nil)
		r.Exporter = export.New(&c, encode.Envelope{}, r.sink.Send, r.ledger, func() float64 { return 0 }, func(m string) { r.warned = append(r.warned, m) })
		r.add(queue.Ordinary, "a", 1)
		r.late()
		if at = at % (len(words) + 1); at < 0 {
			at = 0
		}
		r.say(400, words[:at]+secret+words[at:])
		_, quoted, _ := strings.Cut(r.warned[0], ": ")
		quote, err := strconv.Unquote(quoted)
		require.NoError(t, err)
		quote = strings.ReplaceAll(quote, "[secret]", "\x00\x00") // what stands on both sides of one does not add up
		require.NotContains(t, lowered(quote), lowered(secret))
	})
}

// lowered is a text in lower case as far as ASCII goes.
func lowered(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
