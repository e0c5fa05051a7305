package export

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/queue"
)

// tried makes an item that was first tried at a time, in ns; 0: not yet.
func tried(t testing.TB, class queue.Class, ns int64) item {
	f, ok := queue.Parse(append([]byte(nil), queue.NewBuilder(class).Frame()...))
	require.True(t, ok)
	f.SetTried(ns)
	f.Count = 1
	return item{frame: f}
}

func TestWhatWasTriedExpiresWhereverItStands(t *testing.T) {
	for class := range queue.Classes {
		expires(t, class)
	}
}

func expires(t *testing.T, class queue.Class) {
	var b backlog
	for _, ns := range []int64{0, 30, 10, 0, 20} {
		b.push(tried(t, class, ns))
	}
	b.putBack([]item{tried(t, class, 5)})
	for before, want := range []int{6: 1, 11: 1, 21: 1, 31: 1, 40: 0} {
		assert.Equal(t, want, b.expire(time.Unix(0, int64(before))), "before %d", before)
	}
	assert.Equal(t, 2, b.records)
	b.putBack([]item{tried(t, class, 50)})
	assert.Equal(t, 1, b.expire(time.Unix(0, 51)))
}

func TestWhatWaitsIsNotLookedThroughInVain(t *testing.T) {
	var b backlog
	one := tried(t, queue.Ordinary, 10)
	for range 300_000 {
		b.push(one)
	}
	begin := time.Now()
	for range 100_000 { // a fraction of a second, or else minutes
		require.Zero(t, b.expire(time.Unix(0, 9)))
	}
	assert.Less(t, time.Since(begin), 30*time.Second)
}
