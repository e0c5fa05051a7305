package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Store is an open place. What is written to a folder or a file counts only once Commit was called; Close must be called in any case.
type Store struct {
	Ref    Reference
	target oras.GraphTarget
	client *Client // nil for folders and files
	commit func() error
	close  func() error

	mu    sync.Mutex
	ahead map[string]chan lookedUp // by tag
}

// lookedUp is what a tag points at.
type lookedUp struct {
	descriptor ocispec.Descriptor
	there      bool
	err        error
}

// Access says what a store is opened for.
type Access int

// The kinds of access.
const (
	Read Access = iota
	Write
)

// Open opens the place that a reference names. A registry is not asked anything yet.
func (c *Client) Open(r Reference, access Access) (*Store, error) {
	s := &Store{Ref: r, client: c, commit: func() error { return nil }, close: func() error { return nil }}
	if r.Kind == Remote {
		s.target = c.repository(r)
		return s, nil
	}
	s.client = nil
	open := openFolder
	if r.Kind == Archive {
		open = openArchive
	}
	layout, err := open(r.Path, access)
	if err != nil {
		return nil, s.explain("open it", err)
	}
	s.target, s.commit, s.close = layout, func() error { return s.explain("write it", layout.commit()) }, layout.close
	return s, nil
}

// Over makes a store of any target, for tests.
func Over(r Reference, target oras.GraphTarget) *Store {
	return &Store{Ref: r, target: target, commit: func() error { return nil }, close: func() error { return nil }}
}

// Commit makes what was written count.
func (s *Store) Commit() error { return s.commit() }

// Close lets go of the place. What was not committed is thrown away.
func (s *Store) Close() error { return s.close() }

func (s *Store) explain(doing string, err error) error { return s.client.explain(s.Ref, doing, err) }

// In is how a thing of this place is called in errors: a repository is named, as the registry alone does not say which.
func (s *Store) in(what string) string {
	if s.Ref.Kind == Remote {
		return what + " of " + s.Ref.Repository
	}
	return what
}

// What the reference points at, for errors.
func (r Reference) what() string {
	if r.Digest != "" {
		return r.Digest.String()
	}
	return "tag " + r.Name()
}

// Resolve finds what the store's reference points at.
func (s *Store) Resolve(ctx context.Context) (ocispec.Descriptor, error) {
	d, err := s.target.Resolve(ctx, s.Ref.Name())
	if err == nil {
		return d, nil
	}
	// The answer to HEAD has no words: whether the tag is missing or all the repository, the list of tags tells.
	if errors.Is(err, errdef.ErrNotFound) && s.Ref.Kind == Remote && s.unknown(ctx) {
		err = errNoRepository
	}
	return d, s.explain("read "+s.in(s.Ref.what()), err)
}

// unknown tells whether the registry says that it has no such repository.
func (s *Store) unknown(ctx context.Context) bool {
	lister, ok := s.target.(registry.TagLister)
	if !ok {
		return false
	}
	err := lister.Tags(ctx, "", func([]string) error { return io.EOF }) // the first page is enough
	var answer *errcode.ErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	for _, e := range answer.Errors {
		if e.Code == errcode.ErrorCodeNameUnknown {
			return true
		}
	}
	return false
}

// Ahead begins to ask a registry for its tags, so that it connects and logs in while there is something else to do. The next call of
// [Store.Has] for each of them has the answer.
func (s *Store) Ahead(ctx context.Context, tags []string) {
	if s.Ref.Kind != Remote {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = map[string]chan lookedUp{}
	for _, tag := range tags {
		answer := make(chan lookedUp, 1)
		s.ahead[tag] = answer
		go func() {
			d, there, err := s.look(ctx, tag)
			answer <- lookedUp{d, there, err}
		}()
	}
}

// Has tells what a tag points at, and whether there is such a tag.
func (s *Store) Has(ctx context.Context, tag string) (ocispec.Descriptor, bool, error) {
	s.mu.Lock()
	answer, asked := s.ahead[tag]
	delete(s.ahead, tag)
	s.mu.Unlock()
	if asked {
		a := <-answer
		return a.descriptor, a.there, a.err
	}
	return s.look(ctx, tag)
}

func (s *Store) look(ctx context.Context, tag string) (ocispec.Descriptor, bool, error) {
	d, err := s.target.Resolve(ctx, tag)
	if errors.Is(err, errdef.ErrNotFound) {
		return d, false, nil
	}
	return d, err == nil, s.explain("look for "+s.in("tag "+tag), err)
}

// Named fetches the manifest that a tag points at, in one request where it can be.
func (s *Store) Named(ctx context.Context, tag string) (d ocispec.Descriptor, manifest []byte, err error) {
	var body io.ReadCloser
	if fetcher, ok := s.target.(registry.ReferenceFetcher); ok {
		d, body, err = fetcher.FetchReference(ctx, tag)
	} else if d, err = s.target.Resolve(ctx, tag); err == nil {
		body, err = s.target.Fetch(ctx, d)
	}
	if err == nil {
		defer body.Close()
		if d.Size > maxManifest {
			return d, nil, fmt.Errorf("%s: a manifest of %d bytes is more than registries take", d.Digest, d.Size)
		}
		manifest, err = content.ReadAll(body, d)
	}
	return d, manifest, s.explain("read "+s.in("tag "+tag), err)
}

// Holds asks whether a blob is there, with the size and the digest that it should have. A registry is asked no more than that.
func (s *Store) Holds(ctx context.Context, d ocispec.Descriptor) error {
	resolver := content.Resolver(s.target)
	if repository, ok := s.target.(*remote.Repository); ok {
		resolver = repository.Blobs()
	}
	found, err := resolver.Resolve(ctx, d.Digest.String())
	if err == nil && found.Size != d.Size {
		err = fmt.Errorf("%w: %s has %d bytes there, and should have %d", content.ErrMismatchedDigest, d.Digest, found.Size, d.Size)
	}
	return s.client.explain(s.Ref.At(d.Digest), "look for "+s.in(d.Digest.String()), err)
}

// Fetch implements [content.Fetcher]. Its errors are explained as they come; those of reading are explained by [Store.Explain].
func (s *Store) Fetch(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	body, err := s.target.Fetch(ctx, d)
	if err != nil {
		return nil, s.client.explain(s.Ref.At(d.Digest), "fetch "+s.in(d.Digest.String()), err)
	}
	return body, nil
}

// Explain explains an error that came while content of this store was read.
func (s *Store) Explain(err error) error { return s.explain("read "+s.in(s.Ref.what()), err) }

// Put stores a blob, or a manifest without a tag, unless it is there. It tells whether it had to.
func (s *Store) Put(ctx context.Context, d ocispec.Descriptor, open func(context.Context) (io.ReadCloser, error)) (sent bool, err error) {
	there, err := s.target.Exists(ctx, d)
	if err != nil {
		return false, s.explain("look for "+s.in(d.Digest.String()), err)
	}
	if there {
		return false, nil
	}
	err = s.backoff().again(ctx, func(ctx context.Context) error {
		body, err := open(ctx)
		if err != nil {
			return err
		}
		defer body.Close()
		return s.target.Push(ctx, d, rewindable(body))
	})
	if errors.Is(err, errdef.ErrAlreadyExists) {
		return false, nil
	}
	return err == nil, s.explain("upload "+s.to(d.Digest.String()), err)
}

func (s *Store) to(what string) string {
	if s.Ref.Kind == Remote {
		return what + " to " + s.Ref.Repository
	}
	return what
}

func (s *Store) backoff() Backoff {
	if s.client == nil {
		return Backoff{}
	}
	return s.client.options.Backoff
}

// rewindable bares bytes in memory, so that net/http can send them again where it has to.
func rewindable(body io.ReadCloser) io.Reader {
	if m, ok := body.(inMemory); ok {
		return m.Reader
	}
	return body
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// Bytes opens bytes in memory, for [Store.Put].
func Bytes(data []byte) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return inMemory{bytes.NewReader(data)}, nil }
}

// Point makes tag point at a manifest, which it sends along: one request, so that whoever reads the tag sees the old manifest or the
// new one. Every blob must be there already. Where the tag points there already, nothing is sent.
func (s *Store) Point(ctx context.Context, tag string, d ocispec.Descriptor, manifest []byte) (moved bool, err error) {
	now, there, err := s.Has(ctx, tag)
	if err != nil {
		return false, err
	}
	if there && now.Digest == d.Digest {
		return false, nil
	}
	err = s.move(ctx, tag, d, manifest)
	return err == nil, err
}

// move makes tag point at a manifest, whatever it points at now.
func (s *Store) move(ctx context.Context, tag string, d ocispec.Descriptor, manifest []byte) (err error) {
	if pusher, ok := s.target.(registry.ReferencePusher); ok {
		err = pusher.PushReference(ctx, d, bytes.NewReader(manifest), tag)
	} else if err = s.target.Push(ctx, d, bytes.NewReader(manifest)); err == nil || errors.Is(err, errdef.ErrAlreadyExists) {
		err = s.target.Tag(ctx, d, tag)
	}
	return s.explain("move "+s.in("tag "+tag), err)
}

// Tags calls fn with the tags, page by page.
func (s *Store) Tags(ctx context.Context, fn func([]string) error) error {
	lister, ok := s.target.(registry.TagLister)
	if !ok {
		return fmt.Errorf("%s cannot list its tags", s.Ref.Place())
	}
	return s.explain("list the "+s.in("tags"), lister.Tags(ctx, "", fn))
}

// Referrers are the artifacts that name d as their subject: signatures, bills of materials, attestations.
func (s *Store) Referrers(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	found, err := s.target.Predecessors(ctx, d)
	return found, s.explain("list what refers to "+s.in(d.Digest.String()), err)
}

// mount asks a registry to take a blob from another of its repositories. Where it will not, the same request has begun an upload, which
// is used. ok is false where that failed too, or there is nothing to mount from: then [Store.Put] has its turn.
func (s *Store) mount(ctx context.Context, d ocispec.Descriptor, from *Store) (mounted, ok bool) {
	repository, isRemote := s.target.(*remote.Repository)
	if !isRemote || from.Ref.Kind != Remote || from.Ref.Host != s.Ref.Host || from.Ref.Repository == s.Ref.Repository {
		return false, false
	}
	mounted = true
	err := repository.Mount(ctx, d, from.Ref.Repository, func() (io.ReadCloser, error) {
		mounted = false
		return from.Fetch(ctx, d)
	})
	return mounted, err == nil
}

var _ content.Fetcher = (*Store)(nil)
