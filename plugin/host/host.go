// Package host is the boundary to the proxy: the only package that imports a
// proxy-wasm SDK. It turns the SDK's callbacks into calls on a [Plugin] and a
// [Stream], and the proxy's host calls into methods of [Host] that report
// failure instead of panicking. Stats alone are the SDK's to panic over: Envoy
// takes every name, every id that it gave, and every increment but 0.
//
// A build tag chooses the SDK: TinyGo gets tetratelabs' SDK, plain Go (and
// every native test) its successor. The API is the same.
package host

import "time"

// Plugin is one filter configuration on one thread of the proxy.
type Plugin interface {
	// Start receives the configuration. An error refuses it: the proxy then
	// keeps serving with the configuration it had.
	Start(configuration []byte) error
	// Tick is called every [TickPeriod].
	Tick(now time.Time)
	// QueueReady hints that something was put on the shared queue.
	QueueReady(now time.Time)
	// Done announces that the configuration is going. Where it returns false the
	// plugin lives on, while its VM does, until it calls [Host.Finished].
	Done(now time.Time) bool
	// NewStream makes a stream, where none can be used again.
	NewStream() Stream
}

// Stream is one HTTP exchange, and, once that has ended, the next: streams are
// used again, as one for each exchange would be garbage in the proxy's memory.
type Stream interface {
	// RequestHeaders tells whether the request ends with them. The headers of
	// either direction can be read now and at the end, not in between.
	RequestHeaders(last bool)
	// RequestBody tells of a chunk that passes, in bytes; so much of it can be
	// read now, by [Host.RequestBody].
	RequestBody(bytes int)
	// ResponseHeaders and ResponseBody tell whether the response ends with them.
	ResponseHeaders(last bool)
	ResponseBody(bytes int, last bool)
	// RequestTrailers and ResponseTrailers tell that there are some. The
	// request's can be read only now, not at the end.
	RequestTrailers()
	ResponseTrailers()
	// End is called once, when the exchange is complete, whatever became of it.
	End()
}

// TickPeriod is the time between two calls of [Plugin.Tick].
const TickPeriod = 200 * time.Millisecond

// Run registers the plugin. It must be called from an init function: neither
// artifact's main ever runs.
func Run(newPlugin func(*Host) Plugin) { setVMContext(&VM{New: newPlugin}) }

// VM is what [Run] registers with the SDK. The SDK's emulator takes it in tests.
type VM struct {
	vmBase
	New func(*Host) Plugin
}

// NewPluginContext is called by the SDK for each configuration.
func (v *VM) NewPluginContext(uint32) pluginContext {
	return &plugin{Plugin: v.New(&Host{})}
}

type plugin struct {
	pluginBase
	Plugin
	free []*stream // ended, to be used again
}

func (p *plugin) OnPluginStart(int) startStatus {
	configuration, _ := pluginConfig() // absent is empty: every key has a default
	if err := p.Start(configuration); err != nil {
		logError("routelens: configuration refused\n" + err.Error())
		return startFailed
	}
	if err := setTickPeriod(uint32(TickPeriod / time.Millisecond)); err != nil {
		logError("routelens: cannot set the tick period: " + err.Error())
		return startFailed
	}
	return started
}

func (p *plugin) OnTick()             { p.Tick(time.Now()) }
func (p *plugin) OnQueueReady(uint32) { p.QueueReady(time.Now()) }
func (p *plugin) OnPluginDone() bool  { return p.Done(time.Now()) }

func (p *plugin) NewHttpContext(uint32) streamContext {
	if last := len(p.free) - 1; last >= 0 {
		s := p.free[last]
		p.free = p.free[:last]
		s.live = true
		return s
	}
	return &stream{Stream: p.NewStream(), plugin: p, live: true}
}

// maxFree bounds the streams kept after a burst.
const maxFree = 1024

// stream observes only: every callback lets the exchange proceed.
type stream struct {
	streamBase
	Stream
	plugin *plugin
	live   bool // not yet ended
}

func (s *stream) OnHttpRequestHeaders(_ int, last bool) action {
	s.RequestHeaders(last)
	return proceed
}

func (s *stream) OnHttpRequestBody(size int, _ bool) action {
	s.RequestBody(size)
	return proceed
}

func (s *stream) OnHttpRequestTrailers(int) action {
	s.RequestTrailers()
	return proceed
}

func (s *stream) OnHttpResponseHeaders(_ int, last bool) action {
	s.ResponseHeaders(last)
	return proceed
}

func (s *stream) OnHttpResponseBody(size int, last bool) action {
	s.ResponseBody(size, last)
	return proceed
}

func (s *stream) OnHttpResponseTrailers(int) action {
	s.ResponseTrailers()
	return proceed
}

// OnHttpStreamDone comes last but for the SDK's own clearing up.
func (s *stream) OnHttpStreamDone() {
	if !s.live {
		return // a second end would give two exchanges one stream
	}
	s.live = false
	s.End()
	if len(s.plugin.free) < maxFree {
		s.plugin.free = append(s.plugin.free, s)
	}
}
