// Package host is the boundary to the proxy: the only package that imports a
// proxy-wasm SDK. It turns the SDK's callbacks into calls on a [Plugin] and a
// [Stream], and the proxy's host calls into methods of [Host] that report
// failure instead of panicking.
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
	// NewStream is called at the start of each HTTP stream.
	NewStream() Stream
}

// Stream is one HTTP exchange.
type Stream interface {
	// RequestTrailers is called when request trailers arrive: they can be read
	// only now, not at the end.
	RequestTrailers()
	// End is called once, when the exchange is complete, whatever became of it.
	End()
}

// TickPeriod is the time between two calls of [Plugin.Tick].
const TickPeriod = 200 * time.Millisecond

// Run registers the plugin. It must be called from an init function: neither
// artifact's main ever runs.
func Run(newPlugin func(*Host) Plugin) { setVMContext(&vm{newPlugin: newPlugin}) }

type vm struct {
	vmBase
	newPlugin func(*Host) Plugin
}

func (v *vm) NewPluginContext(uint32) pluginContext {
	return &plugin{Plugin: v.newPlugin(&Host{})}
}

type plugin struct {
	pluginBase
	Plugin
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

func (p *plugin) NewHttpContext(uint32) streamContext { return &stream{Stream: p.NewStream()} }

// stream observes only: every callback lets the exchange proceed.
type stream struct {
	streamBase
	Stream
}

func (s *stream) OnHttpRequestTrailers(int) action {
	s.RequestTrailers()
	return proceed
}

func (s *stream) OnHttpStreamDone() { s.End() }
