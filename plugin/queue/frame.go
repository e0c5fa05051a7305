// Package queue carries finished records from the workers to whoever collects
// them, over a proxy-wasm shared queue, and settles who collects.
package queue

import (
	"encoding/binary"
	"math"

	"github.com/routelens/routelens/plugin/record"
)

// A frame is one item on the shared queue: a few KiB of finished records.
//
//	prefix "RLF" | format u8 | class u8 | count u32 | tried i64 | { keySize u16 | size u32 | key | record } × count
//
// Numbers are little-endian. Other plugins may share the queue's name space, so
// nothing is taken on trust: see [Parse].
//
// Builds of another format leave frames behind which this one has to count, and
// the other way round: prefix and count are to stay where they are. See [Count].
const (
	prefix     = "RLF"
	magic      = prefix + Format
	countAt    = len(magic) + 1
	triedAt    = countAt + 4
	headerSize = triedAt + 8
	entrySize  = 2 + 4
)

// Format is the format of frames, one byte: another whenever they change. It is to
// be part of a queue's name, so that none is shared by builds that do not
// understand each other.
const Format = "2"

// Class says how precious a frame's records are.
type Class uint8

// The classes, from the first to go.
const (
	Ordinary Class = iota
	Important
	Classes
)

// FrameSize is the size at which a frame is full, in bytes. Its last record may
// pass it.
const FrameSize = 16 << 10

// Builder gathers records of one class into a frame.
type Builder struct {
	class Class
	frame []byte
	count int
	entry int // where the last entry begins
}

// NewBuilder makes an empty Builder.
func NewBuilder(class Class) *Builder {
	b := &Builder{class: class, frame: make([]byte, 0, FrameSize+FrameSize/4)}
	b.Reset()
	return b
}

// Reset empties the builder; what Frame returned is overwritten later.
func (b *Builder) Reset() {
	if cap(b.frame) > 4*FrameSize {
		b.frame = make([]byte, 0, FrameSize+FrameSize/4)
	}
	var header [headerSize]byte
	header[copy(header[:], magic)] = byte(b.class)
	b.frame = append(b.frame[:0], header[:]...)
	b.count = 0
}

// Encoder writes a record's key and the record itself.
type Encoder interface {
	AppendKey(dst []byte, r *record.Record) []byte
	Append(dst []byte, r *record.Record) []byte
}

// Add appends one record and tells the size of it with its key. One whose key a
// frame cannot hold is larger than anything: undo it.
func (b *Builder) Add(e Encoder, r *record.Record) (size int) {
	var room [entrySize]byte
	b.entry = len(b.frame)
	begin := b.entry + entrySize
	b.frame = e.AppendKey(append(b.frame, room[:]...), r)
	key := len(b.frame) - begin
	b.frame = e.Append(b.frame, r)
	size = len(b.frame) - begin
	binary.LittleEndian.PutUint16(b.frame[b.entry:], uint16(key))
	binary.LittleEndian.PutUint32(b.frame[b.entry+2:], uint32(size-key))
	b.count++
	if key > math.MaxUint16 {
		return math.MaxInt
	}
	return size
}

// Undo takes the last record out again.
func (b *Builder) Undo() {
	b.frame = b.frame[:b.entry]
	b.count--
}

// Len is the frame's size in bytes, Count its number of records.
func (b *Builder) Len() int   { return len(b.frame) }
func (b *Builder) Count() int { return b.count }

// Frame gives the finished frame, valid until Reset.
func (b *Builder) Frame() []byte {
	binary.LittleEndian.PutUint32(b.frame[countAt:], uint32(b.count))
	return b.frame
}

// Frame is a frame taken from the queue.
type Frame struct {
	Class Class
	Count int // records
	bytes []byte
}

// Parse checks an item taken from the queue, to its last byte.
func Parse(item []byte) (Frame, bool) {
	if len(item) < headerSize || string(item[:len(magic)]) != magic || Class(item[len(magic)]) >= Classes {
		return Frame{}, false
	}
	f := Frame{Class: Class(item[len(magic)]), Count: int(binary.LittleEndian.Uint32(item[countAt:])), bytes: item}
	at, n := headerSize, 0
	for ; at < len(item); n++ {
		if len(item)-at < entrySize {
			return Frame{}, false
		}
		size := uint64(binary.LittleEndian.Uint16(item[at:])) + uint64(binary.LittleEndian.Uint32(item[at+2:]))
		if at += entrySize; size > uint64(len(item)-at) {
			return Frame{}, false
		}
		at += int(size)
	}
	return f, n == f.Count
}

// Count tells how many records are in a frame of any format, whole or not; 0 in
// what is none.
func Count(item []byte) int {
	if len(item) < triedAt || string(item[:len(prefix)]) != prefix {
		return 0
	}
	n := binary.LittleEndian.Uint32(item[countAt:])
	if uint64(n) > uint64(len(item)) {
		return 0 // each takes a byte at least
	}
	return int(n)
}

// Tried is when the frame was first sent to the sink, as Unix time in ns; 0: not
// yet. It goes with the frame to whoever collects next.
func (f Frame) Tried() int64 { return int64(binary.LittleEndian.Uint64(f.bytes[triedAt:])) }

// SetTried notes that time.
func (f Frame) SetTried(ns int64) { binary.LittleEndian.PutUint64(f.bytes[triedAt:], uint64(ns)) }

// Bytes is the frame as it was on the queue.
func (f Frame) Bytes() []byte { return f.bytes }

// Each calls visit with each record and its key.
func (f Frame) Each(visit func(key, record []byte)) {
	for at := headerSize; at < len(f.bytes); {
		key := at + entrySize
		record := key + int(binary.LittleEndian.Uint16(f.bytes[at:]))
		end := record + int(binary.LittleEndian.Uint32(f.bytes[at+2:]))
		visit(f.bytes[key:record], f.bytes[record:end])
		at = end
	}
}

// Only is a frame of those records that keep tells of, by their place: of the same
// class, first tried when this one was. Where it is all of them, it is this one.
func (f Frame) Only(keep func(record int) bool) Frame {
	size, count, record := headerSize, 0, 0
	kept := make([]bool, f.Count)
	f.entries(func(entry []byte) {
		if kept[record] = keep(record); kept[record] {
			size += len(entry)
			count++
		}
		record++
	})
	if count == f.Count {
		return f
	}
	only := Frame{Class: f.Class, Count: count, bytes: append(make([]byte, 0, size), f.bytes[:headerSize]...)}
	binary.LittleEndian.PutUint32(only.bytes[countAt:], uint32(count))
	record = 0
	f.entries(func(entry []byte) {
		if kept[record] {
			only.bytes = append(only.bytes, entry...)
		}
		record++
	})
	return only
}

// entries calls visit with each record as it stands in the frame.
func (f Frame) entries(visit func(entry []byte)) {
	for at := headerSize; at < len(f.bytes); {
		end := at + entrySize + int(binary.LittleEndian.Uint16(f.bytes[at:])) + int(binary.LittleEndian.Uint32(f.bytes[at+2:]))
		visit(f.bytes[at:end])
		at = end
	}
}
