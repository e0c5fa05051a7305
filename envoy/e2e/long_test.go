//go:build long

package e2e

import "time"

// The sizes of `make test-long`: those of the bars. For the short ones see short_test.go.
const (
	ledgerRequests  = 200_000
	faultTime       = 10 * time.Second
	faultRate       = 1000 // requests a second
	replacingTime   = 60 * time.Second
	replacingPeriod = 2 * time.Second
	replacingRate   = 1000 // requests a second
)
