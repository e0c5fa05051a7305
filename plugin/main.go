// Routelens is a proxy-wasm plugin that shows what passes through the routes of
// an Envoy proxy. This package wires its stages; docs/design.md shows the way of
// one exchange through them.
package main

import "github.com/routelens/routelens/plugin/host"

func main() {} // never runs: a proxy-wasm module is a library

func init() { host.Run(newPlugin) }

func newPlugin(h *host.Host) host.Plugin { return &plugin{host: h} }
