// Package envoystats names the stats of Envoy's own that dashboards and alerts show beside the plugin's, as
// Envoy's Prometheus page does.
package envoystats

import "regexp"

// Of Envoy as a whole.
const (
	VMsActive  = "envoy_wasm_envoy_wasm_runtime_v8_active"
	VMsCreated = "envoy_wasm_envoy_wasm_runtime_v8_created"

	RemoteLoadFailures  = "envoy_wasm_remote_load_fetch_failures"
	RemoteLoadSuccesses = "envoy_wasm_remote_load_fetch_successes"
	RemoteLoadHits      = "envoy_wasm_remote_load_cache_hits"

	MemoryAllocated = "envoy_server_memory_allocated"
	MemoryHeap      = "envoy_server_memory_heap_size"
	MemoryPhysical  = "envoy_server_memory_physical_size"

	MainThreadMisses = "envoy_server_main_thread_watchdog_miss"
	WorkerMisses     = "envoy_server_worker_watchdog_miss" // label envoy_worker_id
)

// Of a cluster, whose name is in the label Cluster.
const (
	Cluster = "envoy_cluster_name"

	UpstreamRequests    = "envoy_cluster_upstream_rq_total"
	UpstreamRetries     = "envoy_cluster_upstream_rq_retry"
	UpstreamTimeouts    = "envoy_cluster_upstream_rq_timeout"
	UpstreamResets      = "envoy_cluster_upstream_rq_rx_reset"
	UpstreamConnectFail = "envoy_cluster_upstream_cx_connect_fail"
	UpstreamOverflow    = "envoy_cluster_upstream_rq_pending_overflow"
	UpstreamSentBytes   = "envoy_cluster_upstream_cx_tx_bytes_total"
)

// Reloads are the stats about a plugin's VM that crashed: it is there again, it could not be started, or it is waited with. They are
// there where the plugin's failure policy is FAIL_RELOAD.
func Reloads(plugin string) (success, failure, backoff string) {
	prefix := "envoy_wasm_" + notInNames.ReplaceAllString(plugin, "_") + "_vm_reload_"
	return prefix + "success", prefix + "failure", prefix + "backoff"
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// All are all of them.
func All(plugin string) []string {
	success, failure, backoff := Reloads(plugin)
	return []string{
		VMsActive, VMsCreated, success, failure, backoff, RemoteLoadFailures, RemoteLoadSuccesses, RemoteLoadHits,
		MemoryAllocated, MemoryHeap, MemoryPhysical, MainThreadMisses, WorkerMisses,
		UpstreamRequests, UpstreamRetries, UpstreamTimeouts, UpstreamResets, UpstreamConnectFail, UpstreamOverflow, UpstreamSentBytes,
	}
}
