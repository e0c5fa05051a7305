package e2e

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

// exchanges that go another way than most, each with what its record must say.
var exchanges = []struct {
	name string
	make func(t *testing.T, s *stand, u *upstream, id string)
	want map[string]string
}{
	{"no route", get("/nothing/here", nil, 404), map[string]string{
		"http.route": "unmatched", "http.response.status_code": "404", "severity": "WARN", "envoy.response_flags": "NR",
		"envoy.response_code_details": "route_not_found", "envoy.cluster": "-", "envoy.upstream_address": "-",
	}},
	{"an answer of Envoy's own", get("/teapot", nil, 418), map[string]string{
		"http.route": "teapot", "http.response.status_code": "418", "envoy.response_code_details": "direct_response", "envoy.upstream_address": "-",
	}},
	{"a route without a name", get("/nameless/42", nil, 404), map[string]string{"http.route": "/nameless/{n}", "envoy.cluster": "catalog"}},
	{"a path that the route rewrites", get("/rewritten/42", nil, 200), map[string]string{
		"http.route": "rewrite", "url.path": "/catalog", "envoy.original_path": "/rewritten/42",
	}},
	{"a client that claims another path", get("/nameless/7", http.Header{"X-Envoy-Original-Path": {"/harmless?a=b"}}, 404), map[string]string{
		"http.route": "/nameless/{n}", "url.path": "/nameless/7", "envoy.original_path": "/harmless",
	}},
	{"nobody listens", get("/nobody", nil, 503), map[string]string{
		"http.route": "nobody", "http.response.status_code": "503", "severity": "ERROR", "envoy.response_flags": "UF", "sampling.reason": "error",
		"envoy.cluster": "nobody", "envoy.upstream_transport_failure": "delayed connect error: Connection refused",
	}},
	{"a reset before the answer", resetAtOnce, map[string]string{
		"http.response.status_code": "503", "severity": "ERROR", "envoy.response_flags": "UC", "sampling.reason": "error",
		"envoy.response_code_details": "upstream_reset_before_response_started{connection_termination}",
	}},
	{"a reset within the answer", resetWithin("/script", nil), map[string]string{
		"http.response.status_code": "200", "severity": "ERROR", "sampling.reason": "error", "envoy.response_flags": "UPE", // chunks without an end
		"envoy.response_code_details": "upstream_reset_after_response_started{protocol_error}",
	}},
	{"a reset within an answer of a length", resetWithin("/script", http.Header{"Content-Length": {"10"}}), map[string]string{
		"http.response.status_code": "200", "severity": "ERROR", "sampling.reason": "error", "envoy.response_flags": "UPE",
	}},
	{"a reset within an answer over HTTP/2", resetWithin("/http2", nil), map[string]string{
		"http.response.status_code": "200", "severity": "ERROR", "sampling.reason": "error", "envoy.response_flags": "UR",
	}},
	{"an answer that ends too late", endsTooLate, map[string]string{
		"http.response.status_code": "200", "severity": "ERROR", "sampling.reason": "error", "envoy.response_flags": "UT",
	}},
	{"an answer that ends with its connection", endsWithConnection, map[string]string{
		"http.response.status_code": "200", "severity": "INFO", "sampling.reason": "rate", "envoy.response_flags": "-", "http.response.body.size": "5",
	}},
	{"an answer that has no body", noContent, map[string]string{"severity": "INFO", "http.response.status_code": "204"}},
	{"an answer that comes too late", tooLate, map[string]string{
		"http.route": "slow", "http.response.status_code": "504", "envoy.response_flags": "UT", "envoy.response_code_details": "response_timeout",
	}},
	{"a client that leaves before the answer", leaveBefore, map[string]string{
		"http.response.status_code": "0", "severity": "WARN", "sampling.reason": "rate", "envoy.response_flags": "DC",
		"envoy.response_code_details": "downstream_remote_disconnect",
	}},
	{"a client that leaves within the answer", leaveWithin, map[string]string{
		"http.response.status_code": "200", "severity": "WARN", "sampling.reason": "rate", "envoy.response_flags": "DC", "http.response.body.size": "5",
		"envoy.response_code_details": "downstream_remote_disconnect",
	}},
	{"a client that resets its stream before the answer", leaveStream(false), map[string]string{
		"http.response.status_code": "0", "severity": "WARN", "sampling.reason": "rate", "envoy.response_flags": "DR",
	}},
	{"a client that resets its stream within the answer", leaveStream(true), map[string]string{
		"http.response.status_code": "200", "severity": "WARN", "sampling.reason": "rate", "envoy.response_flags": "DR",
	}},
	{"headers that are not UTF-8", notUTF8, map[string]string{
		"http.response.status_code": "200", "http.request.header.user-agent": `["caf\ufffd \"\\"]`, "http.response.header.x-tag": `["\ufffd"]`,
	}},
	{"repeated headers", get("/catalog", http.Header{"X-Tag": {"a", "b", ""}}, 200), map[string]string{"http.request.header.x-tag": `["a","b",""]`}},
	{"credentials", get("/catalog", http.Header{"Authorization": {"Bearer secret"}, "X-Session": {"secret"}, "X-Other": {"secret"}}, 200), map[string]string{
		"http.request.header.authorization": `["[masked]"]`, "http.request.header.x-session": `["[masked]"]`, "http.request.header.x-other": "-",
	}},
	{"a traceparent", get("/catalog", http.Header{"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}}, 200), map[string]string{
		"trace_id": traceID, "span_id": spanID, "trace_flags": "01",
	}},
	{"a broken traceparent", get("/catalog", http.Header{"Traceparent": {"00-xyz-01"}}, 200), map[string]string{"trace_id": "-", "span_id": "-", "trace_flags": "-"}},
	{"B3 in one header", get("/catalog", http.Header{"B3": {traceID + "-" + spanID + "-1"}}, 200), map[string]string{
		"trace_id": traceID, "span_id": spanID, "trace_flags": "01",
	}},
	{"B3 in several headers", get("/catalog", http.Header{"X-B3-Traceid": {traceID}, "X-B3-Spanid": {spanID}, "X-B3-Sampled": {"0"}}, 200), map[string]string{
		"trace_id": traceID, "span_id": spanID, "trace_flags": "00",
	}},
	{"a method that nobody knows", brew, map[string]string{
		"http.request.method": "_OTHER", "http.request.method_original": "BREW",
	}},
	{"a path with odd letters", get("/catalog/%00%22%5C/ü'<", nil, 404), map[string]string{"url.path": "/catalog/%00%22%5C/%C3%BC%27%3C"}},
}

func TestRecordsSayWhatHappened(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		u := startUpstream(t)
		s := open(t, standOptions{
			wasm: wasm,
			plugin: settings{
				"headers.request":  []string{"authorization", "x-session", "x-tag", "user-agent"},
				"headers.response": []string{"x-tag"},
				"redact.rules":     []map[string]string{{"header": "x-session"}},
				"routes.templates": []string{"/nameless/{n}"},
			},
			envoy: func(o *config.Options) { u.place(t, o) },
		})
		for _, e := range exchanges {
			t.Run(e.name, func(t *testing.T) {
				id := newID()
				e.make(t, s, u, id)
				says(t, s.record(t, id), e.want)
			})
		}
	})
}

type making = func(t *testing.T, s *stand, u *upstream, id string)

func get(path string, header http.Header, status int) making {
	return request("GET", path, header, status)
}

func request(method, path string, header http.Header, status int) making {
	return func(t *testing.T, s *stand, _ *upstream, id string) {
		response, _ := s.call(t, method, path, id, header.Clone())
		assert.Equal(t, status, response.StatusCode)
	}
}

// brew needs HTTP/2: of HTTP/1 Envoy takes only the methods it knows.
func brew(t *testing.T, s *stand, _ *upstream, id string) {
	response, _ := exchange(t, http2Client(), newRequest(t, "BREW", s.Entry+"/catalog", id, nil, nil))
	assert.Equal(t, 200, response.StatusCode)
}

func resetAtOnce(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	response, _ := s.call(t, "GET", "/script", id, nil)
	assert.Equal(t, 503, response.StatusCode)
}

// begin sends the first part of an answer.
func begin(w http.ResponseWriter) {
	io.WriteString(w, "first")
	http.NewResponseController(w).Flush()
}

func resetWithin(path string, header http.Header) making {
	return func(t *testing.T, s *stand, u *upstream, id string) {
		u.answer(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			begin(w)
			panic(http.ErrAbortHandler)
		})
		cutOff(t, s, path, id)
	}
}

func cutOff(t *testing.T, s *stand, path, id string) {
	response, err := http.DefaultClient.Do(newRequest(t, "GET", s.Entry+path, id, nil, nil))
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.ReadAll(response.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func endsTooLate(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(w http.ResponseWriter, r *http.Request) {
		begin(w)
		<-r.Context().Done()
	})
	cutOff(t, s, "/slow", id)
}

func endsWithConnection(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nfirst")
		conn.Close()
	})
	_, body := s.call(t, "GET", "/script", id, nil)
	assert.Equal(t, "first", body)
}

func noContent(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	response, _ := s.call(t, "GET", "/script", id, nil)
	assert.Equal(t, 204, response.StatusCode)
}

func tooLate(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	response, _ := s.call(t, "GET", "/slow", id, nil)
	assert.Equal(t, 504, response.StatusCode)
}

func leaveBefore(t *testing.T, s *stand, u *upstream, id string) {
	ctx, leave := context.WithCancel(t.Context())
	u.answer(func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	_, err := http.DefaultClient.Do(newRequest(t, "GET", s.Entry+"/script", id, nil, nil).WithContext(ctx))
	assert.ErrorIs(t, err, context.Canceled)
}

func leaveWithin(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(w http.ResponseWriter, r *http.Request) {
		begin(w)
		<-r.Context().Done()
	})
	response, err := http.DefaultClient.Do(newRequest(t, "GET", s.Entry+"/script", id, nil, nil))
	require.NoError(t, err)
	_, err = io.ReadFull(response.Body, make([]byte, len("first")))
	assert.NoError(t, err)
	response.Body.Close()
}

// leaveStream leaves without closing the connection, as HTTP/2 can.
func leaveStream(within bool) making {
	return func(t *testing.T, s *stand, u *upstream, id string) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		u.answer(func(w http.ResponseWriter, r *http.Request) {
			if within {
				begin(w)
			} else {
				leave()
			}
			<-r.Context().Done()
		})
		response, err := http2Client().Do(newRequest(t, "GET", s.Entry+"/script", id, nil, nil).WithContext(ctx))
		if !within {
			assert.ErrorIs(t, err, context.Canceled)
			return
		}
		require.NoError(t, err)
		_, err = io.ReadFull(response.Body, make([]byte, len("first")))
		assert.NoError(t, err)
		response.Body.Close()
	}
}

func notUTF8(t *testing.T, s *stand, u *upstream, id string) {
	u.answer(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "caf\xe9 \"\\", r.Header.Get("User-Agent"), "it passes as it is")
		w.Header().Set("X-Tag", "\xff")
	})
	response := s.dial(t).send(t, "GET", "GET /script HTTP/1.1", "Host: shop.example", "User-Agent: caf\xe9 \"\\", "X-Request-Id: "+id)
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, "\xff", response.Header.Get("X-Tag"))
}

func TestQueriesAreDroppedOrKeptAsRedactHasThem(t *testing.T) {
	const path = "/catalog?page=2&token=secret&t%6fken=secret&flag"
	modes := []struct {
		plugin settings
		want   string
	}{
		{settings{}, "-"},
		{settings{"query": "keep"}, "page=2&token=secret&t%6fken=secret&flag"},
		{settings{"query": "keep", "redact.rules": []map[string]string{{"query": "token"}}}, "page=2&token=[masked]&t%6fken=[masked]&flag"},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		for _, mode := range modes {
			t.Run(mode.want, func(t *testing.T) {
				s := open(t, standOptions{wasm: wasm, plugin: mode.plugin})
				id := newID()
				s.call(t, "GET", path, id, nil)
				record := s.record(t, id)
				says(t, record, map[string]string{"url.path": "/catalog", "url.query": mode.want})
				if mode.want != modes[1].want {
					for key, value := range record {
						assert.NotContains(t, value, "secret", key)
					}
				}
			})
		}
	})
}

// What Envoy's parser refuses reaches the plugin only at its end, without any header.
func TestMalformedRequestsDoNoHarm(t *testing.T) {
	requests := map[string][]string{
		"no request at all":         {"hello"},
		"a header without a colon":  {"GET /catalog HTTP/1.1", "Host: shop.example", "nonsense"},
		"a header that ends in NUL": {"GET /catalog HTTP/1.1", "Host: shop.example", "X-Tag: a\x00"},
		"no host":                   {"GET /catalog HTTP/1.1"},
		"two lengths":               {"POST /catalog HTTP/1.1", "Host: shop.example", "Content-Length: 1", "Content-Length: 2"},
		"a header beyond all size":  {"GET /catalog HTTP/1.1", "Host: shop.example", "X-Tag: " + strings.Repeat("x", 100<<10)},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm})
		for name, lines := range requests {
			t.Run(name, func(t *testing.T) {
				response := s.dial(t).send(t, "GET", lines...)
				assert.Contains(t, []int{400, 431}, response.StatusCode)
			})
		}
		id := newID()
		response, _ := s.call(t, "GET", "/catalog", id, nil)
		assert.Equal(t, 200, response.StatusCode, "it serves on")
		says(t, s.record(t, id), map[string]string{"http.response.status_code": "200"})
		stats, err := s.Quiet(t.Context(), len(requests)+1, 20*time.Second)
		require.NoError(t, err)
		want := map[lab.Outcome]int{{Route: "catalog", Code: "200"}: 1, {Route: "unmatched", Code: "400"}: 5, {Route: "unmatched", Code: "431"}: 1}
		assert.Equal(t, want, stats.Exchanges())
	})
}
