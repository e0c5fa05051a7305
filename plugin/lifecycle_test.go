//go:build !wasip1

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
)

// These tests run the plugin in the SDK's emulator of a proxy. It has one
// context, no CEL and no ResolveSharedQueue; it calls OnQueueReady from within
// an enqueue; two calls under way may get one id; and it holds a global lock, so
// no test here is parallel.

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // the emulator logs every host call
	os.Exit(m.Run())
}

type emulator struct {
	proxytest.HostEmulator
	t *testing.T
}

// emulate makes a proxy with CEL that answers with the given bytes, and
// attributes that are read one by one where they make no sense.
func emulate(t *testing.T, configuration string, evaluated []byte) emulator {
	option := proxytest.NewEmulatorOption().WithVMContext(&host.VM{New: newPlugin}).
		WithPluginConfiguration([]byte(configuration)).WithProperty([]string{"plugin_name"}, []byte("my plugin"))
	e, reset := proxytest.NewHostEmulator(option)
	t.Cleanup(reset)
	e.RegisterForeignFunction("expr_create", func([]byte) []byte { return []byte{1, 0, 0, 0} })
	e.RegisterForeignFunction("expr_evaluate", func([]byte) []byte { return evaluated })
	return emulator{e, t}
}

// start starts the plugin, which must take the configuration, and lets it become
// the collector.
func start(t *testing.T, configuration string) emulator {
	e := emulate(t, configuration, []byte{0})
	require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin(), "%v", e.GetErrorLogs())
	e.Tick()
	return e
}

func (e emulator) set(path string, value string) {
	require.NoError(e.t, e.SetProperty(strings.Split(path, "."), []byte(value)))
}

func (e emulator) number(path string, n int64) {
	e.set(path, string(binary.LittleEndian.AppendUint64(nil, uint64(n))))
}

func (e emulator) count(name string) int {
	n, err := e.GetCounterMetric(name)
	require.NoError(e.t, err)
	return int(n)
}

func (e emulator) gauge(name string) int {
	n, err := e.GetGaugeMetric(name)
	require.NoError(e.t, err)
	return int(n)
}

// ended is what became of all records.
func (e emulator) ended() (n int) {
	for _, reason := range metrics.Reasons() {
		n += e.count(metrics.Label(metrics.LabelReason, reason) + metrics.Dropped)
	}
	return n + e.count(metrics.Delivered) + e.count(metrics.Unconfirmed)
}

// exchange runs a whole exchange by.
func (e emulator) exchange() {
	e.set("request.method", "POST")
	e.set("request.protocol", "HTTP/2")
	e.set("xds.route_name", "orders")
	e.number("response.code", 200)
	e.number("request.duration", 12_000_000)
	e.number("request.time", 1_770_091_506_000_000_789)
	id := e.InitializeHttpContext()
	require.Equal(e.t, types.ActionContinue, e.CallOnRequestHeaders(id, [][2]string{
		{":method", "POST"}, {":path", "/orders?token=1"}, {"user-agent", "curl/8"}, {"cookie", "secret"}, {"x-request-id", "r1"},
	}, false))
	require.Equal(e.t, types.ActionContinue, e.CallOnRequestBody(id, []byte("hello"), false))
	require.Equal(e.t, types.ActionContinue, e.CallOnRequestTrailers(id, [][2]string{{"x-sum", "1"}, {"x-sum", "2"}}))
	require.Equal(e.t, types.ActionContinue, e.CallOnResponseHeaders(id, [][2]string{{":status", "200"}, {"via", "a"}, {"via", "b"}}, false))
	require.Equal(e.t, types.ActionContinue, e.CallOnResponseBody(id, []byte("hello back"), false))
	require.Equal(e.t, types.ActionContinue, e.CallOnResponseTrailers(id, [][2]string{{"x-end", "\xff"}}))
	e.CompleteHttpContext(id)
}

// ship ticks until the records that wait are old enough to be sent.
func (e emulator) ship() {
	e.Tick()
	time.Sleep(30 * time.Millisecond)
	e.Tick()
}

func (e emulator) calls() []proxytest.HttpCalloutAttribute {
	return e.GetCalloutAttributesFromContext(proxytest.PluginContextID)
}

func (e emulator) answer(status string) {
	calls := e.calls()
	e.CallOnHttpCallResponse(calls[len(calls)-1].CalloutID, [][2]string{{":status", status}}, nil, []byte("so be it"))
}

const shipping = `{"sink":{"cluster":"logs","path":"/in","headers":{"x-token":"t"},"max_in_flight":1,"batch":{"max_delay":"10ms"},"retry":{"initial":"10ms","max":"10ms"}},
	"resource":{"service.name":"shop"},"sampling":{"rate":1},"metrics":{"labels":["route","method","response_code"]},
	"headers":{"request":["user-agent","cookie"],"response":["via"],"request_trailers":["x-sum"],"response_trailers":["x-end"]}}`

func TestAGoodConfigurationStartsAndTicks(t *testing.T) {
	for name, configuration := range map[string]string{"nothing": "", "empty": "{}", "with a sink": shipping, "loki": `{"sink":{"type":"loki","cluster":"logs"}}`} {
		t.Run(name, func(t *testing.T) {
			e := emulate(t, configuration, []byte{0})
			assert.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
			assert.Equal(t, uint32(host.TickPeriod.Milliseconds()), e.GetTickPeriod())
			assert.Empty(t, e.GetErrorLogs())
		})
	}
}

func TestABadConfigurationIsRefusedWithEveryFaultInTheLog(t *testing.T) {
	for _, c := range []struct {
		name, configuration string
		faults              []string
	}{
		{"no JSON", `{"sink"`, []string{"configuration"}},
		{"no object", `[]`, []string{"configuration"}},
		{"several faults", `{"sink":{"type":"carrier pigeon","timeout":"soon"},"sampling":{"rate":7},"colour":1}`,
			[]string{"sink.type", "sink.timeout", "sink.cluster", "sampling.rate", "colour"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := emulate(t, c.configuration, []byte{0})
			assert.Equal(t, types.OnPluginStartStatusFailed, e.StartPlugin())
			require.Len(t, e.GetErrorLogs(), 1)
			for _, fault := range c.faults {
				assert.Contains(t, e.GetErrorLogs()[0], fault)
			}
			assert.NotPanics(t, e.exchange, "should the proxy send an exchange all the same")
			assert.True(t, e.FinishVM())
		})
	}
}

// Istio has no filter to put in the place of one that was refused, unless it runs already: a proxy that starts would answer 500.
func TestInIstioABadConfigurationStandsIdleWhereNoOtherRuns(t *testing.T) {
	istio := func(t *testing.T) emulator {
		e := emulate(t, `{"sampling":{"rate":7}}`, []byte{0})
		e.set("xds.node.metadata.ISTIO_VERSION", "1.31.0")
		return e
	}
	other := func(ago time.Duration) *presence {
		p := &presence{data: &host.Host{}, key: nameKey + "my_plugin"}
		p.tell(time.Now().Add(-ago))
		return p
	}
	t.Run("none runs", func(t *testing.T) {
		e := istio(t)
		assert.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
		require.Len(t, e.GetErrorLogs(), 1)
		assert.Contains(t, e.GetErrorLogs()[0], "sampling.rate")
		assert.NotPanics(t, func() {
			e.exchange()
			e.Tick()
		})
		own := presence{data: &host.Host{}, key: nameKey + "my_plugin"}
		assert.False(t, own.known(time.Now()), "who stands idle is nobody to be kept")
		assert.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin(), "on another thread")
		assert.True(t, e.FinishVM())
	})
	t.Run("another ran long ago", func(t *testing.T) {
		e := istio(t)
		other(presenceTime + time.Second)
		assert.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
	})
	t.Run("another runs", func(t *testing.T) {
		e := istio(t)
		other(presencePeriod)
		assert.Equal(t, types.OnPluginStartStatusFailed, e.StartPlugin())
	})
	t.Run("and whoever has started is known, as long as it ticks", func(t *testing.T) {
		e := emulate(t, `{}`, []byte{0})
		e.set("xds.node.metadata.ISTIO_VERSION", "1.31.0")
		require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
		own := presence{data: &host.Host{}, key: nameKey + "my_plugin"}
		assert.True(t, own.known(time.Now()))
		own.tell(time.Now().Add(-time.Hour))
		require.False(t, own.known(time.Now()))
		time.Sleep(presencePeriod)
		e.Tick()
		assert.True(t, own.known(time.Now()))
	})
	t.Run("but not who only waits for answers before it goes", func(t *testing.T) {
		e := emulate(t, shipping, []byte{0})
		e.set("xds.node.metadata.ISTIO_VERSION", "1.31.0")
		require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
		e.Tick()
		e.exchange()
		e.ship()
		require.NotEmpty(t, e.calls())
		require.False(t, e.FinishVM())
		own := presence{data: &host.Host{}, key: nameKey + "my_plugin"}
		own.tell(time.Now().Add(-time.Hour))
		time.Sleep(presencePeriod)
		e.Tick()
		assert.False(t, own.known(time.Now()))
	})
}

func TestWithoutASinkThereAreMetricsAndNoRecords(t *testing.T) {
	e := start(t, `{}`)
	e.exchange()
	e.exchange()
	labels := "route=.=orders;.;method=.=POST;.;response_code=.=200;.;"
	e.Tick()
	assert.Equal(t, 2, e.count(labels+metrics.Requests))
	duration, err := e.GetHistogramMetric(labels + metrics.Duration)
	require.NoError(t, err)
	assert.Equal(t, uint64(12), duration)
	assert.Zero(t, e.count(metrics.Emitted))
	assert.Empty(t, e.calls())
	assert.True(t, e.FinishVM())
}

func TestEveryMetricOfThePipelineIsThereFromTheStart(t *testing.T) {
	e := start(t, `{}`)
	assert.Zero(t, e.ended())
	assert.Zero(t, e.count(metrics.Emitted))
}

// In Istio the old VM goes as soon as the new one has started, and what nobody defines begins at zero again.
func TestEverySeriesOfTheVMBeforeIsThereFromTheStart(t *testing.T) {
	e := emulate(t, "", []byte{0})
	const many = adoptionsAtStart + 1
	before := metrics.NewBudget(&host.Host{}, seriesKey, many)
	name := func(n int) string { return metrics.Label(metrics.LabelRoute, fmt.Sprint(n)) }
	for n := range many {
		before.Admit(name(n))
	}
	require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
	for n := range adoptionsAtStart {
		e.count(name(n) + metrics.Requests)
	}
	_, err := e.GetCounterMetric(name(many-1) + metrics.Requests)
	require.Error(t, err, "a start is not to take for ever")
	e.Tick()
	e.count(name(many-1) + metrics.Requests)
}

func TestTheLimitsAreTold(t *testing.T) {
	for _, c := range []struct {
		name, configuration string
		bytes, series       int
	}{
		{"with a sink", `{"sink": {"cluster": "logs", "path": "/in", "buffer": {"max_bytes": "1MiB"}}, "metrics": {"max_series": 7}}`, 1 << 20, 7},
		{"without one", `{}`, 0, 5000},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, c.configuration)
			assert.Equal(t, c.bytes, e.gauge(metrics.LimitBytes))
			assert.Equal(t, c.series, e.gauge(metrics.SeriesLimit))
		})
	}
}

func TestRecordsReachTheSink(t *testing.T) {
	e := start(t, shipping)
	e.exchange()
	e.exchange()
	e.ship()
	require.Len(t, e.calls(), 1)
	call := e.calls()[0]
	assert.Equal(t, "logs", call.Upstream)
	assert.Equal(t, [][2]string{{":method", "POST"}, {":path", "/in"}, {":authority", "logs"}, {"content-type", "application/x-ndjson"}, {"x-token", "t"}}, call.Headers)

	lines := bytes.Split(bytes.TrimSuffix(call.Body, []byte("\n")), []byte("\n"))
	require.Len(t, lines, 2)
	for _, line := range lines {
		got := map[string]any{}
		require.NoError(t, json.Unmarshal(line, &got), "%s", line)
		for key, want := range map[string]any{
			"time": "2026-02-03T04:05:06.000000789Z", "service.name": "shop", "http.route": "orders",
			"http.response.status_code": 200.0, "http.server.request.duration": 0.012,
			"http.request.header.user-agent": []any{"curl/8"}, "http.request.header.cookie": []any{"[masked]"},
			"http.response.header.via": []any{"a", "b"}, "http.request.trailer.x-sum": []any{"1", "2"}, "http.response.trailer.x-end": []any{"\ufffd"},
			"sampling.reason": "rate", "sampling.weight": 1.0,
		} {
			assert.Equal(t, want, got[key], key)
		}
		assert.NotContains(t, got, "url.query")
	}

	assert.Equal(t, 2, e.count(metrics.Emitted))
	assert.Zero(t, e.ended())
	e.answer("200")
	assert.Equal(t, 2, e.count(metrics.Delivered))
	assert.Equal(t, 2, e.ended())
	assert.Zero(t, e.gauge(metrics.WaitingRecords))
}

func TestWhatTheSinkCouldNotTakeIsSentAgain(t *testing.T) {
	e := start(t, shipping)
	e.exchange()
	e.ship()
	e.answer("503")
	assert.Equal(t, 1, e.count(metrics.Retries))
	e.ship()
	require.Len(t, e.calls(), 2)
	assert.Equal(t, e.calls()[0].Body, e.calls()[1].Body)
	e.answer("204")
	assert.Equal(t, 1, e.count(metrics.Delivered))
	assert.Equal(t, 1, e.ended())
	assert.Len(t, e.GetWarnLogs(), 1, "one line for a whole outage: %q", e.GetWarnLogs())
}

func TestErrorsGoBeforeOrdinaryRecords(t *testing.T) {
	e := start(t, shipping)
	e.exchange()
	e.number("response.code", 503)
	e.CompleteHttpContext(e.InitializeHttpContext())
	e.ship()
	require.Len(t, e.calls(), 1)
	lines := strings.Split(string(e.calls()[0].Body), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], `"sampling.reason":"error"`)
	assert.Contains(t, lines[1], `"sampling.reason":"rate"`)
}

func TestNoMoreRecordsASecondThanAllowed(t *testing.T) {
	e := start(t, strings.Replace(shipping, `{"rate":1}`, `{"rate":1,"max_per_second":2}`, 1))
	limited := func() int { return e.count(metrics.Label(metrics.LabelDecision, "limit") + metrics.Decisions) }
	for second := range 2 {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		e.Tick()
		for range 5 {
			e.exchange()
		}
		e.Tick()
		assert.Equal(t, 2*(second+1), e.count(metrics.Emitted))
		assert.Equal(t, 3*(second+1), limited())
	}
}

func TestAResponseThatIsCutOffIsAnError(t *testing.T) {
	headers, trailers := [][2]string{{":status", "200"}}, [][2]string{{"x-sum", "1"}}
	for _, c := range []struct {
		name, severity string
		respond        func(e emulator, id uint32)
	}{
		{"after its headers", "ERROR", func(e emulator, id uint32) { e.CallOnResponseHeaders(id, headers, false) }},
		{"within its body", "ERROR", func(e emulator, id uint32) {
			e.CallOnResponseHeaders(id, headers, false)
			e.CallOnResponseBody(id, []byte("first"), false)
		}},
		{"never: it ended with its headers", "INFO", func(e emulator, id uint32) { e.CallOnResponseHeaders(id, headers, true) }},
		{"never: it ended with its body", "INFO", func(e emulator, id uint32) {
			e.CallOnResponseHeaders(id, headers, false)
			e.CallOnResponseBody(id, nil, true)
		}},
		{"never: it ended with its trailers", "INFO", func(e emulator, id uint32) {
			e.CallOnResponseHeaders(id, headers, false)
			e.CallOnResponseBody(id, []byte("all"), false)
			e.CallOnResponseTrailers(id, trailers)
		}},
		{"before it passed the plugin", "INFO", func(emulator, uint32) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, shipping)
			e.number("response.code", 200)
			e.number("response.flags", 1<<6)
			id := e.InitializeHttpContext()
			c.respond(e, id)
			e.CompleteHttpContext(id)
			e.ship()
			require.Len(t, e.calls(), 1)
			assert.Contains(t, string(e.calls()[0].Body), `"severity":"`+c.severity+`"`)
		})
	}
}

func TestAnAnswerWithoutHeadersIsNoAnswer(t *testing.T) {
	e := start(t, shipping)
	e.exchange()
	e.ship()
	calls := e.calls()
	e.CallOnHttpCallResponse(calls[0].CalloutID, nil, nil, nil)
	assert.Equal(t, 1, e.count(metrics.Retries))
	assert.Zero(t, e.ended())
}

func TestWhatTheSinkRefusesIsDroppedAndCounted(t *testing.T) {
	e := start(t, shipping)
	e.exchange()
	e.ship()
	e.answer("400")
	assert.Equal(t, 1, e.count("reason=.=rejected;.;"+metrics.Dropped))
	assert.Contains(t, e.GetWarnLogs()[0], "so be it")
}

func TestAConfigurationThatGoesWaitsForItsAnswers(t *testing.T) {
	var host bytes.Buffer
	log.SetOutput(&host)
	defer log.SetOutput(io.Discard)
	e := start(t, shipping)
	e.exchange()
	e.ship()
	require.Len(t, e.calls(), 1)
	assert.False(t, e.FinishVM(), "a call is under way")
	e.Tick()
	e.answer("200")
	assert.Equal(t, 1, e.ended())
	assert.NotContains(t, host.String(), "ProxyDone")
	time.Sleep(leavingPatience + 50*time.Millisecond) // nobody else is there to take over
	e.Tick()
	time.Sleep(leavingPatience + 50*time.Millisecond)
	e.Tick()
	assert.Contains(t, host.String(), "ProxyDone")
}

func TestAConfigurationThatGoesPutsBackWhatIsUnsent(t *testing.T) {
	e := start(t, strings.Replace(shipping, "10ms", "1m", 1))
	e.exchange()
	e.Tick()
	assert.Empty(t, e.calls())
	assert.False(t, e.FinishVM(), "nobody else collects")
	assert.Equal(t, 1, e.GetQueueSize(0))
	assert.Zero(t, e.ended())
}

func TestAStreamOfWhichNothingIsKnownIsCountedAndRecorded(t *testing.T) {
	for name, evaluated := range map[string][]byte{
		"nothing":                  {0},
		"a count alone":            {8, 0, 0, 0},
		"a list cut off":           {8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
		"sizes beyond every bound": bytes.Repeat([]byte{0xff}, 600),
		"zeros":                    make([]byte, 600),
	} {
		t.Run("CEL answers "+name, func(t *testing.T) {
			e := emulate(t, shipping, evaluated)
			require.Equal(t, types.OnPluginStartStatusOK, e.StartPlugin())
			e.Tick()
			e.CompleteHttpContext(e.InitializeHttpContext()) // a local reply, or a reset before headers
			id := e.InitializeHttpContext()
			e.CallOnRequestTrailers(id, nil)
			e.CallOnResponseTrailers(id, nil)
			e.CompleteHttpContext(id)
			e.ship()
			require.Len(t, e.calls(), 1)
			assert.Equal(t, 2, bytes.Count(e.calls()[0].Body, []byte(`"severity":"ERROR"`)), "no response is an error")
			assert.Equal(t, 2, e.count("route=.=unmatched;.;method=.=_OTHER;.;response_code=.=0;.;"+metrics.Requests))
			assert.Equal(t, 2, e.count(metrics.Label(metrics.LabelDecision, "error")+metrics.Decisions))
		})
	}
}

func TestAttributesOfTheWrongSizeAreNoNumbers(t *testing.T) {
	e := start(t, shipping)
	for _, path := range []string{"response.code", "request.duration", "request.time", "response.flags", "response.backend_latency", "upstream.request_attempt_count", "request.total_size"} {
		e.set(path, "abc")
	}
	e.set("request.path", "?")
	e.set("source.address", ":")
	assert.NotPanics(t, func() {
		e.CompleteHttpContext(e.InitializeHttpContext())
		e.ship()
	})
	require.Len(t, e.calls(), 1)
	assert.True(t, json.Valid(e.calls()[0].Body), "%s", e.calls()[0].Body)
}
