package shared_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/routelens/routelens/plugin/shared"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func add(value []byte) ([]byte, bool) { return append(value, 'x'), true }

func TestEnsureWritesOnlyWhereNothingIs(t *testing.T) {
	data := sharedtest.New()
	shared.Ensure(data, "k", []byte("first"))
	shared.Ensure(data, "k", []byte("second"))
	value, version := data.Get("k")
	assert.Equal(t, "first", string(value))
	assert.NotZero(t, version)
}

func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		name  string
		lost  int
		want  bool
		value string
	}{
		{"writes at once where nobody else does", 0, true, "ax"},
		{"tries again where a swap is lost", 3, true, "ax"},
		{"tries to the last", 15, true, "ax"},
		{"gives up where every swap is lost", 16, false, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := sharedtest.New()
			data.Swap("k", []byte("a"), 0)
			data.FailSwaps = c.lost
			assert.Equal(t, c.want, shared.Update(data, "k", add))
			value, _ := data.Get("k")
			assert.Equal(t, c.value, string(value))
		})
	}
}

func TestUpdateWritesNothingThatIsNotWanted(t *testing.T) {
	data := sharedtest.New()
	assert.False(t, shared.Update(data, "k", func([]byte) ([]byte, bool) { return []byte("x"), false }))
	_, version := data.Get("k")
	assert.Zero(t, version)
}

func TestUpdateSeesWhatAnotherThreadWroteMeanwhile(t *testing.T) {
	data := sharedtest.New()
	data.Swap("k", []byte("a"), 0)
	calls := 0
	assert.True(t, shared.Update(data, "k", func(value []byte) ([]byte, bool) {
		if calls++; calls == 1 {
			_, version := data.Get("k")
			assert.True(t, data.Swap("k", []byte("b"), version), "another thread is faster")
		}
		return append(value, 'x'), true
	}))
	value, _ := data.Get("k")
	assert.Equal(t, "bx", string(value))
	assert.Equal(t, 2, calls)
}
