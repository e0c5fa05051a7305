package queue

import (
	"slices"
	"strings"

	"github.com/routelens/routelens/plugin/shared"
)

// Registry lists the queues that are in use, so that one whose configuration
// went can be found and its records counted.
type Registry struct {
	data shared.Data
	key  string
}

// maxQueues bounds the registry. Past it the oldest names are forgotten.
const maxQueues = 64

// NewRegistry opens the registry kept under key.
func NewRegistry(data shared.Data, key string) *Registry {
	shared.Ensure(data, key, []byte("\n"))
	return &Registry{data, key}
}

// Add lists a queue.
func (r *Registry) Add(name string) {
	r.change(func(names []string) []string {
		if slices.Contains(names, name) {
			return nil
		}
		names = append(names, name)
		return names[max(0, len(names)-maxQueues):]
	})
}

// Remove takes a queue off the list.
func (r *Registry) Remove(name string) {
	r.change(func(names []string) []string {
		at := slices.Index(names, name)
		if at < 0 {
			return nil
		}
		return slices.Delete(names, at, at+1)
	})
}

// Names are the queues listed.
func (r *Registry) Names() []string {
	value, _ := r.data.Get(r.key)
	return lines(value)
}

func (r *Registry) change(edit func(names []string) []string) {
	shared.Update(r.data, r.key, func(value []byte) ([]byte, bool) {
		names := edit(lines(value))
		return []byte(strings.Join(names, "\n") + "\n"), names != nil
	})
}

// lines are not fields: a plugin's name may hold any space that is no newline.
func lines(value []byte) []string {
	return strings.FieldsFunc(string(value), func(c rune) bool { return c == '\n' })
}
