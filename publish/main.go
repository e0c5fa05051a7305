// Command publish puts proxy-wasm plugins into OCI registries, and gets them out again.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/routelens/routelens/publish/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
