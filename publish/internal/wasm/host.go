package wasm

import (
	"maps"
	"slices"
	"strings"
)

// What Envoy offers to a module, and what it calls in one, with signatures: read off the host functions that proxy-wasm-cpp-host registers (its
// include/proxy-wasm/exports.h and wasm.h, and src/wasm.cc), the host inside of Envoy. A module that imports anything else, or these with other
// types, does not load.

// proxyFunctions are in module env, with the prefix proxy_.
var proxyFunctions = map[string]Signature{
	"add_header_map_value":         "iiiii>i",
	"call_foreign_function":        "iiiiii>i",
	"define_metric":                "iiii>i",
	"dequeue_shared_queue":         "iii>i",
	"done":                         ">i",
	"enqueue_shared_queue":         "iii>i",
	"get_buffer_bytes":             "iiiii>i",
	"get_buffer_status":            "iii>i",
	"get_current_time_nanoseconds": "i>i",
	"get_header_map_pairs":         "iii>i",
	"get_header_map_size":          "ii>i",
	"get_header_map_value":         "iiiii>i",
	"get_metric":                   "ii>i",
	"get_property":                 "iiii>i",
	"get_shared_data":              "iiiii>i",
	"get_status":                   "iii>i",
	"grpc_call":                    "iiiiiiiiiiii>i",
	"grpc_cancel":                  "i>i",
	"grpc_close":                   "i>i",
	"grpc_send":                    "iiii>i",
	"grpc_stream":                  "iiiiiiiii>i",
	"http_call":                    "iiiiiiiiii>i",
	"increment_metric":             "iI>i",
	"log":                          "iii>i",
	"record_metric":                "iI>i",
	"register_shared_queue":        "iii>i",
	"remove_header_map_value":      "iii>i",
	"replace_header_map_value":     "iiiii>i",
	"resolve_shared_queue":         "iiiii>i",
	"send_local_response":          "iiiiiiii>i",
	"set_buffer_bytes":             "iiiii>i",
	"set_effective_context":        "i>i",
	"set_header_map_pairs":         "iii>i",
	"set_property":                 "iiii>i",
	"set_shared_data":              "iiiii>i",
	"set_tick_period_milliseconds": "i>i",
}

// abiFunctions are those that only some versions of the ABI have.
var abiFunctions = map[string]map[string]Signature{
	"0.2.0": {"continue_stream": "i>i", "close_stream": "i>i"},
	"0.2.1": {"continue_stream": "i>i", "close_stream": "i>i", "get_log_level": "i>i"},
}

// emscriptenFunctions are in module env, without prefix.
var emscriptenFunctions = map[string]Signature{
	"emscripten_notify_memory_growth": "i>",
	"pthread_equal":                   "ii>i",
}

// wasiFunctions are in both modules of wasiModules.
var wasiFunctions = map[string]Signature{
	"args_get":                "ii>i",
	"args_sizes_get":          "ii>i",
	"clock_res_get":           "ii>i",
	"clock_time_get":          "iIi>i",
	"environ_get":             "ii>i",
	"environ_sizes_get":       "ii>i",
	"fd_advise":               "iIIi>i",
	"fd_allocate":             "iII>i",
	"fd_close":                "i>i",
	"fd_datasync":             "i>i",
	"fd_fdstat_get":           "ii>i",
	"fd_fdstat_set_flags":     "ii>i",
	"fd_fdstat_set_rights":    "iII>i",
	"fd_filestat_get":         "ii>i",
	"fd_filestat_set_size":    "iI>i",
	"fd_filestat_set_times":   "iIIi>i",
	"fd_pread":                "iiiIi>i",
	"fd_prestat_dir_name":     "iii>i",
	"fd_prestat_get":          "ii>i",
	"fd_pwrite":               "iiiIi>i",
	"fd_read":                 "iiii>i",
	"fd_readdir":              "iiiIi>i",
	"fd_renumber":             "ii>i",
	"fd_seek":                 "iIii>i",
	"fd_sync":                 "i>i",
	"fd_tell":                 "ii>i",
	"fd_write":                "iiii>i",
	"path_create_directory":   "iii>i",
	"path_filestat_get":       "iiiii>i",
	"path_filestat_set_times": "iiiiIIi>i",
	"path_link":               "iiiiii>i",
	"path_open":               "iiiiiIIii>i",
	"path_readlink":           "iiiiii>i",
	"path_remove_directory":   "iii>i",
	"path_rename":             "iiiiii>i",
	"path_symlink":            "iiii>i",
	"path_unlink_file":        "iii>i",
	"poll_oneoff":             "iiii>i",
	"proc_exit":               "i>",
	"random_get":              "ii>i",
	"sched_yield":             ">i",
	"sock_accept":             "iii>i",
	"sock_recv":               "iiiiii>i",
	"sock_send":               "iiiii>i",
	"sock_shutdown":           "ii>i",
}

var wasiModules = []string{"wasi_snapshot_preview1", "wasi_unstable"}

// called are the functions that Envoy calls where they are exported.
var called = map[string]Signature{
	"_initialize": ">",
	"_start":      ">",
	"__main_void": ">i",
	"main":        "ii>i",
	"malloc":      "i>i", "proxy_on_memory_allocate": "i>i",
	"proxy_on_configure": "ii>i", "proxy_on_vm_start": "ii>i", "proxy_validate_configuration": "ii>i",
	"proxy_on_context_create": "ii>", "proxy_on_tick": "i>", "proxy_on_done": "i>i", "proxy_on_log": "i>", "proxy_on_delete": "i>",
	"proxy_on_new_connection": "i>i", "proxy_on_downstream_data": "iii>i", "proxy_on_upstream_data": "iii>i",
	"proxy_on_downstream_connection_close": "ii>", "proxy_on_upstream_connection_close": "ii>",
	"proxy_on_request_headers": "iii>i", "proxy_on_request_body": "iii>i", "proxy_on_request_trailers": "ii>i", "proxy_on_request_metadata": "ii>i",
	"proxy_on_response_headers": "iii>i", "proxy_on_response_body": "iii>i", "proxy_on_response_trailers": "ii>i", "proxy_on_response_metadata": "ii>i",
	"proxy_on_http_call_response": "iiiii>",
	"proxy_on_grpc_receive":       "iii>", "proxy_on_grpc_close": "iii>", "proxy_on_grpc_receive_initial_metadata": "iii>", "proxy_on_grpc_receive_trailing_metadata": "iii>",
	"proxy_on_queue_ready": "ii>", "proxy_on_foreign_function": "iii>",
}

// Offered is every import that Envoy satisfies for a module of the given ABI.
func Offered(abi string) []Import {
	var all []Import
	add := func(module, prefix string, functions map[string]Signature) {
		for _, name := range slices.Sorted(maps.Keys(functions)) {
			all = append(all, Import{module, prefix + name, Func, functions[name]})
		}
	}
	add("env", "proxy_", proxyFunctions)
	add("env", "proxy_", abiFunctions[abi])
	add("env", "", emscriptenFunctions)
	for _, module := range wasiModules {
		add(module, "", wasiFunctions)
	}
	return all
}

// Called is every function that Envoy calls where a module exports it, with its signature.
func Called() map[string]Signature { return maps.Clone(called) }

// offered is the signature of the host function that satisfies an import, for a module of the given ABI.
func offered(i Import, abi string) (Signature, bool) {
	for _, module := range wasiModules {
		if i.Module == module {
			s, ok := wasiFunctions[i.Name]
			return s, ok
		}
	}
	if i.Module != "env" {
		return "", false
	}
	if s, ok := emscriptenFunctions[i.Name]; ok {
		return s, true
	}
	name, ok := strings.CutPrefix(i.Name, "proxy_")
	if !ok {
		return "", false
	}
	if s, ok := proxyFunctions[name]; ok {
		return s, true
	}
	s, ok := abiFunctions[abi][name]
	return s, ok
}
