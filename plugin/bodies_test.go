//go:build !wasip1

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/record"
)

const recording = `{"sink":{"cluster":"logs","batch":{"max_delay":"10ms"}},"sampling":{"rate":1},"headers":{"response_trailers":["x-end"]},
	"bodies":{"request":{"rate":1,"max_bytes":"100B"},"response":{"rate":1,"max_bytes":"100B"}}}`

// kinds are the content types of an exchange.
type kinds struct{ request, response string }

var bothJSON = kinds{"application/json", "application/json; charset=utf-8"}

func (k kinds) requestHeaders() [][2]string {
	return [][2]string{{":path", "/"}, {"content-type", k.request}}
}

func (k kinds) responseHeaders() [][2]string {
	return [][2]string{{":status", "200"}, {"content-type", k.response}}
}

// pass runs an exchange by, in the given chunks, up to its end.
func (e emulator) pass(k kinds, request, response []string) (id uint32) {
	id = e.InitializeHttpContext()
	require.Equal(e.t, types.ActionContinue, e.CallOnRequestHeaders(id, k.requestHeaders(), len(request) == 0))
	for i, chunk := range request {
		require.Equal(e.t, types.ActionContinue, e.CallOnRequestBody(id, []byte(chunk), i == len(request)-1))
	}
	require.Equal(e.t, types.ActionContinue, e.CallOnResponseHeaders(id, k.responseHeaders(), len(response) == 0))
	for i, chunk := range response {
		require.Equal(e.t, types.ActionContinue, e.CallOnResponseBody(id, []byte(chunk), i == len(response)-1))
	}
	return id
}

// records ships and gives the records of the last request to the sink.
func (e emulator) records() (records []map[string]any) {
	e.ship()
	require.NotEmpty(e.t, e.calls())
	for line := range bytes.Lines(e.calls()[len(e.calls())-1].Body) {
		r := map[string]any{}
		require.NoError(e.t, json.Unmarshal(line, &r), "%s", line)
		records = append(records, r)
	}
	e.answer("200")
	return records
}

// about is what a record holds of a body.
func about(r map[string]any, message string) map[string]any {
	found := map[string]any{}
	for key, value := range r {
		if name, ok := strings.CutPrefix(key, "http."+message+".body."); ok && name != "size" {
			found[name] = value
		}
	}
	return found
}

func (e emulator) omitted(why record.Omission) int {
	return e.count(metrics.Label(metrics.LabelReason, why.String()) + metrics.BodiesOmitted)
}

func TestBodiesAreInTheRecordHoweverTheyAreCut(t *testing.T) {
	e := start(t, recording)
	is := map[string]any{"json": map[string]any{"a": []any{1.0, 2.0}}}
	none := map[string]any{}
	for _, c := range []struct {
		name              string
		request, response []string
		want              [2]map[string]any
	}{
		{"whole", []string{`{"a":[1,2]}`}, []string{`{"a":[1,2]}`}, [2]map[string]any{is, is}},
		{"in chunks, the last of them empty", []string{`{"a"`, `:[1,`, `2]}`, ``}, []string{`{`, ``, `"a":[1,2]}`, ``}, [2]map[string]any{is, is}},
		{"byte by byte", strings.Split(`{"a":[1,2]}`, ""), strings.Split(`{"a":[1,2]}`, ""), [2]map[string]any{is, is}},
		{"a request's alone", []string{`{"a":[1,2]}`}, nil, [2]map[string]any{is, none}},
		{"a response's alone", nil, []string{`{"a":[1,2]}`}, [2]map[string]any{none, is}},
		{"neither", nil, nil, [2]map[string]any{none, none}},
		{"empty ones", []string{``}, []string{``, ``}, [2]map[string]any{none, none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 { // the stream is used again
				e.CompleteHttpContext(e.pass(bothJSON, c.request, c.response))
			}
			for _, r := range e.records() {
				assert.Equal(t, c.want, [2]map[string]any{about(r, "request"), about(r, "response")})
				assert.EqualValues(t, len(strings.Join(c.response, "")), r["http.response.body.size"])
			}
		})
	}
}

func TestALongBodyIsCut(t *testing.T) {
	e := start(t, recording)
	long := `{"words":["` + strings.Repeat(`word","`, 200) + `end"]}`
	e.CompleteHttpContext(e.pass(bothJSON, []string{long[:70], long[70:90], long[90:]}, []string{long}))
	r := e.records()[0]
	for _, message := range []string{"request", "response"} {
		got := about(r, message)
		assert.Equal(t, true, got["truncated"], message)
		assert.Equal(t, "text", got["encoding"], message)
		assert.LessOrEqual(t, len(got["content"].(string)), 100)
		assert.Contains(t, got["content"], `{"words":["word","word"`)
		assert.NotContains(t, got, "json")
	}
}

func TestTrailersAfterBodies(t *testing.T) {
	e := start(t, recording)
	id := e.InitializeHttpContext()
	e.CallOnRequestHeaders(id, bothJSON.requestHeaders(), false)
	e.CallOnRequestBody(id, []byte(`{"a":1}`), false)
	require.Equal(t, types.ActionContinue, e.CallOnRequestTrailers(id, [][2]string{{"x-sum", "1"}}))
	e.CallOnResponseHeaders(id, bothJSON.responseHeaders(), false)
	e.CallOnResponseBody(id, []byte(`{"b":2}`), false)
	require.Equal(t, types.ActionContinue, e.CallOnResponseTrailers(id, [][2]string{{"x-end", "1"}}))
	e.CompleteHttpContext(id)
	r := e.records()[0]
	assert.Equal(t, map[string]any{"json": map[string]any{"a": 1.0}}, about(r, "request"))
	assert.Equal(t, map[string]any{"json": map[string]any{"b": 2.0}}, about(r, "response"))
	assert.Equal(t, []any{"1"}, r["http.response.trailer.x-end"])
}

func TestAnExchangeThatIsResetLeavesNothingToTheNext(t *testing.T) {
	e := start(t, recording)
	e.number("response.code", 0)
	id := e.InitializeHttpContext()
	e.CallOnRequestHeaders(id, bothJSON.requestHeaders(), false)
	e.CallOnRequestBody(id, []byte(`{"a":"secret`), false)
	e.CompleteHttpContext(id)
	e.number("response.code", 200)
	e.CompleteHttpContext(e.pass(kinds{"text/plain", "application/json"}, []string{"x"}, []string{`[2]`}))
	records := e.records()
	require.Len(t, records, 2)
	assert.EqualValues(t, 12, records[0]["http.request.body.size"])
	assert.Empty(t, about(records[0], "response"))
	assert.Equal(t, map[string]any{"omitted": "content_type"}, about(records[1], "request"))
	assert.Equal(t, map[string]any{"json": []any{2.0}}, about(records[1], "response"))
	assert.Equal(t, 1, e.omitted(record.OfContentType))
}

func TestBodiesAreCountedAsOmittedWhereTheirRecordIsKept(t *testing.T) {
	for _, c := range []struct {
		name, rate string
		want       int
	}{{"of records that are not", "0", 0}, {"of records that are", "1", 3}} {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, strings.Replace(recording, `"sampling":{"rate":1`, `"sampling":{"rate":`+c.rate, 1))
			neither := kinds{"text/event-stream", "application/grpc"}
			e.number("response.code", 200)
			for range 3 {
				e.CompleteHttpContext(e.pass(neither, []string{"data: x"}, []string{"\x00\x00"}))
			}
			e.number("response.code", 503)
			e.CompleteHttpContext(e.pass(neither, []string{"data: x"}, nil))
			assert.Equal(t, []int{c.want + 1, c.want}, []int{e.omitted(record.OfStream), e.omitted(record.OfGRPC)})
		})
	}
}

func TestARefusedConfigurationLetsBodiesPass(t *testing.T) {
	e := emulate(t, strings.Replace(recording, "100B", "7 bytes", 1), []byte{0})
	require.Equal(t, types.OnPluginStartStatusFailed, e.StartPlugin())
	assert.NotPanics(t, func() { e.CompleteHttpContext(e.pass(bothJSON, []string{"{}"}, []string{"{}"})) })
}

// reads counts the expressions that an exchange has the host evaluate before its end.
func reads(t *testing.T, configuration string) int {
	calls := 0
	option := proxytest.NewEmulatorOption().WithVMContext(&host.VM{New: newPlugin}).WithPluginConfiguration([]byte(configuration)).
		WithProperty([]string{"plugin_name"}, []byte("my plugin"))
	h, reset := proxytest.NewHostEmulator(option)
	defer reset()
	h.RegisterForeignFunction("expr_create", func([]byte) []byte { return []byte{1, 0, 0, 0} })
	h.RegisterForeignFunction("expr_evaluate", func([]byte) []byte { calls++; return []byte{0} })
	e := emulator{h, t}
	require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
	id := e.pass(bothJSON, []string{"hello"}, []string{"hello"})
	before := calls
	e.CompleteHttpContext(id)
	assert.Positive(t, calls-before, "the end asks")
	return before
}

func TestNothingIsEvaluatedBeforeTheEndWithoutAShareOfBodies(t *testing.T) {
	for name, configuration := range map[string]string{"metrics alone": `{}`, "records": shipping, "every body": recording, "no sink for bodies": `{"bodies":{"request":{"rate":1}}}`} {
		assert.Zero(t, reads(t, configuration), name)
	}
	assert.Positive(t, reads(t, strings.ReplaceAll(recording, `"rate":1,"max_bytes"`, `"rate":0.5,"max_bytes"`)), "with a share of bodies")
}
