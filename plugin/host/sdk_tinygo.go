//go:build tinygo

package host

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/routelens/routelens/plugin/metrics"
)

// All that Routelens uses of a proxy-wasm SDK. The two SDKs have one API: this
// file and its twin differ in nothing but the import path, and a test says so.

type (
	vmBase     = types.DefaultVMContext
	pluginBase = types.DefaultPluginContext
	streamBase = types.DefaultHttpContext

	pluginContext = types.PluginContext
	streamContext = types.HttpContext
	startStatus   = types.OnPluginStartStatus
	action        = types.Action
)

const (
	started     = types.OnPluginStartStatusOK
	startFailed = types.OnPluginStartStatusFailed
	proceed     = types.ActionContinue
)

var (
	setVMContext  = proxywasm.SetVMContext
	pluginConfig  = proxywasm.GetPluginConfiguration
	setTickPeriod = proxywasm.SetTickPeriodMilliSeconds
	pluginDone    = proxywasm.PluginDone

	getProperty     = proxywasm.GetProperty
	callForeign     = proxywasm.CallForeignFunction
	requestHeader   = proxywasm.GetHttpRequestHeader
	responseHeader  = proxywasm.GetHttpResponseHeader
	requestHeaders  = proxywasm.GetHttpRequestHeaders
	responseHeaders = proxywasm.GetHttpResponseHeaders
	requestTrailers = proxywasm.GetHttpRequestTrailers
	respTrailers    = proxywasm.GetHttpResponseTrailers
	requestBody     = proxywasm.GetHttpRequestBody
	responseBody    = proxywasm.GetHttpResponseBody

	resolveQueue  = proxywasm.ResolveSharedQueue
	registerQueue = proxywasm.RegisterSharedQueue
	enqueue       = proxywasm.EnqueueSharedQueue
	dequeue       = proxywasm.DequeueSharedQueue
	getSharedData = proxywasm.GetSharedData
	setSharedData = proxywasm.SetSharedData

	dispatchCall = proxywasm.DispatchHttpCall
	callHeaders  = proxywasm.GetHttpCallResponseHeaders
	callBody     = proxywasm.GetHttpCallResponseBody

	logInfo  = proxywasm.LogInfo
	logWarn  = proxywasm.LogWarn
	logError = proxywasm.LogError
)

func defineMetric(kind metrics.Kind, name string) uint32 {
	switch kind {
	case metrics.Counter:
		return uint32(proxywasm.DefineCounterMetric(name))
	case metrics.Gauge:
		return uint32(proxywasm.DefineGaugeMetric(name))
	default:
		return uint32(proxywasm.DefineHistogramMetric(name))
	}
}

func incrementCounter(id uint32, n uint64) { proxywasm.MetricCounter(id).Increment(n) }

// recordMetric records into a histogram. On a gauge the same host call sets the
// value, which the SDK's own gauge type does not offer.
func recordMetric(id uint32, v uint64) { proxywasm.MetricHistogram(id).Record(v) }
