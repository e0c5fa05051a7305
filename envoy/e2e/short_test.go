//go:build !long

package e2e

import "time"

// The sizes of `make e2e`, in minutes together. For the full ones see long_test.go.
const (
	ledgerRequests  = 20_000
	faultTime       = 3 * time.Second
	faultRate       = 300 // requests a second
	faultRequests   = 1500
	replacingTime   = 14 * time.Second
	replacingPeriod = 2 * time.Second
	replacingRate   = 300      // requests a second
	transferSize    = 10 << 20 // bytes
)
