//go:build long

package main

// secretExchanges is how many exchanges with secrets are observed.
const secretExchanges = 100_000
