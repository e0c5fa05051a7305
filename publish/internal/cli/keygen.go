package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/sign"
)

const keygenHelp = `Makes a key pair in cosign's format: PREFIX.key, encrypted, for publish sign and cosign sign; and
PREFIX.pub for publish verify and cosign verify. A file that is there is never overwritten.

The password is asked for, or taken from COSIGN_PASSWORD, which may be empty.`

// passwordVariable is where cosign looks first for the password of a key.
const passwordVariable = "COSIGN_PASSWORD"

func (a *app) keygen() *cobra.Command {
	var prefix string
	command := &cobra.Command{
		Use:     "keygen",
		Short:   "Make a key pair to sign with",
		Long:    keygenHelp,
		Example: "  publish keygen\n  publish keygen --output-key-prefix team",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if prefix == "" {
				return misuse("--output-key-prefix must not be empty: its files are PREFIX.key and PREFIX.pub")
			}
			return a.runKeygen(prefix+".key", prefix+".pub")
		},
	}
	command.Flags().StringVar(&prefix, "output-key-prefix", "cosign", "the files are `PREFIX`.key and PREFIX.pub")
	return command
}

func (a *app) runKeygen(privateFile, publicFile string) error {
	for _, file := range []string{privateFile, publicFile} {
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s is there already, and no key is overwritten: name another with --output-key-prefix", file)
		}
	}
	password, err := a.newPassword()
	if err != nil {
		return err
	}
	private, public, err := sign.Generate(password)
	if err != nil {
		return err
	}
	if err := create(privateFile, private, 0o600); err != nil {
		return err
	}
	if err := create(publicFile, public, 0o644); err != nil {
		return errors.Join(err, os.Remove(privateFile))
	}
	a.say("%s: the private key, for publish sign; keep it and its password apart\n%s: the public key, for publish verify", privateFile, publicFile)
	return nil
}

// create writes a file that is not there yet, or nothing.
func create(file string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return writeError(file, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(file)
		return writeError(file, err)
	}
	return nil
}

const publicKeyHelp = `Prints the public key of a private one, as PEM: for publish verify and cosign verify, where PREFIX.pub
was lost, or to see that a key and its password go together before anything is pushed.

The password of the key is taken from COSIGN_PASSWORD, or asked for.`

func (a *app) publicKey() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "public-key --key FILE",
		Short:   "Print the public key of a private one",
		Long:    publicKeyHelp,
		Example: "  publish public-key --key cosign.key > cosign.pub",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				return misuse("--key names the private key, such as cosign.key; publish keygen makes one")
			}
			key, err := a.privateKey(file)
			if err != nil {
				return err
			}
			_, err = a.out.Write(key.Public.PEM())
			return err
		},
	}
	c.Flags().StringVar(&file, "key", "", "the private key: a `file` in cosign's format")
	c.Flags().SetAnnotation("key", cobra.BashCompFilenameExt, []string{"key"})
	return c
}

// privateKey reads a key, and asks for its password.
func (a *app) privateKey(file string) (*sign.Key, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; publish keygen makes one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	key, err := sign.ParseKey(data, func() ([]byte, error) { return a.keyPassword(file) })
	if errors.Is(err, sign.ErrPassword) {
		err = fmt.Errorf("%w; it is taken from %s, or asked for", err, passwordVariable)
	}
	if err != nil {
		return nil, fmt.Errorf("--key %s: %w", file, err)
	}
	return key, nil
}

// keyPassword is the password of a key that is there.
func (a *app) keyPassword(file string) ([]byte, error) {
	if password, said := os.LookupEnv(passwordVariable); said {
		return []byte(password), nil
	}
	if !isTerminal(a.in) {
		return nil, fmt.Errorf("without a terminal, the password of %s is taken from %s, which is not set", file, passwordVariable)
	}
	return a.askSecret("Password of " + file)
}

// newPassword is the password for a new key, typed twice.
func (a *app) newPassword() ([]byte, error) {
	if password, said := os.LookupEnv(passwordVariable); said {
		return []byte(password), nil
	}
	if !isTerminal(a.in) {
		return nil, fmt.Errorf("without a terminal, the password for the new key is taken from %s, which is not set", passwordVariable)
	}
	first, err := a.askSecret("Password for the new key")
	if err != nil {
		return nil, err
	}
	second, err := a.askSecret("The same again")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("these were two passwords; no key was made")
	}
	return first, nil
}

// askSecret asks a person for what is not to be seen.
func (a *app) askSecret(what string) ([]byte, error) {
	fmt.Fprintf(a.err, "%s (it does not show): ", what)
	secret, err := a.line(true)
	return []byte(secret), err
}
