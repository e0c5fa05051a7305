// Package cli is the command line of publish: one file for each command. Results go to standard output, everything else to standard
// error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	ok     = 0
	failed = 1
	usage  = 2
)

const rootHelp = `Puts proxy-wasm plugins into OCI registries, in the layouts that Istio and Envoy Gateway pull, and
looks at what is there.

A plugin is named by a reference:
  HOST/REPO:TAG          in a registry; oci:// may stand before it, as Istio writes it
  HOST/REPO@sha256:...   the same for ever: a digest names one content, a tag may move
  oci-layout:DIR:TAG     in a folder, for where there is no network
  oci-archive:FILE:TAG   in one tar file, to carry

Credentials are Docker's: its configuration file and its credential helpers. Proxies are taken from
HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

Standard output has only results, such as the digest reference of what was pushed. The exit code is 0,
or 1 if something failed, or 2 if the command was not understood.`

const rootExample = `  publish push build/routelens.wasm registry.example.com/team/routelens:1.0
  publish inspect registry.example.com/team/routelens:1.0
  publish sign registry.example.com/team/routelens:1.0 --key cosign.key
  publish copy registry.example.com/team/routelens:1.0 oci-archive:routelens.tar`

// app is what every command has at hand.
type app struct {
	in          io.Reader
	out, err    io.Writer
	style       style
	interrupted <-chan struct{} // closed by Ctrl-C
	started     bool            // the command line was understood
}

// Run runs one command line and returns its exit code. Errors are printed here and nowhere else.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, err: stderr, style: styleFor(stdout), interrupted: ctx.Done()}
	root := a.root()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	var misuse usageError
	switch {
	case err == nil:
		return ok
	case !a.started, errors.As(err, &misuse):
		a.say("publish: %v\nSee %s --help.", err, command.CommandPath())
		return usage
	}
	a.say("publish: %v", err)
	return failed
}

// usageError is a command line that was not understood.
type usageError struct{ error }

func misuse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "publish",
		Short:             "Put proxy-wasm plugins into OCI registries",
		Long:              rootHelp,
		Example:           rootExample,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { a.started = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(a.push(), a.pull(), a.inspect(), a.manifest(), a.sign(), a.verify(), a.keygen(), a.publicKey(), a.attach(), a.copy(), a.tags(), a.login(), a.logout(), a.config(), a.version())
	return root
}

// say tells a person about progress.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.err, printable(fmt.Sprintf(format, args...)))
}

// printable leaves out what could steer a terminal: names, annotations and media types are written by whoever made the artifact.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of publish",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.out, "publish %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version is what go install made of the module's.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// bytesOf is a size for a person.
func bytesOf(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return counted(int(n), "byte")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func indent(text, by string) string { return by + strings.ReplaceAll(text, "\n", "\n"+by) }
