package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/content/memory"
)

// manifestOf makes a manifest that differs by its annotation, about a subject if there is one.
func manifestOf(t testing.TB, note string, about *ocispec.Descriptor) Content {
	m := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, Config: aBlob.Descriptor, Layers: []ocispec.Descriptor{aBlob.Descriptor},
		Subject: about, Annotations: map[string]string{"note": note},
	}
	if about != nil {
		m.ArtifactType = "application/spdx+json"
	}
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	require.NoError(t, err)
	return contentOf(ocispec.MediaTypeImageManifest, string(data))
}

func places(t testing.TB) map[string]string {
	dir := t.TempDir()
	return map[string]string{"folder": "oci-layout:" + filepath.Join(dir, "a", "dist"), "archive": "oci-archive:" + filepath.Join(dir, "dist.tar")}
}

func TestLayoutsKeepWhatIsCommitted(t *testing.T) {
	first, second := manifestOf(t, "first", nil), manifestOf(t, "second", nil)
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{})
			s := open(t, c, place+":1", Write)
			_, err := Push(t.Context(), s, []Content{aBlob}, first, []string{"1", "latest"})
			require.NoError(t, err)
			require.NoError(t, s.Commit())
			require.NoError(t, s.Close())

			s = open(t, c, place+":1", Write)
			_, err = Push(t.Context(), s, []Content{aBlob}, second, []string{"1"})
			require.NoError(t, err)
			require.NoError(t, s.Close(), "without a commit")
			assert.Equal(t, first.Digest, resolved(t, c, place+":1"))

			s = open(t, c, place+":1", Write)
			sent, err := Push(t.Context(), s, []Content{aBlob}, second, []string{"1"})
			require.NoError(t, err)
			assert.Equal(t, Sent{Tags: 1}, sent, "the blob was there")
			require.NoError(t, s.Commit())
			require.NoError(t, s.Close())
			assert.Equal(t, second.Digest, resolved(t, c, place+":1"))
			assert.Equal(t, first.Digest, resolved(t, c, place+":latest"))
			assert.Equal(t, first.Digest, resolved(t, c, place+"@"+first.Digest.String()))

			var tags []string
			require.NoError(t, open(t, c, place, Read).Tags(t.Context(), func(page []string) error { tags = append(tags, page...); return nil }))
			assert.Equal(t, []string{"1", "latest"}, tags)
			_, err = open(t, c, place+":2", Read).Resolve(t.Context())
			assert.ErrorIs(t, err, ErrNoTag)
			leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(open(t, c, place, Read).Ref.Path), ".*"))
			require.NoError(t, err)
			assert.Empty(t, leftovers)
		})
	}
}

func resolved(t testing.TB, c *Client, ref string) digest.Digest {
	d, err := open(t, c, ref, Read).Resolve(t.Context())
	require.NoError(t, err)
	return d.Digest
}

func TestTheSameContentGivesTheSameArchive(t *testing.T) {
	write := func(order ...string) []byte {
		file := filepath.Join(t.TempDir(), "x.tar")
		for range 2 { // the second time it is all there
			s := open(t, client(t, Options{}), "oci-archive:"+file, Write)
			_, err := Push(t.Context(), s, []Content{aBlob}, aManifest, order)
			require.NoError(t, err)
			require.NoError(t, s.Commit())
			require.NoError(t, s.Close())
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		return data
	}
	assert.True(t, bytes.Equal(write("a", "b"), write("a", "b")))
}

func TestWhatIsNoLayoutIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "not.tar"), []byte("not a tar file, and long enough to be looked at"), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bad"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad", "oci-layout"), []byte(`{"imageLayoutVersion":"9"}`), 0o600))
	for ref, want := range map[string]string{
		"oci-layout:" + dir + "/none":      ": cannot open it: no OCI image layout (not a layout: it has no file oci-layout)\npublish push or publish copy makes one.",
		"oci-layout:" + dir + "/bad":       ": cannot open it: no OCI image layout (not a layout: its file oci-layout does not say version 1.0.0)\npublish push or publish copy makes one.",
		"oci-archive:" + dir + "/none.tar": ": cannot open it: no OCI image layout (not a layout: there is no such file)\npublish push or publish copy makes one.",
		"oci-archive:" + dir + "/not.tar":  ": cannot open it: no OCI image layout (not a layout: it is not a sound tar archive (a compressed one must be unpacked first): unexpected EOF)\npublish push or publish copy makes one.",
	} {
		r, err := Parse(ref)
		require.NoError(t, err)
		_, err = client(t, Options{}).Open(r, Read)
		assert.EqualError(t, err, ref+want)
		assert.ErrorIs(t, err, ErrNoLayout)
	}
}

func TestADamagedBlobIsNotCopiedOn(t *testing.T) {
	dir := t.TempDir()
	c := client(t, Options{})
	s := open(t, c, "oci-layout:"+dir+":1", Write)
	_, err := Push(t.Context(), s, []Content{aBlob}, aManifest, []string{"1"})
	require.NoError(t, err)
	require.NoError(t, s.Commit())
	blob := filepath.Join(dir, "blobs", "sha256", aBlob.Digest.Encoded())
	require.NoError(t, os.Chmod(blob, 0o600))
	require.NoError(t, os.WriteFile(blob, []byte("a blip"), 0o600))
	_, _, err = Copy(t.Context(), open(t, c, "oci-layout:"+dir+":1", Read), Over(Reference{Host: "memory", Repository: "p", Tag: "1"}, memory.New()))
	assert.ErrorIs(t, err, ErrDigest)
	assert.ErrorContains(t, err, "oci-layout:"+dir+": cannot read tag 1: what came does not match its digest")
}

func TestReferrersOfALayoutAreFound(t *testing.T) {
	sbom := manifestOf(t, "sbom", &aManifest.Descriptor)
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			c := client(t, Options{})
			s := open(t, c, place+":1", Write)
			_, err := Push(t.Context(), s, []Content{aBlob}, aManifest, []string{"1"})
			require.NoError(t, err)
			_, err = s.Put(t.Context(), sbom.Descriptor, Bytes(sbom.Bytes))
			require.NoError(t, err)
			require.NoError(t, s.Commit())
			require.NoError(t, s.Close())
			found, err := open(t, c, place+":1", Read).Referrers(context.Background(), aManifest.Descriptor)
			require.NoError(t, err)
			want := sbom.Descriptor
			want.ArtifactType, want.Annotations = "application/spdx+json", map[string]string{"note": "sbom"}
			assert.Equal(t, []ocispec.Descriptor{want}, found)
		})
	}
}
