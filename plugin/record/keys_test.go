package record

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTakenKeys(t *testing.T) {
	for _, key := range append([]string{"http_route", "http-route", "trace.id", "http.request.header.x", "http_response_trailer_grpc_message"}, Keys...) {
		assert.True(t, Taken(key), key)
	}
	for _, key := range []string{"", "t", "times", "service.name", "http.rout", "http.route.x", "httpXroute", "HTTP.route", "http.request.headers", "http.request", "httpéroute", "\xff"} {
		assert.False(t, Taken(key), key)
	}
}
