// Command bench measures how long publish takes to push a plugin, next to oras, which pushes the same bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage: bench [flags] FILE...

Measures how long publish push takes, with its read-back and without, next to oras push of the same
two blobs, on a CNCF Distribution registry on loopback that is in this process and keeps its content
in $TMPDIR. In each round each of them pushes each file once, in an order that rotates, to a registry
that is new and empty. The time is the process's whole life. Ratios are taken within a round.

It exits with 1 if a push failed, or if what the registry then has is not the file. No measured time
makes it fail.

Flags:
  -publish FILE      the command to measure (default build/publish)
  -oras FILE         the one to compare it with (default build/consumers/oras)
  -generated MIB     also push a generated plugin of that size, not compressible; 0 for none (default 100)
  -rounds N          how many rounds the medians are taken over (default 20)
`

type options struct {
	publish, oras     string
	generated, rounds int
	files             []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v\nSee bench -help.\n", err)
		return 2
	}
	if err := bench(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.publish, "publish", "build/publish", "")
	f.StringVar(&o.oras, "oras", "build/consumers/oras", "")
	f.IntVar(&o.generated, "generated", 100, "")
	f.IntVar(&o.rounds, "rounds", 20, "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.files = f.Args()
	switch {
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds %d must be at least 1", o.rounds)
	case o.generated < 0 || o.generated > 250:
		return o, fmt.Errorf("-generated %d must be from 0 to 250, as no more than 256 MiB can be pushed", o.generated)
	case len(o.files) == 0 && o.generated == 0:
		return o, errors.New("there is nothing to push: name a FILE, such as build/routelens.wasm")
	}
	return o, nil
}
