package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
)

// readBack pulls what was pushed. A registry is asked for each blob as soon as it has it, while others are still sent and the tag is
// moved: so most of it takes no time of its own.
type readBack struct {
	client   *registry.Client
	ref      registry.Reference
	plugin   []byte
	progress *progress

	mu    sync.Mutex
	blobs map[digest.Digest]func() error // each waits for what became of one
}

// begin begins to fetch a blob, and to compare it with what was sent, unless that was begun before.
func (r *readBack) begin(ctx context.Context, store *registry.Store, sent artifact.Blob) (wait func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait, begun := r.blobs[sent.Digest]
	if !begun {
		var group errgroup.Group
		group.Go(func() error { return store.Explain(artifact.Same(ctx, store, sent)) })
		wait = group.Wait
		r.blobs[sent.Digest] = wait
	}
	return wait
}

// check ends it: it looks whether the tags name what was pushed and every blob came back as it was sent, pulls the plugin by each
// consumer's rule, and tells who can. Where nobody can whom the layout is for, it fails.
func (r *readBack) check(ctx context.Context, p pushed) (verdict string, err error) {
	store, err := r.client.Open(r.ref.Tagged(p.tags[0]), registry.Read)
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, store.Close()); err != nil {
			err = fmt.Errorf("it was pushed as %s, but not found so when it was read back:\n%w", r.ref.At(p.artifact.Manifest.Digest), err)
		}
	}()
	r.progress.start("reading back", p.artifact.Size()-p.artifact.Manifest.Size)
	defer r.progress.stop()
	var manifest *artifact.Manifest
	all, allCtx := errgroup.WithContext(ctx)
	for _, tag := range p.tags {
		all.Go(func() error { return names(allCtx, store, tag, p.artifact.Manifest.Digest) })
	}
	for _, b := range p.artifact.Blobs {
		all.Go(r.begin(allCtx, store, b))
	}
	all.Go(func() (err error) {
		manifest, err = artifact.Open(allCtx, store, p.artifact.Manifest.Descriptor)
		return store.Explain(err)
	})
	if err := all.Wait(); err != nil {
		return "", err
	}
	return r.consume(store.Ref, p.artifact, manifest)
}

// names fails unless a tag names what was pushed.
func names(ctx context.Context, store *registry.Store, tag string, wanted digest.Digest) error {
	found, there, err := store.Has(ctx, tag)
	switch at := store.Ref.Tagged(tag); {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("%s was pushed as %s and is not there: somebody else deleted the tag meanwhile", at, wanted)
	case found.Digest != wanted:
		return fmt.Errorf("%s was pushed as %s and is now %s: somebody else moved the tag meanwhile", at, wanted, found.Digest)
	}
	return nil
}

// consume does with a manifest as each consumer does. Its blobs are known to be as they were sent.
func (r *readBack) consume(at registry.Reference, sent *artifact.Artifact, manifest *artifact.Manifest) (verdict string, err error) {
	var can, cannot []string
	usable := false
	for _, consumer := range artifact.Consumers {
		found, err := consumer.Find(&manifest.Manifest)
		if err != nil {
			cannot = append(cannot, consumer.Name)
			continue
		}
		layer, _ := sent.Blob(found.Layer.Digest)
		if data, err := found.In(layer.Bytes); err != nil || !bytes.Equal(data, r.plugin) {
			return "", errors.Join(fmt.Errorf("%s gets another plugin from %s than was pushed", consumer.Name, at), err)
		}
		usable = usable || found.Layout == sent.Layout
		if err := consumer.Repository(at.Repository); at.Kind == registry.Remote && err != nil {
			cannot = append(cannot, fmt.Sprintf("%s (%v)", consumer.Name, err))
			continue
		}
		can = append(can, consumer.Name)
	}
	switch {
	case !usable:
		return "", fmt.Errorf("nobody finds the plugin in %s where the layout %s puts it", at, sent.Layout)
	case len(can) == 0:
		can = []string{"nobody"}
	}
	return fmt.Sprintf("who can pull it: %s; not: %s", strings.Join(can, ", "), strings.Join(cannot, ", ")), nil
}
