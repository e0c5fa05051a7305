package main

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

// world is a proxy in memory: queues, shared data, stats and a sink, and real
// collectors on threads that are held up, vanish and are replaced. Threads take
// turns at each host call, as what others may do happens in between.
type world struct {
	*sharedtest.Data
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	threads []*thread
	sink    string // the one configured now
	dialect string
	joined  uint64
	made    int // records
	queues  map[string]uint32
	items   map[uint32][][]byte
	stats   stats
	arrived map[string]int // at the sink, by record
	warned  []string
}

// thread is one context with its part in shipping, and its calls under way.
type thread struct {
	*world
	collector *collector
	sink      string
	serving   bool
	tick      time.Time
	held      time.Time // nothing happens here until then
	gone      bool
	calls     []*call
	resume    func() (struct{}, bool) // the callback that runs; nil: none
	yield     func(struct{}) bool
}

// run begins a callback, which goes on in later turns.
func (th *thread) run(callback func(now time.Time)) {
	now := th.now
	th.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		th.yield = yield
		callback(now)
	})
	th.goOn()
}

func (th *thread) goOn() {
	if _, more := th.resume(); !more {
		th.resume, th.yield = nil, nil
	}
}

// pause lets others have their turn, at times for long.
func (th *thread) pause() {
	if th.yield == nil || th.random.IntN(3) > 0 {
		return
	}
	if th.random.IntN(60) == 0 {
		th.held = th.now.Add(th.within(3 * time.Second))
	}
	th.yield(struct{}{})
}

type call struct {
	body string
	done func(host.Response)
}

// stats adds up counters by name.
type stats struct {
	names  []string
	values map[string]uint64
}

func (s *stats) Define(_ metrics.Kind, name string) uint32 {
	s.names = append(s.names, name)
	return uint32(len(s.names) - 1)
}
func (s *stats) Increment(id uint32, n uint64) { s.values[s.names[id]] += n }
func (s *stats) Record(id uint32, v uint64)    { s.values[s.names[id]] = v }

func (s *stats) dropped() (n uint64) {
	for _, r := range metrics.Reasons() {
		n += s.values[metrics.Label(metrics.LabelReason, r)+metrics.Dropped]
	}
	return n
}

func (s *stats) ended() uint64 {
	return s.values[metrics.Delivered] + s.dropped() + s.values[metrics.Unconfirmed]
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{
		Data: sharedtest.New(), t: t, random: rand.New(rand.NewPCG(seed, 3)), now: time.Unix(1_800_000_000, 0), sink: "a",
		dialect: []string{config.NDJSON, config.Elasticsearch}[seed%2], queues: map[string]uint32{}, items: map[uint32][][]byte{}, stats: stats{values: map[string]uint64{}}, arrived: map[string]int{},
	}
}

// What the proxy offers; see the interface proxy.

func (w *world) Resolve(_, name string) (uint32, bool) { id, ok := w.queues[name]; return id, ok }

func (w *world) Register(name string) (uint32, bool) {
	if _, ok := w.queues[name]; !ok {
		w.queues[name] = uint32(len(w.queues) + 1)
	}
	return w.queues[name], true
}

func (th *thread) Get(key string) ([]byte, uint32) {
	th.pause()
	return th.Data.Get(key)
}

func (th *thread) Swap(key string, value []byte, version uint32) bool {
	th.pause()
	return (th.yield == nil || th.random.IntN(30) > 0) && th.Data.Swap(key, value, version)
}

func (th *thread) Enqueue(id uint32, item []byte) bool {
	th.pause()
	return th.world.Enqueue(id, item)
}

func (th *thread) Dequeue(id uint32) ([]byte, bool) {
	th.pause()
	return th.world.Dequeue(id)
}

func (w *world) Enqueue(id uint32, item []byte) bool {
	if w.random.IntN(500) == 0 {
		return false
	}
	w.items[id] = append(w.items[id], append([]byte(nil), item...))
	return true
}

func (w *world) Dequeue(id uint32) ([]byte, bool) {
	if len(w.items[id]) == 0 {
		return nil, false
	}
	item := w.items[id][0]
	w.items[id] = w.items[id][1:]
	return item, true
}

func (w *world) Warn(message string) { w.warned = append(w.warned, message) }

func (th *thread) Call(r host.Request, done func(host.Response)) error {
	th.pause()
	if th.random.IntN(50) == 0 {
		return errors.New("refused")
	}
	th.calls = append(th.calls, &call{string(r.Body), done})
	return nil
}

func (w *world) join() *thread {
	w.joined++
	th := &thread{world: w, sink: w.sink, serving: w.random.IntN(3) > 0, tick: w.now.Add(w.within(200 * time.Millisecond))}
	c, err := config.Parse([]byte(`{"sink":{"type":"` + w.dialect + `","cluster":"logs","max_in_flight":3,"batch":{"max_bytes":"1KiB","max_records":40,"max_delay":"300ms"},
		"retry":{"initial":"100ms","max":"2s","max_elapsed":"20s"},"buffer":{"max_bytes":"20KiB"}}}`))
	require.NoError(w.t, err)
	th.collector = newCollector(th, &c, identity{queue: queueName + "plugin/" + w.sink, self: w.joined}, metrics.NewPipeline(&w.stats, nil, nil))
	k := th.collector
	k.clock = func() time.Time { return w.now }
	k.exporter = export.New(&c, encode.Envelope{}, k.sender(&c, ""), k.pipeline, w.random.Float64, w.Warn) // by the seed alone
	w.threads = append(w.threads, th)
	return th
}

func (w *world) within(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d)))
}

// name encodes a record as its path.
type name struct{}

func (name) AppendKey(dst []byte, _ *record.Record) []byte { return dst }
func (name) Append(dst []byte, r *record.Record) []byte    { return append(append(dst, r.Path...), '\n') }

// emit does what a worker does on a thread.
func (th *thread) emit() {
	b := queue.NewBuilder(queue.Class(th.random.IntN(int(queue.Classes))))
	for range 1 + th.random.IntN(6) {
		th.made++
		b.Add(name{}, &record.Record{Path: fmt.Sprint("r", th.made)})
	}
	th.collector.pipeline.Emitted(b.Count())
	if !th.collector.enqueue(b.Frame()) {
		th.collector.pipeline.Dropped(metrics.QueueError, b.Count())
	}
}

// answer ends one of the calls under way, and tells the caller if it is still there.
func (th *thread) answer() {
	at := th.random.IntN(len(th.calls))
	c := th.calls[at]
	th.calls = append(th.calls[:at], th.calls[at+1:]...)
	status := []int{200, 200, 200, 204, 0, 429, 503, 400}[th.random.IntN(8)]
	if status == 200 && th.dialect == config.Elasticsearch {
		th.itemise(c)
		return
	}
	th.finish(c, status)
}

// itemise answers record by record, for most of them.
func (th *thread) itemise(c *call) {
	var items []string
	for line := range strings.Lines(c.body) {
		status := []int{201, 201, 201, 201, 409, 400, 429, 503, 0}[th.random.IntN(9)]
		if status < 400 || status == 409 { // 0: it was taken, and is not told of
			th.arrived[line]++
		}
		items = append(items, fmt.Sprintf(`{"create":{"status":%d}}`, status))
	}
	if !th.gone {
		body := `{"errors":true,"items":[` + strings.Join(items, ",") + "]}"
		c.done(host.Response{Status: 200, Body: func(most int) []byte { return []byte(body[:min(most, len(body))]) }})
	}
}

func (th *thread) finish(c *call, status int) {
	if status/100 == 2 {
		for line := range strings.Lines(c.body) {
			th.arrived[line]++
		}
	}
	if !th.gone {
		c.done(host.Response{Status: status, Body: func(int) []byte { return []byte(`{"errors":false}`) }})
	}
}

func (w *world) remove(th *thread) {
	th.gone = true
	for _, c := range th.calls { // sent is sent
		th.finish(c, 200)
	}
	for i := range w.threads {
		if w.threads[i] == th {
			w.threads = append(w.threads[:i], w.threads[i+1:]...)
			return
		}
	}
}

func (w *world) leave(th *thread) {
	if th.collector.leaving {
		return
	}
	th.run(func(now time.Time) {
		if th.collector.leave(now) {
			w.remove(th)
		}
	})
}

// turn lets what is due happen on a thread, in any order.
func (w *world) turn(th *thread) {
	switch {
	case th.held.After(w.now) || th.gone:
		return
	case th.resume != nil:
		th.goOn()
	default:
		th.run(th.event)
	}
	require.LessOrEqual(w.t, w.stats.ended(), w.stats.values[metrics.Emitted], "no record is counted twice")
}

func (th *thread) event(now time.Time) {
	switch th.random.IntN(4) {
	case 0:
		if len(th.calls) > 0 {
			th.answer()
		}
	case 1:
		th.collector.step(now) // the queue is ready
	case 2:
		if !th.collector.leaving && th.random.IntN(2) == 0 {
			th.emit()
		}
	default:
		if !th.tick.After(now) {
			th.tick = now.Add(host.TickPeriod)
			if th.collector.tick(now, th.serving) {
				th.remove(th)
			}
		}
	}
}

func (w *world) turns() {
	for range 4 {
		w.now = w.now.Add(w.within(15 * time.Millisecond))
		for _, at := range w.random.Perm(len(w.threads)) {
			if at < len(w.threads) { // some may have gone
				w.turn(w.threads[at])
			}
		}
	}
}

// mishap is what may befall a thread.
func (w *world) mishap() {
	th := w.threads[w.random.IntN(len(w.threads))]
	if th.resume != nil {
		return // a VM goes, and is told to, between callbacks
	}
	switch w.random.IntN(9) {
	case 0:
		th.held = w.now.Add(w.within(1500 * time.Millisecond))
	case 1:
		th.held = w.now.Add(w.within(12 * time.Second)) // longer than it takes to be given up
	case 2:
		w.join()
		w.remove(th) // its VM is replaced
	case 3, 4:
		w.join()
		w.leave(th)
	case 5, 6:
		w.join()
	case 7:
		if w.random.IntN(4) > 0 {
			return
		}
		w.sink = map[string]string{"a": "b", "b": "a"}[w.sink]
		w.join()
		for _, old := range append([]*thread(nil), w.threads...) {
			switch {
			case old.sink == w.sink || old.resume != nil:
			case w.random.IntN(3) == 0:
				w.remove(old)
			default:
				w.leave(old)
			}
		}
	case 8: // the clock is set
		w.now = w.now.Add(time.Duration(w.random.IntN(5000)-2500) * time.Millisecond)
	}
}

func TestWhateverBefallsTheThreadsEachRecordIsCountedOnceAndSentOnce(t *testing.T) {
	runs := uint64(60)
	if testing.Short() {
		runs = 20
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 4 {
				w.join()
			}
			for range 1500 {
				w.turns()
				if w.random.IntN(25) == 0 && len(w.threads) < 40 {
					w.mishap()
				}
			}
			w.settle()
		})
	}
}

// settle leaves one thread of the present configuration alone until all is quiet.
func (w *world) settle() {
	last := w.join()
	for _, th := range append([]*thread(nil), w.threads...) {
		for th.resume != nil {
			th.goOn()
		}
		if th != last {
			w.leave(th)
		}
		for th.resume != nil {
			th.goOn()
		}
	}
	for range 8000 {
		w.now = w.now.Add(50 * time.Millisecond)
		for _, th := range append([]*thread(nil), w.threads...) {
			if len(th.calls) > 0 {
				th.answer()
			}
			if !th.tick.After(w.now) {
				th.tick = w.now.Add(host.TickPeriod)
				if th.collector.tick(w.now, th.serving) {
					w.remove(th)
				}
			}
		}
		require.LessOrEqual(w.t, w.stats.ended(), w.stats.values[metrics.Emitted])
		if w.stats.ended() == w.stats.values[metrics.Emitted] && len(w.threads) == 1 && len(last.calls) == 0 {
			break
		}
	}
	v := w.stats.values
	require.Equal(w.t, int(v[metrics.Emitted]), int(w.stats.ended()), "%v; on the queues: %q", v, w.items)
	require.Len(w.t, w.threads, 1, "who leaves is gone at last")
	require.Zero(w.t, v[metrics.WaitingRecords], "the gauge tells of nothing where there is nothing")
	for line, times := range w.arrived {
		require.Equal(w.t, 1, times, line)
	}
	require.LessOrEqual(w.t, int(v[metrics.Delivered]), len(w.arrived))
	require.GreaterOrEqual(w.t, int(v[metrics.Delivered]+v[metrics.Unconfirmed]), len(w.arrived))
}
