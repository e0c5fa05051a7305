package wasm

import (
	"fmt"
	"strings"
)

// Problems is every reason why Envoy would not load a module.
type Problems []string

func (p Problems) Error() string { return strings.Join(p, "\n") }

// MaxSize is the largest plugin that Istio and Envoy Gateway take: 256 MiB.
const MaxSize = 256 << 20

// allocators are the exports by which Envoy gets memory inside of the module; it needs one.
var allocators = []string{"malloc", "proxy_on_memory_allocate"}

// maxNamed bounds the missing imports that are told one by one: where there are more, they have the same cause.
const maxNamed = 10

// Check tells whether Envoy would load the module, and Istio and Envoy Gateway hand it to Envoy. The error, if any, is of type
// [Problems]. It does not check what is inside of functions.
func (m *Module) Check() error {
	var p Problems
	report := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }

	if m.Size > MaxSize {
		report("it has %d bytes, and Istio and Envoy Gateway take no more than %d (256 MiB); strip its debug information", m.Size, MaxSize)
	}
	abi := m.ABI()
	if _, known := abiFunctions[abi]; !known {
		if abi == "" {
			report("it exports no function proxy_abi_version_0_2_*: it is no proxy-wasm plugin, or its main package does not use a proxy-wasm SDK")
		} else {
			report("it speaks version %s of the proxy-wasm ABI, and 0.2.0 or 0.2.1 is needed; build it with a current SDK", abi)
		}
	}
	if !m.Exported(allocators[0], Func) && !m.Exported(allocators[1], Func) {
		report("it exports neither proxy_on_memory_allocate nor malloc: Envoy can hand it no data")
	}
	if !m.Exported("memory", Memory) && !m.importsMemory() {
		report("it exports no memory: Envoy can hand it no data")
	}
	for _, e := range m.Exports {
		want, isCalled := called[e.Name]
		if e.Kind == Func && isCalled && e.Signature != "" && e.Signature != want && !m.unused(e.Name) {
			report("it exports the function %s as %s, and Envoy calls it as %s", e.Name, e.Signature.spelt(), want.spelt())
		}
	}
	missing := 0
	for _, i := range m.Imports {
		fault := i.fault(abi)
		if fault == "" {
			continue
		}
		if missing++; missing <= maxNamed {
			p = append(p, fault)
		}
	}
	if missing > maxNamed {
		report("… and %d more imports that Envoy does not offer", missing-maxNamed)
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

// unused tells whether Envoy has no use for an export, as another takes its place.
func (m *Module) unused(name string) bool {
	switch name {
	case "_start":
		return m.Exported("_initialize", Func)
	case "main", "__main_void":
		return !m.Exported("_initialize", Func)
	case "proxy_on_memory_allocate":
		return m.Exported("malloc", Func)
	}
	return false
}

func (m *Module) importsMemory() bool {
	for _, i := range m.Imports {
		if i.Kind == Memory {
			return true
		}
	}
	return false
}

// fault says why Envoy cannot satisfy the import. Memories and tables it makes itself.
func (i Import) fault(abi string) string {
	switch i.Kind {
	case Memory, Table:
		return ""
	case Func:
	default:
		return fmt.Sprintf("it imports the %s %s, which Envoy does not offer", i.Kind, i)
	}
	want, ok := offered(i, abi)
	switch {
	case !ok:
		return fmt.Sprintf("it imports the function %s, which Envoy does not offer%s", i, hint(i, abi))
	case i.Signature != "" && i.Signature != want:
		return fmt.Sprintf("it imports the function %s as %s, and Envoy offers it as %s", i, i.Signature.spelt(), want.spelt())
	}
	return ""
}

// hint says what such an import often means.
func hint(i Import, abi string) string {
	switch {
	case i.Module == "gojs" || i.Module == "go" || strings.HasPrefix(i.Name, "syscall/js."):
		return "; it was built for browsers: use GOOS=wasip1, not GOOS=js"
	case strings.HasPrefix(i.Module, "wasi:"):
		return "; it was built for wasip2: use wasip1"
	case i.Module == "env" && i.Name == "proxy_get_log_level":
		return " to version " + abi + " of the ABI, but to 0.2.1"
	}
	return ""
}

var spelling = strings.NewReplacer("i", "i32 ", "I", "i64 ", "f", "f32 ", "F", "f64 ", "?", "another type ")

// spelt is the signature for a person: (i32 i32) -> (i32).
func (s Signature) spelt() string {
	parameters, results, _ := strings.Cut(string(s), ">")
	side := func(letters string) string { return "(" + strings.TrimSpace(spelling.Replace(letters)) + ")" }
	return side(parameters) + " -> " + side(results)
}
