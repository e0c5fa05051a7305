package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// passages are the ways through Envoy. Each tests that everything arrives unharmed, and tells what the
// record of the exchange must say.
var passages = []struct {
	name string
	pass func(t *testing.T, s *stand, u *upstream, id string) (record map[string]string)
}{
	{"HTTP/1.1", passHTTP1},
	{"HTTP/1.0", passHTTP10},
	{"HTTP/2", passHTTP2},
	{"a large body in both directions, with trailers", passLargeBody},
	{"an answer without a body", passHead},
	{"100-continue", passContinue},
	{"gRPC", passGRPC},
	{"a gRPC error", passGRPCError},
	{"a gRPC stream", passGRPCStream},
	{"server-sent events", passEvents},
	{"WebSocket", passWebSocket},
	{"CONNECT", passConnect},
}

func TestEverythingPassesUnharmedAndIsRecorded(t *testing.T) {
	ways := map[string]settings{
		"bodies let by": {},
		"bodies recorded": {
			"bodies.request":  map[string]any{"rate": 1, "content_types": []string{"*/*"}},
			"bodies.response": map[string]any{"rate": 1, "content_types": []string{"*/*"}},
		},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		for way, plugin := range ways {
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				u := startUpstream(t)
				all := settings{
					"headers.request":           []string{"content-type"},
					"headers.response":          []string{"content-type"},
					"headers.request_trailers":  []string{"x-sum"},
					"headers.response_trailers": []string{"x-echo-bytes"},
				}
				maps.Copy(all, plugin)
				s := open(t, standOptions{wasm: wasm, plugin: all, envoy: func(o *config.Options) { u.place(t, o); o.HTTP10 = true }})
				for _, passage := range passages {
					t.Run(passage.name, func(t *testing.T) {
						id := newID()
						want := passage.pass(t, s, u, id)
						if len(plugin) > 0 {
							maps.Copy(want, passedBodies[passage.name])
						}
						says(t, s.record(t, id), want)
					})
				}
				left := map[string]float64{}
				if len(plugin) > 0 {
					left = omissions(passedBodies)
				}
				s.leftOut(t, left)
			})
		}
	})
}

func omissions(records map[string]map[string]string) map[string]float64 {
	count := map[string]float64{}
	for _, record := range records {
		for key, value := range record {
			if strings.HasSuffix(key, ".omitted") && value != "-" {
				count[value]++
			}
		}
	}
	return count
}

// passedBodies is what the records say of the bodies that pass.
var passedBodies = map[string]map[string]string{
	"HTTP/1.1": {"http.request.body.omitted": "-", "http.response.body.json": `[{"price":29,"sku":"lamp"},{"price":89,"sku":"chair"}]`},
	"HTTP/1.0": {"http.request.body.omitted": "-", "http.response.body.json": `[{"price":29,"sku":"lamp"},{"price":89,"sku":"chair"}]`},
	"HTTP/2":   {"http.request.body.omitted": "content_type", "http.response.body.json.id": "7"},
	"a large body in both directions, with trailers": {
		"http.request.body.encoding": "base64", "http.request.body.truncated": "true", "http.response.body.encoding": "base64", "http.response.body.truncated": "true",
	},
	"an answer without a body": {"http.response.body.json": "-", "http.response.body.content": "-", "http.response.body.omitted": "-"},
	"100-continue":             {"http.request.body.omitted": "content_type", "http.response.body.content": "worth the wait", "http.response.body.encoding": "text"},
	"gRPC":                     {"http.request.body.omitted": "grpc", "http.response.body.omitted": "grpc"},
	"a gRPC error":             {"http.request.body.omitted": "grpc", "http.response.body.omitted": "-"},
	"a gRPC stream":            {"http.request.body.omitted": "grpc", "http.response.body.omitted": "grpc"},
	"server-sent events":       {"http.response.body.omitted": "stream", "http.response.body.content": "-"},
	"WebSocket":                {"http.request.body.omitted": "stream", "http.response.body.omitted": "stream"},
	"CONNECT":                  {"http.request.body.omitted": "stream", "http.response.body.omitted": "stream"},
}

func passHTTP1(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	response, body := s.call(t, "GET", "/catalog?a=1", id, nil)
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, `[{"price":29,"sku":"lamp"},{"price":89,"sku":"chair"}]`+"\n", body)
	host, port, _ := strings.Cut(strings.TrimPrefix(s.Entry, "http://"), ":")
	return map[string]string{
		"service.name": "shop", "severity": "INFO", "url.scheme": "http", "url.path": "/catalog", "url.query": "-",
		"network.protocol.name": "http", "network.protocol.version": "1.1",
		"http.request.method": "GET", "http.route": "catalog", "http.response.status_code": "200",
		"http.request.body.size": "0", "http.response.body.size": strconv.Itoa(len(body)),
		"http.response.header.content-type": `["application/json"]`, "http.request.header.content-type": "-",
		"server.address": host, "server.port": port, "client.address": "127.0.0.1",
		"envoy.cluster": "catalog", "envoy.virtual_host": "shop", "envoy.upstream_attempts": "1",
		"envoy.response_flags": "-", "envoy.response_code_details": "via_upstream",
		"sampling.reason": "rate", "sampling.weight": "1", "rpc.system": "-", "tls.protocol.version": "-", "trace_id": "-",
	}
}

func passHTTP10(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	conn := s.dial(t)
	response := conn.send(t, "GET", "GET /catalog HTTP/1.0", "Host: shop.example", "X-Request-Id: "+id)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, response.StatusCode)
	assert.Contains(t, string(body), "lamp")
	_, err = conn.ReadByte()
	assert.ErrorIs(t, err, io.EOF, "HTTP/1.0 ends with the connection")
	return map[string]string{"network.protocol.version": "1.0", "server.address": "shop.example", "server.port": "-", "http.response.status_code": "200"}
}

// http2Client speaks HTTP/2 in plain text.
func http2Client() *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
}

func passHTTP2(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	response, body := exchange(t, http2Client(), newRequest(t, "POST", s.Entry+"/users/7", id, strings.NewReader(`{}`), nil))
	assert.Equal(t, "HTTP/2.0", response.Proto)
	assert.Equal(t, 201, response.StatusCode)
	assert.Contains(t, body, `"id":"7"`)
	return map[string]string{
		"network.protocol.version": "2", "http.request.method": "POST", "http.route": "users", "url.path": "/users/7",
		"http.response.status_code": "201", "http.request.body.size": "2", "http.response.body.size": strconv.Itoa(len(body)),
	}
}

func passLargeBody(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	sent := make([]byte, 8<<20)
	rand.Read(sent)
	request := newRequest(t, "PUT", s.Entry+"/echo", id, bytes.NewReader(sent), http.Header{"Content-Type": {"application/octet-stream"}})
	request.ContentLength = -1 // or there can be no trailers
	request.Trailer = http.Header{"X-Sum": {"42"}}
	response, body := exchange(t, http2Client(), request)
	assert.True(t, bytes.Equal(sent, []byte(body)), "%d bytes came back, %d were sent", len(body), len(sent))
	size := strconv.Itoa(len(sent))
	assert.Equal(t, size, response.Trailer.Get("X-Echo-Bytes"))
	return map[string]string{
		"http.request.body.size": size, "http.response.body.size": size,
		"http.request.header.content-type": `["application/octet-stream"]`, "http.request.trailer.x-sum": `["42"]`, "http.response.trailer.x-echo-bytes": `["` + size + `"]`,
	}
}

func passHead(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	response, body := s.call(t, "HEAD", "/catalog", id, nil)
	assert.Equal(t, 200, response.StatusCode)
	assert.Empty(t, body)
	return map[string]string{"severity": "INFO", "http.request.method": "HEAD", "http.response.body.size": "0", "http.response.status_code": "200"}
}

func passContinue(t *testing.T, s *stand, u *upstream, id string) map[string]string {
	u.answer(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	continued := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }})
	request := newRequest(t, "POST", s.Entry+"/script", id, strings.NewReader("worth the wait"), http.Header{"Expect": {"100-continue"}}).WithContext(ctx)
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 20 * time.Second}}
	response, body := exchange(t, client, request)
	assert.True(t, continued)
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, "worth the wait", body)
	return map[string]string{"http.response.status_code": "200", "http.request.body.size": "14"}
}

func echoClient(t *testing.T, s *stand) lab.EchoClient {
	client, err := lab.NewEchoClient(strings.TrimPrefix(s.Entry, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func passGRPC(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	message := strings.Repeat("hello ", 100_000)
	answer, err := echoClient(t, s).Say(t.Context(), id, message)
	require.NoError(t, err)
	assert.True(t, answer == message)
	return map[string]string{
		"network.protocol.version": "2", "http.route": "grpc", "url.path": "/lab.Echo/Say", "severity": "INFO",
		"http.response.status_code": "200", "rpc.system": "grpc", "rpc.grpc.status_code": "0",
		"http.request.header.content-type": `["application/grpc"]`,
	}
}

func passGRPCError(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	_, err := echoClient(t, s).Say(t.Context(), id, "missing")
	assert.Equal(t, codes.NotFound, status.Code(err))
	assert.ErrorContains(t, err, "nobody says that")
	return map[string]string{"http.response.status_code": "200", "rpc.grpc.status_code": "5", "severity": "WARN"}
}

// passGRPCStream waits for each answer before the next question.
func passGRPCStream(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	say, end, err := echoClient(t, s).Chat(t.Context(), id)
	require.NoError(t, err)
	for n := range 5 {
		question := fmt.Sprintf("question %d", n)
		answer, err := say(question)
		require.NoError(t, err)
		assert.Equal(t, question, answer)
	}
	require.NoError(t, end())
	return map[string]string{"url.path": "/lab.Echo/Chat", "rpc.grpc.status_code": "0"}
}

// passEvents sends the second event only once the first has arrived.
func passEvents(t *testing.T, s *stand, u *upstream, id string) map[string]string {
	arrived := make(chan bool)
	u.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			http.NewResponseController(w).Flush()
			select {
			case <-arrived:
			case <-time.After(20 * time.Second):
				panic(http.ErrAbortHandler)
			}
		}
	})
	response, err := http.DefaultClient.Do(newRequest(t, "GET", s.Entry+"/script", id, nil, nil))
	require.NoError(t, err)
	defer response.Body.Close()
	for n := range 3 {
		event := make([]byte, len("data: 0\n\n"))
		_, err := io.ReadFull(response.Body, event)
		require.NoError(t, err, "event %d", n)
		assert.Equal(t, fmt.Sprintf("data: %d\n\n", n), string(event))
		arrived <- true
	}
	_, err = response.Body.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
	return map[string]string{"http.route": "script", "http.response.body.size": "27", "http.response.header.content-type": `["text/event-stream"]`}
}

func passWebSocket(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.Entry+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"X-Request-Id": {id}}})
	require.NoError(t, err)
	defer conn.CloseNow()
	for _, size := range []int{0, 1, 1000, 30_000} {
		sent := make([]byte, size)
		rand.Read(sent)
		require.NoError(t, conn.Write(ctx, websocket.MessageBinary, sent))
		kind, got, err := conn.Read(ctx)
		require.NoError(t, err)
		assert.Equal(t, websocket.MessageBinary, kind)
		assert.True(t, bytes.Equal(sent, got))
	}
	require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
	return map[string]string{"http.route": "ws", "http.response.status_code": "101", "http.request.method": "GET", "severity": "INFO"}
}

// passConnect asks for the catalogue through a tunnel.
func passConnect(t *testing.T, s *stand, _ *upstream, id string) map[string]string {
	conn := s.dial(t)
	response := conn.send(t, "CONNECT", "CONNECT shop.example:80 HTTP/1.1", "Host: shop.example:80", "X-Request-Id: "+id)
	require.Equal(t, 200, response.StatusCode)
	response = conn.send(t, "GET", "GET /catalog HTTP/1.1", "Host: shop.example", "Connection: close")
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), "lamp")
	conn.Close()
	return map[string]string{"severity": "INFO", "http.request.method": "CONNECT", "http.route": "tunnel", "server.address": "shop.example", "server.port": "80", "http.response.status_code": "200", "url.path": "-"}
}
