package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/sign"
)

const verifyHelp = `Checks that the owner of a key signed what REF points at now. It takes the signatures of publish sign
and of cosign sign --key: those under the tag sha256-....sig and those in bundles that refer to the
artifact. One that is good is enough; of each other it is said why it does not count.

Standard output has the digest reference of what was checked, and nothing if it was not: use that
one further on, as a tag may move meanwhile. If REF has a tag and a digest, the tag has to point at
that digest still. Neither transparency logs nor certificates are looked at.`

const verifyExample = `  publish verify registry.example.com/team/routelens:1.0 --key cosign.pub
  ref=$(publish verify ghcr.io/team/plugin:1.0 --key cosign.pub) && publish manifest "$ref" --for istio`

type verifyOptions struct {
	connection  connection
	timeout     time.Duration
	key, output string
}

func (a *app) verify() *cobra.Command {
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:     "verify REF --key FILE",
		Short:   "Check the signatures of an artifact",
		Long:    verifyHelp,
		Example: verifyExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.key == "" {
				return misuse("--key names the public key, such as cosign.pub")
			}
			if err := checkOutput(o.output); err != nil {
				return err
			}
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			return a.runVerify(c.Context(), o, ref)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.key, "key", "", "the public key: a `file`, PEM")
	outputFlag(c, &o.output)
	o.connection.flags(f, "", "registry")
	within(f, &o.timeout)
	f.SetAnnotation("key", cobra.BashCompFilenameExt, []string{"pub", "pem"})
	return c
}

// verified is what verify found. Its JSON is for programs: keys are added, never changed.
type verified struct {
	Reference  string        `json:"reference"`
	Digest     digest.Digest `json:"digest"`
	Signatures []checked     `json:"signatures"`
}

type checked struct {
	Digest   digest.Digest `json:"digest"`
	Tag      string        `json:"tag,omitempty"`
	Type     string        `json:"type,omitempty"`
	Identity string        `json:"identity,omitempty"`
	Good     bool          `json:"good"`
	Reason   string        `json:"reason,omitempty"`
}

func (a *app) runVerify(ctx context.Context, o *verifyOptions, ref registry.Reference) error {
	data, err := os.ReadFile(o.key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	key, err := sign.ParsePublicKey(data)
	if err != nil {
		return fmt.Errorf("--key %s: %w", o.key, err)
	}
	return a.reading(ctx, &o.connection, o.timeout, ref, func(ctx context.Context, store *registry.Store) error {
		if err := unmoved(ctx, store); err != nil {
			return err
		}
		root, err := store.Resolve(ctx)
		if err != nil {
			return err
		}
		found, err := sign.Verify(ctx, store, root, key)
		switch {
		case errors.Is(err, sign.ErrUnsigned):
			return fmt.Errorf("%s: not verified: %w, which is %s now", ref, err, root.Digest)
		case err != nil && len(found) == 0:
			return err
		}
		report := verified{ref.At(root.Digest).String(), root.Digest, []checked{}}
		for _, f := range found {
			report.Signatures = append(report.Signatures, describe(f))
		}
		if err != nil {
			return refusal(ref, o.key, report)
		}
		return a.accept(ref, o, report)
	})
}

func (a *app) accept(ref registry.Reference, o *verifyOptions, report verified) error {
	for _, s := range report.Signatures {
		a.say("%s: %s", ref, s)
	}
	if o.output == "json" {
		return a.encode(report)
	}
	_, err := fmt.Fprintln(a.out, report.Reference)
	return err
}

func refusal(ref registry.Reference, key string, report verified) error {
	text := fmt.Sprintf("%s: not verified with %s:", ref, key)
	for _, s := range report.Signatures {
		text += "\n  " + s.String()
	}
	return errors.New(text)
}

func describe(f sign.Finding) checked {
	c := checked{Digest: f.Manifest, Tag: f.Tag, Type: f.Type, Identity: f.Identity, Good: f.Err == nil}
	if f.Err != nil {
		c.Reason = oneLine(f.Err.Error())
	}
	return c
}

func (c checked) String() string {
	text := "signature " + c.Digest.String()
	switch {
	case c.Tag != "":
		text = "signature under cosign's tag"
	case c.Type == sign.BundleType:
		text = "bundle " + c.Digest.String()
	}
	switch {
	case !c.Good:
		return text + ": " + c.Reason
	case c.Identity != "":
		return text + ": good, made for " + oneLine(c.Identity)
	}
	return text + ": good"
}

// unmoved checks, for a reference with tag and digest, that one still points at the other.
func unmoved(ctx context.Context, store *registry.Store) error {
	ref := store.Ref
	if ref.Tag == "" || ref.Digest == "" {
		return nil
	}
	now, there, err := store.Has(ctx, ref.Tag)
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("%s: not verified: there is no tag %s any more", ref, ref.Tag)
	case now.Digest != ref.Digest:
		return fmt.Errorf("%s: not verified: the tag was moved, and points at %s now", ref, now.Digest)
	}
	return nil
}
