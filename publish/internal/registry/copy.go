package registry

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/content"
)

// concurrent is how many blobs are sent at once.
const concurrent = 3

// Sent says what a push or a copy had to do.
type Sent struct {
	Blobs    int // that were uploaded
	Mounted  int // that the registry had in another repository
	Bytes    int64
	Tags     int // that were moved or made
	Referred int // signatures and the like that came along
}

// Content is what there is to push: bytes with what describes them.
type Content struct {
	ocispec.Descriptor
	Bytes []byte
}

// Push sends the blobs that are missing, and then points each tag at the manifest. If anything fails, every tag not yet reached is as
// it was, and the one being moved is the old or the new one, whole. Each of there is told of every blob as soon as the store has it, from
// several goroutines.
func Push(ctx context.Context, to *Store, blobs []Content, manifest Content, tags []string, there ...func(Content)) (Sent, error) {
	var sent Sent
	moving, err := to.notAt(ctx, manifest.Digest, tags)
	if err != nil || len(moving) == 0 {
		return sent, err
	}
	var uploaded, size atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrent)
	for _, b := range blobs {
		group.Go(func() error {
			was, err := to.Put(groupCtx, b.Descriptor, Bytes(b.Bytes))
			if was {
				uploaded.Add(1)
				size.Add(b.Size)
			}
			for _, tell := range there {
				if err == nil {
					tell(b)
				}
			}
			return err
		})
	}
	err = group.Wait()
	sent.Blobs, sent.Bytes = int(uploaded.Load()), size.Load()
	if err != nil {
		return sent, err
	}
	for _, tag := range moving {
		if err := to.move(ctx, tag, manifest.Descriptor, manifest.Bytes); err != nil {
			return sent, err
		}
		sent.Tags++
	}
	return sent, nil
}

// notAt are the tags that do not point at the manifest. Where there are none, its blobs are there as well.
func (s *Store) notAt(ctx context.Context, manifest digest.Digest, tags []string) (moving []string, err error) {
	for _, tag := range tags {
		d, there, err := s.Has(ctx, tag)
		if err != nil {
			return nil, err
		}
		if !there || d.Digest != manifest {
			moving = append(moving, tag)
		}
	}
	return moving, nil
}

// Copy copies what from's reference points at, with all that refers to it and what cosign keeps under tags of its own, and points to's
// tag at it in the end: so a signature is there before the artifact can be pulled by its tag.
func Copy(ctx context.Context, from, to *Store) (ocispec.Descriptor, Sent, error) {
	root, err := from.Resolve(ctx)
	if err != nil {
		return root, Sent{}, err
	}
	c := &copier{from: from, to: to, seen: map[digest.Digest]*copied{}}
	err = c.all(ctx, root)
	if err == nil && to.Ref.Digest == "" {
		var manifest []byte
		if manifest, err = c.from.Manifest(ctx, root); err == nil {
			var moved bool
			if moved, err = to.Point(ctx, to.Ref.Name(), root, manifest); moved {
				c.sent.Tags++
			}
		}
	}
	return root, c.sent, err
}

// maxDepth is how far references are followed: the signature of a bill of materials of a plugin is at 2.
const maxDepth = 5

type copier struct {
	from, to *Store
	mu       sync.Mutex
	seen     map[digest.Digest]*copied
	sent     Sent
}

type copied struct {
	done chan struct{}
	err  error
}

// all copies root and what belongs to it.
func (c *copier) all(ctx context.Context, root ocispec.Descriptor) error {
	level := []ocispec.Descriptor{root}
	about := map[digest.Digest]bool{root.Digest: true}
	for depth := 0; len(level) > 0 && depth <= maxDepth; depth++ {
		var next []ocispec.Descriptor
		for _, d := range level {
			if err := c.graph(ctx, d); err != nil {
				return err
			}
			if err := c.listed(ctx, d); err != nil {
				return err
			}
			belonging, err := Belonging(ctx, c.from, d)
			if err != nil {
				return err
			}
			for _, b := range belonging {
				if b.Tag != "" {
					if err := c.tagged(ctx, b); err != nil {
						return err
					}
				}
				if !about[b.Digest] {
					about[b.Digest] = true
					next = append(next, b.Descriptor)
					c.sent.Referred++
				}
			}
		}
		level = next
	}
	return nil
}

// listed sees to it that the destination lists d among what refers to its subject: an earlier copy may have been ended before it was.
func (c *copier) listed(ctx context.Context, d ocispec.Descriptor) error {
	manifest, err := c.from.Manifest(ctx, d)
	if err != nil {
		return err
	}
	_, err = c.to.list(ctx, d, manifest)
	return err
}

// tagged copies what lies under a tag of cosign's, with the tag.
func (c *copier) tagged(ctx context.Context, b Belongs) error {
	if err := c.graph(ctx, b.Descriptor); err != nil {
		return err
	}
	manifest, err := c.from.Manifest(ctx, b.Descriptor)
	if err != nil {
		return err
	}
	_, err = c.to.Point(ctx, b.Tag, b.Descriptor, manifest)
	return err
}

// graph copies d after all that it names. It may be called at once for things that share parts.
func (c *copier) graph(ctx context.Context, d ocispec.Descriptor) error {
	c.mu.Lock()
	if before, ok := c.seen[d.Digest]; ok {
		c.mu.Unlock()
		<-before.done
		return before.err
	}
	mine := &copied{done: make(chan struct{})}
	c.seen[d.Digest] = mine
	c.mu.Unlock()
	mine.err = c.one(ctx, d)
	close(mine.done)
	return mine.err
}

func (c *copier) one(ctx context.Context, d ocispec.Descriptor) error {
	if !isManifest(d) {
		return c.blob(ctx, d)
	}
	manifest, err := c.from.Manifest(ctx, d)
	if err != nil {
		return err
	}
	parts, err := content.Successors(ctx, fetcherOf(manifest), d)
	if err != nil {
		return c.from.Explain(err)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrent)
	for _, part := range parts {
		if about := subject(manifest); about != nil && about.Digest == part.Digest {
			continue // it was copied before, or is somebody else's to copy
		}
		group.Go(func() error { return c.graph(groupCtx, part) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = c.to.Put(ctx, d, Bytes(manifest))
	return err
}

func (c *copier) blob(ctx context.Context, d ocispec.Descriptor) error {
	there, err := c.to.target.Exists(ctx, d)
	if err != nil {
		return c.to.explain("look for "+c.to.in(d.Digest.String()), err)
	}
	if there {
		return nil
	}
	mounted, done := c.to.mount(ctx, d, c.from)
	if !done {
		_, err := c.to.Put(ctx, d, func(ctx context.Context) (io.ReadCloser, error) {
			body, err := c.from.Fetch(ctx, d)
			if err != nil {
				return nil, err
			}
			return verifying{content.NewVerifyReader(body, d), body, c.from}, nil
		})
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if mounted {
		c.sent.Mounted++
	} else {
		c.sent.Blobs++
		c.sent.Bytes += d.Size
	}
	return nil
}

// verifying ends with an error where the content does not match its digest, so that a damaged source is named as such.
type verifying struct {
	*content.VerifyReader
	io.Closer
	from *Store
}

func (v verifying) Read(p []byte) (int, error) {
	n, err := v.VerifyReader.Read(p)
	if err == io.EOF {
		if wrong := v.Verify(); wrong != nil {
			err = v.from.Explain(wrong)
		}
	}
	return n, err
}
