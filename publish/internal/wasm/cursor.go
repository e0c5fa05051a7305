package wasm

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// cursor walks over bytes of unknown origin.
type cursor struct {
	data []byte
	at   int
}

var errEnd = errors.New("it ends too early")

func (c *cursor) byte() (byte, error) {
	if c.at >= len(c.data) {
		return 0, errEnd
	}
	c.at++
	return c.data[c.at-1], nil
}

// u32 reads a LEB128 number of at most 32 bits.
func (c *cursor) u32() (uint32, error) {
	v, err := c.number(32)
	return uint32(v), err
}

func (c *cursor) number(bits uint) (uint64, error) {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b, err := c.byte()
		if err != nil {
			return 0, err
		}
		left := bits - shift
		if left < 7 && b>>left != 0 {
			return 0, errors.New("a number is too large")
		}
		v |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, nil
		}
	}
}

// block is what follows, as many bytes as the number before it says.
func (c *cursor) block() (*cursor, error) {
	size, err := c.u32()
	if err != nil {
		return nil, err
	}
	if uint64(size) > uint64(len(c.data)-c.at) {
		return nil, errEnd
	}
	start := c.at
	c.at += int(size)
	return &cursor{data: c.data[start:c.at]}, nil
}

func (c *cursor) name() (string, error) {
	b, err := c.block()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b.data) {
		return "", fmt.Errorf("the name %q is not UTF-8", b.data[:min(len(b.data), 40)])
	}
	return string(b.data), nil
}

// count is how many things follow. Each takes a byte at least, so that no count makes room for more than there can be.
func (c *cursor) count() (int, error) {
	n, err := c.u32()
	if err == nil && uint64(n) > uint64(len(c.data)-c.at) {
		err = errEnd
	}
	return int(n), err
}

// every reads a count and so many things, and demands that nothing follows.
func every[T any](c *cursor, read func() (T, error)) ([]T, error) {
	n, err := c.count()
	if err != nil {
		return nil, err
	}
	var all []T
	for range n {
		one, err := read()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if c.at != len(c.data) {
		return nil, errors.New("bytes are left over at its end")
	}
	return all, nil
}

// Signature is a function's type: one letter for each parameter, ">", one letter for each result. i is i32, I is i64, f is f32, F is f64,
// anything else "?".
type Signature string

var letters = map[byte]byte{0x7f: 'i', 0x7e: 'I', 0x7d: 'f', 0x7c: 'F'}

const functionType = 0x60

// types reads the function types. One of another kind (garbage collection's) ends the reading: imports that name later ones have no
// signature then, and none is held against them.
func (c *cursor) types() ([]Signature, error) {
	n, err := c.count()
	if err != nil {
		return nil, err
	}
	var all []Signature
	for range n {
		form, err := c.byte()
		if err != nil {
			return nil, err
		}
		if form != functionType {
			return all, nil
		}
		parameters, known, err := c.valueTypes()
		if err != nil || !known {
			return all, err
		}
		results, known, err := c.valueTypes()
		if err != nil || !known {
			return all, err
		}
		all = append(all, Signature(parameters+">"+results))
	}
	return all, nil
}

// valueTypes reads a list of value types. known is false from the first that takes more than a byte.
func (c *cursor) valueTypes() (all string, known bool, err error) {
	n, err := c.count()
	if err != nil {
		return "", false, err
	}
	list := make([]byte, 0, n)
	for range n {
		b, err := c.byte()
		if err != nil {
			return "", false, err
		}
		letter, plain := letters[b]
		switch {
		case plain:
		case b == 0x63 || b == 0x64: // a reference to a type that follows
			return "", false, nil
		default:
			letter = '?'
		}
		list = append(list, letter)
	}
	return string(list), true, nil
}

func (c *cursor) imports(types []Signature) ([]Import, error) {
	return every(c, func() (i Import, err error) {
		if i.Module, err = c.name(); err != nil {
			return i, err
		}
		if i.Name, err = c.name(); err != nil {
			return i, err
		}
		kind, err := c.byte()
		if err != nil {
			return i, err
		}
		i.Kind = Kind(kind)
		switch i.Kind {
		case Func:
			index, err := c.u32()
			if err == nil && uint64(index) < uint64(len(types)) {
				i.Signature = types[index]
			}
			return i, err
		case Table:
			if err = c.skip(1); err == nil {
				err = c.limits()
			}
			return i, err
		case Memory:
			return i, c.limits()
		case Global:
			return i, c.skip(2)
		case Tag:
			if err = c.skip(1); err == nil {
				_, err = c.u32()
			}
			return i, err
		default:
			return i, fmt.Errorf("the import %s is of the unknown kind %d", i, kind)
		}
	})
}

func (c *cursor) skip(n int) error {
	if len(c.data)-c.at < n {
		return errEnd
	}
	c.at += n
	return nil
}

// limits passes over the bounds of a table or a memory.
func (c *cursor) limits() error {
	flags, err := c.byte()
	if err != nil {
		return err
	}
	bits := uint(32)
	if flags&4 != 0 {
		bits = 64
	}
	if _, err = c.number(bits); err == nil && flags&1 != 0 {
		_, err = c.number(bits)
	}
	return err
}

func (c *cursor) exports() ([]Export, error) {
	return every(c, func() (e Export, err error) {
		if e.Name, err = c.name(); err != nil {
			return e, err
		}
		kind, err := c.byte()
		if err != nil {
			return e, err
		}
		e.Kind = Kind(kind)
		e.index, err = c.u32()
		return e, err
	})
}

// tools reads the section "producers", as far as it is sound: no engine minds what is in it.
func (c *cursor) tools() (all []Tool) {
	every(c, func() (struct{}, error) {
		field, err := c.name()
		if err != nil {
			return struct{}{}, err
		}
		n, err := c.count()
		for i := 0; i < n && err == nil; i++ {
			var t Tool
			if t.Name, err = c.name(); err == nil {
				t.Version, err = c.name()
			}
			if err == nil && field == "processed-by" {
				all = append(all, t)
			}
		}
		return struct{}{}, err
	})
	return all
}
