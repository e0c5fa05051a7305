package queue

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/plugin/shared"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

const (
	key     = "roster"
	patient = 700 * time.Millisecond
)

var (
	begin   = time.Unix(1_800_000_000, 0)
	nothing = Holding{}
)

func after(d time.Duration) time.Time { return begin.Add(d) }

func TestTheFirstToTickCollectsAndOthersWatch(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	assert.Equal(t, Standing{Collecting: true, Won: true}, a.Tick(begin, nothing, 0))
	assert.Equal(t, Standing{}, b.Tick(begin, nothing, 0))
	assert.Equal(t, Standing{Collecting: true}, a.Tick(after(200*time.Millisecond), nothing, 0))
	assert.True(t, b.Live(after(200*time.Millisecond)))
	assert.False(t, a.Live(after(200*time.Millisecond)), "nobody else collects")
}

func TestAPatientContextLeavesTheLeaseToOthers(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	assert.Equal(t, Standing{Vacant: true}, a.Tick(begin, nothing, patient))
	assert.Equal(t, Standing{Vacant: true}, a.Tick(after(600*time.Millisecond), nothing, patient))
	assert.True(t, b.Tick(after(650*time.Millisecond), nothing, 0).Won)
	assert.Equal(t, Standing{}, a.Tick(after(800*time.Millisecond), nothing, patient))
}

func TestAPatientContextTakesALeaseThatNobodyWants(t *testing.T) {
	a := NewRoster(sharedtest.New(), key, 1)
	a.Tick(begin, nothing, patient)
	assert.True(t, a.Tick(after(patient), nothing, patient).Won)
}

func TestALeaseGoesBackFromAPatientContext(t *testing.T) {
	data := sharedtest.New()
	a, b, c := NewRoster(data, key, 1), NewRoster(data, key, 2), NewRoster(data, key, 3)
	a.Tick(begin, nothing, patient)
	assert.True(t, a.Tick(after(patient), nothing, patient).Won)
	a.Report(after(patient), Holding{1, 2}, false)
	assert.Equal(t, Standing{}, b.Tick(after(patient), nothing, patient), "to another such it does not")
	assert.Equal(t, Standing{Collecting: true, Won: true}, c.Tick(after(patient), nothing, 0))
	assert.Equal(t, Standing{}, a.Tick(after(patient), Holding{1, 2}, patient), "who had it keeps what it holds")
	assert.Equal(t, Standing{}, b.Tick(after(patient), nothing, 0), "and it stays there")
}

func TestALeaseIsTakenOverOnlyOnceItRanOut(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	a.Tick(begin, nothing, 0)
	assert.False(t, b.Tick(after(leaseTime), nothing, 0).Won)
	assert.True(t, b.Tick(after(leaseTime+1), nothing, 0).Won)
	assert.Equal(t, Standing{}, a.Tick(after(leaseTime+2), nothing, 0), "who comes back finds the lease taken")
}

func TestWhoWasOnlyHeldUpKeepsItsRecords(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{3, 4}, false)
	b.Tick(after(time.Second), nothing, 0)
	b.Tick(after(4*time.Second), nothing, 0)
	s := a.Tick(after(4*time.Second), Holding{3, 4}, 0)
	assert.False(t, s.Struck)
	assert.False(t, s.Collecting)
	assert.True(t, b.Tick(after(4*time.Second), nothing, 0).Collecting)
	assert.Empty(t, b.Tick(after(8*time.Second), nothing, 0).Orphans, "it was seen since")
}

func TestWhoVanishedIsStruckOffOnceAndMustForget(t *testing.T) {
	data := sharedtest.New()
	a, b, c := NewRoster(data, key, 1), NewRoster(data, key, 2), NewRoster(data, key, 3)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{3, 4}, false)
	b.Tick(after(time.Second), nothing, 0)
	assert.Empty(t, b.Tick(after(deadTime), nothing, 0).Orphans)
	assert.Equal(t, []Holding{{3, 4}}, b.Tick(after(deadTime+1), nothing, 0).Orphans)
	assert.Empty(t, b.Tick(after(deadTime+2), nothing, 0).Orphans)
	assert.Empty(t, c.Tick(after(deadTime+2), nothing, 0).Orphans)
	assert.Equal(t, Standing{Struck: true}, a.Tick(after(deadTime+3), Holding{3, 4}, 0))
	assert.Equal(t, Standing{}, a.Tick(after(deadTime+4), nothing, 0))
}

func TestOnlyTheCollectorStrikesOthersOff(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{1, 0}, true)
	assert.Empty(t, b.Tick(after(time.Minute), nothing, time.Hour).Orphans)
}

func TestAClockThatIsSetBackStrikesNobodyTwice(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{1, 1}, false)
	back := begin.Add(-time.Hour)
	s := b.Tick(back, nothing, 0)
	assert.True(t, s.Won, "a lease from the future has run out")
	assert.Equal(t, []Holding{{1, 1}}, s.Orphans)
	assert.True(t, a.Tick(back, Holding{1, 1}, 0).Struck)
}

func TestALeavingContextGivesUpTheLeaseAtOnceAndItsRowWhenItIsEmpty(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{0, 5}, true)
	assert.False(t, b.Live(begin))
	assert.True(t, b.Tick(begin, nothing, 0).Won)
	value, _ := data.Get(key)
	require.Len(t, decode(value), 2)
	a.Report(begin, nothing, false)
	value, _ = data.Get(key)
	assert.Len(t, decode(value), 1, "once leaving, always leaving")
}

func TestWhoReportsLearnsThatTheLeaseWasTaken(t *testing.T) {
	data := sharedtest.New()
	a, b := NewRoster(data, key, 1), NewRoster(data, key, 2)
	reports := func(r *Roster, holds Holding, leaving, wantCollecting, wantStruck bool) {
		collecting, struck := r.Report(begin, holds, leaving)
		assert.Equal(t, wantCollecting, collecting)
		assert.Equal(t, wantStruck, struck)
	}
	a.Tick(begin, nothing, 0)
	reports(a, Holding{0, 5}, false, true, false)
	assert.True(t, b.Tick(after(-time.Second), nothing, 0).Won, "its thread was held up since it read the clock")
	reports(a, Holding{0, 4}, false, false, false)
	reports(a, nothing, false, false, false)
	reports(a, Holding{1, 0}, false, false, true)
	reports(b, nothing, false, true, false)
	reports(b, nothing, true, false, false)
}

func TestALostRaceForTheLeaseChangesNothing(t *testing.T) {
	data := sharedtest.New()
	a := NewRoster(data, key, 1)
	data.FailSwaps = 100
	assert.Equal(t, Standing{}, a.Tick(begin, nothing, 0))
	assert.Equal(t, Standing{Struck: true}, a.Tick(begin, Holding{1, 1}, 0), "who was struck off must know it even then")
	data.FailSwaps = 3
	assert.True(t, a.Tick(begin, nothing, 0).Won, "a few lost swaps are made up for")
}

func TestARosterThatIsFullStrikesOffTheOldestAndCountsIt(t *testing.T) {
	data := sharedtest.New()
	var all []*Roster
	var orphans []Holding
	for i := range maxRows + 3 {
		r := NewRoster(data, key, uint64(i+1))
		orphans = append(orphans, r.Tick(begin, nothing, 0).Orphans...)
		r.Report(begin, Holding{uint32(i + 1), 0}, true)
		all = append(all, r)
	}
	assert.Equal(t, []Holding{{1, 0}, {2, 0}, {3, 0}}, orphans)
	assert.True(t, all[0].Tick(begin, Holding{1, 0}, time.Hour).Struck)
	assert.False(t, all[3].Tick(begin, Holding{4, 0}, time.Hour).Struck)
}

func TestAnAbandonedRosterIsStruckOnce(t *testing.T) {
	data := sharedtest.New()
	assert.True(t, Quiet(data, key, begin, time.Second), "one that is not there is quiet")
	a := NewRoster(data, key, 1)
	a.Tick(begin, nothing, 0)
	a.Report(begin, Holding{2, 3}, false)
	assert.False(t, Quiet(data, key, after(time.Second), time.Second))
	assert.True(t, Quiet(data, key, after(time.Second+1), time.Second))
	strike := func(now time.Time, want bool) []Holding {
		orphans, struck := Strike(data, key, now, time.Second)
		assert.Equal(t, want, struck)
		return orphans
	}
	assert.Empty(t, strike(after(time.Second), false), "it moved since it was looked at")
	data.FailSwaps = 100
	assert.Empty(t, strike(after(time.Second+1), false), "what is not struck off is not counted")
	data.FailSwaps = 0
	assert.Equal(t, []Holding{{2, 3}}, strike(after(time.Second+1), true))
	assert.Empty(t, strike(after(time.Second+1), true))
	assert.True(t, a.Tick(after(time.Minute), Holding{2, 3}, 0).Struck)
}

func TestARosterThatIsNotOursIsEmpty(t *testing.T) {
	for _, value := range []string{"x", "\x01", "\x02" + string(make([]byte, rowSize)), "\x01" + string(make([]byte, rowSize-1))} {
		data := sharedtest.New()
		data.Swap(key, []byte(value), 0)
		assert.True(t, NewRoster(data, key, 1).Tick(begin, nothing, 0).Won, "%q", value)
	}
}

// Builds of other formats read it too: it is never to change.
func TestARosterIsAsItEverWas(t *testing.T) {
	goldentest.Equal(t, "testdata/roster.golden", hex.Dump(encode([]row{{0x0102030405060708, 1_800_000_000_000_000_001, true, false, Holding{3, 4}}, {5, -6, false, true, Holding{7, 8}}})))
}

func FuzzDecodeTakesAnyBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add(encode([]row{{1, 2, true, true, Holding{3, 4}}, {5, -6, false, false, Holding{7, 8}}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		rows := decode(value)
		if rows == nil {
			return
		}
		again := decode(encode(rows))
		require.Equal(t, rows, again)
	})
}

// collectors counts who holds the lease.
func collectors(data shared.Data) (n int) {
	value, _ := data.Get(key)
	for _, r := range decode(value) {
		if !r.leaving {
			n++
		}
	}
	return n
}
