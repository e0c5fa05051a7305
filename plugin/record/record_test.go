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
