// Package wasm reads as much of a Wasm module as it takes to say whether Envoy would load it: its sections, imports and
// exports. It runs nothing, and any bytes may be given to it.
package wasm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what an import or export is.
type Kind byte

// The kinds, as they are numbered in a module.
const (
	Func Kind = iota
	Table
	Memory
	Global
	Tag
)

func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return fmt.Sprintf("kind %d", byte(k))
}

var kinds = [...]string{"function", "table", "memory", "global", "tag"}

// Import is what a module wants of its host.
type Import struct {
	Module, Name string
	Kind         Kind
	Signature    Signature // of a function
}

func (i Import) String() string { return i.Module + "." + i.Name }

// Export is what a module offers to its host.
type Export struct {
	Name      string
	Kind      Kind
	Signature Signature // of a function
	index     uint32
}

// Module is the outside of a Wasm module.
type Module struct {
	Size    int // bytes
	Imports []Import
	Exports []Export
	Custom  []string // the names of its custom sections
	Tools   []Tool   // that made it, as its section "producers" says
}

// Tool is a compiler, or what worked on a module after it.
type Tool struct{ Name, Version string }

// Exported tells whether the module offers name as kind.
func (m *Module) Exported(name string, kind Kind) bool {
	return slices.ContainsFunc(m.Exports, func(e Export) bool { return e.Name == name && e.Kind == kind })
}

const abiPrefix = "proxy_abi_version_"

// ABI is the version of the proxy-wasm ABI that the module speaks, such as 0.2.1: the first export that names one known to Envoy, else
// the first at all. It is empty where there is none.
func (m *Module) ABI() string {
	first := ""
	for _, e := range m.Exports {
		version, ok := strings.CutPrefix(e.Name, abiPrefix)
		if !ok || e.Kind != Func {
			continue
		}
		version = strings.ReplaceAll(version, "_", ".")
		if _, known := abiFunctions[version]; known {
			return version
		}
		if first == "" {
			first = version
		}
	}
	return first
}

// ErrNoModule is wrapped by each error of [Read].
var ErrNoModule = errors.New("not a Wasm module")

const magic = "\x00asm"

// The versions that follow the magic bytes, of a module and of a component.
const (
	moduleVersion    = "\x01\x00\x00\x00"
	componentVersion = "\x0d\x00\x01\x00"
)

// Read looks at every section, and into those that name imports and exports. What it returns shares no memory with data.
func Read(data []byte) (*Module, error) {
	head := string(data[:min(len(data), 8)])
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrNoModule)
	case len(head) < 8 || head[:4] != magic:
		return nil, fmt.Errorf("%w: it begins with %q, not with %q%s", ErrNoModule, head[:min(len(head), 4)], magic, guess(head))
	case head[4:] == componentVersion:
		return nil, fmt.Errorf("%w: it is a component, and Envoy loads core modules alone; build for wasip1, not for wasip2", ErrNoModule)
	case head[4:] != moduleVersion:
		return nil, fmt.Errorf("%w: its version is %q, and only 1 is known", ErrNoModule, head[4:])
	}
	m := &Module{Size: len(data)}
	if err := m.sections(&cursor{data: data, at: 8}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoModule, err)
	}
	return m, nil
}

// guess says what the file may be instead.
func guess(head string) string {
	switch {
	case strings.HasPrefix(head, "(modu"):
		return ": this is WebAssembly's text form; wat2wasm turns it into a module"
	case strings.HasPrefix(head, "\x7fELF"), strings.HasPrefix(head, "MZ"), strings.HasPrefix(head, "\xcf\xfa\xed\xfe"):
		return ": this is a native program; build with GOOS=wasip1 GOARCH=wasm"
	case strings.HasPrefix(head, "\x1f\x8b"):
		return ": this is a gzip file; unpack it first"
	}
	return ""
}

// The ids of the sections looked into.
const (
	customSection   = 0
	typeSection     = 1
	importSection   = 2
	functionSection = 3
	exportSection   = 7
	codeSection     = 10
)

// rank is the order in which sections must come, by id. Two of them were added later, in the middle.
var rank = [...]int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6}

func (m *Module) sections(c *cursor) error {
	var types []Signature
	var functions []uint32 // the types of the module's own
	var bodies uint32
	last := 0
	for c.at < len(c.data) {
		start := c.at
		id, err := c.byte()
		if err != nil {
			return err
		}
		body, err := c.block()
		if err != nil {
			return fmt.Errorf("the section at byte %d is cut short: is the file whole?", start)
		}
		if int(id) >= len(rank) {
			return fmt.Errorf("the section at byte %d has the unknown id %d", start, id)
		}
		if id != customSection {
			if rank[id] <= last {
				return fmt.Errorf("the section at byte %d, of id %d, is not in its place", start, id)
			}
			last = rank[id]
		}
		switch id {
		case customSection:
			var name string
			if name, err = body.name(); err == nil {
				m.Custom = append(m.Custom, name)
			}
			if name == "producers" {
				m.Tools = body.tools()
			}
		case typeSection:
			types, err = body.types()
		case importSection:
			m.Imports, err = body.imports(types)
		case exportSection:
			m.Exports, err = body.exports()
		case functionSection:
			functions, err = every(body, body.u32)
		case codeSection:
			bodies, err = body.u32()
		}
		if err != nil {
			return fmt.Errorf("the section at byte %d, of id %d: %w", start, id, err)
		}
	}
	if uint32(len(functions)) != bodies {
		return fmt.Errorf("it declares %d functions and holds the code of %d: is the file whole?", len(functions), bodies)
	}
	m.sign(types, functions)
	return nil
}

// sign gives the exported functions their signatures. Functions are numbered from the imported ones on.
func (m *Module) sign(types []Signature, own []uint32) {
	var all []Signature
	for _, i := range m.Imports {
		if i.Kind == Func {
			all = append(all, i.Signature)
		}
	}
	imported := uint64(len(all))
	for i := range m.Exports {
		e := &m.Exports[i]
		at := uint64(e.index)
		switch {
		case e.Kind != Func:
		case at < imported:
			e.Signature = all[at]
		case at-imported < uint64(len(own)) && uint64(own[at-imported]) < uint64(len(types)):
			e.Signature = types[own[at-imported]]
		}
	}
}
