package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/capture"
	"github.com/routelens/routelens/plugin/capture/capturetest"
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/secretstest"
)

// observer takes exchanges from the proxy's callbacks to a record in a dialect.
type observer struct {
	host    *capturetest.Host
	capture *capture.Capturer
	dialect encode.Dialect
	line    []byte
}

func newObserver(t *testing.T, hiding, dialect string, maxBytes int) *observer {
	c, err := config.Parse(fmt.Appendf(nil, `{
		"sink": {"cluster": "logs", "type": %q, "batch": {"max_bytes": "4MiB"}, "buffer": {"max_bytes": "8MiB"}}, "sampling": {"rate": 1},
		"bodies": {
			"request": {"rate": 1, "max_bytes": "%dB", "content_types": ["*/*"]}, "response": {"rate": 1, "max_bytes": "%dB", "content_types": ["*/*"]},
			"grpc": true
		},%s}`, dialect, maxBytes, maxBytes, hiding))
	require.NoError(t, err)
	host := &capturetest.Host{Attributes: map[string][]byte{"response.code": capturetest.Int(200), "request.method": []byte("POST")}}
	return &observer{host: host, capture: capture.New(host, &c, every{}), dialect: encode.New(&c)}
}

// every is a budget without bounds.
type every struct{}

func (every) Admit(string) (admitted, final bool) { return true, true }

// observe gives the record as it goes to the sink.
func (o *observer) observe(e *secretstest.Exchange, random *rand.Rand) []byte {
	o.host.Request, o.host.Response, o.host.Trailers, o.host.Answered = e.Request, e.Response, e.Trailers, e.Answered
	o.host.Attributes["request.url_path"] = []byte(e.Path)
	p := &capture.Passed{Begun: true, Ended: true, ResponseTrailers: true}
	o.capture.RequestHead(p, len(e.RequestBody) == 0)
	chunked(e.RequestBody, random, func(chunk []byte) { o.host.Chunk = chunk; o.capture.RequestChunk(p, len(chunk)) })
	p.Trailers = o.capture.Trailers()
	o.capture.ResponseHead(p, len(e.ResponseBody) == 0)
	chunked(e.ResponseBody, random, func(chunk []byte) { o.host.Chunk = chunk; o.capture.ResponseChunk(p, len(chunk)) })
	r := o.capture.Decide(p)
	o.capture.Complete(r, p)
	o.line = o.dialect.Append(o.dialect.AppendKey(o.line[:0], r), r)
	o.capture.Release(p)
	return o.line
}

func chunked(body []byte, random *rand.Rand, pass func(chunk []byte)) {
	for len(body) > 0 {
		n := min(len(body), 1+random.IntN(1+random.IntN(2000)))
		pass(body[:n])
		body = body[n:]
	}
}

// shown are all texts that a reader of a record can make of it.
func shown(line []byte) []string {
	var texts []string
	var see func(text string, depth int)
	see = func(text string, depth int) {
		texts = append(texts, text)
		if depth > 4 {
			return
		}
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && len(decoded) > 8 {
			see(string(decoded), depth+1)
		}
		if strings.Contains(text, "%") || strings.Contains(text, "+") {
			for pair := range strings.SplitSeq(text, "&") {
				if decoded, err := url.QueryUnescape(pair); err == nil && decoded != pair {
					see(decoded, depth+1)
				}
			}
		}
		for from := 0; from < len(text); { // JSON anywhere within, as a form's value is
			at := strings.IndexAny(text[from:], "{[")
			if at < 0 {
				break
			}
			documents := json.NewDecoder(strings.NewReader(text[from+at:]))
			documents.UseNumber()
			var document any
			if documents.Decode(&document) != nil {
				from += at + 1
				continue
			}
			from += at + int(documents.InputOffset())
			leaves(document, func(leaf string) { see(leaf, depth+1) })
		}
	}
	see(string(line), 0)
	return texts
}

func leaves(value any, visit func(string)) {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			visit(key)
			leaves(v, visit)
		}
	case []any:
		for _, v := range value {
			leaves(v, visit)
		}
	case string:
		visit(value)
	case json.Number:
		visit(value.String())
	}
}

// window is how long a part of a secret must be to tell something.
const window = 8

func leaked(texts []string, s secretstest.Secret) bool {
	hidden := s.Text[:len(s.Text)-s.Shown]
	for at := 0; ; at++ {
		end := min(at+window, len(hidden))
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, hidden[at:end]) }) {
			return true
		}
		if end == len(hidden) {
			return false
		}
	}
}

var secretDialects = []string{config.NDJSON, config.Loki, config.OTLP, config.Elasticsearch}

// observers are one for each dialect and bound.
func observers(t *testing.T, hiding string) (all []*observer) {
	for _, dialect := range secretDialects {
		for _, maxBytes := range []int{40, 300, 1000, 64 << 10} {
			all = append(all, newObserver(t, hiding, dialect, maxBytes))
		}
	}
	return all
}

func TestNoSecretOfAnExchangeIsInAnyRecord(t *testing.T) {
	all := observers(t, secretstest.Configuration)
	planted, records := 0, map[string]int{}
	for seed := range uint64(secretExchanges) {
		e := secretstest.New(seed)
		random := rand.New(rand.NewPCG(seed, 1))
		at := random.IntN(len(all))
		line := all[at].observe(e, random)
		texts := shown(line)
		for _, s := range e.Secrets {
			planted++
			if leaked(texts, s) {
				t.Errorf("exchange %d, %s: %s %q is in\n%s", seed, secretDialects[at/4], s.Where, s.Text, line)
			}
		}
		for _, form := range []string{".json", ".content", ".omitted"} {
			for _, direction := range []string{"request", "response"} {
				if bytes.Contains(line, []byte("http."+direction+".body"+form)) || bytes.Contains(line, []byte("http_"+direction+"_body_"+form[1:])) {
					records[form]++
				}
			}
		}
		if t.Failed() && seed > 1000 {
			break
		}
	}
	t.Logf("%d secrets in %d exchanges; bodies: %v", planted, secretExchanges, records)
	require.Greater(t, records[".json"], secretExchanges/100, "or nothing was tested")
	require.Greater(t, records[".content"], secretExchanges/100)
}

// Without this the test above could not fail.
func TestSecretsThatNothingHidesAreSeen(t *testing.T) {
	open := strings.Split(secretstest.Configuration, `"redact"`)[0] + `"redact": {}`
	all := observers(t, open)
	planted, seen := map[string]int{}, map[string]int{}
	for seed := range uint64(2000) {
		e := secretstest.New(seed)
		random := rand.New(rand.NewPCG(seed, 1))
		texts := shown(all[random.IntN(len(all))].observe(e, random))
		for _, s := range e.Secrets {
			planted[s.Where]++
			if leaked(texts, s) {
				seen[s.Where]++
			}
		}
	}
	for where, n := range planted {
		if n < 50 || strings.Contains(where, "cookie") || strings.Contains(where, "multipart") {
			continue // cookies are masked without a rule, and of parts only the headers are recorded
		}
		require.NotZero(t, seen[where], "of %d secrets: %s", n, where)
	}
	t.Logf("seen of planted: %d places", len(planted))
}
