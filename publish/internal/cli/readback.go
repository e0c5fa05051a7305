package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/content"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
)

// readBack pulls what was pushed by each consumer's rule, and says who can use it. Where somebody cannot whom the layout is for, or
// gets other bytes, it fails.
func (a *app) readBack(ctx context.Context, client *registry.Client, ref registry.Reference, p pushed, plugin []byte) error {
	for i, tag := range p.tags {
		at := ref.Tagged(tag)
		store, err := client.Open(at, registry.Read)
		if err != nil {
			return err
		}
		root, err := store.Resolve(ctx)
		switch {
		case err != nil:
		case root.Digest != p.artifact.Manifest.Digest:
			err = fmt.Errorf("%s was pushed as %s and is now %s: somebody else moved the tag meanwhile", at, p.artifact.Manifest.Digest, root.Digest)
		case i == 0: // the others point at the same
			var manifest *artifact.Manifest
			if manifest, err = artifact.Open(ctx, store, root); err == nil {
				err = a.consume(ctx, store, at, manifest, plugin, p.artifact.Layout)
			} else {
				err = store.Explain(err)
			}
		}
		if err = errors.Join(err, store.Close()); err != nil {
			return fmt.Errorf("it was pushed as %s, but not found so when it was read back:\n%w", ref.At(p.artifact.Manifest.Digest), err)
		}
	}
	return nil
}

// consume does as each consumer does.
func (a *app) consume(ctx context.Context, store *registry.Store, at registry.Reference, manifest *artifact.Manifest, plugin []byte, layout artifact.Layout) error {
	got := map[digest.Digest][]byte{}
	var can, cannot []string
	usable := false
	for _, consumer := range artifact.Consumers {
		found, err := consumer.Find(&manifest.Manifest)
		if err != nil {
			cannot = append(cannot, consumer.Name)
			continue
		}
		data, ok := got[found.Layer.Digest]
		if !ok {
			if data, err = found.Plugin(ctx, content.Fetcher(store)); err != nil {
				return store.Explain(err)
			}
			got[found.Layer.Digest] = data
		}
		if !bytes.Equal(data, plugin) {
			return fmt.Errorf("%s gets other bytes from %s than were pushed", consumer.Name, at)
		}
		usable = usable || found.Layout == layout
		can = append(can, consumer.Name)
	}
	if !usable {
		return fmt.Errorf("nobody finds the plugin in %s where the layout %s puts it", at, layout)
	}
	a.say("%s: read back, and as it was sent; who can pull it: %s; not: %s", at, strings.Join(can, ", "), strings.Join(cannot, ", "))
	return nil
}
