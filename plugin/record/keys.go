package record

import "slices"

// Keys are the keys that a record is written under, in their order. One that
// ends in a dot begins the keys of header fields.
var Keys = slices.Concat([]string{
	"time", "severity", "message", "trace_id", "span_id", "trace_flags",
	"http.request.method", "http.request.method_original", "url.scheme", "url.path", "url.query", "server.address", "server.port",
	"http.route", "http.response.status_code", "http.request.body.size", "http.response.body.size", "http.server.request.duration",
	"network.protocol.name", "network.protocol.version", "client.address", "client.port", "tls.protocol.version", "tls.client.subject",
	"rpc.system", "rpc.grpc.status_code",
	"envoy.request_id", "envoy.original_path", "envoy.cluster", "envoy.virtual_host", "envoy.response_flags", "envoy.response_code_details", "envoy.termination_details",
	"envoy.upstream_address", "envoy.upstream_attempts", "envoy.upstream_transport_failure", "envoy.time_to_first_byte",
}, IstioKeys, []string{
	"http.request.body.json", "http.request.body.content", "http.request.body.encoding", "http.request.body.truncated", "http.request.body.omitted",
	"http.response.body.json", "http.response.body.content", "http.response.body.encoding", "http.response.body.truncated", "http.response.body.omitted",
	"sampling.reason", "sampling.weight",
	"http.request.header.", "http.response.header.", "http.request.trailer.", "http.response.trailer.",
})

// Taken tells whether a key is one of [Keys], or would be where a dialect has
// "_" for all that is neither letter nor digit.
func Taken(key string) bool {
	return slices.ContainsFunc(Keys, func(own string) bool {
		if len(key) < len(own) || len(key) > len(own) && own[len(own)-1] != '.' {
			return false
		}
		for i := range len(own) {
			if own[i] != key[i] && (isWord(own[i]) || isWord(key[i])) {
				return false
			}
		}
		return true
	})
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
