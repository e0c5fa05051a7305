package main

import (
	"time"

	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/shared"
)

// sweepable is what a sweeper needs of the host.
type sweepable interface {
	shared.Data
	Resolve(vmID, name string) (id uint32, ok bool)
	Dequeue(id uint32) ([]byte, bool)
}

// sweeper looks for queues whose configuration went, with its VMs, before they
// were dry. Their records are in the dialect of a sink that is configured no
// more: they are dropped, and counted. Several may sweep at once.
type sweeper struct {
	host     sweepable
	identity identity // whose queue is left alone
	pipeline *metrics.Pipeline
	registry *queue.Registry
	swept    time.Time
	suspects map[string]time.Time // queues that nobody moves, since when
}

const (
	sweepPeriod = time.Second      // between looks at the queues of others
	abandonTime = 10 * time.Second // after which a quiet queue is taken for abandoned
)

func newSweeper(h sweepable, id identity, pipeline *metrics.Pipeline) *sweeper {
	return &sweeper{host: h, identity: id, pipeline: pipeline, registry: queue.NewRegistry(h, queuesKey), suspects: map[string]time.Time{}}
}

// tick tells whether it struck off a queue.
func (s *sweeper) tick(now time.Time) (swept bool) {
	if now.Sub(s.swept) < sweepPeriod {
		return false
	}
	s.swept = now
	for _, name := range s.registry.Names() {
		if name == s.identity.queue || !queue.Quiet(s.host, rosterKey+name, now, abandonTime) {
			delete(s.suspects, name)
			continue
		}
		if _, known := s.suspects[name]; !known {
			s.suspects[name] = now
		}
		if now.Sub(s.suspects[name]) < abandonTime {
			continue
		}
		delete(s.suspects, name)
		s.registry.Remove(name)
		settle(s.pipeline, queue.Strike(s.host, rosterKey+name))
		s.empty(name)
		swept = true
	}
	return swept
}

func (s *sweeper) empty(name string) {
	id, ok := s.host.Resolve(s.identity.vmID, name)
	for ok {
		var item []byte
		if item, ok = s.host.Dequeue(id); ok {
			s.pipeline.Dropped(metrics.SinkRemoved, queue.Count(item)) // it may be of another build
		}
	}
}

// settle accounts for what contexts held that are no more.
func settle(pipeline *metrics.Pipeline, orphans []queue.Holding) {
	for _, held := range orphans {
		pipeline.Unconfirmed(int(held.InFlight))
		pipeline.Dropped(metrics.CollectorLost, int(held.Waiting))
	}
}
