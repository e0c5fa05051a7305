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
		threads = append(threads, newSweeper(w, identity{}, metrics.NewPipeline(&w.stats, nil)))
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
	s := newSweeper(w, identity{}, metrics.NewPipeline(&w.stats, nil))
	id, _ := w.Register("routelens/plugin/a")
	s.registry.Add("routelens/plugin/a")
	w.items[id] = [][]byte{[]byte("RLF1\x00\x03\x00\x00\x00 of another build")}
	for range 30 {
		w.now = w.now.Add(sweepPeriod)
		s.tick(w.now)
	}
	assert.EqualValues(t, 3, w.stats.values["reason=.=sink_removed;.;"+metrics.Dropped])
}
