package e2e

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// everyBody records every body of any type, up to so many bytes.
func everyBody(maxBytes string) map[string]any {
	return map[string]any{"rate": 1, "max_bytes": maxBytes, "content_types": []string{"*/*"}}
}

func TestWhatIsNamedOrDetectedIsHiddenInTheRecord(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		u := startUpstream(t)
		u.answer(mirror)
		s := open(t, standOptions{
			wasm: wasm,
			plugin: settings{
				"bodies.request": everyBody("4KiB"), "bodies.response": everyBody("4KiB"), "bodies.grpc": true,
				"query": "keep", "headers.request": []string{"cookie", "x-session", "x-note"},
				"redact.key": "sixteen characters, or more",
				"redact.rules": []map[string]any{
					{"body": "**.password"}, {"body": "user.email", "mode": "hash"}, {"body": "cards.#.pan", "mode": "last"}, {"body": "user.notes", "mode": "remove"}, {"body": "7"},
					{"header": "x-session", "mode": "last"}, {"cookie": "theme", "mode": "keep"}, {"query": "token"}, {"path": "/script/{id}", "mode": "mask"},
				},
				"redact.detect": []string{"card", "email"},
			},
			envoy: func(o *config.Options) { u.place(t, o) },
		})
		send := func(t *testing.T, contentType, contentEncoding string, body []byte) map[string]string {
			id := newID()
			header := http.Header{"Content-Type": {contentType}, "Cookie": {"theme=dark; sid=s3cret"}, "X-Session": {"0123456789"}, "X-Note": {"from ada@shop.example"}}
			if contentEncoding != "" {
				header.Set("Content-Encoding", contentEncoding)
			}
			response, echoed := exchange(t, &http.Client{Transport: &http.Transport{DisableCompression: true}}, newRequest(t, "POST", s.Entry+"/script/42?token=s3cret&page=2", id, bytes.NewReader(body), header))
			assert.Equal(t, 200, response.StatusCode)
			assert.Equal(t, string(body), echoed, "it passes as it is")
			return s.record(t, id)
		}
		const document = `{"user":{"email":"ada@shop.example","notes":"s3cret"},"cards":[{"pan":"4111111111111111"}],"a":{"pass\u0077ord":"s3cret"},"said":"write to ada@shop.example"}`
		hidden := map[string]string{
			"http.request.body.json.cards": `[{"pan":"[masked]1111"}]`, "http.request.body.json.a.password": "[masked]", "http.request.body.json.user.notes": "-",
			"http.request.body.json.said": "write to [email]", "http.request.header.cookie": `["theme=dark; sid=[masked]"]`, "http.request.header.x-session": `["[masked]6789"]`,
			"http.request.header.x-note": `["from [email]"]`, "url.query": "token=[masked]&page=2", "url.path": "/script/[masked]",
		}
		t.Run("JSON", func(t *testing.T) {
			record := send(t, "application/json", "", []byte(document))
			says(t, record, hidden)
			assert.Regexp(t, `^\[hash:[0-9a-f]{16}\]$`, record["http.request.body.json.user.email"])
			assert.Equal(t, record["http.request.body.json.user.email"], record["http.response.body.json.user.email"], "equal values have equal hashes")
			assert.NotContains(t, fmt.Sprint(record), "s3cret")
		})
		t.Run("deflated JSON", func(t *testing.T) {
			var deflated bytes.Buffer
			w := zlib.NewWriter(&deflated)
			io.WriteString(w, document)
			w.Close()
			says(t, send(t, "application/json", "deflate", deflated.Bytes()), hidden)
		})
		t.Run("a form", func(t *testing.T) {
			record := send(t, "application/x-www-form-urlencoded", "", []byte("name=Ada&login[password]=s3cret"))
			says(t, record, map[string]string{"http.request.body.content": "name=Ada&login[password]=[masked]"})
		})
		t.Run("multipart", func(t *testing.T) {
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			part, err := form.CreateFormFile("upload", "a.txt")
			require.NoError(t, err)
			io.WriteString(part, "s3cret")
			form.Close()
			record := send(t, form.FormDataContentType(), "", body.Bytes())
			assert.Contains(t, record["http.request.body.json"], `"filename":"a.txt"`)
			assert.Contains(t, record["http.request.body.json"], `"size":6`)
			assert.NotContains(t, fmt.Sprint(record), "s3cret")
		})
		t.Run("UTF-16", func(t *testing.T) {
			says(t, send(t, "application/json; charset=utf-16", "", []byte("\xff\xfe{\x00\"\x00k\x00\"\x00:\x00\"\x00\xe9\x00\"\x00}\x00")), map[string]string{"http.request.body.json.k": "é"})
		})
		t.Run("a text, in which nothing can be named", func(t *testing.T) {
			says(t, send(t, "text/plain", "", []byte("password: s3cret")), map[string]string{"http.request.body.omitted": "not_redactable", "http.request.body.content": "-"})
		})
		t.Run("gRPC", func(t *testing.T) {
			record := send(t, "application/grpc-web+proto", "", []byte("\x00\x00\x00\x00\x10\x0a\x03ada\x10\x96\x01\x3a\x06s3cret"))
			says(t, record, map[string]string{"http.request.body.json": `[{"1":"ada","2":150,"7":"[masked]"}]`})
		})
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2.0, stats.Sum(metrics.BodiesOmitted, "reason=not_redactable"), "of both directions")
	})
}

func TestGRPCMessagesAreReadWithoutTheirSchema(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, plugin: settings{"bodies.request": everyBody("4KiB"), "bodies.response": everyBody("4KiB"), "bodies.grpc": true}})
		id := newID()
		say, end, err := echoClient(t, s).Chat(t.Context(), id)
		require.NoError(t, err)
		for _, word := range []string{"hello", "goodbye"} {
			answer, err := say(word) // the next is sent only when this has come back
			require.NoError(t, err)
			assert.Equal(t, word, answer)
		}
		require.NoError(t, end())
		says(t, s.record(t, id), map[string]string{"http.request.body.json": `[{"1":"hello"},{"1":"goodbye"}]`, "http.response.body.json": `[{"1":"hello"},{"1":"goodbye"}]`})
	})
}

func TestRulesChooseBodiesByRouteMethodAndHeader(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, plugin: settings{"bodies.rules": []map[string]any{
			{"match": map[string]any{"headers": map[string]string{"x-debug": "*"}}, "request": map[string]any{"rate": 1}, "response": map[string]any{"rate": 1}},
			{"match": map[string]any{"routes": []string{"users"}, "methods": []string{"POST"}}, "request": map[string]any{"rate": 1}},
		}}})
		for _, c := range []struct {
			method, path, debug string
			request, response   bool
		}{
			{"POST", "/users/1", "", true, false},
			{"PUT", "/users/1", "", false, false},
			{"POST", "/checkout", "", false, false},
			{"PUT", "/checkout", "1", true, true},
			{"POST", "/users/1", "yes", true, true},
		} {
			t.Run(c.method+" "+c.path+" "+c.debug, func(t *testing.T) {
				id, header := newID(), http.Header{"Content-Type": {"application/json"}}
				if c.debug != "" {
					header.Set("x-debug", c.debug)
				}
				exchange(t, http.DefaultClient, newRequest(t, c.method, s.Entry+c.path, id, strings.NewReader(`{"sent":1}`), header))
				record := s.record(t, id)
				assert.Equal(t, c.request, record["http.request.body.json.sent"] == "1", record)
				_, id1 := record["http.response.body.json.id"]
				_, order := record["http.response.body.json.order"]
				assert.Equal(t, c.response, id1 || order, record)
			})
		}
	})
}

// The share of bodies is chosen by the hash that chooses records, as their headers pass.
func TestAtAnEqualRateEveryRecordHasItsBody(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, plugin: settings{
			"sampling.rate": 0.2, "sampling.follow_trace": false, "sampling.errors": 0, "sampling.slow.rate": 0,
			"bodies.request": map[string]any{"rate": 0.2}, "bodies.response": map[string]any{"rate": 0.2},
		}})
		report := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Send("users", "POST", "/users/{n}", `{"sent":1}`), Times: 1}}, Total: 2000})
		stats, err := s.Quiet(t.Context(), report.Sent, time.Minute)
		require.NoError(t, err)
		delivered := stats.Pipeline().Delivered
		assert.InDelta(t, 400, delivered, 6*18, "of 2000")
		whole, err := s.store.Count(t.Context(), `http.request.body.json.sent:="1" http.response.body.json.name:="Ada"`)
		require.NoError(t, err)
		assert.Equal(t, delivered, whole, "records with both bodies")
	})
}

func TestWhatAWorkerHasNoRoomForIsLeftOut(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		s := open(t, standOptions{wasm: wasm, concurrency: 1, plugin: settings{
			"bodies.request": everyBody("64KiB"), "bodies.max_held": "64KiB", "sink.batch.max_bytes": "1MiB",
		}})
		gate := make(chan bool)
		answers := make(chan error)
		const uploads = 8
		for range uploads {
			go func() { // all of them begin before any ends
				body := io.MultiReader(strings.NewReader(strings.Repeat("x", 40_000)), reader(func([]byte) (int, error) { <-gate; return 0, io.EOF }))
				request, err := http.NewRequest("POST", s.Entry+"/users/1", body)
				if err == nil {
					request.Header.Set("Content-Type", "application/octet-stream")
					var response *http.Response
					if response, err = http.DefaultClient.Do(request); err == nil {
						err = response.Body.Close()
					}
				}
				answers <- err
			}()
		}
		time.Sleep(time.Second) // for what was sent to have passed; were it too short, fewer would be left out
		close(gate)
		for range uploads {
			require.NoError(t, <-answers)
		}
		stats, err := s.Quiet(t.Context(), uploads, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, uploads, stats.Pipeline().Delivered)
		assert.Equal(t, float64(uploads-1), stats.Sum(metrics.BodiesOmitted, "reason=no_room"), "one had room")
	})
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

func TestLargeTransfersLeaveMemoryFlat(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		u := startUpstream(t)
		u.answer(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			io.Copy(w, io.LimitReader(lab.EndlessJSON(), transferSize))
		})
		s := open(t, standOptions{wasm: wasm, plugin: settings{"bodies.request": everyBody("64KiB"), "bodies.response": everyBody("64KiB")}, envoy: func(o *config.Options) { u.place(t, o) }})
		transfer := func() (id string) {
			id = newID()
			request := newRequest(t, "PUT", s.Entry+"/script", id, io.LimitReader(lab.EndlessJSON(), transferSize), http.Header{"Content-Type": {"application/json"}})
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			n, err := io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.EqualValues(t, transferSize, n)
			return id
		}
		transfer() // fills what Envoy itself keeps
		before := residentKiB(t, s.PID())
		most := before
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 3 {
				says(t, s.record(t, transfer()), map[string]string{
					"http.request.body.size": fmt.Sprint(transferSize), "http.request.body.truncated": "true",
					"http.response.body.size": fmt.Sprint(transferSize), "http.response.body.truncated": "true",
				})
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-time.After(5 * time.Millisecond):
			}
			most = max(most, residentKiB(t, s.PID()))
		}
		t.Logf("KiB resident before: %d, at most while three times %d MiB went up and down: %d", before, transferSize>>20, most)
		assert.Less(t, most-before, 5<<10, "KiB more")
	})
}
