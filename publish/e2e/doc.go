// Package e2e runs publish against a real registry, CNCF Distribution, on a free loopback port. It is a module of its own, so that what
// the registry needs stays out of the plugin's go.mod.
package e2e
