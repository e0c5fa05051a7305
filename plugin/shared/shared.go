// Package shared is the data that all threads of the proxy share: one store of
// values with versions, changed by compare-and-swap.
package shared

// Data is that store. Its keys are common to every plugin with the same vm_id.
type Data interface {
	// Get reads a value with its version, which is 0 where there is none.
	Get(key string) (value []byte, version uint32)
	// Swap writes a value if its version is still the given one, and tells
	// whether it did. With version 0 it always writes: proxy-wasm has no
	// insert-if-absent. See [Ensure].
	Swap(key string, value []byte, version uint32) bool
}

// Ensure makes sure that a key exists, so that Swap can tell its versions apart.
// Called when a plugin starts, it is free of races: Envoy starts every new
// configuration once, alone, before any thread serves with it.
func Ensure(d Data, key string, initial []byte) {
	if _, version := d.Get(key); version == 0 {
		d.Swap(key, initial, 0)
	}
}

// attempts bounds how often [Update] tries: each lost swap is another thread's won.
const attempts = 16

// Update changes a value. change may be called several times; where it answers
// false, nothing is written. Update tells whether the change was made.
func Update(d Data, key string, change func(value []byte) (next []byte, ok bool)) bool {
	for range attempts {
		value, version := d.Get(key)
		next, ok := change(value)
		if !ok {
			return false
		}
		if d.Swap(key, next, version) {
			return true
		}
	}
	return false
}
