package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/metrics"
)

func TestRecordsOfASinkThatWentAreCountedThoughNoneFollows(t *testing.T) {
	w := newWorld(t, 1)
	old := w.join()
	old.collector.tick(w.now, false)
	require.True(t, old.collector.collecting)
	old.emit()
	old.collector.step(w.now) // held
	old.emit()                // on the queue
	w.remove(old)             // with its VM

	var threads []*sweeper // without a sink
	for range 3 {
		threads = append(threads, newSweeper(w, identity{}, metrics.NewPipeline(&w.stats, nil, nil)))
	}
	pass := func(d time.Duration) {
		for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(sweepPeriod) {
			for _, s := range threads {
				s.tick(w.now)
			}
		}
	}
	pass(abandonTime + abandonTime)
	require.Zero(t, w.stats.ended(), "it might have come back")
	pass(5 * time.Second)
	assert.Equal(t, w.stats.values[metrics.Emitted], w.stats.ended(), w.stats.values)
	assert.Positive(t, w.stats.values["reason=.=sink_removed;.;"+metrics.Dropped])
	assert.Positive(t, w.stats.values["reason=.=collector_lost;.;"+metrics.Dropped])
	assert.Empty(t, threads[0].registry.Names())
}

func TestRecordsOfABuildWithAnotherFormatAreCounted(t *testing.T) {
	w := newWorld(t, 1)
	s := newSweeper(w, identity{}, metrics.NewPipeline(&w.stats, nil, nil))
	id, _ := w.Register("routelens/plugin/a")
	s.registry.Add("routelens/plugin/a")
	w.items[id] = [][]byte{[]byte("RLF1\x00\x03\x00\x00\x00 of another build")}
	for range 30 {
		w.now = w.now.Add(sweepPeriod)
		s.tick(w.now)
	}
	assert.EqualValues(t, 3, w.stats.values["reason=.=sink_removed;.;"+metrics.Dropped])
}

// watch lets a sweeper look on so long.
func (w *world) watch(s *sweeper, d time.Duration) (swept bool) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(sweepPeriod) {
		swept = s.tick(w.now) || swept
	}
	return swept
}

func TestASinkThatReturnsIsNotSweptForWhatItWas(t *testing.T) {
	const name = "routelens/plugin/a"
	for what, between := range map[string]func(w *world, s *sweeper){
		"swept by another": func(w *world, s *sweeper) {
			s.registry.Remove(name)
			w.watch(s, abandonTime)
			s.registry.Add(name)
		},
		"nobody looked": func(w *world, _ *sweeper) { w.now = w.now.Add(abandonTime) },
		"the clock was set back": func(w *world, s *sweeper) {
			w.now = w.now.Add(-time.Hour)
			s.tick(w.now)
			w.now = w.now.Add(time.Hour)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, 1)
			s := newSweeper(w, identity{}, metrics.NewPipeline(&w.stats, nil, nil))
			s.registry.Add(name)
			require.False(t, w.watch(s, abandonTime))
			between(w, s)
			assert.False(t, w.watch(s, abandonTime), "it is as new")
			assert.True(t, w.watch(s, 2*sweepPeriod))
		})
	}
}

func TestAQueueThatMovesAgainAsItIsSweptIsLeftAlone(t *testing.T) {
	w := newWorld(t, 1)
	th := w.join()
	data := &moving{world: w}
	s := newSweeper(data, identity{}, metrics.NewPipeline(&w.stats, nil, nil))
	w.watch(s, abandonTime)
	th.emit()
	data.at, data.then = rosterKey+th.collector.identity.queue, func() { th.collector.tick(w.now, false) }
	assert.False(t, w.watch(s, sweepPeriod))
	assert.True(t, th.collector.collecting)
	assert.Equal(t, []string{th.collector.identity.queue}, s.registry.Names())
	assert.Zero(t, w.stats.ended())
}

// moving is a world in which something happens after a key was first read.
type moving struct {
	*world
	at   string
	then func()
}

func (m *moving) Get(key string) ([]byte, uint32) {
	value, version := m.world.Get(key)
	if then := m.then; key == m.at && then != nil {
		m.then = nil
		then()
	}
	return value, version
}

func TestWhoCollectsKeepsItsQueueListed(t *testing.T) {
	w := newWorld(t, 1)
	k := w.join().collector
	k.sweeper.registry.Remove(k.identity.queue)
	k.tick(w.now, false)
	require.True(t, k.collecting)
	assert.Equal(t, []string{k.identity.queue}, k.sweeper.registry.Names())
}
