package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/registry"
)

// signed makes a layout whose plugin, at tag 1, has a bill of materials that refers to it and a signature where cosign keeps one.
func signed(t testing.TB, file string) (layout string) {
	layout = "oci-layout:" + filepath.Join(t.TempDir(), "signed")
	_, hash, _ := strings.Cut(must(t, "", "push", file, layout+":1"), "@")
	client, err := registry.New(registry.Options{ConfigFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	ref, err := registry.Parse(layout + ":1")
	require.NoError(t, err)
	store, err := client.Open(ref, registry.Write)
	require.NoError(t, err)
	defer store.Close()
	plugin, err := store.Resolve(t.Context())
	require.NoError(t, err)
	content := described("application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
	put := func(c registry.Content) {
		_, err := store.Put(t.Context(), c.Descriptor, registry.Bytes(c.Bytes))
		require.NoError(t, err)
	}
	manifest := func(m ocispec.Manifest) registry.Content {
		m.Versioned, m.MediaType = specs.Versioned{SchemaVersion: 2}, ocispec.MediaTypeImageManifest
		m.Config, m.Layers = content.Descriptor, []ocispec.Descriptor{content.Descriptor}
		data, err := json.Marshal(m)
		require.NoError(t, err)
		return described(m.MediaType, data)
	}
	put(content)
	put(manifest(ocispec.Manifest{ArtifactType: "application/spdx+json", Subject: &plugin}))
	signature := manifest(ocispec.Manifest{})
	_, err = store.Point(t.Context(), registry.CosignTag(digest.Digest(hash), "sig"), signature.Descriptor, signature.Bytes)
	require.NoError(t, err)
	require.NoError(t, store.Commit())
	return layout
}

func described(mediaType string, data []byte) registry.Content {
	return registry.Content{Descriptor: ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, Bytes: data}
}

func TestSignaturesAndBillsOfMaterialsComeAlong(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	layout := signed(t, file)
	first, second := serve(t, distribution(t, false)), serve(t, distribution(t, false))
	must(t, "", "copy", layout+":1", first+"/a:1", "--plain-http")
	must(t, "", "copy", first+"/a:1", second+"/b", "--from-plain-http", "--plain-http")
	for _, ref := range []string{layout + ":1", first + "/a:1", second + "/b:1"} {
		assert.Equal(t, []int{1, 1}, belonging(t, ref), ref)
	}
}

// belonging counts signatures, and what else is attached.
func belonging(t testing.TB, ref string) []int {
	var report struct{ Signatures, Attached []any }
	require.NoError(t, json.Unmarshal([]byte(must(t, "", "inspect", ref, "-o", "json", "--plain-http")), &report))
	return []int{len(report.Signatures), len(report.Attached)}
}
