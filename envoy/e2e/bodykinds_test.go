package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

// furtherKinds are beside those that every sink is shown.
var furtherKinds = []kind{
	{"nothing", "application/json", "", []byte{}, without},
	{"JSON", "application/json", "", []byte(document), nested},
	{"JSON of another type", "application/problem+json; charset=utf-8", "", []byte(`{"title":"gone"}`), map[string]string{".json.title": "gone"}},
	{"a lone JSON value", "application/json", "", []byte(`"hello"`), map[string]string{".json": "-", ".content": `"hello"`, ".encoding": "text", ".truncated": "-"}},
	{"what is called JSON", "application/json", "", []byte(`{"a":oops}`), map[string]string{".json": "-", ".content": `{"a":oops}`, ".encoding": "text"}},
	{"lines of JSON", "application/x-ndjson", "", []byte("{\"a\":1}\n{\"b\":2}\n"), map[string]string{".content": "{\"a\":1}\n{\"b\":2}", ".encoding": "text"}},
	{"JSON beyond max_bytes", "application/json", "", []byte(manyItems), map[string]string{".json": "-", ".encoding": "text", ".truncated": "true"}},
	{"compressed JSON beyond max_bytes", "application/json", "gzip", compressed(manyItems), map[string]string{".json": "-", ".encoding": "text", ".truncated": "true"}},
	{"raw deflate", "application/json", "deflate", deflated(document), nested},
	{"compressed twice", "application/json", "deflate, gzip", compressed(string(deflated(document))), nested},
	{"broken UTF-8", "text/plain", "", []byte("caf\xe9 \xff!"), map[string]string{".content": "caf\ufffd \ufffd!", ".encoding": "text"}},
	{"broken UTF-8 in JSON", "application/json", "", []byte("{\"a\":\"caf\xe9\"}"), map[string]string{".json.a": "caf\ufffd"}},
	{"Latin-1", "text/plain; charset=ISO-8859-1", "", []byte("caf\xe9"), map[string]string{".content": "café", ".encoding": "text"}},
	{"Windows-1252", `text/html; charset="windows-1252"`, "", []byte("5 \x80"), map[string]string{".content": "5 €", ".encoding": "text"}},
	{"many bytes to a character", "text/plain; charset=utf-8", "", []byte("größer als 日本語 🙂🙂🙂"), map[string]string{".content": "größer als 日本語 🙂🙂🙂", ".encoding": "text"}},
	{"another charset", "text/plain; charset=koi8-r", "", []byte("\xf0\xd2"), omitted(record.OfCharset)},
	{"what is not gzip", "application/json", "gzip", []byte("plain after all"), omitted(record.Malformed)},
	{"what inflates too far", "text/plain", "gzip", compressed(strings.Repeat("x", 16<<10)), omitted(record.OfRatio)},
	{"zstd", "application/json", "zstd", []byte("\x28\xb5\x2f\xfd"), omitted(record.OfEncoding)},
	{"a picture", "image/png", "", []byte("\x89PNG"), omitted(record.OfContentType)},
	{"no type", "", "", []byte(`{"a":1}`), omitted(record.OfContentType)},
	{"events", "text/event-stream", "", []byte("data: 1\n\n"), omitted(record.OfStream)},
	{"gRPC-Web in base64", "application/grpc-web-text", "", []byte(base64.StdEncoding.EncodeToString([]byte(webMessage + webTrailers))), inWeb},
	{"gRPC-Web", "application/grpc-web+proto", "", []byte(webMessage + webTrailers), inWeb},
	{"gRPC that is cut off", "application/grpc-web", "", []byte(webMessage[:8]), map[string]string{".json": "-", ".encoding": "text", ".truncated": "true"}},
}

var (
	without   = map[string]string{".json": "-", ".content": "-", ".encoding": "-", ".truncated": "-", ".omitted": "-"}
	manyItems = func() string {
		text, _ := io.ReadAll(io.LimitReader(lab.EndlessJSON(), 40_000))
		return string(text) + `0"}]`
	}()
)

// The string "ada" in field 1, and in field 2 the message {1: 7}.
const (
	webMessage  = "\x00\x00\x00\x00\x09\x0a\x03ada\x12\x02\x08\x07"
	webTrailers = "\x80\x00\x00\x00\x0fgrpc-status:0\r\n"
)

var inWeb = map[string]string{".json": `[{"1":"ada","2":{"1":7}},{"trailers":{"grpc-status":"0"}}]`, ".omitted": "-"}

func omitted(why record.Omission) map[string]string {
	return map[string]string{".json": "-", ".content": "-", ".encoding": "-", ".truncated": "-", ".omitted": why.String()}
}

func deflated(text string) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	io.WriteString(w, text)
	w.Close()
	return out.Bytes()
}

// echoPieces answers each piece of a body as it comes.
func echoPieces(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	c.EnableFullDuplex()
	w.Header()["Content-Type"] = r.Header["Content-Type"] // where there is none, none is guessed
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		w.Header().Set("Content-Encoding", encoding)
	}
	c.Flush()
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			w.Write(buffer[:n])
			c.Flush()
		}
		if err != nil {
			break
		}
	}
	w.Header().Set(http.TrailerPrefix+"X-Sum", r.Trailer.Get("X-Sum"))
}

// passPieces sends a body in three pieces, each only once the last has come back: nothing may be held back.
func passPieces(t *testing.T, client *http.Client, url, id string, k kind) (trailer http.Header) {
	t.Helper()
	from, to := io.Pipe()
	// A client that waits for more of the body looks at no deadline.
	defer time.AfterFunc(20*time.Second, func() { to.CloseWithError(errors.New("a piece did not come back")) }).Stop()
	request := newRequest(t, "POST", url, id, from, http.Header{})
	request.Trailer = http.Header{"X-Sum": {"42"}}
	if k.contentType != "" {
		request.Header.Set("Content-Type", k.contentType)
	}
	if k.contentEncoding != "" {
		request.Header.Set("Content-Encoding", k.contentEncoding)
	}
	third := len(k.body) / 3
	pieces := [][]byte{k.body[:third], k.body[third : 2*third], k.body[2*third:]}
	back := make(chan bool)
	go func() {
		defer to.Close()
		for _, piece := range pieces {
			if _, err := to.Write(piece); err != nil {
				return
			}
			if len(piece) > 0 && !<-back {
				return
			}
		}
	}()
	defer close(back)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	for _, piece := range pieces {
		got := make([]byte, len(piece))
		_, err := io.ReadFull(response.Body, got)
		require.NoError(t, err)
		require.Equal(t, piece, got)
		if len(piece) > 0 {
			back <- true
		}
	}
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Empty(t, rest)
	return response.Trailer
}

func TestBodiesPassPieceByPieceAndAreRecordedByTheirKind(t *testing.T) {
	ways := []struct {
		name, path string
		client     *http.Client
		trailers   bool
	}{
		{"HTTP/1.1", "/script", &http.Client{Transport: &http.Transport{DisableCompression: true}}, false},
		{"HTTP/2 with trailers", "/http2", plainHTTP2(), true},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		u := startUpstream(t)
		u.answer(echoPieces)
		types := map[string]any{"rate": 1, "max_bytes": "16KiB", "content_types": []string{"text/*", "application/*"}}
		s := open(t, standOptions{
			wasm:   wasm,
			plugin: settings{"bodies.request": types, "bodies.response": types, "bodies.grpc": true, "headers.request_trailers": []string{"x-sum"}, "headers.response_trailers": []string{"x-sum"}},
			envoy:  func(o *config.Options) { u.place(t, o) },
		})
		left := map[string]float64{}
		for _, way := range ways {
			t.Run(way.name, func(t *testing.T) {
				ids := make([]string, len(furtherKinds))
				for i, k := range furtherKinds {
					ids[i] = newID()
					trailer := passPieces(t, way.client, s.Entry+way.path, ids[i], k)
					if way.trailers {
						require.Equal(t, "42", trailer.Get("X-Sum"), "there and back")
					}
				}
				for i, k := range furtherKinds {
					t.Run(k.name, func(t *testing.T) {
						got, want := s.record(t, ids[i]), map[string]string{}
						if way.trailers {
							want["http.request.trailer.x-sum"], want["http.response.trailer.x-sum"] = `["42"]`, `["42"]`
						}
						for _, body := range []string{"http.request.body", "http.response.body"} {
							for key, value := range k.want {
								want[body+key] = value
							}
							want[body+".size"] = strconv.Itoa(len(k.body))
							if content := got[body+".content"]; k.want[".truncated"] == "true" {
								assert.True(t, json.Valid([]byte(content)), "cut, and closed again: %s", content)
								assert.LessOrEqual(t, len(content), 16<<10)
							}
							if why := k.want[".omitted"]; why != "" && why != "-" {
								left[why]++
							}
						}
						says(t, got, want)
					})
				}
			})
		}
		s.leftOut(t, left)
	})
}

// leftOut compares the counters of bodies that were left out, of each reason.
func (s *stand) leftOut(t *testing.T, want map[string]float64) {
	t.Helper()
	stats, err := s.Stats(t.Context())
	require.NoError(t, err)
	got := map[string]float64{}
	for _, reason := range record.Omissions() {
		if n := stats.Sum(metrics.BodiesOmitted, "reason="+reason); n > 0 {
			got[reason] = n
		}
	}
	assert.Equal(t, want, got, "bodies left out, by reason")
}

func plainHTTP2() *http.Client {
	client := http2Client()
	client.Transport.(*http.Transport).DisableCompression = true
	return client
}

func TestCompressedGRPCMessagesAreRead(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm, plugin: settings{
			"bodies.request": map[string]any{"rate": 1}, "bodies.response": map[string]any{"rate": 1}, "bodies.grpc": true,
			"redact.rules": []map[string]string{{"body": "1", "mode": "last"}},
		}})
		id, message := newID(), strings.Repeat("hello ", 100)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", id)
		answer := new(wrapperspb.StringValue)
		err := echoClient(t, s).Invoke(ctx, "/"+lab.EchoService+"/Say", wrapperspb.String(message), answer, grpc.UseCompressor(gzip.Name))
		require.NoError(t, err)
		assert.Equal(t, message, answer.Value)
		got := s.record(t, id)
		says(t, got, map[string]string{"http.request.body.json": `[{"1":"[masked]llo "}]`, "http.response.body.json": `[{"1":"[masked]llo "}]`})
		size, err := strconv.Atoi(got["http.request.body.size"])
		require.NoError(t, err)
		assert.Less(t, size, len(message), fmt.Sprint("compressed, on the wire: ", got))
	})
}
