// Command bench measures what Routelens costs an Envoy: CPU a request, latency, memory and host calls,
// next to the same Envoy without a filter, with a plugin that does nothing, and with Envoy's own means.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const usage = `Usage: bench [flags]

Measures what the Routelens plugin costs an Envoy with one worker, by the side of Envoys without a
filter, with a plugin that does nothing, with a JSON access log and with a Lua filter. All of them run
all the time. In each round each gets its turn, in an order that rotates: first as much load as goes
through (CPU a request), then half of what the slowest can take, the same for all (latency; from when
a request was due, so that a wait for its turn counts).

Rows with a size have a JSON body of that size in each request and in each answer. They are compared
with the rows of the same size, and only the first compiler's plugin has them.

It exits with 1 if the work was not done: a request failed, or the plugin's counters or the records
that arrived are not what was sent. No measured time makes it fail. It needs Linux.

Flags:
  -plugin FILES      the plugin's artifacts, with ":" between; those named *-go.wasm are plain Go's
                     (default build/routelens.wasm:build/routelens-go.wasm)
  -empty FILES       the empty plugin's, likewise (default build/empty.wasm:build/empty-go.wasm)
  -envoy FILE        Envoy's binary (default: envoy, from PATH)
  -rounds N          how many rounds the medians are taken over (default 10)
  -slice TIME        how long each load lasts (default 2s)
  -connections N     how many connections the load comes by (default 16)
  -rate N            requests a second for latency, instead of half of the slowest
  -only REGEXP       only the variants whose name matches, such as 'none|TinyGo'
  -streams           measure something else: 100 MiB up and down, and the time to the first event, gRPC answer
                     and WebSocket message, with every body recorded
  -o FILE            also write every figure of every round, as JSON
`

type options struct {
	plugins, empties, envoy string
	rounds, connections     int
	slice                   time.Duration
	rate                    float64
	only                    *regexp.Regexp
	streams                 bool
	out                     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
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
	if err := bench(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.plugins, "plugin", "build/routelens.wasm:build/routelens-go.wasm", "")
	flags.StringVar(&o.empties, "empty", "build/empty.wasm:build/empty-go.wasm", "")
	flags.StringVar(&o.envoy, "envoy", "envoy", "")
	flags.IntVar(&o.rounds, "rounds", 10, "")
	flags.DurationVar(&o.slice, "slice", 2*time.Second, "")
	flags.IntVar(&o.connections, "connections", 16, "")
	flags.Float64Var(&o.rate, "rate", 0, "")
	flags.StringVar(&only, "only", "", "")
	flags.BoolVar(&o.streams, "streams", false, "")
	flags.StringVar(&o.out, "o", "", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch o.only, err = regexp.Compile(only); {
	case err != nil:
		return o, fmt.Errorf("-only: %w", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds (%d) must be at least 1", o.rounds)
	case o.slice < 100*time.Millisecond || o.slice > time.Minute:
		return o, fmt.Errorf("-slice (%v) must be from 100ms to 1m", o.slice)
	case o.connections < 1 || o.connections > 1000:
		return o, fmt.Errorf("-connections (%d) must be from 1 to 1000", o.connections)
	case o.rate < 0:
		return o, fmt.Errorf("-rate (%v) must not be negative", o.rate)
	}
	return o, nil
}

// bench runs from the first process to the table.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if o.streams {
		return benchStreams(ctx, o, stdout, stderr)
	}
	variants, err := chooseVariants(o)
	if err != nil {
		return err
	}
	say := func(format string, values ...any) { fmt.Fprintf(stderr, format+"\n", values...) }
	say("%d variants, %d rounds: about %v.", len(variants), o.rounds, estimate(o, variants).Round(time.Second))

	dir, err := os.MkdirTemp("", "routelens-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy(dir, err)) }()
	services, err := openServices()
	if err != nil {
		return err
	}
	defer services.close()
	fleet, err := startFleet(ctx, o, variants, services, dir)
	defer func() { err = errors.Join(err, fleet.stop()) }()
	if err != nil {
		return err
	}
	if err := fleet.warmUp(ctx, o, say); err != nil {
		return err
	}
	if err := fleet.rounds(ctx, o, say); err != nil {
		return err
	}
	say("Checking that the work was done.")
	if err := fleet.verify(ctx); err != nil {
		return err
	}
	if err := countHostCalls(ctx, o, fleet, services, filepath.Join(dir, "calls"), say); err != nil {
		return err
	}
	report := newReport(o, fleet)
	if o.out != "" {
		if err := report.writeJSON(o.out); err != nil {
			return err
		}
	}
	return report.writeTable(stdout)
}

// tidy keeps the logs where something went wrong.
func tidy(dir string, failed error) error {
	if failed != nil {
		return fmt.Errorf("configurations and logs are kept in %s", dir)
	}
	return os.RemoveAll(dir)
}

// estimate leaves out a machine's being slow.
func estimate(o options, variants []variant) time.Duration {
	each := o.slice + time.Duration(o.rounds)*(2*o.slice+settle) + time.Second // warming up, rounds, starting
	total := time.Duration(len(variants))*each + 10*time.Second                // the access log comes late
	for _, v := range variants {
		if v.artifact != "" {
			total += 8 * time.Second // counting its host calls
		}
	}
	return total
}
