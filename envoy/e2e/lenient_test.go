//go:build !sinks

package e2e

var strictSinks []sink
