package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/export"
	"github.com/routelens/routelens/plugin/host"
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

// pair is one that collects and one that watches.
func pair(t *testing.T) (w *world, a, b *thread) {
	w = newWorld(t, 1)
	a, b = w.join(), w.join()
	a.collector.tick(w.now, false)
	require.True(t, a.collector.collecting)
	return w, a, b
}

func TestWhoWasHeldUpAsksTheRosterFirst(t *testing.T) {
	const long = leavingPatience
	t.Run("before it takes from the queue", func(t *testing.T) {
		w, a, b := pair(t)
		w.now = w.now.Add(long)
		b.collector.tick(w.now, false)
		a.emit()
		a.collector.step(w.now)
		assert.Len(t, w.items[a.collector.queueID], 1)
		assert.Zero(t, w.stats.values[metrics.WaitingRecords])
	})
	t.Run("before it sends what it holds", func(t *testing.T) {
		w, a, b := pair(t)
		a.emit()
		a.collector.step(w.now)
		require.Empty(t, a.calls)
		w.now = w.now.Add(time.Hour)
		b.collector.tick(w.now, false) // strikes it off
		a.collector.step(w.now)
		assert.Empty(t, a.calls)
	})
	t.Run("before it counts an answer", func(t *testing.T) {
		w, a, b := pair(t)
		for len(a.calls) == 0 {
			a.emit()
			a.collector.step(w.now)
		}
		b.collector.tick(w.now.Add(time.Hour), false) // strikes it off
		lost := w.stats.ended()
		w.now = w.now.Add(time.Hour)
		a.finish(a.calls[0], 200)
		assert.Equal(t, lost, w.stats.ended())
	})
}

// Envoy's main thread is held up as it compiles what replaces this VM, of which it hears only after the ticks that are due.
func TestWhoWasHeldUpSendsNothingBeforeItKnowsThatItStays(t *testing.T) {
	backlog := func(t *testing.T, heldUp time.Duration) (*world, *thread) {
		w, a, _ := pair(t)
		for range 40 { // more than a batch
			a.emit()
		}
		w.now = w.now.Add(heldUp)
		a.collector.tick(w.now, false)
		return w, a
	}
	t.Run("and leaves no record unconfirmed if it goes", func(t *testing.T) {
		w, a := backlog(t, trustTime+1)
		assert.Empty(t, a.calls)
		a.collector.leave(w.now)
		assert.Zero(t, a.collector.exporter.Holding())
		assert.Len(t, w.items[a.collector.queueID], 40)
	})
	t.Run("and goes on where it is still there", func(t *testing.T) {
		w, a := backlog(t, trustTime+1)
		for range 2 {
			w.now = w.now.Add(host.TickPeriod)
			a.collector.tick(w.now, false)
		}
		assert.NotEmpty(t, a.calls)
	})
	t.Run("but not who was not", func(t *testing.T) {
		_, a := backlog(t, trustTime)
		assert.NotEmpty(t, a.calls)
	})
	t.Run("but not who is held up all the time, and would never send", func(t *testing.T) {
		const every = trustTime + 100*time.Millisecond // too short for another to take over
		w, a := backlog(t, every)
		for range 4 {
			w.now = w.now.Add(every)
			a.collector.step(w.now) // it hears of the queue first
			a.collector.tick(w.now, false)
		}
		assert.NotEmpty(t, a.calls)
	})
}

func TestWhoServesOrLeavesTakesTheLeaseLast(t *testing.T) {
	w := newWorld(t, 1)
	serving, leaving := w.join(), w.join()
	begin := w.now
	require.False(t, leaving.collector.leave(w.now))
	for _, c := range []struct {
		after time.Duration
		of    *thread
		taken uint64 // so many times by then
	}{
		{0, serving, 0}, {0, leaving, 0},
		{servingPatience - 1, serving, 0},
		{leavingPatience - 1, leaving, 0},
		{leavingPatience, leaving, 1}, // and goes, as there is nothing left
		{leavingPatience, serving, 2},
	} {
		c.of.collector.tick(begin.Add(c.after), c.of == serving)
		assert.Equal(t, c.taken, w.stats.values[metrics.CollectorChanges], "serving %v, after %v", c.of == serving, c.after)
	}
}

func TestWhoLeavesStaysUntilSomebodyElseCollectsOrNothingIsLeft(t *testing.T) {
	w := newWorld(t, 1)
	th := w.join()
	k := th.collector
	k.tick(w.now, false)
	th.emit()
	require.False(t, k.leave(w.now))
	assert.False(t, k.tick(w.now, false), "nobody collects")
	for range maxDrain { // of another plugin, before a record
		w.Enqueue(k.queueID, []byte("x"))
	}
	th.emit()
	w.now = w.now.Add(leavingPatience)
	assert.False(t, k.tick(w.now, false))
	require.True(t, k.collecting)
	assert.NotEmpty(t, th.calls, "what waits goes at once")
	for len(th.calls) > 0 {
		th.finish(th.calls[0], 200)
		th.calls = th.calls[1:]
	}
	for finished := false; !finished; finished = k.tick(w.now, false) {
		w.now = w.now.Add(200 * time.Millisecond)
		for len(th.calls) > 0 {
			th.finish(th.calls[0], 200)
			th.calls = th.calls[1:]
		}
	}
	assert.Empty(t, w.items[k.queueID])
	assert.Equal(t, w.stats.values[metrics.Emitted], w.stats.ended(), w.stats.values)
}

func TestWhoLeavesLooksAgainWhereTheQueueWasNotDry(t *testing.T) {
	w := newWorld(t, 1)
	th := w.join()
	k := th.collector
	require.False(t, k.leave(w.now))
	k.tick(w.now, false)
	for range maxDrain {
		w.items[k.queueID] = append(w.items[k.queueID], []byte("of another plugin"))
	}
	th.emit()
	w.now = w.now.Add(leavingPatience)
	assert.False(t, k.tick(w.now, false), "a record is left")
}

// wire keeps the requests that are sent.
type wire struct {
	*thread
	sent []host.Request
}

func (w *wire) Call(r host.Request, _ func(host.Response)) error {
	w.sent = append(w.sent, r)
	return nil
}

func TestACompressedRequestSaysSoAndOnlyThat(t *testing.T) {
	c, err := config.Parse([]byte(`{"sink":{"cluster":"logs","compression":"gzip","headers":{"x-tenant":"a","content-encoding":"identity"}}}`))
	require.NoError(t, err)
	w := &wire{thread: newWorld(t, 1).join()}
	k := &collector{host: w}
	send := k.sender(&c, "application/x-ndjson")
	for _, encoding := range []string{"gzip", "", "gzip"} {
		require.NoError(t, send([]byte("body"), encoding, func(export.Response, time.Time) {}))
	}
	always := [][2]string{{":method", "POST"}, {":path", "/"}, {":authority", "logs"}, {"content-type", "application/x-ndjson"}, {"x-tenant", "a"}}
	assert.ElementsMatch(t, append([][2]string{{"content-encoding", "gzip"}}, always...), w.sent[0].Headers)
	assert.ElementsMatch(t, append([][2]string{{"content-encoding", "identity"}}, always...), w.sent[1].Headers)
	assert.Equal(t, w.sent[0].Headers, w.sent[2].Headers)
}

func TestAQueueIsNamedInWarningsWithoutWhatIsMadeOfSecrets(t *testing.T) {
	w := newWorld(t, 1)
	th := w.join()
	th.collector.identity.queue = queueName + "2/plugin/0123456789abcdef"
	th.collector.tick(w.now, false)
	require.True(t, th.collector.enqueue([]byte("of another plugin")))
	th.collector.step(w.now)
	require.Len(t, w.warned, 1)
	assert.Contains(t, w.warned[0], "routelens/2/plugin;")
}
