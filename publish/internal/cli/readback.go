package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
)

// readBack pulls what was pushed by each consumer's rule, and says who can use it. Where nobody can whom the layout is for, or the
// registry gives other bytes than it was sent, it fails.
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
			err = a.consume(ctx, store, p, plugin)
		}
		if err = errors.Join(err, store.Close()); err != nil {
			return fmt.Errorf("it was pushed as %s, but not found so when it was read back:\n%w", ref.At(p.artifact.Manifest.Digest), err)
		}
	}
	return nil
}

// consume fetches everything, and does with it as each consumer does.
func (a *app) consume(ctx context.Context, store *registry.Store, p pushed, plugin []byte) error {
	manifest, err := artifact.Open(ctx, store, p.artifact.Manifest.Descriptor)
	if err != nil {
		return store.Explain(err)
	}
	for _, sent := range p.artifact.Blobs {
		if err := artifact.Same(ctx, store, sent); err != nil {
			return store.Explain(err)
		}
	}
	var can, cannot []string
	usable := false
	for _, consumer := range artifact.Consumers {
		found, err := consumer.Find(&manifest.Manifest)
		if err != nil {
			cannot = append(cannot, consumer.Name)
			continue
		}
		layer, _ := p.artifact.Blob(found.Layer.Digest)
		if data, err := found.In(layer.Bytes); err != nil || !bytes.Equal(data, plugin) {
			return errors.Join(fmt.Errorf("%s gets another plugin from %s than was pushed", consumer.Name, store.Ref), err)
		}
		usable = usable || found.Layout == p.artifact.Layout
		if _, err := consumer.In(store.Ref.Repository, &manifest.Manifest); err != nil {
			cannot = append(cannot, fmt.Sprintf("%s (%v)", consumer.Name, err))
			continue
		}
		can = append(can, consumer.Name)
	}
	if !usable {
		return fmt.Errorf("nobody finds the plugin in %s where the layout %s puts it", store.Ref, p.artifact.Layout)
	}
	if len(can) == 0 {
		can = []string{"nobody"}
	}
	a.say("%s: read back, and as it was sent; who can pull it: %s; not: %s", store.Ref, strings.Join(can, ", "), strings.Join(cannot, ", "))
	return nil
}
