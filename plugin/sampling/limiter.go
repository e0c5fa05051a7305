package sampling

import (
	"encoding/binary"
	"time"
)

// Shared is data that all threads share, with versions.
type Shared interface {
	Get(key string) (value []byte, version uint32)
	Swap(key string, value []byte, version uint32) bool
}

// Limiter allows so many records a second from all threads together. Each takes
// permits from the shared store in blocks, so that most records cost no host
// call. The limit is never passed; up to a block a thread may go unused.
type Limiter struct {
	shared Shared
	key    string
	max    int
	block  int

	second  int64
	permits int
	spent   bool // nothing left in this second
}

// NewLimiter makes a Limiter; max 0 allows everything.
func NewLimiter(shared Shared, key string, max int) *Limiter {
	return &Limiter{shared: shared, key: key, max: max, block: (max + 19) / 20}
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

// take takes a block of this second's permits. The shared value is the second
// and how many of its permits are gone. A thread whose clock is behind takes none.
func (l *Limiter) take() int {
	for range 8 {
		value, version := l.shared.Get(l.key)
		second, gone := l.second, 0
		if len(value) == 16 {
			if s := int64(binary.LittleEndian.Uint64(value)); s >= l.second {
				second, gone = s, int(binary.LittleEndian.Uint64(value[8:]))
			}
		}
		n := min(l.block, l.max-gone)
		if second != l.second || n <= 0 {
			return 0
		}
		next := binary.LittleEndian.AppendUint64(nil, uint64(second))
		next = binary.LittleEndian.AppendUint64(next, uint64(gone+n))
		if l.shared.Swap(l.key, next, version) {
			return n
		}
	}
	return 0 // too busy: the safe side of a limit
}
