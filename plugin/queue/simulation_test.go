package queue

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

// world is many contexts around one queue, seen in numbers of records alone.
type world struct {
	t        *testing.T
	random   *rand.Rand
	data     *sharedtest.Data
	now      time.Time
	contexts []*context
	next     uint64

	queued                                   uint32
	emitted, delivered, dropped, unconfirmed int
}

// context is one context, which does what a collector should.
type context struct {
	roster     *Roster
	holds      Holding
	patience   time.Duration
	collecting bool
	leaving    bool
	tick       time.Time // the next
}

func (w *world) join() {
	w.next++
	w.contexts = append(w.contexts, &context{
		roster:   NewRoster(w.data, key, w.next),
		patience: time.Duration(w.random.IntN(3)) * 700 * time.Millisecond,
		tick:     w.now.Add(time.Duration(w.random.IntN(200)) * time.Millisecond),
	})
}

func (w *world) some(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return w.random.Uint32N(n + 1)
}

func (w *world) turn(c *context) {
	w.data.FailSwaps = max(0, w.random.IntN(60)-40) // sometimes more than Update makes up for
	s := c.roster.Tick(w.now, c.holds, c.patience)
	w.data.FailSwaps = max(0, w.random.IntN(30)-20) // always fewer
	if s.Struck {
		c.holds = Holding{}
	}
	for _, o := range s.Orphans {
		w.unconfirmed += int(o.InFlight)
		w.dropped += int(o.Waiting)
	}
	c.collecting = s.Collecting && !c.leaving

	answered := w.some(c.holds.InFlight)
	delivered := w.some(answered)
	c.holds.InFlight -= answered
	c.holds.Waiting += answered - delivered
	w.delivered += int(delivered)
	if c.collecting {
		taken := w.some(w.queued)
		w.queued -= taken
		sent := w.some(c.holds.Waiting + taken)
		c.holds = Holding{c.holds.Waiting + taken - sent, c.holds.InFlight + sent}
	} else {
		w.queued += c.holds.Waiting
		c.holds.Waiting = 0
	}
	c.roster.Report(w.now, c.holds, !c.collecting)
	w.data.FailSwaps = 0
}

func (w *world) check(what string) {
	require.LessOrEqual(w.t, collectors(w.data), 1, "%s: at most one holds the lease", what)
	require.LessOrEqual(w.t, w.delivered+w.dropped+w.unconfirmed, w.emitted, "%s: no record is counted twice", what)
}

// step moves time by up to 100 ms, and everyone whose tick is due.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.random.IntN(100)) * time.Millisecond)
	for _, c := range w.contexts {
		if c.tick.After(w.now) {
			continue
		}
		w.turn(c)
		w.check("after a tick")
		c.tick = w.now.Add(200 * time.Millisecond)
	}
}

// mishap is what may befall one context.
func (w *world) mishap() {
	if len(w.contexts) == 0 {
		w.join()
		return
	}
	at := w.random.IntN(len(w.contexts))
	c := w.contexts[at]
	switch w.random.IntN(8) {
	case 0:
		c.tick = w.now.Add(time.Duration(w.random.Int64N(int64(2 * leaseTime)))) // held up
	case 1:
		c.tick = w.now.Add(time.Duration(w.random.Int64N(int64(2 * deadTime)))) // for long
	case 2: // its VM goes
		w.contexts = append(w.contexts[:at], w.contexts[at+1:]...)
	case 3: // its configuration goes
		c.leaving, c.patience = true, 2*patient
		w.turn(c)
	case 4: // and, having left, it
		if c.leaving && c.holds == (Holding{}) {
			w.contexts = append(w.contexts[:at], w.contexts[at+1:]...)
		}
	case 5, 6:
		w.join()
	case 7: // the clock is set
		if w.random.IntN(10) == 0 {
			w.now = w.now.Add(time.Duration(w.random.IntN(20)-10) * time.Second)
		}
	}
}

func TestWhateverBefallsTheContextsEachRecordIsCountedOnce(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 30
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{t: t, random: rand.New(rand.NewPCG(uint64(seed), 1)), data: sharedtest.New(), now: begin}
			for range 5 {
				w.join()
			}
			for range 600 {
				n := w.random.IntN(20)
				w.queued += uint32(n)
				w.emitted += n
				w.step()
				if w.random.IntN(10) == 0 {
					w.mishap()
				}
			}
			w.join() // at last there is one that stays, and time
			for range 600 {
				w.step()
			}
			for end := 0; w.delivered+w.dropped+w.unconfirmed < w.emitted && end < 2000; end++ {
				w.step()
			}
			require.Equal(t, w.emitted, w.delivered+w.dropped+w.unconfirmed, "queued %d", w.queued)
			require.Equal(t, 1, collectors(w.data))
			require.Positive(t, w.delivered)
		})
	}
}
