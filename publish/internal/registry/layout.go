package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
)

// layout is an OCI image layout. oras-go has one too, which writes its index in place and in random order; this one replaces it in one
// step and the same content gives the same bytes, so that a push which is killed leaves the old state, and archives can be compared.
type layout struct {
	mu     sync.Mutex
	index  ocispec.Index
	old    content.ReadOnlyStorage // what was there
	added  *oci.Storage            // what is written to; nil for reading alone. In a folder both are the same place
	commit func() error
	close  func() error
}

var errReadOnly = errors.New("opened for reading")

const layoutFile = `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`

// maxIndex bounds what is read of an index.
const maxIndex = 16 << 20

func newLayout() *layout {
	l := &layout{commit: func() error { return nil }, close: func() error { return nil }}
	l.index = ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	return l
}

// openFolder opens a layout in a folder. For writing it is made where there is none.
func openFolder(dir string, access Access) (*layout, error) {
	l := newLayout()
	marker, err := os.ReadFile(filepath.Join(dir, ocispec.ImageLayoutFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && access == Read:
		return nil, fmt.Errorf("%w: it has no file %s", errBadLayoutFile, ocispec.ImageLayoutFile)
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Join(dir, ocispec.ImageBlobsDir), 0o755); err != nil {
			return nil, err
		}
		if err := ReplaceFile(filepath.Join(dir, ocispec.ImageLayoutFile), []byte(layoutFile)); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if err := checkMarker(marker); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, ocispec.ImageIndexFile)
	if err := l.readIndex(os.ReadFile(file)); err != nil {
		return nil, err
	}
	l.old = oci.NewStorageFromFS(os.DirFS(dir))
	if access == Write {
		if l.added, err = oci.NewStorage(dir); err != nil {
			return nil, err
		}
		l.commit = func() error { return ReplaceFile(file, l.encoded()) }
		l.close = func() error { os.Remove(filepath.Join(dir, "ingest")); return nil } // where oras-go keeps half a blob
	}
	return l, nil
}

func checkMarker(data []byte) error {
	var marker ocispec.ImageLayout
	if err := json.Unmarshal(data, &marker); err != nil || marker.Version != ocispec.ImageLayoutVersion {
		return fmt.Errorf("%w: its file %s does not say version %s", errBadLayoutFile, ocispec.ImageLayoutFile, ocispec.ImageLayoutVersion)
	}
	return nil
}

// readIndex takes what reading the index gave. None is an empty one.
func (l *layout) readIndex(data []byte, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &l.index); err != nil {
		return fmt.Errorf("%w: its file %s is not valid JSON: %w", errBadLayoutFile, ocispec.ImageIndexFile, err)
	}
	return nil
}

func (l *layout) encoded() []byte {
	data, err := json.Marshal(l.index)
	if err != nil {
		panic(err) // no part of an index cannot be marshalled
	}
	return data
}

// ReplaceFile writes a file so that it has its old content or the new one, whatever happens.
func ReplaceFile(file string, data []byte) (err error) {
	return replaceWith(file, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func replaceWith(file string, write func(io.Writer) error) (err error) {
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			part.Close()
			os.Remove(part.Name())
		}
	}()
	if err := write(part); err != nil {
		return err
	}
	if err := part.Chmod(0o644); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}

// Fetch implements [content.Fetcher].
func (l *layout) Fetch(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	if l.added != nil {
		if body, err := l.added.Fetch(ctx, d); !errors.Is(err, errdef.ErrNotFound) {
			return body, err
		}
	}
	return l.old.Fetch(ctx, d)
}

// Exists implements [content.ReadOnlyStorage].
func (l *layout) Exists(ctx context.Context, d ocispec.Descriptor) (bool, error) {
	if l.added != nil {
		if there, err := l.added.Exists(ctx, d); there || err != nil {
			return there, err
		}
	}
	return l.old.Exists(ctx, d)
}

// Push implements [content.Pusher]. A manifest is listed, untagged, so that what refers to another is found.
func (l *layout) Push(ctx context.Context, d ocispec.Descriptor, body io.Reader) error {
	if l.added == nil {
		return errReadOnly
	}
	there, err := l.old.Exists(ctx, d)
	if err != nil {
		return err
	}
	if !there {
		if err := l.added.Push(ctx, d, body); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
			return err
		}
	}
	if isManifest(d) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !slices.ContainsFunc(l.index.Manifests, func(m ocispec.Descriptor) bool { return m.Digest == d.Digest }) {
			l.index.Manifests = append(l.index.Manifests, plain(d))
		}
	}
	return nil
}

func isManifest(d ocispec.Descriptor) bool {
	switch d.MediaType {
	case ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.oci.artifact.manifest.v1+json":
		return true
	}
	return false
}

func plain(d ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// Tag implements [content.Tagger]. What had the tag stays, untagged, as in a registry.
func (l *layout) Tag(_ context.Context, d ocispec.Descriptor, tag string) error {
	if l.added == nil {
		return errReadOnly
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tagged := plain(d)
	tagged.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	var kept []ocispec.Descriptor
	placed := false
	place := func() {
		if !placed {
			kept, placed = append(kept, tagged), true
		}
	}
	for _, m := range l.index.Manifests {
		name := m.Annotations[ocispec.AnnotationRefName]
		switch {
		case name == tag && m.Digest == d.Digest:
			place()
		case name == tag:
			place()
			if !slices.ContainsFunc(l.index.Manifests, func(o ocispec.Descriptor) bool {
				return o.Digest == m.Digest && o.Annotations[ocispec.AnnotationRefName] != tag
			}) {
				kept = append(kept, plain(m))
			}
		case name == "" && m.Digest == d.Digest:
			place()
		default:
			kept = append(kept, m)
		}
	}
	place()
	l.index.Manifests = kept
	return nil
}

// Resolve implements [content.Resolver], for a tag or a digest.
func (l *layout) Resolve(ctx context.Context, name string) (ocispec.Descriptor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted, err := digest.Parse(name)
	for _, m := range l.index.Manifests {
		if err == nil && m.Digest == wanted || err != nil && m.Annotations[ocispec.AnnotationRefName] == name {
			return plain(m), nil
		}
	}
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("%s: %w", name, errdef.ErrNotFound)
	}
	return l.unlisted(ctx, wanted)
}

// unlisted finds a manifest that only another one names.
func (l *layout) unlisted(ctx context.Context, wanted digest.Digest) (found ocispec.Descriptor, err error) {
	err = l.walk(ctx, func(d ocispec.Descriptor, _ []byte) {
		if d.Digest == wanted {
			found = plain(d)
		}
	})
	if err == nil && found.Digest == "" {
		err = fmt.Errorf("%s: %w", wanted, errdef.ErrNotFound)
	}
	return found, err
}

// walk visits everything that the index leads to, each once; manifests with their bytes.
func (l *layout) walk(ctx context.Context, visit func(d ocispec.Descriptor, manifest []byte)) error {
	seen := map[digest.Digest]bool{}
	queue := slices.Clone(l.index.Manifests)
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		if !isManifest(d) {
			visit(d, nil)
			continue
		}
		if d.Size > maxManifest {
			return fmt.Errorf("%s: a manifest of %d bytes is more than registries take", d.Digest, d.Size)
		}
		data, err := content.FetchAll(ctx, l, d)
		if errors.Is(err, errdef.ErrNotFound) {
			continue // a layout may leave out what it names
		}
		if err != nil {
			return err
		}
		visit(d, data)
		next, err := content.Successors(ctx, fetcherOf(data), d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Digest, err)
		}
		queue = append(queue, next...)
	}
	return nil
}

// maxManifest is the largest manifest that registries take.
const maxManifest = 4 << 20

func fetcherOf(data []byte) content.Fetcher {
	return content.FetcherFunc(func(context.Context, ocispec.Descriptor) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}

// Predecessors implements [content.PredecessorFinder], as a registry does: what names d as its subject.
func (l *layout) Predecessors(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []ocispec.Descriptor
	err := l.walk(ctx, func(m ocispec.Descriptor, data []byte) {
		var about struct {
			Subject      *ocispec.Descriptor
			ArtifactType string
			Config       struct{ MediaType string }
			Annotations  map[string]string
		}
		if data == nil || json.Unmarshal(data, &about) != nil || about.Subject == nil || about.Subject.Digest != d.Digest {
			return
		}
		referrer := plain(m)
		referrer.ArtifactType, referrer.Annotations = about.ArtifactType, about.Annotations
		if referrer.ArtifactType == "" {
			referrer.ArtifactType = about.Config.MediaType
		}
		found = append(found, referrer)
	})
	return found, err
}

// Tags implements [registry.TagLister].
func (l *layout) Tags(_ context.Context, last string, fn func([]string) error) error {
	l.mu.Lock()
	var tags []string
	for _, m := range l.index.Manifests {
		if tag := m.Annotations[ocispec.AnnotationRefName]; tag > last {
			tags = append(tags, tag)
		}
	}
	l.mu.Unlock()
	slices.Sort(tags)
	return fn(slices.Compact(tags))
}
