package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const loginHelp = `Checks a name and a password, or a token, with a registry, and keeps them where Docker does: in its
credential helper if it has one, else in its configuration file. Docker, cosign and others that read
it are logged in as well.

The password is asked for, or read from standard input. There is no flag for it, as flags show in
the list of processes.`

const loginExample = `  publish login registry.example.com
  pass show registry | publish login registry.example.com --username me --password-stdin`

func (a *app) login() *cobra.Command {
	var c connection
	var timeout time.Duration
	command := &cobra.Command{
		Use:     "login HOST",
		Short:   "Log in to a registry",
		Long:    loginHelp,
		Example: loginExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			host, err := host(args[0])
			if err != nil {
				return err
			}
			if !c.passwordStdin {
				if err := a.ask(&c, host); err != nil {
					return err
				}
			}
			return a.runLogin(command.Context(), &c, timeout, host)
		},
	}
	command.Flags().SortFlags = false
	c.flags(command.Flags(), "", "registry")
	within(command.Flags(), &timeout)
	return command
}

// host reads the name of a registry.
func host(arg string) (string, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(arg, "oci://"), "https://"), "/")
	if host == "" || strings.ContainsAny(host, "/@ ") {
		return "", misuse("the name of a registry is its host, with its port if it has one, such as registry.example.com")
	}
	return host, nil
}

// ask asks a person for what the flags do not say.
func (a *app) ask(c *connection, host string) error {
	if !isTerminal(a.in) {
		return misuse("without a terminal, login needs --username and --password-stdin")
	}
	if c.options.Username == "" {
		fmt.Fprintf(a.err, "Name for %s: ", host)
		name, err := a.line(false)
		if err != nil {
			return err
		}
		if c.options.Username = strings.TrimSpace(name); c.options.Username == "" {
			return errors.New("no name was given")
		}
	}
	password, err := a.askSecret("Password or token")
	if err != nil {
		return err
	}
	if c.options.Password = string(password); c.options.Password == "" {
		return errors.New("no password was given")
	}
	c.asked = true
	return nil
}

func (a *app) runLogin(ctx context.Context, c *connection, timeout time.Duration, host string) error {
	client, err := a.client(c, timeout)
	if err != nil {
		return err
	}
	ctx, stop := bounded(ctx, timeout)
	defer stop()
	file, inClear, err := client.Login(ctx, host)
	if err != nil {
		return err
	}
	a.say("Logged in to %s.", host)
	if inClear {
		a.say("The password is in %s, not encrypted. A credential helper keeps it safer: docker-credential-pass, for one, named as credsStore there.", file)
	}
	return nil
}

func (a *app) logout() *cobra.Command {
	var c connection
	command := &cobra.Command{
		Use:     "logout HOST",
		Short:   "Forget the credentials for a registry",
		Long:    "Removes what publish login, or docker login, keeps for a registry.",
		Example: "  publish logout registry.example.com",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			host, err := host(args[0])
			if err != nil {
				return err
			}
			client, err := a.client(&c, 0)
			if err != nil {
				return err
			}
			if err := client.Logout(command.Context(), host); err != nil {
				return err
			}
			a.say("Logged out of %s.", host)
			return nil
		},
	}
	command.Flags().StringVar(&c.options.ConfigFile, "registry-config", "", "credentials: this file in place of Docker's configuration")
	return command
}
