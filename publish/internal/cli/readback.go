package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry"
)

// readBack looks whether what was pushed is there to be pulled. A registry is asked for each blob as soon as it has it, while others are
// still sent and the tag is moved: so most of it takes no time of its own.
type readBack struct {
	client   *registry.Client
	ref      registry.Reference
	plugin   []byte
	whole    bool // pull every byte, instead of asking for digests and sizes
	progress *progress

	mu    sync.Mutex
	blobs map[digest.Digest]func() error // each waits for what became of one
}

// begin begins to look for a blob, unless that was begun before.
func (r *readBack) begin(ctx context.Context, store *registry.Store, sent artifact.Blob) (wait func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait, begun := r.blobs[sent.Digest]
	if !begun {
		var group errgroup.Group
		group.Go(func() error { return r.compare(ctx, store, sent) })
		wait = group.Wait
		r.blobs[sent.Digest] = wait
	}
	return wait
}

func (r *readBack) compare(ctx context.Context, store *registry.Store, sent artifact.Blob) error {
	if r.whole {
		return store.Explain(artifact.Same(ctx, store, sent))
	}
	return store.Holds(ctx, sent.Descriptor)
}

// check ends it: it looks whether the tags name what was pushed and every blob is there as it was sent, looks for the plugin by each
// consumer's rule, and tells who finds it. Where nobody does whom the layout is for, it fails.
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
	if r.whole && r.ref.Kind == registry.Remote {
		r.progress.start("reading back", p.artifact.Size()-p.artifact.Manifest.Size)
		defer r.progress.stop()
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, tag := range p.tags {
		all.Go(func() error { return names(ctx, store, tag, p.artifact.Manifest.Digest) })
	}
	for _, b := range p.artifact.Blobs {
		all.Go(r.begin(ctx, store, b))
	}
	if err := all.Wait(); err != nil {
		return "", err
	}
	return r.consume(store.Ref, p.artifact)
}

// names fails unless a tag gives what was pushed.
func names(ctx context.Context, store *registry.Store, tag string, wanted digest.Digest) error {
	found, _, err := store.Named(ctx, tag)
	if err == nil && found.Digest != wanted {
		return fmt.Errorf("%s was pushed as %s and is now %s: somebody else moved the tag meanwhile", store.Ref.Tagged(tag), wanted, found.Digest)
	}
	return err
}

// consume does as each consumer does, with what is known to be there as it was sent.
func (r *readBack) consume(at registry.Reference, sent *artifact.Artifact) (verdict string, err error) {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(sent.Manifest.Bytes, &manifest); err != nil {
		return "", err
	}
	var can, cannot []string
	usable := false
	for _, consumer := range artifact.Consumers {
		found, err := consumer.Find(&manifest)
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
	how := "there, with the digests and sizes that were sent"
	if r.whole {
		how = "read back whole, and as it was sent"
	}
	return fmt.Sprintf("%s; who can pull it: %s; not: %s", how, strings.Join(can, ", "), strings.Join(cannot, ", ")), nil
}
