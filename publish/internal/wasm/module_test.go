package wasm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestReadFindsImportsExportsAndSections(t *testing.T) {
	w := wasmtest.Plugin()
	w.Imports = append(w.Imports, wasmtest.Import{Module: "env", Name: "memory", Kind: wasmtest.Memory})
	w.Padding = 10
	data := w.Bytes()
	m, err := Read(data)
	require.NoError(t, err)
	assert.Equal(t, &Module{
		Size:    len(data),
		Imports: []Import{{"env", "proxy_log", Func, "iii>i"}, {"env", "memory", Memory, ""}},
		Exports: []Export{{"memory", Memory, "", 0}, {"proxy_abi_version_0_2_0", Func, ">", 1}, {"proxy_on_memory_allocate", Func, "i>i", 2}},
		Custom:  []string{"padding"},
	}, m)
	assert.Equal(t, "0.2.0", m.ABI())
}

func TestWhatIsNoModuleIsRefusedWithTheReason(t *testing.T) {
	whole := string(wasmtest.Plugin().Bytes())
	for name, c := range map[string]struct{ data, want string }{
		"nothing at all":         {"", "not a Wasm module: the file is empty"},
		"a few bytes":            {"\x00as", `not a Wasm module: it begins with "\x00as", not with "\x00asm"`},
		"the text form":          {"(module)", `not a Wasm module: it begins with "(mod", not with "\x00asm": this is WebAssembly's text form; wat2wasm turns it into a module`},
		"a native program":       {"\x7fELF\x02\x01\x01\x00", `not a Wasm module: it begins with "\x7fELF", not with "\x00asm": this is a native program; build with GOOS=wasip1 GOARCH=wasm`},
		"a compressed file":      {"\x1f\x8b\x08\x00\x00\x00\x00\x00", `not a Wasm module: it begins with "\x1f\x8b\b\x00", not with "\x00asm": this is a gzip file; unpack it first`},
		"a component":            {"\x00asm\x0d\x00\x01\x00", "not a Wasm module: it is a component, and Envoy loads core modules alone; build for wasip1, not for wasip2"},
		"another version":        {"\x00asm\x02\x00\x00\x00", `not a Wasm module: its version is "\x02\x00\x00\x00", and only 1 is known`},
		"half a download":        {whole[:len(whole)-2], "not a Wasm module: the section at byte 120 is cut short: is the file whole?"},
		"code that is missing":   {whole[:len(whole)-11], "not a Wasm module: it declares 2 functions and holds the code of 0: is the file whole?"},
		"an unknown section":     {"\x00asm\x01\x00\x00\x00\x0e\x00", "not a Wasm module: the section at byte 8 has the unknown id 14"},
		"sections out of order":  {"\x00asm\x01\x00\x00\x00\x07\x01\x00\x01\x01\x00", "not a Wasm module: the section at byte 11, of id 1, is not in its place"},
		"a count beyond its end": {"\x00asm\x01\x00\x00\x00\x07\x05\xff\xff\xff\xff\x0f", "not a Wasm module: the section at byte 8, of id 7: it ends too early"},
		"a number too large":     {"\x00asm\x01\x00\x00\x00\x07\x06\xff\xff\xff\xff\xff\x01", "not a Wasm module: the section at byte 8, of id 7: a number is too large"},
		"a name of no UTF-8":     {"\x00asm\x01\x00\x00\x00\x07\x05\x01\x01\xff\x00\x00", `not a Wasm module: the section at byte 8, of id 7: the name "\xff" is not UTF-8`},
		"bytes left over":        {"\x00asm\x01\x00\x00\x00\x07\x02\x00\x00", "not a Wasm module: the section at byte 8, of id 7: bytes are left over at its end"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.data))
			assert.EqualError(t, err, c.want)
			assert.ErrorIs(t, err, ErrNoModule)
		})
	}
}

func TestTheABIIsTheFirstThatEnvoyKnows(t *testing.T) {
	for name, c := range map[string]struct {
		exports []Export
		want    string
	}{
		"none":                        {[]Export{{Name: "memory", Kind: Memory}}, ""},
		"a memory of that name":       {[]Export{{Name: "proxy_abi_version_0_2_0", Kind: Memory}}, ""},
		"the newest":                  {[]Export{{Name: "proxy_abi_version_0_2_1", Kind: Func}}, "0.2.1"},
		"one from the future, second": {[]Export{{Name: "proxy_abi_version_0_3_0", Kind: Func}, {Name: "proxy_abi_version_0_2_0", Kind: Func}}, "0.2.0"},
		"an old one":                  {[]Export{{Name: "proxy_abi_version_0_1_0", Kind: Func}}, "0.1.0"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, (&Module{Exports: c.exports}).ABI())
		})
	}
}

func FuzzRead(f *testing.F) {
	w := wasmtest.Plugin()
	f.Add(w.Bytes())
	w.Imports = append(w.Imports, wasmtest.Import{Module: "env", Name: "memory", Kind: wasmtest.Memory}, wasmtest.Import{Module: "m", Name: "g", Kind: wasmtest.Global})
	w.Padding = 5
	f.Add(w.Bytes())
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x07\x05\xff\xff\xff\xff\x0f"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x01\x63"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(data)
		if err != nil {
			assert.ErrorIs(t, err, ErrNoModule)
			return
		}
		assert.Equal(t, len(data), m.Size)
		if err := m.Check(); err != nil {
			assert.NotEmpty(t, err.Error())
		}
	})
}

func TestTheToolsThatMadeItAreRead(t *testing.T) {
	const producers = "\x02\x08language\x01\x02Go\x08go1.26.8\x0cprocessed-by\x02\x0cDebian clang\x0614.0.6\x06TinyGo\x060.41.1"
	with := func(body string) []byte {
		return append(wasmtest.Plugin().Bytes(), "\x00"+string(rune(len(body)+10))+"\x09producers"+body...)
	}
	m, err := Read(with(producers))
	require.NoError(t, err)
	assert.Equal(t, []Tool{{"Debian clang", "14.0.6"}, {"TinyGo", "0.41.1"}}, m.Tools)
	m, err = Read(with(producers[:len(producers)-3]))
	require.NoError(t, err, "no engine minds")
	assert.Equal(t, []Tool{{"Debian clang", "14.0.6"}}, m.Tools)
}
