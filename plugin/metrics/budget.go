package metrics

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/routelens/routelens/plugin/shared"
)

// Budget admits so many different names, over all threads and for as long as
// the proxy runs.
type Budget struct {
	data shared.Data
	key  string
	max  int
	hole uint64 // 1 + the place at which [Budget.Names] last found none
}

// NewBudget makes a Budget that is kept under key.
func NewBudget(data shared.Data, key string, max int) *Budget {
	shared.Ensure(data, key, make([]byte, 8))
	return &Budget{data: data, key: key, max: max}
}

// Admit tells whether a name may be used, and whether that is final: it is not
// where other threads were faster again and again. One that was admitted stays
// so. Two threads that admit the same new name at the same moment may spend it twice.
func (b *Budget) Admit(name string) (admitted, final bool) { return b.add(name, b.max) }

// Keep puts a name among [Budget.Names] that stands for those not admitted. It
// is admitted though the budget is spent.
func (b *Budget) Keep(name string) { b.add(name, math.MaxInt) }

func (b *Budget) add(name string, max int) (admitted, final bool) {
	own := b.key + "/" + name
	if _, version := b.data.Get(own); version != 0 {
		return true, true
	}
	var place uint64
	admitted = shared.Update(b.data, b.key, func(value []byte) ([]byte, bool) {
		place = count(value)
		return binary.LittleEndian.AppendUint64(nil, place+1), place < uint64(max)
	})
	if !admitted {
		return false, place >= uint64(max)
	}
	admitted = b.data.Swap(b.at(place), []byte(name), 0) && b.data.Swap(own, []byte{1}, 0)
	return admitted, admitted
}

// Names gives names that were admitted, by whatever thread, in the order in which
// they were: at most so many from a place on, and the place to go on from. It is
// to be called on each tick: a name that another thread is just about to write is
// waited for until the next.
func (b *Budget) Names(from uint64, most int) (names []string, next uint64) {
	value, _ := b.data.Get(b.key)
	for used := count(value); from < used && len(names) < most; from++ {
		name, version := b.data.Get(b.at(from))
		if version != 0 {
			names = append(names, string(name))
		} else if b.hole != from+1 {
			b.hole = from + 1
			break
		}
	}
	return names, from
}

func (b *Budget) at(place uint64) string { return b.key + "#" + strconv.FormatUint(place, 10) }

func count(value []byte) uint64 {
	if len(value) != 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(value)
}
