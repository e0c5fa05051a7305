package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// Describe makes content of bytes.
func Describe(mediaType string, data []byte) Content {
	return Content{ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, data}
}

// Refer attaches content to what is in the store: as the only layer of a manifest of its type that names about as its subject. The same
// content gives the same manifest. It tells whether there was anything to send.
func Refer(ctx context.Context, to *Store, about ocispec.Descriptor, attached Content, annotations map[string]string) (d ocispec.Descriptor, sent bool, err error) {
	empty := Describe(ocispec.DescriptorEmptyJSON.MediaType, ocispec.DescriptorEmptyJSON.Data)
	manifest := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: attached.MediaType,
		Config:       empty.Descriptor,
		Layers:       []ocispec.Descriptor{attached.Descriptor},
		Subject:      &ocispec.Descriptor{MediaType: about.MediaType, Digest: about.Digest, Size: about.Size},
		Annotations:  annotations,
	}
	data, err := json.Marshal(manifest)
	if err != nil {
		return d, false, err
	}
	for _, blob := range []Content{empty, attached} {
		if _, err := to.Put(ctx, blob.Descriptor, Bytes(blob.Bytes)); err != nil {
			return d, false, err
		}
	}
	whole := Describe(manifest.MediaType, data)
	if sent, err = to.Put(ctx, whole.Descriptor, Bytes(data)); err == nil && !sent {
		sent, err = to.list(ctx, whole.Descriptor, data)
	}
	return whole.Descriptor, sent, err
}

// list sees to it that the store lists a manifest, which is there, among what refers to its subject. A registry without the referrers API
// does not do so by itself: whoever pushes adds to a list, after the manifest. Whoever was ended between the two left it unlisted.
func (s *Store) list(ctx context.Context, d ocispec.Descriptor, manifest []byte) (had bool, err error) {
	about := subject(manifest)
	if about == nil {
		return false, nil
	}
	there, err := s.Referrers(ctx, *about)
	if err != nil || slices.ContainsFunc(there, func(r ocispec.Descriptor) bool { return r.Digest == d.Digest }) {
		return false, err
	}
	return true, s.explain("upload "+s.to(d.Digest.String()), s.target.Push(ctx, d, bytes.NewReader(manifest)))
}

// Manifest fetches a manifest, checked against its digest.
func (s *Store) Manifest(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
	if d.Size > maxManifest {
		return nil, fmt.Errorf("%s: a manifest of %d bytes is more than registries take", d.Digest, d.Size)
	}
	return s.Blob(ctx, d)
}

// Blob fetches content whole, checked against its digest.
func (s *Store) Blob(ctx context.Context, d ocispec.Descriptor) ([]byte, error) {
	data, err := content.FetchAll(ctx, s, d)
	return data, s.explain("read "+s.in(d.Digest.String()), err)
}
