package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/metrics"
)

func TestWhoLostTheLeaseTakesNothingMoreOffTheQueue(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.join(), w.join()
	a.collector.tick(w.now, false)
	a.emit()
	a.collector.step(w.now)
	require.NotZero(t, a.collector.exporter.Holding().Waiting)
	b.collector.tick(w.now.Add(-time.Second), false) // its thread was held up since it read the clock
	require.True(t, b.collector.collecting)
	a.emit()
	a.collector.step(w.now) // it learns of it
	a.emit()
	a.collector.step(w.now)
	assert.Zero(t, a.collector.exporter.Holding(), "all is back on the queue")
	for range 100 {
		w.now = w.now.Add(200 * time.Millisecond)
		for _, th := range w.threads {
			th.collector.tick(w.now, false)
			for len(th.calls) > 0 {
				th.answer()
			}
		}
	}
	assert.Equal(t, w.stats.values[metrics.Emitted], w.stats.ended(), w.stats.values)
}

func TestWhatCannotBeReadIsCountedAndToldOfOnce(t *testing.T) {
	w := newWorld(t, 1)
	th := w.join()
	th.collector.tick(w.now, false)
	for _, item := range []string{"RLF1\x00\x03\x00\x00\x00 of another build", "RLF1\x00\x02\x00\x00\x00 and one more", "of another plugin"} {
		require.True(t, th.collector.enqueue([]byte(item)))
	}
	th.collector.step(w.now)
	assert.EqualValues(t, 5, w.stats.values["reason=.=queue_error;.;"+metrics.Dropped])
	assert.Len(t, w.warned, 1)
}

func TestWhoIsStruckOffWhileItDrainsCountsWhatItTookAndNoMore(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.join(), w.join()
	a.collector.tick(w.now, false)
	a.emit()
	a.collector.step(w.now)
	held := a.collector.exporter.Holding().Waiting
	require.NotZero(t, held)
	b.collector.tick(w.now.Add(-time.Hour), false) // strikes it off, and counts what it held
	require.EqualValues(t, held, w.stats.ended())
	a.emit()
	a.collector.step(w.now) // within a callback: its clock is the old one
	assert.Equal(t, w.stats.values[metrics.Emitted], w.stats.ended(), w.stats.values)
	a.collector.step(w.now)
	assert.Zero(t, a.collector.exporter.Holding())
	assert.Empty(t, w.items[a.collector.queueID], "nothing that is counted goes back")
}
