//go:build !wasip1

package host

import (
	"testing"
	"time"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/proxytest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fake is a plugin that makes a call on each tick.
type fake struct {
	host    *Host
	answers []Response
	bodies  [][]byte
	ended   int
}

func (f *fake) Start([]byte) error   { return nil }
func (f *fake) QueueReady(time.Time) {}
func (f *fake) Done(time.Time) bool  { return true }
func (f *fake) NewStream() Stream    { return &fakeStream{plugin: f} }

func (f *fake) Tick(time.Time) {
	_ = f.host.Call(Request{Cluster: "logs", Headers: [][2]string{{":path", "/"}}}, func(r Response) {
		f.answers = append(f.answers, r)
		if r.Body != nil {
			f.bodies = append(f.bodies, r.Body(5), r.Body(1000))
		}
	})
}

type fakeStream struct {
	Stream
	plugin *fake
}

func (s *fakeStream) End() { s.plugin.ended++ }

func TestAnAnswerIsReadAsFarAsIsAskedFor(t *testing.T) {
	f := &fake{}
	e, reset := proxytest.NewHostEmulator(proxytest.NewEmulatorOption().WithVMContext(&VM{New: func(h *Host) Plugin { f.host = h; return f }}))
	defer reset()
	require.EqualValues(t, started, e.StartPlugin())
	e.Tick()
	call := e.GetCalloutAttributesFromContext(proxytest.PluginContextID)[0]
	e.CallOnHttpCallResponse(call.CalloutID, [][2]string{{":status", "413"}}, nil, []byte("too large"))
	require.Len(t, f.answers, 1)
	assert.Equal(t, 413, f.answers[0].Status)
	assert.Equal(t, [][]byte{[]byte("too l"), []byte("too large")}, f.bodies)
}

func TestAStreamThatEndsTwiceEndsOnceAndServesOneExchange(t *testing.T) {
	f := &fake{}
	p := (&VM{New: func(*Host) Plugin { return f }}).NewPluginContext(1)
	s := p.NewHttpContext(2)
	s.OnHttpStreamDone()
	s.OnHttpStreamDone()
	assert.Equal(t, 1, f.ended)
	again, another := p.NewHttpContext(3), p.NewHttpContext(4)
	assert.Same(t, s, again)
	assert.NotSame(t, again, another)
}
