// Package artifact makes an OCI artifact of a plugin, and reads plugins out of OCI artifacts by the rules of those who pull them.
// The same input gives the same bytes, so the same digest.
package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/routelens/routelens/publish/internal/wasm"
)

// Layout is how an artifact holds its plugin.
type Layout string

// The layouts.
const (
	// OCI has a layer for the plugin and one for its configuration, with media types of their own.
	OCI Layout = "oci"
	// Compat is a container image whose last layer holds plugin.wasm: for registries that take nothing but images.
	Compat Layout = "compat"
	// Docker is the same with Docker's media types. It is read, not made.
	Docker Layout = "docker"
	// CNCF is what Wasm tools outside of proxies agreed on. No proxy takes it.
	CNCF Layout = "cncf"
)

// Layouts are those that [Build] makes.
var Layouts = []Layout{OCI, Compat, CNCF}

// The media types that the layouts are told apart by.
const (
	ConfigType       = "application/vnd.module.wasm.config.v1+json"
	ContentType      = "application/vnd.module.wasm.content.layer.v1+wasm"
	CNCFConfigType   = "application/vnd.wasm.config.v0+json"
	CNCFContentType  = "application/wasm"
	DockerManifest   = "application/vnd.docker.distribution.manifest.v2+json"
	DockerIndex      = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerLayer      = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	variantKey       = "module.wasm.image/variant"
	pluginFile       = "plugin.wasm"
	runtimeFile      = "runtime-config.json"
	architecture     = "wasm"
	operatingSystem  = "wasip1"
	tarHeaderSize    = 512
	tarTrailerSize   = 1024
	maxTarPadding    = 511
	maxPackedPlugin  = wasm.MaxSize - tarHeaderSize // a packed plugin counts with its header
	maxUnpackedLayer = wasm.MaxSize + tarHeaderSize + maxTarPadding + tarTrailerSize
)

// Blob is content with what describes it.
type Blob struct {
	ocispec.Descriptor
	Bytes []byte
}

// Artifact is a manifest and the blobs that it names.
type Artifact struct {
	Layout   Layout
	Manifest Blob
	Blobs    []Blob // each once, the plugin last
}

// Size is how many bytes there are to send, the manifest included.
func (a *Artifact) Size() int64 {
	sum := a.Manifest.Size
	for _, b := range a.Blobs {
		sum += b.Size
	}
	return sum
}

// Blob is the one with a digest.
func (a *Artifact) Blob(d digest.Digest) (Blob, bool) {
	i := slices.IndexFunc(a.Blobs, func(b Blob) bool { return b.Digest == d })
	if i < 0 {
		return Blob{}, false
	}
	return a.Blobs[i], true
}

// Plugin is a plugin's file, with what was found out about it while it was read.
type Plugin struct {
	Bytes  []byte
	Digest digest.Digest
	Module *wasm.Module
}

// Build makes an artifact.
func Build(layout Layout, plugin Plugin, meta Metadata) (*Artifact, error) {
	if err := Fits(layout, len(plugin.Bytes)); err != nil {
		return nil, err
	}
	a := &Artifact{Layout: layout}
	manifest := ocispec.Manifest{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   ocispec.MediaTypeImageManifest,
		Annotations: meta.annotations(),
	}
	switch layout {
	case OCI:
		a.oci(&manifest, plugin)
	case Compat:
		if err := a.compat(&manifest, plugin.Bytes, meta.Created); err != nil {
			return nil, err
		}
	case CNCF:
		a.cncf(&manifest, plugin, meta.Created)
	default:
		return nil, fmt.Errorf("no layout %q: there are %s", layout, join(Layouts))
	}
	if len(manifest.Annotations) == 0 {
		manifest.Annotations = nil
	}
	a.Manifest = blob(ocispec.MediaTypeImageManifest, encode(manifest))
	return a, nil
}

// Fits tells whether a layout holds a plugin of that size. [wasm.Module.Check] has the limit of the others.
func Fits(layout Layout, size int) error {
	if layout == Compat && size > maxPackedPlugin {
		return fmt.Errorf("it has %d bytes, and the layout compat holds no more than %d", size, int64(maxPackedPlugin))
	}
	return nil
}

// oci has exactly two layers, as its readers demand. The configuration is one of them and the manifest's config as well.
func (a *Artifact) oci(manifest *ocispec.Manifest, plugin Plugin) {
	config := blob(ConfigType, encode(struct {
		Type        string   `json:"type"`
		ABIVersions []string `json:"abiVersions"`
		Config      struct{} `json:"config"`
	}{Type: "envoy_proxy", ABIVersions: []string{plugin.Module.ABI()}}))
	content := plugin.blob(ContentType)
	a.Blobs = []Blob{config, content}
	manifest.Config = config.Descriptor
	manifest.Layers = []ocispec.Descriptor{titled(config, runtimeFile), titled(content, pluginFile)}
}

func (a *Artifact) compat(manifest *ocispec.Manifest, plugin []byte, created time.Time) error {
	archive, packed, err := pack(plugin)
	if err != nil {
		return fmt.Errorf("pack %s: %w", pluginFile, err)
	}
	image := ocispec.Image{
		Platform: ocispec.Platform{Architecture: architecture, OS: operatingSystem},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(archive)}},
	}
	if !created.IsZero() {
		created = created.UTC()
		image.Created = &created
	}
	config := blob(ocispec.MediaTypeImageConfig, encode(image))
	layer := blob(ocispec.MediaTypeImageLayerGzip, packed)
	a.Blobs = []Blob{config, layer}
	manifest.Config = config.Descriptor
	manifest.Layers = []ocispec.Descriptor{layer.Descriptor}
	manifest.Annotations[variantKey] = string(Compat)
	return nil
}

func (a *Artifact) cncf(manifest *ocispec.Manifest, plugin Plugin, created time.Time) {
	content := plugin.blob(CNCFContentType)
	if created.IsZero() {
		created = time.Unix(0, 0) // the layout wants a time
	}
	config := blob(CNCFConfigType, encode(struct {
		Created      time.Time       `json:"created"`
		Architecture string          `json:"architecture"`
		OS           string          `json:"os"`
		LayerDigests []digest.Digest `json:"layerDigests"`
	}{created.UTC(), architecture, operatingSystem, []digest.Digest{content.Digest}}))
	a.Blobs = []Blob{config, content}
	manifest.Config = config.Descriptor
	manifest.Layers = []ocispec.Descriptor{titled(content, pluginFile)}
}

// pack puts the plugin into a tar archive, compressed. No time, owner or name of this machine gets in.
func pack(plugin []byte) (archive, packed []byte, err error) {
	var tarred bytes.Buffer
	tarred.Grow(len(plugin) + tarHeaderSize + maxTarPadding + tarTrailerSize)
	w := tar.NewWriter(&tarred)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: pluginFile, Mode: 0o644, Size: int64(len(plugin)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(plugin); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(tarred.Bytes()); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return tarred.Bytes(), zipped.Bytes(), nil
}

func blob(mediaType string, data []byte) Blob {
	return Plugin{Bytes: data, Digest: digest.FromBytes(data)}.blob(mediaType)
}

func (p Plugin) blob(mediaType string) Blob {
	return Blob{ocispec.Descriptor{MediaType: mediaType, Digest: p.Digest, Size: int64(len(p.Bytes))}, p.Bytes}
}

// titled gives a layer the name of the file that other tools write it to: always the same, as the name of the file pushed must not
// change the digest.
func titled(b Blob, title string) ocispec.Descriptor {
	d := b.Descriptor
	d.Annotations = map[string]string{ocispec.AnnotationTitle: title}
	return d
}

// encode marshals what cannot fail to be.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func join(layouts []Layout) string {
	words := make([]string, len(layouts))
	for i, l := range layouts {
		words[i] = string(l)
	}
	return strings.Join(words, ", ")
}

// ParseFormat reads what --format takes: the layouts to make.
func ParseFormat(s string) ([]Layout, error) {
	if s == "both" {
		return []Layout{OCI, Compat}, nil
	}
	if l := Layout(s); slices.Contains(Layouts, l) {
		return []Layout{l}, nil
	}
	return nil, fmt.Errorf("no format %q: there are oci, compat, both and cncf", s)
}
