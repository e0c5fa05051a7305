//go:build traps

package main

import "github.com/routelens/routelens/plugin/host"

// Only an artifact for the tests is built with the tag: a request with the header x-trap ends its VM, as a fault of the
// plugin's own would. This init comes after main.go's, and what it registers takes the place of that.

func init() {
	host.Run(func(h *host.Host) host.Plugin { return &trapping{newPlugin(h), h} })
}

type trapping struct {
	host.Plugin
	host *host.Host
}

func (t *trapping) NewStream() host.Stream { return &trap{t.Plugin.NewStream(), t.host} }

type trap struct {
	host.Stream
	host *host.Host
}

func (t *trap) RequestHeaders(last bool) {
	if _, set := t.host.Property([]string{"request", "headers", "x-trap"}); set {
		panic("a request with the header x-trap")
	}
	t.Stream.RequestHeaders(last)
}
