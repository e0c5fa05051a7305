package main

import (
	"math/rand/v2"
	"time"

	"github.com/routelens/routelens/plugin/capture"
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/sampling"
)

// Keys of shared data. Without a vm_id, as in Istio, they are common to every
// plugin of the process: hence the prefix.
const (
	seriesKey = "routelens.series"
	routesKey = "routelens.routes"
	queuesKey = "routelens.queues"
	limitKey  = "routelens.limit/"
	rosterKey = "routelens.roster/"
	nameKey   = "routelens.presence/"
	queueName = "routelens/"
)

// plugin is one configuration on one thread. Every thread has a worker, which
// makes records, and may be the one whose collector ships them.
type plugin struct {
	host      *host.Host
	presence  *presence  // nil but in Istio, and there once the configuration goes
	worker    *worker    // nil where the configuration was refused
	collector *collector // nil without a sink
	sweeper   *sweeper   // nil with one: the collector has its own
}

func (p *plugin) Start(configuration []byte) error {
	now := time.Now()
	if capture.InIstio(p.host) {
		p.presence = &presence{data: p.host, key: nameKey + p.name()}
	}
	c, err := config.Parse(configuration)
	if err != nil {
		return p.refuse(err, now)
	}
	p.presence.tell(now)
	pipeline := metrics.NewPipeline(p.host, sampling.Names(), record.Omissions())
	id := p.identity(c.SinkID)
	p.worker = newWorker(p.host, &c, id, pipeline)
	if c.Sink.Enabled() {
		p.collector = newCollector(p.host, &c, id, pipeline)
		p.worker.ship(&c, p.collector.enqueue)
		pipeline.Limits(c.Sink.Buffer.MaxBytes, c.Metrics.MaxSeries)
	} else {
		pipeline.Limits(0, c.Metrics.MaxSeries)
		p.sweeper = newSweeper(p.host, identity{vmID: id.vmID}, pipeline)
	}
	return nil
}

// refuse has the proxy keep the configuration that it has. Where that is none, Istio has nothing to put in its place, and would answer 500 to
// every request, whichever failStrategy is set: there the plugin stands idle.
func (p *plugin) refuse(fault error, now time.Time) error {
	if p.presence == nil || p.presence.known(now) {
		return fault
	}
	p.host.Error("configuration refused\n" + fault.Error() + "\nThere is no other in this proxy: traffic passes unseen until it is mended")
	return nil
}

func (p *plugin) name() string {
	name, _ := p.host.Property([]string{"plugin_name"})
	return clean(string(name))
}

// identity names the queue: by the format of its frames, by the plugin, as vm_id
// may be shared with others, and by the sink, as records are already in its dialect.
func (p *plugin) identity(sinkID string) identity {
	vmID, _ := p.host.Property([]string{"plugin_vm_id"})
	return identity{vmID: string(vmID), queue: queueName + queue.Format + "/" + p.name() + "/" + sinkID, self: rand.Uint64()}
}

// clean keeps a name on one line of the registry of queues.
func clean(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c <= ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}

// probe looks at a VM after each tick, in artifacts that are built for it.
var probe func(h *host.Host, serves bool, tick time.Duration)

func (p *plugin) Tick(now time.Time) {
	if p.worker == nil {
		return
	}
	if probe != nil {
		defer func() { probe(p.host, p.worker.served, time.Since(now)) }()
	}
	p.presence.tell(now)
	p.worker.tick(now)
	if p.sweeper != nil && p.sweeper.tick(now) {
		p.sweeper.pipeline.Waiting(0, 0) // it still shows what the last collector held
	}
	if p.collector != nil && p.collector.tick(now, p.worker.served) {
		p.host.Finished()
	}
}

func (p *plugin) QueueReady(now time.Time) {
	if p.collector != nil {
		p.collector.step(now)
	}
}

func (p *plugin) Done(now time.Time) bool {
	if p.worker == nil { // never started
		return true
	}
	p.presence = nil // it serves nobody any more, however long it waits for answers
	p.worker.flush()
	return p.collector == nil || p.collector.leave(now)
}

func (p *plugin) NewStream() host.Stream { return &stream{worker: p.worker} }

// stream is one exchange on its way.
type stream struct {
	worker *worker
	passed capture.Passed
}

func (s *stream) RequestHeaders(last bool) {
	if s.worker != nil { // nil: the configuration was refused, and a trap here would be a 503
		s.worker.capture.RequestHead(&s.passed, last)
	}
}

func (s *stream) RequestBody(bytes int) {
	if s.worker != nil {
		s.worker.capture.RequestChunk(&s.passed, bytes)
	}
}

func (s *stream) ResponseHeaders(last bool) {
	s.passed.Begun, s.passed.HeadersOnly, s.passed.Ended = true, last, last
	if s.worker != nil {
		s.worker.capture.ResponseHead(&s.passed, last)
	}
}

func (s *stream) ResponseBody(bytes int, last bool) {
	s.passed.Ended = last
	if s.worker != nil {
		s.worker.capture.ResponseChunk(&s.passed, bytes)
	}
}

func (s *stream) ResponseTrailers() { s.passed.ResponseTrailers, s.passed.Ended = true, true }

func (s *stream) RequestTrailers() {
	if s.worker != nil {
		s.passed.Trailers = s.worker.capture.Trailers()
	}
}

func (s *stream) End() {
	if s.worker != nil {
		s.worker.end(&s.passed)
		s.worker.capture.Release(&s.passed)
	}
	s.passed = capture.Passed{}
}
