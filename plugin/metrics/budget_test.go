package metrics

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func TestABudget(t *testing.T) {
	admitted := func(b *Budget, from, to int) (n int) {
		for i := from; i < to; i++ {
			if admitted, _ := b.Admit(fmt.Sprint(i)); admitted {
				n++
			}
		}
		return n
	}
	t.Run("admits so many names, and those for ever", func(t *testing.T) {
		b := NewBudget(sharedtest.New(), "k", 3)
		for range 3 {
			assert.Equal(t, 3, admitted(b, 0, 10))
		}
	})
	t.Run("is one for all threads and configurations", func(t *testing.T) {
		data := sharedtest.New()
		assert.Equal(t, 2, admitted(NewBudget(data, "k", 3), 0, 2))
		assert.Equal(t, 3, admitted(NewBudget(data, "k", 3), 0, 10), "two are known already")
		assert.Equal(t, 3, admitted(NewBudget(data, "k", 1), 0, 10), "a smaller one keeps what was admitted")
		assert.Equal(t, 5, admitted(NewBudget(data, "k", 5), 0, 10), "a larger one admits more")
		assert.Equal(t, 3, admitted(NewBudget(data, "other", 3), 0, 10), "another key is another budget")
	})
	t.Run("is kept although swaps are lost", func(t *testing.T) {
		data := sharedtest.New()
		b := NewBudget(data, "k", 100)
		for i := range 200 {
			data.FailSwaps = i % 5
			b.Admit(fmt.Sprint(i))
			data.FailSwaps = 0
		}
		assert.LessOrEqual(t, admitted(b, 0, 200), 100)
	})
	t.Run("admits none where the store is lost", func(t *testing.T) {
		data := sharedtest.New()
		b := NewBudget(data, "k", 100)
		data.FailSwaps = 1000
		assert.Zero(t, admitted(b, 0, 10))
	})
	t.Run("counts from nothing where the store holds something else", func(t *testing.T) {
		data := sharedtest.New()
		data.Swap("k", []byte("odd"), 0)
		assert.Equal(t, 2, admitted(NewBudget(data, "k", 2), 0, 10))
	})
	t.Run("keeps the name of those not admitted, once", func(t *testing.T) {
		b := NewBudget(sharedtest.New(), "k", 2)
		assert.Equal(t, 2, admitted(b, 0, 10))
		b.Keep("other")
		b.Keep("other")
		assert.Equal(t, 2, admitted(b, 0, 10))
		names, next := b.Names(0, 10)
		assert.Equal(t, []string{"0", "1", "other"}, names)
		assert.EqualValues(t, 3, next)
	})
	t.Run("tells what is spent from what was not to be had", func(t *testing.T) {
		data := sharedtest.New()
		b := NewBudget(data, "k", 1)
		data.FailSwaps = 16
		admitted, final := b.Admit("a")
		assert.False(t, admitted || final)
		admitted, final = b.Admit("a")
		assert.True(t, admitted && final)
		admitted, final = b.Admit("b")
		assert.True(t, !admitted && final)
	})
	t.Run("waits a tick for a name that is being written", func(t *testing.T) {
		data := sharedtest.New()
		b, reader := NewBudget(data, "k", 10), NewBudget(data, "k", 10)
		admitted(b, 0, 3)
		value, version := data.Get(b.at(1))
		require.NotZero(t, version)
		data.Delete(b.at(1))
		names, next := reader.Names(0, 10)
		assert.Equal(t, []string{"0"}, names)
		data.Swap(b.at(1), value, 0)
		names, next = reader.Names(next, 10)
		assert.Equal(t, []string{"1", "2"}, names)
		assert.EqualValues(t, 3, next)
	})
	t.Run("waits no longer for one that never comes", func(t *testing.T) {
		data := sharedtest.New()
		b := NewBudget(data, "k", 10)
		admitted(b, 0, 4)
		data.Delete(b.at(1))
		data.Delete(b.at(2))
		var all []string
		var next uint64
		for range 3 {
			var names []string
			names, next = b.Names(next, 10)
			all = append(all, names...)
		}
		assert.Equal(t, []string{"0", "3"}, all)
		assert.EqualValues(t, 4, next)
	})
	t.Run("takes any name", func(t *testing.T) {
		b := NewBudget(sharedtest.New(), "k", 3)
		for _, name := range []string{"", "\xff\x00/"} {
			admitted, final := b.Admit(name)
			assert.True(t, admitted && final)
		}
	})
}
