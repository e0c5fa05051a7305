package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/registry"
)

const copyHelp = `Copies an artifact, byte for byte, so that it keeps its digest: from one registry to another, or by
way of a folder or a file to where there is no network. Signatures, attestations and bills of
materials come along: those that refer to it, and those that cosign keeps under tags of their own.
They arrive first, and the tag is set last.

Without a tag, DST gets the one of SRC. Within one registry nothing passes through here, where it
allows that. The flags are for DST, those with --from- for SRC.`

const copyExample = `  publish copy ghcr.io/team/routelens:1.0 registry.example.com/team/routelens:1.0
  publish copy registry.example.com/team/routelens:1.0 oci-archive:routelens.tar
  publish copy oci-archive:routelens.tar:1.0 inside.example.com/team/routelens`

type copyOptions struct {
	from, to connection
	timeout  time.Duration
}

func (a *app) copy() *cobra.Command {
	o := &copyOptions{}
	c := &cobra.Command{
		Use:     "copy SRC DST",
		Aliases: []string{"cp"},
		Short:   "Copy an artifact with its signatures and bills of materials",
		Long:    copyHelp,
		Example: copyExample,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			from, err := reference(args[0])
			if err != nil {
				return err
			}
			to, err := reference(args[1])
			if err != nil {
				return err
			}
			return a.runCopy(c.Context(), o, from, to)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.to.flags(f, "", "destination")
	o.from.flags(f, "from-", "source")
	within(f, &o.timeout)
	return c
}

func (a *app) runCopy(ctx context.Context, o *copyOptions, src, dst registry.Reference) (err error) {
	switch {
	case o.from.passwordStdin && o.to.passwordStdin:
		return misuse("--password-stdin and --from-password-stdin cannot both read standard input; publish login keeps one of them")
	case dst.Digest != "":
		return misuse("%s: a copy has the digest of its source; name a tag", dst)
	case dst.Tag == "" && src.Tag == "" && src.Digest != "":
		// What is copied by its digest alone needs no tag.
	case dst.Tag == "":
		dst.Tag = src.Name()
		if _, err := digest.Parse(dst.Tag); err == nil {
			dst.Tag = src.Tag
		}
	}
	fromClient, err := a.client(&o.from, o.timeout)
	if err != nil {
		return err
	}
	toClient, err := a.client(&o.to, o.timeout)
	if err != nil {
		return err
	}
	ctx, stop := bounded(ctx, o.timeout)
	defer stop()
	from, err := fromClient.Open(src, registry.Read)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := toClient.Open(dst, registry.Write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	o.to.sent.start("copying", -1)
	root, sent, err := registry.Copy(ctx, from, to)
	o.to.sent.stop()
	if err != nil {
		return err
	}
	if err := to.Commit(); err != nil {
		return err
	}
	a.say("%s: %s copied in %s, %s mounted, %s of signatures and the like", dst, bytesOf(sent.Bytes), counted(sent.Blobs, "blob"), counted(sent.Mounted, "blob"), counted(sent.Referred, "artifact"))
	_, err = fmt.Fprintln(a.out, dst.At(root.Digest))
	return err
}
