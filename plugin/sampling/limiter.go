package sampling

import (
	"encoding/binary"
	"time"

	"github.com/routelens/routelens/plugin/shared"
)

// Limiter allows so many records a second from all threads together. Each takes
// permits from the shared store in blocks, so that most records cost no host
// call. The limit is never passed; up to a block a thread may go unused.
type Limiter struct {
	data  shared.Data
	key   string
	max   int
	block int

	second  int64
	permits int
	spent   bool // nothing left in this second
}

// NewLimiter makes a Limiter; max 0 allows everything.
func NewLimiter(data shared.Data, key string, max int, now time.Time) *Limiter {
	shared.Ensure(data, key, make([]byte, 16))
	return &Limiter{data: data, key: key, max: max, block: (max + 19) / 20, second: now.Unix()}
}

// Tick moves the limiter's clock. It need be no finer than a fraction of a second.
func (l *Limiter) Tick(now time.Time) {
	if second := now.Unix(); second != l.second {
		l.second, l.permits, l.spent = second, 0, false
	}
}

// Allow takes a permit.
func (l *Limiter) Allow() bool {
	if l.max == 0 {
		return true
	}
	if l.permits == 0 && !l.spent {
		l.permits = l.take()
		l.spent = l.permits == 0
	}
	if l.permits == 0 {
		return false
	}
	l.permits--
	return true
}

// maxAhead is how many seconds another thread's clock may be ahead of ours, as
// its tick came first, or ours has not come yet. One that is further ahead was
// set back since, and must not stop records until then.
const maxAhead = 60

// take takes a block of this second's permits. The shared value is the second
// and how many of its permits are gone. A thread whose tick is late takes from
// the second that others are in: the limit holds for each second there.
func (l *Limiter) take() (n int) {
	taken := shared.Update(l.data, l.key, func(value []byte) ([]byte, bool) {
		var second, gone int64
		if len(value) == 16 {
			second, gone = int64(binary.LittleEndian.Uint64(value)), int64(binary.LittleEndian.Uint64(value[8:]))
		}
		if second < l.second || second > l.second+maxAhead {
			second, gone = l.second, 0
		}
		n = int(min(int64(l.block), int64(l.max)-gone))
		next := binary.LittleEndian.AppendUint64(nil, uint64(second))
		return binary.LittleEndian.AppendUint64(next, uint64(gone+int64(n))), n > 0
	})
	if !taken {
		return 0
	}
	return n
}
