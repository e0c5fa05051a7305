package main

import (
	"maps"
	"slices"
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
	identity identity // whose queue is left alone, and kept listed; without a sink there is none
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
	age := now.Sub(s.swept)
	if age >= 0 && age < sweepPeriod {
		return false
	}
	if age < 0 || age > 2*sweepPeriod {
		clear(s.suspects) // somebody may have moved them, and gone again, unseen
	}
	s.swept = now
	names := s.registry.Names()
	if own := s.identity.queue; own != "" && !slices.Contains(names, own) {
		s.registry.Add(own) // it was swept as it came back
	}
	maps.DeleteFunc(s.suspects, func(name string, _ time.Time) bool { return !slices.Contains(names, name) })
	for _, name := range names {
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
		orphans, struck := queue.Strike(s.host, rosterKey+name, now, abandonTime)
		if !struck {
			continue
		}
		s.registry.Remove(name)
		settle(s.pipeline, orphans)
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
