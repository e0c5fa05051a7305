package e2e

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArtifactsExportTheABIAndNoMalloc(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		code, err := os.ReadFile(wasm)
		require.NoError(t, err)
		names := exports(t, code)
		require.Contains(t, names, "proxy_on_context_create")
		require.Contains(t, names, "proxy_on_memory_allocate")
		require.Contains(t, names, "_initialize", "a library's entry; _start would end with proc_exit")
		require.True(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "proxy_abi_version_0_2_") }), "%v", names)
		// Envoy would use it, and TinyGo's keeps what it gave until a free that never comes: with each
		// header that is read a little more, and ever longer pauses to collect garbage.
		require.NotContains(t, names, "malloc")
	})
}

// exports reads a module's export section
// (https://webassembly.github.io/spec/core/binary/modules.html#export-section).
func exports(t *testing.T, code []byte) (names []string) {
	require.Equal(t, "\x00asm\x01\x00\x00\x00", string(code[:8]), "WebAssembly, version 1")
	number := func(b *[]byte) int {
		n, size := binary.Uvarint(*b) // LEB128
		require.Positive(t, size)
		*b = (*b)[size:]
		return int(n)
	}
	const exportSection = 7
	for code = code[8:]; len(code) > 0; {
		id := code[0]
		code = code[1:]
		size := number(&code)
		section := code[:size]
		code = code[size:]
		if id != exportSection {
			continue
		}
		for range number(&section) {
			length := number(&section)
			names = append(names, string(section[:length]))
			section = section[length+1:] // and the kind
			number(&section)             // the index
		}
	}
	return names
}
