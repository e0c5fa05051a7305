package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
)

const pullHelp = `Pulls a plugin into a file, by the same rules as Istio and Envoy Gateway, and from the CNCF layout
as well. Every byte is checked against its digest, and the file is replaced in one step: it is whole
or as before.

Standard output has the digest reference of what was pulled; with --output - it has the plugin
instead.`

const pullExample = `  publish pull registry.example.com/team/routelens:1.0 -o routelens.wasm
  publish pull oci-archive:routelens.tar:1.0 -o - | sha256sum`

func (a *app) pull() *cobra.Command {
	var c connection
	var timeout time.Duration
	var output string
	command := &cobra.Command{
		Use:     "pull REF -o FILE",
		Short:   "Pull a plugin into a file",
		Long:    pullHelp,
		Example: pullExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case output == "":
				return misuse("--output says where the plugin goes: a file, or - for standard output")
			case output == "-" && isTerminal(a.out):
				return misuse("--output - would write a plugin onto the terminal: redirect standard output, or name a file")
			}
			ref, err := reference(args[0])
			if err != nil {
				return err
			}
			return a.reading(command.Context(), &c, timeout, ref, func(ctx context.Context, store *registry.Store) error {
				return a.runPull(ctx, store, &c, output)
			})
		},
	}
	f := command.Flags()
	f.SortFlags = false
	f.StringVarP(&output, "output", "o", "", "the file to write, or - for standard output")
	c.flags(f, "", "registry")
	within(f, &timeout)
	return command
}

func (a *app) runPull(ctx context.Context, store *registry.Store, c *connection, output string) error {
	ref := store.Ref
	root, err := store.Resolve(ctx)
	if err != nil {
		return err
	}
	manifest, err := artifact.Open(ctx, store, root)
	if err != nil {
		return readError(store, err)
	}
	found, err := artifact.Find(&manifest.Manifest)
	if err != nil {
		return fmt.Errorf("%s: %w\nSee publish inspect %s", ref, err, ref)
	}
	c.received.start("pulling", found.Layer.Size)
	plugin, err := found.Plugin(ctx, store)
	c.received.stop()
	if err != nil {
		return readError(store, err)
	}
	if output == "-" {
		_, err := a.out.Write(plugin)
		return err
	}
	if err := writeOutput(output, plugin); err != nil {
		return writeError(output, err)
	}
	a.say("%s: %s written (%s)", output, bytesOf(int64(len(plugin))), found.Layout)
	_, err = fmt.Fprintln(a.out, ref.At(root.Digest))
	return err
}

// writeOutput replaces a file in one step. What is no file, such as a device or a pipe, is written into: it must not be replaced.
func writeOutput(output string, data []byte) error {
	if target, err := filepath.EvalSymlinks(output); err == nil {
		output = target
	}
	switch info, err := os.Stat(output); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", output)
	case err == nil && !info.Mode().IsRegular():
		return os.WriteFile(output, data, 0o644)
	}
	return registry.ReplaceFile(output, data)
}

// readError explains what came while content was read. An artifact that is sound and holds no plugin is not the store's fault.
func readError(store *registry.Store, err error) error {
	if errors.Is(err, artifact.ErrNoPlugin) {
		return fmt.Errorf("%s: %w", store.Ref, err)
	}
	return store.Explain(err)
}

// writeError names the file that was meant, not the half of it.
func writeError(file string, err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: cannot write it: %w\nMake room, or write somewhere else.", file, registry.ErrDiskFull)
	case errors.As(err, &path):
		return fmt.Errorf("%s: cannot write it: %w", file, path.Err)
	}
	return err
}
