//go:build !sinks

package e2e

var strictSinks []sink

// The sizes of `make e2e`. For the bars' own see strict_test.go.
const (
	heldRequests   = ledgerRequests
	spoiltRequests = 4_000
)
