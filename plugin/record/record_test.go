package record

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSeverity(t *testing.T) {
	for _, c := range []struct {
		name         string
		status, grpc int64
		want         string
	}{
		{"no response is an error", 0, Unknown, "ERROR"},
		{"a success is none", 200, Unknown, "INFO"},
		{"an upgrade is none", 101, Unknown, "INFO"},
		{"a redirection is none", 308, Unknown, "INFO"},
		{"a client's fault is a warning", 404, Unknown, "WARN"},
		{"499 is the client's still", 499, Unknown, "WARN"},
		{"a server's fault is an error", 500, Unknown, "ERROR"},
		{"gRPC's OK is none", 200, 0, "INFO"},
		{"gRPC's CANCELLED is a warning", 200, 1, "WARN"},
		{"gRPC's UNKNOWN is an error", 200, 2, "ERROR"},
		{"gRPC's NOT_FOUND is a warning", 200, 5, "WARN"},
		{"gRPC's UNIMPLEMENTED is an error", 200, 12, "ERROR"},
		{"gRPC's UNAVAILABLE is an error", 200, 14, "ERROR"},
		{"gRPC's UNAUTHENTICATED is a warning", 200, 16, "WARN"},
		{"a gRPC status that is none is a warning", 200, 17, "WARN"},
		{"500 is an error whatever gRPC says", 500, 0, "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Record{Status: c.status, GRPC: c.grpc}
			assert.Equal(t, c.want, r.Severity())
			assert.Equal(t, c.want == "ERROR", r.Failed())
		})
	}
}

func TestAResponseThatDidNotEnd(t *testing.T) {
	const (
		ut, ur, uc, dc, si, dpe, dt, upe, om, dr = 1 << 2, 1 << 4, 1 << 6, 1 << 14, 1 << 16, 1 << 18, 1 << 22, 1 << 23, 1 << 25, 1 << 28
	)
	for _, c := range []struct {
		name string
		r    Record
		want string
	}{
		{"as the upstream's connection ended is an error", Record{Status: 200, Cut: true, Flags: uc}, "ERROR"},
		{"as the upstream broke the protocol is an error", Record{Status: 200, Cut: true, Flags: upe}, "ERROR"},
		{"as the upstream reset the stream is an error", Record{Status: 200, Cut: true, Flags: ur}, "ERROR"},
		{"in time is an error", Record{Status: 200, Cut: true, Flags: ut}, "ERROR"},
		{"in the longest time is an error", Record{Status: 200, Cut: true, Flags: dt}, "ERROR"},
		{"and stood still is an error", Record{Status: 200, Cut: true, Flags: si}, "ERROR"},
		{"as Envoy has too much to do is an error", Record{Status: 200, Cut: true, Flags: om}, "ERROR"},
		{"as the client disconnected is a warning", Record{Status: 200, Cut: true, Flags: dc}, "WARN"},
		{"as the client reset the stream is a warning", Record{Status: 200, Cut: true, Flags: dr}, "WARN"},
		{"as the client broke the protocol is a warning", Record{Status: 200, Cut: true, Flags: dpe}, "WARN"},
		{"is the client's though the upstream is told of", Record{Status: 200, Cut: true, Flags: dc | ur}, "WARN"},
		{"for a reason that nobody tells is none", Record{Status: 200, Cut: true}, "INFO"},
		{"and whose flags are no number is none", Record{Status: 200, Cut: true, Flags: Unknown}, "INFO"},
		{"but is a client's fault is a warning still", Record{Status: 404, Cut: true}, "WARN"},
		{"and is a server's fault is an error whoever left", Record{Status: 503, Cut: true, Flags: dc}, "ERROR"},
		{"nor begin is an error", Record{Flags: uc}, "ERROR"},
		{"nor begin, and nobody tells why, is an error", Record{Flags: Unknown}, "ERROR"},
		{"nor begin before the client disconnected is a warning", Record{Flags: dc}, "WARN"},
		{"nor begin before the client reset the stream is a warning", Record{Flags: dr}, "WARN"},
		{"before the client left it whole is none", Record{Status: 200, Flags: dc}, "INFO"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.GRPC = Unknown
			assert.Equal(t, c.want, c.r.Severity())
			assert.Equal(t, c.want == "ERROR", c.r.Failed())
		})
	}
}

func TestTunnels(t *testing.T) {
	for _, r := range []Record{{Status: 101, Method: "GET"}, {Status: 200, Method: "CONNECT"}, {Status: 204, Method: "CONNECT"}} {
		assert.True(t, r.Tunnel(), r)
	}
	for _, r := range []Record{{Method: "CONNECT"}, {Status: 502, Method: "CONNECT"}, {Status: 100, Method: "CONNECT"}, {Status: 200, Method: "GET"}} {
		assert.False(t, r.Tunnel(), r)
	}
}

func TestFlags(t *testing.T) {
	for flags, want := range map[int64]string{
		0: "", 1: "LH", 1 << 8: "NR", 1<<1 | 1<<15: "UH,URX", 1 << 29: "UDO", 1 << 40: "", 1<<40 | 1<<14: "DC",
	} {
		assert.Equal(t, "x"+want, string(AppendFlags([]byte("x"), flags)))
	}
}

func TestKnownMethods(t *testing.T) {
	for _, m := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"} {
		assert.True(t, KnownMethod(m), m)
	}
	for _, m := range []string{"", "get", "GET ", "PROPFIND", "_OTHER", "\xff"} {
		assert.False(t, KnownMethod(m), m)
	}
}
