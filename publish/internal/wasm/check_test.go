package wasm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestAPluginIsRefusedForEachReasonThatEnvoyWouldHave(t *testing.T) {
	const (
		noABI   = "it exports no function proxy_abi_version_0_2_*: it is no proxy-wasm plugin, or its main package does not use a proxy-wasm SDK"
		noAlloc = "it exports neither proxy_on_memory_allocate nor malloc: Envoy can hand it no data"
	)
	imports := func(module, name string, types ...string) func(*wasmtest.Module) {
		return func(m *wasmtest.Module) {
			m.Types = append(m.Types, types...)
			m.Imports = append(m.Imports, wasmtest.Import{Module: module, Name: name, Kind: wasmtest.Func, Type: uint32(len(m.Types) - 1)})
		}
	}
	for name, c := range map[string]struct {
		change func(*wasmtest.Module)
		want   string
	}{
		"a plugin":        {func(*wasmtest.Module) {}, ""},
		"malloc will do":  {func(m *wasmtest.Module) { m.Exports[2].Name = "malloc" }, ""},
		"no exports":      {func(m *wasmtest.Module) { m.Exports = nil }, noABI + "\n" + noAlloc + "\nit exports no memory: Envoy can hand it no data"},
		"an old ABI":      {func(m *wasmtest.Module) { m.Exports[1].Name = "proxy_abi_version_0_1_0" }, "it speaks version 0.1.0 of the proxy-wasm ABI, and 0.2.0 or 0.2.1 is needed; build it with a current SDK"},
		"WASI":            {imports("wasi_snapshot_preview1", "clock_time_get", "iIi>i"), ""},
		"WASI's old name": {imports("wasi_unstable", "fd_write", "iiii>i"), ""},
		"a function that Envoy has not": {imports("env", "proxy_redis_call", "iii>i"),
			"it imports the function env.proxy_redis_call, which Envoy does not offer"},
		"a WASI function that Envoy has not": {imports("wasi_snapshot_preview1", "sock_connect", "iii>i"),
			"it imports the function wasi_snapshot_preview1.sock_connect, which Envoy does not offer"},
		"another signature": {imports("wasi_snapshot_preview1", "path_link", "iiiiiii>i"),
			"it imports the function wasi_snapshot_preview1.path_link as (i32 i32 i32 i32 i32 i32 i32) -> (i32), and Envoy offers it as (i32 i32 i32 i32 i32 i32) -> (i32)"},
		"a function of the next ABI": {imports("env", "proxy_get_log_level", "i>i"),
			"it imports the function env.proxy_get_log_level, which Envoy does not offer to version 0.2.0 of the ABI, but to 0.2.1"},
		"the same, with that ABI": {func(m *wasmtest.Module) {
			m.Exports[1].Name = "proxy_abi_version_0_2_1"
			imports("env", "proxy_get_log_level", "i>i")(m)
		}, ""},
		"a callback of another signature": {func(m *wasmtest.Module) {
			m.Exports = append(m.Exports, wasmtest.Export{Name: "proxy_on_request_headers", Kind: wasmtest.Func, Type: 2})
		},
			"it exports the function proxy_on_request_headers as (i32) -> (i32), and Envoy calls it as (i32 i32 i32) -> (i32)"},
		"a malloc that is none": {func(m *wasmtest.Module) { m.Exports[2] = wasmtest.Export{Name: "malloc", Kind: wasmtest.Func} },
			"it exports the function malloc as () -> (), and Envoy calls it as (i32) -> (i32)"},
		"built for browsers": {imports("gojs", "runtime.ticks", ">I"), "it imports the function gojs.runtime.ticks, which Envoy does not offer; it was built for browsers: use GOOS=wasip1, not GOOS=js"},
		"a global": {func(m *wasmtest.Module) {
			m.Imports = append(m.Imports, wasmtest.Import{Module: "env", Name: "g", Kind: wasmtest.Global})
		}, "it imports the global env.g, which Envoy does not offer"},
		"many functions": {func(m *wasmtest.Module) {
			for i := range 12 {
				imports("other", fmt.Sprint("f", i))(m)
			}
		}, strings.TrimSuffix(strings.Repeat("it imports the function other.f, which Envoy does not offer\n", 10), "\n") + "\n… and 2 more imports that Envoy does not offer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := wasmtest.Plugin()
			c.change(&w)
			m, err := Read(w.Bytes())
			require.NoError(t, err)
			err = m.Check()
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			require.Error(t, err)
			got := err.Error()
			for i := range 12 {
				got = strings.Replace(got, fmt.Sprintf("other.f%d,", i), "other.f,", 1)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestTheLargestPluginIsIstios(t *testing.T) {
	m, err := Read(wasmtest.Plugin().Bytes())
	require.NoError(t, err)
	m.Size = MaxSize
	assert.NoError(t, m.Check())
	m.Size++
	assert.EqualError(t, m.Check(), "it has 268435457 bytes, and Istio and Envoy Gateway take no more than 268435456 (256 MiB); strip its debug information")
}
