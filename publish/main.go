// Command publish puts proxy-wasm plugins into OCI registries, and gets them out again.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/routelens/routelens/publish/internal/cli"
)

func main() {
	debug.SetGCPercent(400) // it lives for a moment, and most of its memory is the plugin: collecting garbage took 5 % of a push
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
