package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const traceLog = `[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host->vm] proxy_on_log(2)
[2026-11-24 00:19:49.000][9][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host->vm] proxy_on_tick(1)
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm->host] env.proxy_get_property(1, 2, 3, 4)
[2026-11-24 00:19:49.000][9][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm->host] wasi_snapshot_preview1.clock_time_get(0, 1000, 65520)
[2026-11-24 00:19:49.000][9][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm<-host] wasi_snapshot_preview1.clock_time_get return: 0
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host->vm] proxy_on_memory_allocate(26)
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host<-vm] proxy_on_memory_allocate return: 149728
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm<-host] env.proxy_get_property return: 0
[2026-11-24 00:19:49.000][9][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host<-vm] proxy_on_tick return: void
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm->host] env.proxy_record_metric(3, 12)
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [vm<-host] env.proxy_record_metric return: 0
[2026-11-24 00:19:49.000][8][trace][wasm] [source/extensions/common/wasm/wasm_vm.cc:39] [host<-vm] proxy_on_log return: void
[2026-11-24 00:19:49.000][8][warning][config] [source/server/options_impl.cc:1] not of interest
`

func TestHostCallsAreCountedByThreadAndCallback(t *testing.T) {
	calls, err := parseCalls(strings.NewReader(traceLog))
	require.NoError(t, err)
	require.Equal(t, &hostCalls{
		requests: 1,
		byName:   map[string]int{"proxy_get_property": 1, "proxy_record_metric": 1},
		reads:    1,
		others:   1,
	}, calls)
}
