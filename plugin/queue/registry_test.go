package queue

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func TestTheRegistryListsEachQueueOnce(t *testing.T) {
	data := sharedtest.New()
	r := NewRegistry(data, "queues")
	assert.Empty(t, r.Names())
	r.Add("a/1")
	r.Add("b/2")
	NewRegistry(data, "queues").Add("a/1")
	assert.Equal(t, []string{"a/1", "b/2"}, r.Names())
	r.Remove("a/1")
	r.Remove("unknown")
	assert.Equal(t, []string{"b/2"}, r.Names())
	r.Remove("b/2")
	assert.Empty(t, r.Names())
	r.Add("c/3")
	assert.Equal(t, []string{"c/3"}, r.Names())
}

func TestTheRegistryKeepsNamesWithAnySpaceWhole(t *testing.T) {
	r := NewRegistry(sharedtest.New(), "queues")
	r.Add("my\u00a0plugin\u3000x/1")
	r.Add("my\u00a0plugin\u3000x/1")
	assert.Equal(t, []string{"my\u00a0plugin\u3000x/1"}, r.Names())
}

func TestTheRegistryIsBoundedAndForgetsTheOldest(t *testing.T) {
	r := NewRegistry(sharedtest.New(), "queues")
	for i := range maxQueues + 3 {
		r.Add(strconv.Itoa(i))
	}
	names := r.Names()
	assert.Len(t, names, maxQueues)
	assert.Equal(t, "3", names[0])
}

func TestTheRegistryOutlivesLostSwaps(t *testing.T) {
	data := sharedtest.New()
	r := NewRegistry(data, "queues")
	data.FailSwaps = 5
	r.Add("a")
	assert.Equal(t, []string{"a"}, r.Names())
}
