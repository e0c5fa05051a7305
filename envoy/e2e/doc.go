// Package e2e tests the built plugin in a real Envoy, with real traffic and a real log store. Each test
// runs on every artifact of ROUTELENS_WASM; where one, or a program, is missing, it fails.
//
// `make e2e` runs them all; `make test-long` with the bars' full numbers (build tag long).
package e2e
