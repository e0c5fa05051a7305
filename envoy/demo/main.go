// Command demo runs Envoy with Routelens in front of a small shop, with traffic and a log store, and
// shows what the plugin sees: a table in the terminal, or with -duration a check of every count.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/routelens/routelens/envoy/lab"
)

const usage = `Usage: demo [flags]

Runs Envoy with the Routelens plugin in front of a small shop, sends it traffic, and shows each
second what the plugin makes of it: rate, errors and latency by route, read from Envoy's stats, and
the records that reached the log store. Ctrl-C ends it.

The shop can be called too, and the log store has a page to search in: the addresses are shown.

With -duration it needs no terminal. At the end the traffic stops, and three counts must agree:
what the callers saw, what Envoy counted, and what the store holds, each request once. It exits
with 1 and the difference if they do not.

Flags:
  -plugin FILE          the plugin (default build/routelens.wasm; make plugin builds it)
  -envoy FILE           Envoy's binary (default: envoy, from PATH)
  -victoria-logs FILE   the log store's binary (default: victoria-logs, from PATH)
  -prometheus FILE      Prometheus' binary; without it the demo has no history
  -dashboards DIR       a folder of dashboards (grafana/*.json) and rules (prometheus/*.yaml) to show; needs Prometheus
  -grafana FILE         Grafana's binary to show them with; without it they are drawn with its library
  -draw DIR             the built page that draws (default build/draw)
  -beside COMMAND       a shell command to run beside the traffic, which lasts as long; $DASHBOARDS is their address
  -rate N               requests a second (default 150)
  -duration TIME        how long to send traffic, such as 20s, before the check; default: until Ctrl-C

Colours are left out where NO_COLOR is set or the output is not a terminal.
`

type options struct {
	plugin, envoy, store, prometheus  string
	dashboards, grafana, draw, beside string
	rate                              float64
	duration                          time.Duration
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
		fmt.Fprintf(stderr, "demo: %v\nSee demo -help.\n", err)
		return 2
	}
	if err := demo(ctx, o, newScreen(stdout)); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}

func (o *options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.plugin, "plugin", "build/routelens.wasm", "")
	flags.StringVar(&o.envoy, "envoy", "envoy", "")
	flags.StringVar(&o.store, "victoria-logs", "victoria-logs", "")
	flags.StringVar(&o.prometheus, "prometheus", "", "")
	flags.StringVar(&o.dashboards, "dashboards", "", "")
	flags.StringVar(&o.grafana, "grafana", "", "")
	flags.StringVar(&o.draw, "draw", "build/draw", "")
	flags.StringVar(&o.beside, "beside", "", "")
	flags.Float64Var(&o.rate, "rate", 150, "")
	flags.DurationVar(&o.duration, "duration", 0, "")
	return flags
}

func parse(args []string) (options, error) {
	var o options
	flags := o.flags()
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	case o.rate <= 0:
		return o, fmt.Errorf("-rate (%v) must be above 0", o.rate)
	case o.duration < 0:
		return o, fmt.Errorf("-duration (%v) must not be negative", o.duration)
	case o.dashboards != "" && o.prometheus == "":
		return o, errors.New("-dashboards: they ask Prometheus: -prometheus must name its binary")
	case o.beside != "" && (o.dashboards == "" || o.duration > 0):
		return o, errors.New("-beside needs -dashboards, and no -duration: the traffic lasts as long as the command")
	}
	if _, err := os.Stat(o.plugin); err != nil {
		return o, fmt.Errorf("-plugin: %w; make plugin builds it", err)
	}
	return o, nil
}

// swing makes what the dashboards show move, as traffic does.
func (o options) swing() float64 {
	if o.dashboards == "" {
		return 0
	}
	return 0.4
}

// demo runs from the first process to the summary.
func demo(ctx context.Context, o options, screen *screen) (err error) {
	parts, err := start(ctx, o)
	defer func() { err = errors.Join(err, parts.stop(err == nil)) }()
	if err != nil {
		return err
	}
	screen.say(parts.addresses() + "\n")
	traffic, end := lasting(ctx, o, parts)
	defer end()
	reports := make(chan lab.Report, 1)
	go func() {
		report, _ := lab.Load{Entry: parts.envoy.Entry, Mix: lab.ShopMix(), Rate: o.rate, Swing: o.swing(), Workers: 16}.Run(traffic)
		reports <- report
	}()
	if err := watch(traffic, parts, screen); err != nil {
		return err
	}
	// Ctrl-C has ended the traffic; what it left behind is still waited for.
	after := context.WithoutCancel(ctx)
	screen.say("The traffic has stopped; waiting for the last records.")
	report := <-reports
	result, err := check(after, parts, report)
	if err != nil {
		return err
	}
	if o.duration == 0 || ctx.Err() != nil {
		screen.say(result.summary())
		return failure(traffic)
	}
	screen.say(result.table())
	return result.fault()
}

// lasting is how long there is traffic: for the duration, while the command runs, or until Ctrl-C.
func lasting(ctx context.Context, o options, p *parts) (context.Context, context.CancelFunc) {
	if o.duration > 0 {
		return context.WithTimeout(ctx, o.duration)
	}
	traffic, end := context.WithCancelCause(ctx)
	if o.beside != "" {
		go func() { end(runBeside(ctx, o.beside, p.pages.url)) }()
	}
	return traffic, func() { end(nil) }
}

// besideError is what the command that ran beside the traffic ended with.
type besideError struct{ error }

func runBeside(ctx context.Context, command, dashboards string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), "DASHBOARDS="+dashboards)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return besideError{fmt.Errorf("%s: %w", command, err)}
	}
	return nil
}

// failure is the command's, if it is what ended the traffic.
func failure(traffic context.Context) error {
	var failed besideError
	if errors.As(context.Cause(traffic), &failed) {
		return failed
	}
	return nil
}
