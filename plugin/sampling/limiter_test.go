package sampling

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

const key = "limit"

func threads(data *sharedtest.Data, n, max int) []*Limiter {
	all := make([]*Limiter, n)
	for i := range all {
		all[i] = NewLimiter(data, key, max, noon)
	}
	return all
}

func allowed(l *Limiter, tries int) (n int) {
	for range tries {
		if l.Allow() {
			n++
		}
	}
	return n
}

var noon = time.Unix(1_770_000_000, 0)

func TestALimitOfNothingIsNoLimit(t *testing.T) {
	assert.Equal(t, 10_000, allowed(NewLimiter(sharedtest.New(), key, 0, noon), 10_000))
}

func TestOneThreadMayUseTheWholeLimit(t *testing.T) {
	for _, max := range []int{1, 2, 19, 20, 21, 500, 1_000_000} {
		l := NewLimiter(sharedtest.New(), key, max, noon)
		for second := range 3 {
			l.Tick(noon.Add(time.Duration(second) * time.Second))
			assert.Equal(t, max, allowed(l, max+10), "of %d", max)
		}
	}
}

// Threads tick every 200 ms, each at its own moment, and lose swaps to each
// other. The limit holds for every second in the shared store: a permit counts in
// the one that it was taken from, or in which it is used, if that is later.
func TestTheLimitIsNeverPassedWhateverThreadsLose(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := sharedtest.New()
		limit, count := 1+r.IntN(300), 1+r.IntN(8)
		all := threads(data, count, limit)
		taken, used, from := map[int64]int{}, map[int64]int{}, make([]int64, count)
		for ms := range 5000 {
			now := noon.Add(time.Duration(ms) * time.Millisecond)
			for i, l := range all {
				if (ms+i*37)%200 == 0 {
					l.Tick(now)
				}
				if r.IntN(10) == 0 {
					data.FailSwaps = r.IntN(20)
				}
				offered := r.IntN(4)
				if now.Unix()%2 == 0 && r.IntN(200) > 0 { // little: permits are left over
					offered = 0
				}
				for range offered {
					before := gone(data)
					ok := l.Allow()
					after := gone(data)
					if after[0] == before[0] {
						taken[after[0]] += int(after[1] - before[1])
					} else {
						taken[after[0]] += int(after[1])
					}
					if after != before {
						from[i] = after[0]
					}
					if ok {
						used[max(from[i], l.second)]++
					}
				}
				data.FailSwaps = 0
			}
		}
		total := 0
		for second, n := range taken {
			require.LessOrEqual(t, n, limit, "second %d, seed %d", second, seed)
			require.LessOrEqual(t, used[second], n, "second %d, seed %d: nobody uses what was not taken", second, seed)
			total += n
			delete(used, second)
		}
		require.Empty(t, used)
		require.Greater(t, total, 0)
	}
}

func gone(data *sharedtest.Data) [2]int64 {
	value, _ := data.Get(key)
	return [2]int64{int64(binary.LittleEndian.Uint64(value)), int64(binary.LittleEndian.Uint64(value[8:]))}
}

func TestAThreadWhoseTickIsLateIsNotLimitedForIt(t *testing.T) {
	all := threads(sharedtest.New(), 2, 20)
	all[1].Tick(noon)
	all[0].Tick(noon.Add(time.Second))
	require.True(t, all[0].Allow())
	assert.Equal(t, 19, allowed(all[1], 100), "what the others' second has left")
}

func TestANewThreadNeedNotWaitForItsFirstTick(t *testing.T) {
	data := sharedtest.New()
	old := NewLimiter(data, key, 20, noon)
	old.Tick(noon)
	require.Equal(t, 5, allowed(old, 5))
	assert.Equal(t, 15, allowed(NewLimiter(data, key, 20, noon), 100))
}

func TestWhatIsTakenBeforeTheVeryFirstTickCountsAndNoLonger(t *testing.T) {
	for _, before := range []int{15, 20} {
		l := NewLimiter(sharedtest.New(), key, 20, noon)
		require.Equal(t, before, allowed(l, before))
		l.Tick(noon.Add(200 * time.Millisecond))
		assert.Equal(t, 20-before, allowed(l, 100))
		l.Tick(noon.Add(time.Second))
		assert.Equal(t, 20, allowed(l, 100))
	}
}

func TestAClockThatIsSetBackDoesNotStopRecords(t *testing.T) {
	l := NewLimiter(sharedtest.New(), key, 20, noon)
	l.Tick(noon)
	require.Equal(t, 20, allowed(l, 100))
	l.Tick(noon.Add(-24 * time.Hour))
	assert.Equal(t, 20, allowed(l, 100))
}

func TestAStoreThatIsOfNoUseLimitsAndDoesNotPanic(t *testing.T) {
	data := sharedtest.New()
	l := NewLimiter(data, key, 20, noon)
	for _, value := range [][]byte{nil, {1}, make([]byte, 17)} {
		data.Swap(key, value, 0)
		l.Tick(noon)
		assert.LessOrEqual(t, allowed(l, 100), 20)
		l.second = 0
	}
	data.Swap(key, append(binary.LittleEndian.AppendUint64(nil, uint64(noon.Unix())), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 0)
	l = NewLimiter(data, key, 20, noon)
	l.Tick(noon)
	assert.False(t, l.Allow())
	data.FailSwaps = 1000
	l.Tick(noon.Add(time.Second))
	assert.False(t, l.Allow())
}
