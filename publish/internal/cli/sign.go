package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/sign"
)

const signHelp = `Signs an artifact with a key in cosign's format, in both forms that cosign reads: a payload under the
tag sha256-....sig, where every version of it looks, and a Sigstore bundle that refers to the artifact
(OCI 1.1), which cosign 3 looks for first.

What is signed is the digest that REF points at now. Signatures of others stay; what this key has
signed already is not signed again, so it is safe to repeat. Nothing is sent to a transparency log:
cosign verify needs --insecure-ignore-tlog.

The password of the key is taken from COSIGN_PASSWORD, or asked for.`

const signExample = `  publish sign registry.example.com/team/routelens:1.0 --key cosign.key
  publish sign "$(publish push plugin.wasm ghcr.io/team/plugin:1.0)" --key cosign.key
  cosign verify --key cosign.pub --insecure-ignore-tlog registry.example.com/team/routelens:1.0`

type signOptions struct {
	connection    connection
	timeout       time.Duration
	key, identity string
}

func (a *app) sign() *cobra.Command {
	o := &signOptions{}
	c := &cobra.Command{
		Use:     "sign REF --key FILE",
		Short:   "Sign an artifact, as cosign does",
		Long:    signHelp,
		Example: signExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.key == "" {
				return misuse("--key names the private key, such as cosign.key; publish keygen makes one")
			}
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			return a.runSign(c.Context(), o, ref)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.key, "key", "", "the private key: a `file` in cosign's format")
	f.StringVar(&o.identity, "identity", "", "the repository that the signature says it is for, where that is not REF's: `HOST/REPO`")
	o.connection.flags(f, "", "registry")
	within(f, &o.timeout)
	f.SetAnnotation("key", cobra.BashCompFilenameExt, []string{"key"})
	return c
}

func (a *app) runSign(ctx context.Context, o *signOptions, ref registry.Reference) error {
	identity, err := identityOf(o.identity, ref)
	if err != nil {
		return err
	}
	key, err := a.privateKey(o.key)
	if err != nil {
		return err
	}
	return a.writing(ctx, &o.connection, o.timeout, ref, func(ctx context.Context, store *registry.Store, root ocispec.Descriptor) error {
		made, err := sign.Sign(ctx, store, root, identity, key)
		if err != nil {
			return err
		}
		if err := store.Commit(); err != nil {
			return err
		}
		a.say("%s: %s", ref, describeMade(made))
		_, err = fmt.Fprintln(a.out, ref.At(root.Digest))
		return err
	})
}

func describeMade(made sign.Made) string {
	switch made {
	case sign.Made{}:
		return "signed by this key already; nothing was changed"
	case sign.Made{Simple: true}:
		return "signed under cosign's tag; the bundle was there"
	case sign.Made{Bundle: true}:
		return "signed in a bundle; the signature under cosign's tag was there"
	}
	return "signed, under cosign's tag and in a bundle"
}

// identityOf is the repository that a signature names, as cosign writes it.
func identityOf(said string, ref registry.Reference) (string, error) {
	if said != "" {
		var err error
		if ref, err = registry.Parse(said); err != nil || ref.Kind != registry.Remote || ref.String() != ref.Place() {
			return "", misuse("--identity %q is no repository: write HOST/REPO", said)
		}
	}
	switch {
	case ref.Kind != registry.Remote:
		return "", nil // it is not known yet where it will be pulled from
	case ref.Host == "docker.io" && !strings.Contains(ref.Repository, "/"):
		return "index.docker.io/library/" + ref.Repository, nil
	case ref.Host == "docker.io":
		return "index.docker.io/" + ref.Repository, nil
	}
	return ref.Place(), nil
}

// writing opens what a reference names, to add to it.
func (a *app) writing(ctx context.Context, c *connection, timeout time.Duration, ref registry.Reference, use func(context.Context, *registry.Store, ocispec.Descriptor) error) (err error) {
	client, err := a.client(c, timeout)
	if err != nil {
		return err
	}
	ctx, stop := bounded(ctx, timeout)
	defer stop()
	store, err := client.Open(ref, registry.Write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	root, err := store.Resolve(ctx)
	if err != nil {
		return err
	}
	return use(ctx, store, root)
}
