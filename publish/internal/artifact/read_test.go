package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
)

func layers(types ...string) *ocispec.Manifest {
	m := &ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest}
	for _, t := range types {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: t})
	}
	return m
}

func TestProxiesFindThePluginByTheirRules(t *testing.T) {
	docker := func(m *ocispec.Manifest) *ocispec.Manifest {
		m.MediaType = DockerManifest
		return m
	}
	const gz = ocispec.MediaTypeImageLayerGzip
	for name, c := range map[string]struct {
		manifest *ocispec.Manifest
		layout   Layout
		why      string
	}{
		"an artifact":                       {layers(ConfigType, ContentType), OCI, ""},
		"in the other order":                {layers(ContentType, ConfigType), OCI, ""},
		"an image":                          {layers(gz), Compat, ""},
		"an image with layers below":        {layers("application/x", "application/y", gz), Compat, ""},
		"an image of Docker's":              {docker(layers(DockerLayer)), Docker, ""},
		"what oras push makes of one file":  {layers(ContentType), "", "an artifact must have exactly two layers, and this has 1; the last is " + ContentType},
		"three layers":                      {layers(ConfigType, ContentType, "application/spdx+json"), "", "an artifact must have exactly two layers, and this has 3; the last is application/spdx+json"},
		"two layers of other types":         {layers("a/b", "c/d"), "", "none of its two layers is of type " + ContentType},
		"the CNCF layout":                   {layers(CNCFContentType), "", "an artifact must have exactly two layers, and this has 1; the last is application/wasm"},
		"no layers":                         {layers(), "", "it has no layers"},
		"Docker's manifest with OCI layers": {docker(layers(gz)), "", "the last layer of a Docker image must be of type " + DockerLayer + ", and is " + gz},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := proxyRule(c.manifest)
			if c.why != "" {
				assert.EqualError(t, err, c.why)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.layout, found.Layout)
		})
	}
}

func TestProxiesReadNamesOfRepositoriesByTheirParser(t *testing.T) {
	artifact := layers(ConfigType, ContentType)
	for repository, why := range map[string]string{
		"":                       "", // in no registry
		"pp":                     "",
		"a/b":                    "",
		"a__b.c-d":               "",
		strings.Repeat("p", 255): "",
		"p":                      "it reads names of repositories with 2 to 255 characters, and this one has 1",
		strings.Repeat("p", 256): "it reads names of repositories with 2 to 255 characters, and this one has 256",
	} {
		for _, c := range Consumers[:2] {
			found, err := c.In(repository, artifact)
			assert.Equal(t, OCI, found.Layout)
			if why == "" {
				assert.NoError(t, err, "%s, %s", c.Name, repository)
			} else {
				assert.EqualError(t, err, why, "%s, %s", c.Name, repository)
			}
		}
		_, err := Consumers[2].In(repository, layers(CNCFContentType))
		assert.ErrorContains(t, err, "its config must be of type", "the layout is looked at first")
	}
}

func TestSameComparesEveryByte(t *testing.T) {
	sent := blob(ContentType, bytes.Repeat([]byte("0123456789abcdef"), maxPiece/8)) // in more than one piece
	changed := func(at int) []byte {
		data := bytes.Clone(sent.Bytes)
		data[at] ^= 1
		return data
	}
	for name, c := range map[string]struct {
		came []byte
		why  string
	}{
		"the same":           {sent.Bytes, ""},
		"another first byte": {changed(0), "is not as it was sent, after 0 bytes"},
		"another last byte":  {changed(len(sent.Bytes) - 1), "is not as it was sent, after 1048576 bytes"},
		"cut short":          {sent.Bytes[:maxPiece], "ends after 1048576 of its 2097152 bytes"},
		"with more behind":   {append(bytes.Clone(sent.Bytes), 0), "is not as it was sent, after 2097152 bytes"},
		"nothing":            {nil, "ends after 0 of its 2097152 bytes"},
	} {
		from := content.FetcherFunc(func(context.Context, ocispec.Descriptor) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(c.came)), nil
		})
		err := Same(t.Context(), from, sent)
		if c.why == "" {
			assert.NoError(t, err, name)
			continue
		}
		assert.ErrorIs(t, err, content.ErrMismatchedDigest, name)
		assert.ErrorContains(t, err, c.why, name)
	}
}

// archive packs files, in order, as name and content.
func archive(t testing.TB, files ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}))
		_, err := io.WriteString(w, files[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestUnpackFindsThePluginInAnyFolder(t *testing.T) {
	for name, packed := range map[string][]byte{
		"alone":           archive(t, "plugin.wasm", "W"),
		"with a dot":      archive(t, "./plugin.wasm", "W"),
		"in a folder":     archive(t, "a/plugin.wasm", "W"),
		"after others":    archive(t, "runtime-config.json", "{}", "plugin.wasm", "W"),
		"before a second": archive(t, "plugin.wasm", "W", "x/plugin.wasm", "other"),
	} {
		got, err := unpack(packed)
		require.NoError(t, err, name)
		assert.Equal(t, "W", string(got), name)
	}
}

func TestUnpackRefusesWhatIsBroken(t *testing.T) {
	whole := archive(t, "plugin.wasm", "a plugin of some length")
	huge := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "plugin.wasm", Size: 1 << 40, Format: tar.FormatGNU}))
		z.Close()
		return b.Bytes()
	}()
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"not compressed": {[]byte("plugin"), "the layer is not compressed with gzip: "},
		"not an archive": {func() []byte {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write(bytes.Repeat([]byte("x"), 600))
			z.Close()
			return b.Bytes()
		}(), "the layer is not a sound tar archive: "},
		"without plugin":  {archive(t, "other.wasm", "W"), "no plugin in it: the layer holds no plugin.wasm"},
		"cut short":       {whole[:len(whole)-30], "plugin.wasm is cut short: "},
		"larger than all": {huge, "plugin.wasm has 1099511627776 bytes, more than the 268434944 that Envoy Gateway takes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpack(c.packed)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestAHostileSizeIsNotMadeRoomFor(t *testing.T) {
	for _, f := range []Found{{OCI, ocispec.Descriptor{Size: 1 << 60}}, {Compat, ocispec.Descriptor{Size: 1 << 60}}} {
		_, err := f.Plugin(t.Context(), memory.New())
		assert.ErrorContains(t, err, "the layer has 1152921504606846976 bytes, more than the ")
	}
	_, err := Open(t.Context(), memory.New(), ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Size: 1 << 60})
	assert.ErrorContains(t, err, "the manifest has 1152921504606846976 bytes, more than the 4194304 that registries take")
}

func TestOfAnIndexTheImageIsTakenThatIstioTakes(t *testing.T) {
	data, m := module(t)
	a, err := Build(OCI, of(data, m), Metadata{})
	require.NoError(t, err)
	s := store(t, a)
	for name, c := range map[string]struct {
		platform *ocispec.Platform
		found    bool
	}{
		"no platform": {nil, true},
		"linux/amd64": {&ocispec.Platform{OS: "linux", Architecture: "amd64"}, true},
		"linux/arm64": {&ocispec.Platform{OS: "linux", Architecture: "arm64"}, false},
		"wasip1/wasm": {&ocispec.Platform{OS: "wasip1", Architecture: "wasm"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			listed := a.Manifest.Descriptor
			listed.Platform = c.platform
			data, err := json.Marshal(ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{listed}})
			require.NoError(t, err)
			index := blob(ocispec.MediaTypeImageIndex, data)
			require.NoError(t, s.Push(t.Context(), index.Descriptor, bytes.NewReader(data)))
			got, err := Open(t.Context(), s, index.Descriptor)
			if !c.found {
				assert.ErrorIs(t, err, ErrNoPlugin)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, a.Manifest.Digest, got.Descriptor.Digest)
			assert.Equal(t, index.Digest, got.Index.Digest)
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, "plugin.wasm", "W"))
	f.Add(archive(f, "a/b", "", "x/plugin.wasm", "W"))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, packed []byte) {
		if plugin, err := unpack(packed); err == nil {
			assert.LessOrEqual(t, len(plugin), maxPackedPlugin)
		}
	})
}
