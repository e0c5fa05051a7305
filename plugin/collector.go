package main

import (
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/shared"
)

// identity is whose queue it is, and who this context is on its roster.
type identity struct {
	vmID, queue string
	self        uint64
}

// proxy is what a collector needs of the host.
type proxy interface {
	shared.Data
	Resolve(vmID, name string) (id uint32, ok bool)
	Register(name string) (id uint32, ok bool)
	Enqueue(id uint32, item []byte) bool
	Dequeue(id uint32) ([]byte, bool)
	Call(r host.Request, done func(host.Response)) error
	Warn(message string)
}

// collector is this context's part in shipping: while it holds the queue's lease
// it drains the queue into the exporter, else it only watches.
//
// Every context has one, on every thread. Nothing here blocks a request, but on
// a worker it takes time from them, so contexts that serve are patient: the one
// on Envoy's main thread, which serves nothing, comes first, and takes the lease
// back from one that serves.
type collector struct {
	host     proxy
	clock    func() time.Time
	identity identity
	queueID  uint32
	exporter *export.Exporter
	pipeline *metrics.Pipeline
	roster   *queue.Roster
	sweeper  *sweeper

	collecting bool
	renewed    time.Time // when the roster was last asked
	suspended  time.Time // until when nothing is sent
	dry        bool      // the queue was empty when last looked at
	foreign    bool      // something else was on the queue
	reported   queue.Holding

	leaving bool
	leaveBy time.Time
}

// How long a vacant lease is left to others.
const (
	idlePatience    = 0
	servingPatience = 700 * time.Millisecond
	leavingPatience = 1400 * time.Millisecond
	never           = time.Duration(math.MaxInt64)
)

const (
	leaveTime = time.Minute // a configuration that is going stays no longer
	maxDrain  = 2048        // frames taken at a time, so as not to hold the thread

	// After which the roster is asked before anything is done: shorter than a
	// lease, longer than a tick.
	trustTime = 500 * time.Millisecond

	// For how long who was held up sends nothing. Envoy's main thread is held up as it compiles the code that replaces this VM, and hears
	// of what became due meanwhile before it lets the VM go: what was sent then would remain unconfirmed. So it is left to whoever follows.
	// Not again within a while: a thread that is held up all the time would send nothing at all.
	suspension = 300 * time.Millisecond
	noneAgain  = 2 * time.Second // enough for another to take over
)

func newCollector(h proxy, c *config.Config, id identity, pipeline *metrics.Pipeline) *collector {
	k := &collector{
		host: h, clock: time.Now, identity: id, pipeline: pipeline,
		roster:  queue.NewRoster(h, rosterKey+id.queue, id.self),
		sweeper: newSweeper(h, id, pipeline),
	}
	envelope := encode.New(c).Envelope()
	k.exporter = export.New(c, envelope, k.sender(c, envelope.ContentType), pipeline, rand.Float64, h.Warn)
	k.sweeper.registry.Add(id.queue)
	k.open()
	return k
}

// open finds the queue. Only the first context of all makes it: registering it
// again would take its events from whoever collects.
func (k *collector) open() bool {
	id, ok := k.host.Resolve(k.identity.vmID, k.identity.queue)
	if !ok {
		id, ok = k.host.Register(k.identity.queue)
	}
	k.queueID = id
	return ok
}

func (k *collector) enqueue(frame []byte) bool {
	return k.host.Enqueue(k.queueID, frame) || k.open() && k.host.Enqueue(k.queueID, frame)
}

// sender makes the requests to the sink.
func (k *collector) sender(c *config.Config, contentType string) export.Send {
	headers := [][2]string{
		{":method", "POST"}, {":path", c.Sink.Path}, {":authority", c.Sink.Authority},
		{"content-type", contentType},
	}
	for _, a := range c.Sink.Headers {
		if a.Name == "content-type" {
			headers[3][1] = a.Value
			continue
		}
		headers = append(headers, [2]string{a.Name, a.Value})
	}
	encoded := slices.DeleteFunc(slices.Clone(headers), func(h [2]string) bool { return h[0] == "content-encoding" })
	return func(body []byte, encoding string, answer func(export.Response, time.Time)) error {
		request := host.Request{Cluster: c.Sink.Cluster, Headers: headers, Body: body, Timeout: c.Sink.Timeout}
		if encoding != "" {
			request.Headers = append(slices.Clip(encoded), [2]string{"content-encoding", encoding})
		}
		return k.host.Call(request, func(r host.Response) {
			now := k.clock()
			k.catchUp(now)
			answer(export.Response(r), now)
			k.step(now)
		})
	}
}

// tick renews or takes the lease and moves the exporter. It answers true when a
// collector that is leaving is done.
func (k *collector) tick(now time.Time, serving bool) (finished bool) {
	standing := k.renew(now, k.patience(serving))
	if standing.Won {
		k.pipeline.CollectorChanged()
		k.gauge() // it still shows what the last collector held
		if id, ok := k.host.Register(k.identity.queue); ok {
			k.queueID = id
		}
	}
	k.step(now)
	if k.collecting {
		k.sweeper.tick(now)
	}
	return k.leaving && k.finished(now, standing)
}

// renew tells the roster what is held, and learns where this context stands.
func (k *collector) renew(now time.Time, patience time.Duration) queue.Standing {
	standing := k.roster.Tick(now, k.exporter.Holding(), patience)
	if !k.renewed.IsZero() && k.heldUp(now) && now.Sub(k.suspended) > noneAgain {
		k.suspended = now.Add(suspension)
	}
	k.renewed = now
	if standing.Struck {
		k.exporter.Forget()
	}
	settle(k.pipeline, standing.Orphans)
	k.collecting = standing.Collecting
	return standing
}

// catchUp asks the roster where this context stands if it has not for long. A
// thread that was held up hears of answers and of the queue before its next tick:
// by then another may collect, or have struck it off and counted what it holds.
func (k *collector) catchUp(now time.Time) {
	if k.heldUp(now) {
		k.renew(now, never)
	}
}

func (k *collector) heldUp(now time.Time) bool {
	age := now.Sub(k.renewed)
	return age < 0 || age > trustTime
}

func (k *collector) patience(serving bool) time.Duration {
	switch {
	case k.leaving:
		return leavingPatience
	case serving:
		return servingPatience
	}
	return idlePatience
}

// step moves records on: from the queue to the sink, or, where another collects,
// back to the queue. Of that the roster is told afterwards. Should the VM go in between,
// which Envoy does not let it but a trap would, what is back on the queue counts
// twice, as its row still has it. Told before, it would be lost and nobody know:
// a sum that is too high says at least that something was.
func (k *collector) step(now time.Time) {
	k.catchUp(now)
	if left := k.suspended.Sub(now); k.collecting && !k.leaving && 0 < left && left <= suspension { // a clock may be set back
		k.report(now, 0)
		return
	}
	if k.collecting {
		k.report(now, k.drain(now)) // before any of it is sent
	}
	if k.collecting {
		k.exporter.Pump(now, k.leaving)
	} else {
		k.exporter.GiveBack(k.enqueue)
	}
	k.report(now, 0)
}

// report tells the roster what is held, if that changed, and learns whether this
// context still collects. taken is how many records came since the last report:
// where it was struck off in between, only these are not yet counted.
func (k *collector) report(now time.Time, taken int) {
	holds := k.exporter.Holding()
	if holds == k.reported {
		return
	}
	k.reported = holds
	collecting, struck := k.roster.Report(now, holds, !k.collecting)
	k.collecting = collecting
	if struck {
		k.pipeline.Dropped(metrics.CollectorLost, taken)
		k.exporter.Forget()
	}
	if k.collecting {
		k.gauge()
	}
}

func (k *collector) gauge() {
	holds := k.exporter.Holding()
	k.pipeline.Waiting(k.exporter.Bytes(), int(holds.Waiting+holds.InFlight))
}

func (k *collector) drain(now time.Time) (taken int) {
	for range maxDrain {
		item, ok := k.host.Dequeue(k.queueID)
		if k.dry = !ok; k.dry {
			return taken
		}
		if frame, ok := queue.Parse(item); ok {
			k.exporter.Add(frame, now)
			taken += frame.Count
			continue
		}
		k.pipeline.Dropped(metrics.QueueError, queue.Count(item))
		if !k.foreign { // the name's last part is a hash of the sink, with its secrets
			k.host.Warn("what is no frame came off the queue " + path.Dir(k.identity.queue) + "; no more is said of it")
			k.foreign = true
		}
	}
	return taken
}

// leave hands over: what is unsent goes back on the queue, the lease is free,
// and only answers are still awaited. It answers true where nothing is left to
// wait for.
func (k *collector) leave(now time.Time) (finished bool) {
	k.catchUp(now)
	k.leaving, k.leaveBy = true, now.Add(leaveTime)
	k.collecting = false
	k.exporter.GiveBack(k.enqueue)
	k.reported = k.exporter.Holding()
	k.roster.Report(now, k.reported, true)
	return k.reported == (queue.Holding{}) && k.roster.Live(now)
}

// finished tells whether a leaving collector may go: it holds nothing, and
// someone else collects or there is nothing left to collect.
func (k *collector) finished(now time.Time, s queue.Standing) bool {
	empty := k.exporter.Holding() == (queue.Holding{})
	switch {
	case empty && !k.collecting && !s.Vacant:
		return true
	case empty && k.collecting && k.dry, now.After(k.leaveBy):
		k.collecting = false
		k.exporter.GiveBack(k.enqueue)
		k.roster.Report(now, k.exporter.Holding(), true)
		return true
	}
	return false
}
