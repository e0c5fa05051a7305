package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/plugin/record"
)

// plain encodes a record as its path, under its route as key.
type plain struct{}

func (plain) AppendKey(dst []byte, r *record.Record) []byte { return append(dst, r.Route...) }
func (plain) Append(dst []byte, r *record.Record) []byte    { return append(dst, r.Path...) }

type entry struct{ key, record string }

func build(class Class, entries ...entry) *Builder {
	b := NewBuilder(class)
	for _, e := range entries {
		b.Add(plain{}, &record.Record{Route: e.key, Path: e.record})
	}
	return b
}

func read(f Frame) (entries []entry) {
	f.Each(func(key, record []byte) { entries = append(entries, entry{string(key), string(record)}) })
	return entries
}

func TestAFrameReadsBackAsItWasBuilt(t *testing.T) {
	for _, c := range []struct {
		name    string
		class   Class
		entries []entry
	}{
		{"one record", Ordinary, []entry{{"", "a"}}},
		{"with keys", Important, []entry{{"k1", "a"}, {"k2", "b"}, {"k1", "c"}}},
		{"an empty record", Ordinary, []entry{{"", ""}, {"k", ""}}},
		{"nothing", Ordinary, nil},
		{"a record larger than a frame", Ordinary, []entry{{"k", strings.Repeat("x", 3*FrameSize)}, {"", "y"}}},
		{"the longest key", Ordinary, []entry{{strings.Repeat("k", math.MaxUint16), "a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := build(c.class, c.entries...)
			f, ok := Parse(bytes.Clone(b.Frame()))
			require.True(t, ok)
			assert.Equal(t, c.class, f.Class)
			assert.Equal(t, len(c.entries), f.Count)
			assert.Equal(t, c.entries, read(f))
			assert.Equal(t, b.Frame(), f.Bytes())
			assert.Len(t, b.Frame(), b.Len())
		})
	}
}

func TestAddTellsTheSizeOfKeyAndRecord(t *testing.T) {
	b := NewBuilder(Ordinary)
	assert.Equal(t, 5, b.Add(plain{}, &record.Record{Route: "ab", Path: "cde"}))
	assert.Equal(t, headerSize+entrySize+5, b.Len())
	assert.Equal(t, math.MaxInt, b.Add(plain{}, &record.Record{Route: strings.Repeat("k", math.MaxUint16+1)}), "a key that no frame holds")
	b.Undo()
	f, ok := Parse(b.Frame())
	require.True(t, ok)
	assert.Equal(t, []entry{{"ab", "cde"}}, read(f))
}

func TestUndoTakesTheLastRecordOut(t *testing.T) {
	b := build(Ordinary, entry{"k", "a"}, entry{"k", strings.Repeat("b", 10*FrameSize)})
	b.Undo()
	assert.Equal(t, 1, b.Count())
	b.Add(plain{}, &record.Record{Path: "c"})
	f, ok := Parse(b.Frame())
	require.True(t, ok)
	assert.Equal(t, []entry{{"k", "a"}, {"", "c"}}, read(f))
}

func TestResetLetsTheMemoryOfHugeRecordsGo(t *testing.T) {
	b := build(Important, entry{"", strings.Repeat("x", 10*FrameSize)})
	b.Reset()
	assert.Zero(t, b.Count())
	assert.Less(t, cap(b.frame), 2*FrameSize)
	b.Add(plain{}, &record.Record{Path: "a"})
	f, ok := Parse(b.Frame())
	require.True(t, ok)
	assert.Equal(t, Important, f.Class)
	assert.Equal(t, []entry{{"", "a"}}, read(f))
}

func TestTheTimeOfTheFirstTryGoesWithTheFrame(t *testing.T) {
	f, ok := Parse(build(Ordinary, entry{"k", "a"}).Frame())
	require.True(t, ok)
	assert.Zero(t, f.Tried())
	f.SetTried(1_800_000_000_000_000_001)
	f, ok = Parse(f.Bytes())
	require.True(t, ok)
	assert.EqualValues(t, 1_800_000_000_000_000_001, f.Tried())
	assert.Equal(t, []entry{{"k", "a"}}, read(f))
}

// What this build writes, others read: a frame that differs wants another Format.
func TestAFrameIsAsItsFormatSays(t *testing.T) {
	f, ok := Parse(build(Important, entry{"key", "record"}, entry{"", "more"}).Frame())
	require.True(t, ok)
	f.SetTried(1_800_000_000_000_000_001)
	goldentest.Equal(t, "testdata/frame-"+Format+".golden", hex.Dump(f.Bytes()))
}

func TestFramesOfEveryFormatCanBeCounted(t *testing.T) {
	whole := build(Ordinary, entry{"k", "a"}, entry{"", "b"}).Frame()
	for _, c := range []struct {
		name string
		item string
		want int
	}{
		{"this one", string(whole), 2},
		{"cut off", string(whole[:countAt+4]), 2},
		{"the first", "RLF1\x01\x03\x00\x00\x00 and whatever", 3},
		{"one to come", "RLF\xff\xff\x03\x00\x00\x00 and whatever", 3},
		{"cut off before its end", "RLF1\x01\x03\x00\x00", 0},
		{"no frame", "RLG1\x01\x03\x00\x00\x00 and whatever", 0},
		{"more records than bytes", "RLF1\x01\x03\x00\x00\x01 and whatever", 0},
		{"nothing", "", 0},
	} {
		assert.Equal(t, c.want, Count([]byte(c.item)), c.name)
	}
}

func TestParseRefusesWhatIsNoWholeFrame(t *testing.T) {
	good := build(Ordinary, entry{"key", "record"}, entry{"", "more"}).Frame()
	for end := range len(good) {
		_, ok := Parse(good[:end])
		assert.False(t, ok, "cut to %d bytes", end)
	}
	for name, edit := range map[string]func(b []byte) []byte{
		"another format":  func(b []byte) []byte { b[3]--; return b },
		"another magic":   func(b []byte) []byte { b[0] = 'X'; return b },
		"unknown class":   func(b []byte) []byte { b[4] = byte(Classes); return b },
		"wrong count":     func(b []byte) []byte { b[5]++; return b },
		"vast count":      func(b []byte) []byte { b[8] = 0xff; return b },
		"a byte too much": func(b []byte) []byte { return append(b, 0) },
		"vast size":       func(b []byte) []byte { binary.LittleEndian.PutUint32(b[headerSize+2:], math.MaxUint32); return b },
	} {
		_, ok := Parse(edit(bytes.Clone(good)))
		assert.False(t, ok, name)
	}
}

func FuzzParseTakesAnyBytes(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Add(bytes.Clone(build(Important, entry{"k", "a"}, entry{"", ""}).Frame()))
	f.Add(append([]byte(magic), 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, item []byte) {
		frame, ok := Parse(item)
		if !ok {
			return
		}
		entries := read(frame)
		require.Len(t, entries, frame.Count)
		built := build(frame.Class, entries...).Frame()
		again, _ := Parse(built)
		again.SetTried(frame.Tried())
		require.Equal(t, item, built, "parsed and built again it is the same")
	})
}

func FuzzAFrameReadsBackAsItWasBuilt(f *testing.F) {
	f.Add("k", "a", "", "b", true)
	f.Fuzz(func(t *testing.T, key1, record1, key2, record2 string, important bool) {
		class := Ordinary
		if important {
			class = Important
		}
		entries := []entry{{key1, record1}, {key2, record2}}
		frame, ok := Parse(build(class, entries...).Frame())
		require.True(t, ok)
		require.Equal(t, class, frame.Class)
		require.Equal(t, entries, read(frame))
	})
}

func BenchmarkFrame(b *testing.B) {
	r := &record.Record{Route: "orders", Path: strings.Repeat("x", 800)}
	builder := NewBuilder(Ordinary)
	records := 0
	b.ReportAllocs()
	for b.Loop() {
		builder.Reset()
		for range 20 {
			builder.Add(plain{}, r)
		}
		f, ok := Parse(builder.Frame())
		if !ok {
			b.Fatal("not a frame")
		}
		records = 0
		f.Each(func(_, _ []byte) { records++ })
	}
	require.Equal(b, 20, records)
}

func TestAFrameOfOnlySomeRecordsIsWholeAndOfItsClassAndTime(t *testing.T) {
	entries := []entry{{"k1", "a"}, {"", ""}, {"k2", "b"}, {"k1", strings.Repeat("c", 300)}}
	for mask := range 1 << len(entries) {
		f, ok := Parse(bytes.Clone(build(Important, entries...).Frame()))
		require.True(t, ok)
		f.SetTried(42)
		var want []entry
		only := f.Only(func(record int) bool {
			kept := mask>>record&1 == 1
			if kept {
				want = append(want, entries[record])
			}
			return kept
		})
		again, ok := Parse(only.Bytes())
		require.True(t, ok)
		assert.Equal(t, only, again)
		assert.Equal(t, want, read(again))
		assert.Equal(t, len(want), again.Count)
		assert.Equal(t, Important, again.Class)
		assert.EqualValues(t, 42, again.Tried())
		assert.Equal(t, entries, read(f), "the frame itself is as it was")
	}
}
