package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/routelens/routelens/publish/internal/registry"
)

// connection is how one side is reached.
type connection struct {
	prefix        string
	options       registry.Options
	passwordStdin bool
	asked         bool     // the password was typed in
	sent          progress // bytes of blobs, each way
	received      progress
}

// flags adds the flags of one side. copy has two sides, so two sets, told apart by a prefix.
func (c *connection) flags(f *pflag.FlagSet, prefix, of string) {
	c.prefix = prefix
	f.BoolVar(&c.options.PlainHTTP, prefix+"plain-http", false, "speak plain HTTP to the "+of)
	f.BoolVar(&c.options.Insecure, prefix+"insecure", false, "take any certificate from the "+of+": for trials only")
	f.StringVar(&c.options.CAFile, prefix+"ca-file", "", "trust the authorities in this PEM file, too")
	f.StringVar(&c.options.CertFile, prefix+"cert-file", "", "client certificate, PEM; with --"+prefix+"key-file")
	f.StringVar(&c.options.KeyFile, prefix+"key-file", "", "its key, PEM")
	f.StringVar(&c.options.ConfigFile, prefix+"registry-config", "", "credentials: this file in place of Docker's configuration")
	f.StringVarP(&c.options.Username, prefix+"username", map[string]string{"": "u"}[prefix], "", "log in with this name, and the password of --"+prefix+"password-stdin")
	f.BoolVar(&c.passwordStdin, prefix+"password-stdin", false, "read the password from standard input")
	for _, name := range []string{"ca-file", "cert-file", "key-file", "registry-config"} {
		f.SetAnnotation(prefix+name, cobra.BashCompFilenameExt, nil)
	}
}

const defaultTimeout = 5 * time.Minute

// within adds --timeout.
func within(f *pflag.FlagSet, timeout *time.Duration) {
	f.DurationVar(timeout, "timeout", defaultTimeout, "give up after this time in all")
}

// client makes the client of one side.
func (a *app) client(c *connection, timeout time.Duration) (*registry.Client, error) {
	switch {
	case c.passwordStdin && c.options.Username == "":
		return nil, misuse("--%spassword-stdin needs --%susername", c.prefix, c.prefix)
	case c.options.Username != "" && !c.passwordStdin && !c.asked:
		return nil, misuse("--%susername needs --%spassword-stdin, so that the password shows in no list of processes", c.prefix, c.prefix)
	case c.passwordStdin:
		password, err := readPassword(a.in)
		if err != nil {
			return nil, err
		}
		c.options.Password = password
	}
	c.options.Timeout = timeout
	c.options.Agent = "routelens-publish/" + strings.Trim(version(), "()")
	if c.sent.on(a.err) && c.received.on(a.err) {
		c.options.Sent, c.options.Received = c.sent.add, c.received.add
	}
	return registry.New(c.options)
}

// readPassword reads a line, without its end.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("--password-stdin: there is no password on standard input")
	}
	return line, nil
}

// bounded ends a context after timeout. None is for ever.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// reading opens what a reference names, for as long as use needs it.
func (a *app) reading(ctx context.Context, c *connection, timeout time.Duration, ref registry.Reference, use func(context.Context, *registry.Store) error) (err error) {
	client, err := a.client(c, timeout)
	if err != nil {
		return err
	}
	ctx, stop := bounded(ctx, timeout)
	defer stop()
	store, err := client.Open(ref, registry.Read)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return use(ctx, store)
}

// reference reads an argument.
func reference(arg string) (registry.Reference, error) {
	r, err := registry.Parse(arg)
	if err != nil {
		return r, usageError{err}
	}
	return r, nil
}
