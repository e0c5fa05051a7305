// Package sharedtest keeps shared data in memory, as Envoy does, for tests.
package sharedtest

// Data is shared data in memory, with Envoy's rules: versions come from one
// counter, and a swap with version 0 always writes.
type Data struct {
	// FailSwaps makes the next so many swaps fail, as if another thread had been
	// faster.
	FailSwaps int

	values map[string]value
	next   uint32
}

type value struct {
	bytes   []byte
	version uint32
}

// New makes an empty store.
func New() *Data { return &Data{values: map[string]value{}} }

// Get reads a value; what it returns is a copy.
func (d *Data) Get(key string) ([]byte, uint32) {
	v := d.values[key]
	return append([]byte(nil), v.bytes...), v.version
}

// Swap writes a value if it still has the given version.
func (d *Data) Swap(key string, bytes []byte, version uint32) bool {
	if d.FailSwaps > 0 {
		d.FailSwaps--
		return false
	}
	if old, ok := d.values[key]; ok && version != 0 && version != old.version {
		return false
	}
	d.next++
	d.values[key] = value{append([]byte(nil), bytes...), d.next}
	return true
}

// Delete takes a key away, as Envoy never does: it is as if it had not been written yet.
func (d *Data) Delete(key string) { delete(d.values, key) }
