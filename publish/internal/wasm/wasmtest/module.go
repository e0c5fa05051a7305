// Package wasmtest writes small Wasm modules for tests.
package wasmtest

import (
	"encoding/binary"
	"math/rand/v2"
)

// The kinds of imports and exports, as they are numbered in a module.
const (
	Func   = 0
	Memory = 2
	Global = 3
)

// Import is an import. A function has one of the module's types.
type Import struct {
	Module, Name string
	Kind         byte
	Type         uint32
}

// Export is an export: of the one memory, or of a function of its own that does nothing and returns 1, which means yes where a plugin is asked.
type Export struct {
	Name string
	Kind byte
	Type uint32 // of a function
}

// Module is what a module is written from.
type Module struct {
	Types   []string // parameters as letters i and I, ">", results
	Imports []Import
	Exports []Export
	Padding int // bytes of a custom section, not compressible, to give a module its size
}

// Plugin is a module that Envoy loads: it does nothing.
func Plugin() Module {
	return Module{
		Types:   []string{">", "iii>i", "i>i"},
		Imports: []Import{{"env", "proxy_log", Func, 1}},
		Exports: []Export{{"memory", Memory, 0}, {"proxy_abi_version_0_2_0", Func, 0}, {"proxy_on_memory_allocate", Func, 2}},
	}
}

// Bytes writes the module.
func (m Module) Bytes() []byte {
	var typeSection, imports, exports, functions, bodies []byte
	imported, own := 0, 0 // functions
	for _, t := range m.Types {
		typeSection = append(typeSection, signature(t)...)
	}
	for _, i := range m.Imports {
		imports = name(name(imports, i.Module), i.Name)
		imports = append(imports, i.Kind)
		switch i.Kind {
		case Func:
			imports = binary.AppendUvarint(imports, uint64(i.Type))
			imported++
		case Memory:
			imports = append(imports, 0, 1)
		case Global:
			imports = append(imports, 0x7f, 0)
		}
	}
	for _, e := range m.Exports {
		exports = append(name(exports, e.Name), e.Kind)
		index := 0
		if e.Kind == Func {
			index = imported + own
			own++
			functions = binary.AppendUvarint(functions, uint64(e.Type))
			bodies = append(bodies, body(m.Types[e.Type])...)
		}
		exports = binary.AppendUvarint(exports, uint64(index))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, counted(len(m.Types), typeSection))
	if len(m.Imports) > 0 {
		out = section(out, 2, counted(len(m.Imports), imports))
	}
	out = section(out, 3, counted(own, functions))
	out = section(out, 5, []byte{1, 0, 1})
	out = section(out, 7, counted(len(m.Exports), exports))
	out = section(out, 10, counted(own, bodies))
	if m.Padding > 0 {
		padding := make([]byte, m.Padding)
		random := rand.NewChaCha8([32]byte{})
		random.Read(padding)
		out = section(out, 0, append(name(nil, "padding"), padding...))
	}
	return out
}

// body returns 1, or nothing, as the type has it.
func body(t string) []byte {
	switch t[len(t)-1] {
	case 'i':
		return []byte{4, 0, 0x41, 1, 0x0b}
	case 'I':
		return []byte{4, 0, 0x42, 1, 0x0b}
	}
	return []byte{2, 0, 0x0b}
}

func section(out []byte, id byte, body []byte) []byte {
	return append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
}

func counted(n int, body []byte) []byte { return append(binary.AppendUvarint(nil, uint64(n)), body...) }

func name(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func signature(s string) []byte {
	sides := [2][]byte{}
	side := 0
	for _, letter := range s {
		switch letter {
		case '>':
			side = 1
		case 'i':
			sides[side] = append(sides[side], 0x7f)
		case 'I':
			sides[side] = append(sides[side], 0x7e)
		}
	}
	out := []byte{0x60}
	for _, types := range sides {
		out = append(out, counted(len(types), types)...)
	}
	return out
}
