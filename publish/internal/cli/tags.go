package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/registry"
)

func (a *app) tags() *cobra.Command {
	var c connection
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "tags REPO",
		Short: "List the tags of a repository",
		Long: `Lists the tags of a repository, a folder or an archive, one on each line. Those that end in .sig,
.att and .sbom after a digest are where cosign keeps what belongs to it.`,
		Example: "  publish tags registry.example.com/team/routelens",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			if ref.Tag != "" || ref.Digest != "" {
				return misuse("%s: tags wants %s alone", ref, ref.Place())
			}
			return a.reading(command.Context(), &c, timeout, ref, a.runTags)
		},
	}
	c.flags(command.Flags(), "", "registry")
	within(command.Flags(), &timeout)
	command.Flags().SortFlags = false
	return command
}

func (a *app) runTags(ctx context.Context, store *registry.Store) error {
	var printing error // is not the store's
	err := store.Tags(ctx, func(tags []string) error {
		for _, tag := range tags {
			if _, printing = fmt.Fprintln(a.out, oneLine(tag)); printing != nil {
				return printing
			}
		}
		return nil
	})
	if printing != nil {
		return printing
	}
	return err
}
