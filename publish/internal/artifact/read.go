package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/routelens/routelens/publish/internal/wasm"
)

// maxManifest is the largest manifest that registries take.
const maxManifest = 4 << 20

// ErrNoPlugin says that an artifact holds none that any consumer would find.
var ErrNoPlugin = errors.New("no plugin in it")

// Manifest is a manifest as it was fetched.
type Manifest struct {
	ocispec.Manifest
	Descriptor ocispec.Descriptor
	Index      *ocispec.Descriptor // the index that it was chosen from, if any
}

// Open fetches a manifest. Of an index it takes the image that Istio takes: the first for linux/amd64, which one without a platform
// counts as.
func Open(ctx context.Context, from content.Fetcher, root ocispec.Descriptor) (*Manifest, error) {
	switch root.MediaType {
	case ocispec.MediaTypeImageIndex, DockerIndex:
		var index ocispec.Index
		if err := fetchJSON(ctx, from, root, &index); err != nil {
			return nil, err
		}
		for _, d := range index.Manifests {
			if p := d.Platform; p == nil || p.OS == "linux" && p.Architecture == "amd64" {
				if d.MediaType == ocispec.MediaTypeImageIndex || d.MediaType == DockerIndex {
					break
				}
				m, err := Open(ctx, from, d)
				if m != nil {
					m.Index = &root
				}
				return m, err
			}
		}
		return nil, fmt.Errorf("%w: it is an index, and none of its images is for linux/amd64, the one that Istio would take", ErrNoPlugin)
	}
	m := &Manifest{Descriptor: root}
	if err := fetchJSON(ctx, from, root, &m.Manifest); err != nil {
		return nil, err
	}
	return m, nil
}

func fetchJSON(ctx context.Context, from content.Fetcher, d ocispec.Descriptor, into any) error {
	if d.Size > maxManifest {
		return fmt.Errorf("%s: the manifest has %d bytes, more than the %d that registries take", d.Digest, d.Size, maxManifest)
	}
	data, err := content.FetchAll(ctx, from, d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: the manifest is not valid JSON: %w", d.Digest, err)
	}
	return nil
}

// Plugin fetches the plugin, whole, checked against its digest.
func (f Found) Plugin(ctx context.Context, from content.Fetcher) ([]byte, error) {
	if limit := f.limit(); f.Layer.Size > limit {
		return nil, fmt.Errorf("%s: the layer has %d bytes, more than the %d that Istio and Envoy Gateway take", f.Layer.Digest, f.Layer.Size, limit)
	}
	data, err := content.FetchAll(ctx, from, f.Layer)
	if err != nil {
		return nil, err
	}
	return f.In(data)
}

// In is the plugin in the layer's content.
func (f Found) In(layer []byte) ([]byte, error) {
	if !f.Packed() {
		return layer, nil
	}
	plugin, err := unpack(layer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Layer.Digest, err)
	}
	return plugin, nil
}

// Same fetches a blob and compares it with what was sent, as it comes. That takes a fraction of the time and memory that fetching it
// whole and computing its digest would.
func Same(ctx context.Context, from content.Fetcher, sent Blob) error {
	body, err := from.Fetch(ctx, sent.Descriptor)
	if err != nil {
		return err
	}
	defer body.Close()
	piece := make([]byte, min(sent.Size+1, maxPiece)) // the byte more finds the end
	for at := 0; ; {
		n, err := body.Read(piece)
		if !bytes.HasPrefix(sent.Bytes[at:], piece[:n]) {
			return fmt.Errorf("%w: %s is not as it was sent, after %d bytes", content.ErrMismatchedDigest, sent.Digest, at)
		}
		at += n
		switch {
		case errors.Is(err, io.EOF) && at < len(sent.Bytes):
			return fmt.Errorf("%w: %s ends after %d of its %d bytes", content.ErrMismatchedDigest, sent.Digest, at, sent.Size)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// maxPiece is how much of a blob is compared at a time.
const maxPiece = 1 << 20

func (f Found) limit() int64 {
	if f.Packed() {
		return maxUnpackedLayer
	}
	return wasm.MaxSize
}

// unpack finds plugin.wasm in a compressed archive, in whatever folder.
func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the layer is not compressed with gzip: %w", err)
	}
	archive := tar.NewReader(io.LimitReader(z, maxUnpackedLayer))
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: the layer holds no %s", ErrNoPlugin, pluginFile)
		case err != nil:
			return nil, fmt.Errorf("the layer is not a sound tar archive: %w", err)
		case path.Base(header.Name) != pluginFile:
			continue
		case header.Size > maxPackedPlugin:
			return nil, fmt.Errorf("%s has %d bytes, more than the %d that Envoy Gateway takes", pluginFile, header.Size, int64(maxPackedPlugin))
		}
		plugin, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("%s is cut short: %w", pluginFile, err)
		}
		return plugin, nil
	}
}
