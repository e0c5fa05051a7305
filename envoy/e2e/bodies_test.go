package e2e

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// everyBody records every body of any type, up to so many bytes.
func everyBody(maxBytes string) map[string]any {
	return map[string]any{"rate": 1, "max_bytes": maxBytes, "content_types": []string{"*/*"}}
}

func TestWhatIsNamedOrDetectedIsHiddenInTheRecord(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
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
		s.leftOut(t, map[string]float64{"not_redactable": 2})
	})
}

func TestGRPCMessagesAreReadWithoutTheirSchema(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
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
		t.Parallel()
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

// The share of bodies is chosen by the hash that chooses records, as their headers pass: of the trace, else of the id.
func TestAtAnEqualRateEveryRecordChosenByRateHasItsBody(t *testing.T) {
	const total, workers = 3000, 4
	eachArtifact(t, func(t *testing.T, wasm string) {
		share := map[string]any{"rate": 0.2}
		s := open(t, standOptions{wasm: wasm, plugin: settings{"sampling.rate": 0.2, "sampling.slow.rate": 0, "bodies.request": share, "bodies.response": share}})
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for n := range total / workers {
					header := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {newID()}}
					switch trace, span := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()), fmt.Sprintf("%016x", rand.Uint64()); n % 4 {
					case 1: // not sampled, or sampled
						header.Set("traceparent", fmt.Sprintf("00-%s-%s-%02d", trace, span, n/4%2))
					case 2:
						header.Set("b3", fmt.Sprintf("%s-%s-%d", trace, span, n/4%2))
					case 3:
						header.Del("X-Request-Id") // Envoy makes one
					}
					request, err := http.NewRequestWithContext(t.Context(), "POST", s.Entry+"/users/1", strings.NewReader(`{"sent":1}`))
					if !assert.NoError(t, err) {
						return
					}
					request.Header = header
					response, err := http.DefaultClient.Do(request)
					if !assert.NoError(t, err) {
						return
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
		}
		all.Wait()
		stats, err := s.Quiet(t.Context(), total, time.Minute)
		require.NoError(t, err)
		count := func(filter string) int {
			n, err := s.store.Count(t.Context(), filter)
			require.NoError(t, err)
			return n
		}
		const both = ` http.request.body.json.sent:="1" http.response.body.json.name:="Ada"`
		byRate := count(`sampling.reason:="rate"`)
		assert.InDelta(t, total/5, byRate, 6*22)
		assert.Equal(t, byRate, count(`sampling.reason:="rate"`+both), "records chosen by rate, with both bodies")
		byTrace := count(`sampling.reason:="trace"`)
		assert.InDelta(t, total/4*4/5, byTrace, 6*11) // half of the traces are sampled, and four fifths of those are not chosen by rate
		assert.Zero(t, count(`sampling.reason:="trace" (http.request.body.json.sent:* or http.response.body.json.name:*)`), "their points are above the rate")
		assert.Equal(t, stats.Pipeline().Delivered, byRate+byTrace)
	})
}

func TestWhatAWorkerHasNoRoomForIsLeftOutAndServed(t *testing.T) {
	const uploads, begun = 8, 40_000 // bytes, of which one upload at a time has room
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		u := startUpstream(t)
		arrived := make(chan bool, uploads+1)
		u.answer(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadFull(r.Body, make([]byte, begun))
			arrived <- err == nil
			rest, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, begun+rest)
		})
		s := open(t, standOptions{
			wasm: wasm, concurrency: 1,
			plugin: settings{"bodies.request": everyBody("64KiB"), "bodies.max_held": "64KiB"},
			envoy:  func(o *config.Options) { u.place(t, o) },
		})
		upload := func(rest io.Reader) (id string, err error) {
			id = newID()
			request, err := http.NewRequestWithContext(t.Context(), "POST", s.Entry+"/script", io.MultiReader(strings.NewReader(strings.Repeat("x", begun)), rest))
			if err != nil {
				return id, err
			}
			request.Header = http.Header{"Content-Type": {"application/octet-stream"}, "X-Request-Id": {id}}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return id, err
			}
			defer response.Body.Close()
			answer, err := io.ReadAll(response.Body)
			if string(answer) != fmt.Sprint(begun+len("the end")) {
				err = fmt.Errorf("%d, %q bytes arrived", response.StatusCode, answer)
			}
			return id, err
		}
		gate, failed := make(chan bool), make(chan error)
		for range uploads {
			go func() {
				gated := reader(func([]byte) (int, error) { <-gate; return 0, io.EOF })
				_, err := upload(io.MultiReader(gated, strings.NewReader("the end")))
				failed <- err
			}()
		}
		for range uploads { // all have passed Envoy in part, before any ends
			require.True(t, <-arrived)
		}
		close(gate)
		for range uploads {
			require.NoError(t, <-failed)
		}
		later, err := upload(strings.NewReader("the end"))
		require.NoError(t, err)
		stats, err := s.Quiet(t.Context(), uploads+1, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, uploads+1, stats.Pipeline().Delivered)
		s.leftOut(t, map[string]float64{"no_room": uploads - 1})
		says(t, s.record(t, later), map[string]string{"http.request.body.encoding": "base64", "http.request.body.omitted": "-", "http.request.body.size": fmt.Sprint(begun + len("the end"))})
	})
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

func TestLargeTransfersLeaveMemoryFlat(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		u := startUpstream(t)
		u.answer(func(w http.ResponseWriter, r *http.Request) {
			size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Arrived", fmt.Sprint(n))
			io.Copy(w, io.LimitReader(lab.EndlessJSON(), size))
		})
		s := open(t, standOptions{wasm: wasm, plugin: settings{"bodies.request": everyBody("64KiB"), "bodies.response": everyBody("64KiB")}, envoy: func(o *config.Options) { u.place(t, o) }})
		transfer := func(up, down int64) (id string) {
			id = newID()
			request := newRequest(t, "PUT", fmt.Sprintf("%s/script?size=%d", s.Entry, down), id, io.LimitReader(lab.EndlessJSON(), up), http.Header{"Content-Type": {"application/json"}})
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			n, err := io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.Equal(t, down, n)
			require.Equal(t, fmt.Sprint(up), response.Header.Get("X-Arrived"))
			return id
		}
		transfer(1, 1) // opens the connections
		before, err := s.ResidentMemory()
		require.NoError(t, err)
		require.NoError(t, s.ForgetPeak())
		upload, download := transfer(transferSize, 2), transfer(2, transferSize)
		peak, err := s.PeakMemory()
		require.NoError(t, err)
		t.Logf("%d KiB resident before, at most %d KiB more while %d MiB went up and then down", before>>10, (peak-before)>>10, transferSize>>20)
		assert.Less(t, peak-before, int64(5_000_000), "bytes more")
		size := fmt.Sprint(transferSize)
		says(t, s.record(t, upload), map[string]string{"http.request.body.size": size, "http.request.body.truncated": "true", "http.response.body.size": "2"})
		says(t, s.record(t, download), map[string]string{"http.request.body.size": "2", "http.response.body.size": size, "http.response.body.truncated": "true"})
	})
}
