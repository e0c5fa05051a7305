package e2e

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/wasm"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

// withImport adds an import of a function.
func withImport(m *wasmtest.Module, module, name, signature string) {
	m.Types = append(m.Types, signature)
	m.Imports = append(m.Imports, wasmtest.Import{Module: module, Name: name, Kind: wasmtest.Func, Type: uint32(len(m.Types) - 1)})
}

func withExport(m *wasmtest.Module, name, signature string) {
	m.Types = append(m.Types, signature)
	m.Exports = append(m.Exports, wasmtest.Export{Name: name, Kind: wasmtest.Func, Type: uint32(len(m.Types) - 1)})
}

func TestWhatIsAcceptedEnvoyLoadsAndWhatIsRefusedItRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wasmtest.Module)
		words  string // of Envoy's, where it refuses
	}{
		"a plugin that does nothing": {func(*wasmtest.Module) {}, ""},
		"all that version 0.2.0 has": {func(m *wasmtest.Module) { everything(m, "0.2.0") }, ""},
		"all that version 0.2.1 has": {func(m *wasmtest.Module) { everything(m, "0.2.1") }, ""},
		"no ABI":                     {func(m *wasmtest.Module) { m.Exports[1].Name = "other" }, "Missing or unknown Proxy-Wasm ABI version"},
		"no allocator":               {func(m *wasmtest.Module) { m.Exports = m.Exports[:2] }, "missing malloc function"},
		"a function that it has not": {func(m *wasmtest.Module) { withImport(m, "env", "proxy_redis_call", "i>i") }, "missing import: env.proxy_redis_call"},
		"a function of the next ABI": {func(m *wasmtest.Module) { withImport(m, "env", "proxy_get_log_level", "i>i") }, "missing import: env.proxy_get_log_level"},
		"WASI's own path_link":       {func(m *wasmtest.Module) { withImport(m, "wasi_snapshot_preview1", "path_link", "iiiiiii>i") }, "import type mismatch: wasi_snapshot_preview1.path_link"},
		"a callback that is another": {func(m *wasmtest.Module) { withExport(m, "proxy_on_tick", "ii>") }, "Bad function signature for: proxy_on_tick"},
		"a global": {func(m *wasmtest.Module) {
			m.Imports = append(m.Imports, wasmtest.Import{Module: "env", Name: "g", Kind: wasmtest.Global})
		}, "missing import: env.g"},
	} {
		t.Run(name, func(t *testing.T) {
			w := wasmtest.Plugin()
			c.change(&w)
			m, err := wasm.Read(w.Bytes())
			require.NoError(t, err)
			loaded, said := load(t, w.Bytes())
			if c.words == "" {
				assert.NoError(t, m.Check())
				assert.True(t, loaded, said)
				return
			}
			assert.Error(t, m.Check())
			assert.False(t, loaded)
			assert.Contains(t, said, c.words)
		})
	}
}

// everything makes a plugin that imports all that Envoy offers, and exports all that it calls.
func everything(m *wasmtest.Module, abi string) {
	m.Imports = nil
	m.Exports = []wasmtest.Export{{Name: "memory", Kind: wasmtest.Memory}}
	withExport(m, "proxy_abi_version_"+strings.ReplaceAll(abi, ".", "_"), ">")
	for _, i := range wasm.Offered(abi) {
		withImport(m, i.Module, i.Name, string(i.Signature))
	}
	called := wasm.Called()
	for _, name := range slices.Sorted(maps.Keys(called)) {
		withExport(m, name, string(called[name]))
	}
}

const bootstrap = `
static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: x
          route_config: {name: r}
          http_filters:
          - name: plugin
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config: {name: plugin, vm_config: {runtime: envoy.wasm.runtime.v8, code: {local: {filename: %q}}}}
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

// load starts Envoy with a plugin, and ends it. loaded is false where Envoy ended by itself; said is its log.
func load(t *testing.T, plugin []byte) (loaded bool, said string) {
	envoy := os.Getenv("ROUTELENS_ENVOY")
	require.NotEmpty(t, envoy, "ROUTELENS_ENVOY is Envoy's binary; make publish-e2e sets it")
	dir := t.TempDir()
	code, config := filepath.Join(dir, "plugin.wasm"), filepath.Join(dir, "envoy.yaml")
	require.NoError(t, os.WriteFile(code, plugin, 0o600))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, bootstrap, code), 0o600))
	cmd := exec.Command(envoy, "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "info")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var all strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "starting main dispatch loop") {
			loaded = true
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	return loaded, all.String()
}
