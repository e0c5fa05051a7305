package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/content/memory"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/publish/internal/wasm"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func module(t testing.TB) ([]byte, *wasm.Module) {
	data := wasmtest.Plugin().Bytes()
	m, err := wasm.Read(data)
	require.NoError(t, err)
	return data, m
}

// store puts an artifact into memory.
func store(t testing.TB, a *Artifact) *memory.Store {
	s := memory.New()
	for _, b := range append(a.Blobs, a.Manifest) {
		require.NoError(t, s.Push(t.Context(), b.Descriptor, bytes.NewReader(b.Bytes)))
	}
	return s
}

var everything = Metadata{
	Created: time.Unix(1700000000, 0), Source: "https://example.com/x", Revision: "abc", Version: "1.0", Licenses: "Apache-2.0", Description: "A plugin",
	Extra: map[string]string{"team": "edge", ocispec.AnnotationVersion: "2.0"},
}

// The golden files hold digests: they change only when an artifact does, which everyone who pushes again would notice.
func TestLayoutsAreAsTheyWere(t *testing.T) {
	data, m := module(t)
	for _, layout := range Layouts {
		for name, meta := range map[string]Metadata{"plain": {}, "annotated": everything} {
			t.Run(fmt.Sprint(layout, " ", name), func(t *testing.T) {
				a, err := Build(layout, of(data, m), meta)
				require.NoError(t, err)
				var text strings.Builder
				fmt.Fprintf(&text, "%s\n", a.Manifest.Digest)
				for _, b := range append([]Blob{a.Manifest}, a.Blobs...) {
					if !strings.HasSuffix(b.MediaType, "json") {
						continue
					}
					var indented bytes.Buffer
					require.NoError(t, json.Indent(&indented, b.Bytes, "", "  "))
					fmt.Fprintf(&text, "\n%s\n%s\n", b.MediaType, indented.String())
				}
				goldentest.Equal(t, fmt.Sprintf("testdata/%s-%s.txt", layout, name), text.String())
			})
		}
	}
}

func TestTheSameInputGivesTheSameDigest(t *testing.T) {
	data, m := module(t)
	for _, layout := range Layouts {
		first, err := Build(layout, of(data, m), everything)
		require.NoError(t, err)
		again, err := Build(layout, of(bytes.Clone(data), m), everything)
		require.NoError(t, err)
		assert.Equal(t, first, again)
		plain, err := Build(layout, of(data, m), Metadata{})
		require.NoError(t, err)
		assert.NotEqual(t, first.Manifest.Digest, plain.Manifest.Digest)
	}
}

func TestEachLayoutIsFoundByThoseItIsFor(t *testing.T) {
	data, m := module(t)
	for layout, want := range map[Layout][]string{
		OCI:    {"Istio", "Envoy Gateway"},
		Compat: {"Istio", "Envoy Gateway"},
		CNCF:   {"Wasm tools (CNCF layout)"},
	} {
		t.Run(string(layout), func(t *testing.T) {
			a, err := Build(layout, of(data, m), everything)
			require.NoError(t, err)
			s := store(t, a)
			manifest, err := Open(t.Context(), s, a.Manifest.Descriptor)
			require.NoError(t, err)
			var can []string
			for _, c := range Consumers {
				found, err := c.Find(&manifest.Manifest)
				if err != nil {
					continue
				}
				can = append(can, c.Name)
				assert.Equal(t, layout, found.Layout)
				plugin, err := found.Plugin(t.Context(), s)
				require.NoError(t, err)
				assert.Equal(t, data, plugin)
			}
			assert.Equal(t, want, can)
		})
	}
}

func TestOCIHasExactlyTwoLayersOfIstiosTypes(t *testing.T) {
	data, m := module(t)
	a, err := Build(OCI, of(data, m), Metadata{})
	require.NoError(t, err)
	var manifest ocispec.Manifest
	require.NoError(t, json.Unmarshal(a.Manifest.Bytes, &manifest))
	require.Len(t, manifest.Layers, 2)
	assert.Equal(t, "application/vnd.module.wasm.config.v1+json", manifest.Layers[0].MediaType)
	assert.Equal(t, "application/vnd.module.wasm.content.layer.v1+wasm", manifest.Layers[1].MediaType)
	assert.Equal(t, manifest.Config.Digest, manifest.Layers[0].Digest)
}

func TestAnUnknownLayoutIsRefused(t *testing.T) {
	data, m := module(t)
	_, err := Build("zip", of(data, m), Metadata{})
	assert.EqualError(t, err, `no layout "zip": there are oci, compat, cncf`)
	_, err = ParseFormat("zip")
	assert.EqualError(t, err, `no format "zip": there are oci, compat, both and cncf`)
	both, err := ParseFormat("both")
	require.NoError(t, err)
	assert.Equal(t, []Layout{OCI, Compat}, both)
}

func TestAPackedPluginCountsWithItsHeader(t *testing.T) {
	assert.NoError(t, Fits(OCI, wasm.MaxSize))
	assert.NoError(t, Fits(Compat, wasm.MaxSize-512))
	assert.EqualError(t, Fits(Compat, wasm.MaxSize-511), "it has 268434945 bytes, and the layout compat holds no more than 268434944")
}

func TestEpochIsWholeSecondsOrNothing(t *testing.T) {
	for text, want := range map[string]time.Time{"": {}, "0": time.Unix(0, 0).UTC(), "1700000000": time.Unix(1700000000, 0).UTC()} {
		got, err := Epoch(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"-1", "now", "1.5", "99999999999999"} {
		_, err := Epoch(text)
		assert.EqualError(t, err, fmt.Sprintf("SOURCE_DATE_EPOCH (%q) must be seconds since 1970, such as the output of git log -1 --format=%%ct", text))
	}
}

func TestAnAnnotationIsAKeyAndAValue(t *testing.T) {
	key, value, err := ParseAnnotation("a=b=c")
	require.NoError(t, err)
	assert.Equal(t, "a", key)
	assert.Equal(t, "b=c", value)
	for _, text := range []string{"", "a", "=b"} {
		_, _, err := ParseAnnotation(text)
		assert.EqualError(t, err, fmt.Sprintf("annotation %q must be key=value", text))
	}
}

// of is a plugin as it was read.
func of(data []byte, m *wasm.Module) Plugin {
	return Plugin{Bytes: data, Digest: digest.FromBytes(data), Module: m}
}
