package metrics

import (
	"encoding/binary"

	"github.com/routelens/routelens/plugin/shared"
)

// Budget admits so many different names, over all threads and for as long as
// the proxy runs, as its stats never expire either.
type Budget struct {
	data shared.Data
	key  string
	max  int
}

// NewBudget makes a Budget that is kept under key.
func NewBudget(data shared.Data, key string, max int) *Budget {
	shared.Ensure(data, key, make([]byte, 8))
	return &Budget{data, key, max}
}

// Admit tells whether a name may be used. One that was admitted stays so. Two
// threads that admit the same new name at the same moment may spend it twice.
func (b *Budget) Admit(name string) bool {
	own := b.key + "/" + name
	if _, version := b.data.Get(own); version != 0 {
		return true
	}
	admitted := shared.Update(b.data, b.key, func(value []byte) ([]byte, bool) {
		var used uint64
		if len(value) == 8 {
			used = binary.LittleEndian.Uint64(value)
		}
		return binary.LittleEndian.AppendUint64(nil, used+1), used < uint64(b.max)
	})
	return admitted && b.data.Swap(own, []byte{1}, 0)
}
