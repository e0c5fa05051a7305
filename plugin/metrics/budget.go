package metrics

import "encoding/binary"

// Shared is data that all threads share, with versions.
type Shared interface {
	Get(key string) (value []byte, version uint32)
	Swap(key string, value []byte, version uint32) bool
}

// Budget admits so many different names, over all threads and for as long as
// the proxy runs, as its stats never expire either.
type Budget struct {
	shared Shared
	key    string
	max    int
}

// NewBudget makes a Budget that is kept under key.
func NewBudget(shared Shared, key string, max int) *Budget {
	return &Budget{shared, key, max}
}

// Admit tells whether a name may be used. One that was admitted stays so. Two
// threads that admit the same new name at the same moment may spend it twice.
func (b *Budget) Admit(name string) bool {
	own := b.key + "/" + name
	if _, version := b.shared.Get(own); version != 0 {
		return true
	}
	for range 8 {
		value, version := b.shared.Get(b.key)
		var used uint64
		if len(value) == 8 {
			used = binary.LittleEndian.Uint64(value)
		}
		if used >= uint64(b.max) {
			return false
		}
		if b.shared.Swap(b.key, binary.LittleEndian.AppendUint64(nil, used+1), version) {
			return b.shared.Swap(own, []byte{1}, 0)
		}
	}
	return false
}
