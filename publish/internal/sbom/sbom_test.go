package sbom

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/publish/internal/registry"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

const (
	cdx   = `{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{"type": "library", "name": "a"}, {"type": "library", "name": "b"}]}`
	spdx2 = `{"spdxVersion": "SPDX-2.2", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0", "name": "x", "documentNamespace": "https://example.com/x",
		"creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: x"]}, "packages": [{"SPDXID": "SPDXRef-a", "name": "a", "downloadLocation": "NONE"}]}`
)

func TestADocumentIsReadAsWhatItSaysItIs(t *testing.T) {
	for text, want := range map[string]Document{
		cdx:   {CycloneDXType, "CycloneDX 1.5", 2, []byte(cdx)},
		spdx2: {SPDXType, "SPDX 2.2", 1, []byte(spdx2)},
	} {
		d, err := Parse([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, *d)
	}
}

func TestWhatIsNoBillOfMaterialsSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		``:                                     "no bill of materials: it is not valid JSON: unexpected end of JSON input",
		`{} {}`:                                "no bill of materials: it is not valid JSON: invalid character '{' after top-level value",
		`[]`:                                   "no bill of materials: it is JSON, and no object",
		`{"bomFormat": 1}`:                     "no bill of materials: bomFormat must be a string",
		` <bom xmlns="x"/>`:                    "no bill of materials: it is XML, and JSON is wanted",
		"SPDXVersion: SPDX-2.3\n":              "no bill of materials: it is SPDX's tag-value form, and JSON is wanted",
		`{}`:                                   "no bill of materials: it has neither bomFormat, as CycloneDX, nor spdxVersion, as SPDX",
		`{"bomFormat": "", "spdxVersion": ""}`: "no bill of materials: it has bomFormat, as CycloneDX, and spdxVersion, as SPDX",
		`{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}`: "no bill of materials: it is SPDX 3, and up to 2.3 is read here",
		`{"bomFormat": "SPDX"}`:                          `no bill of materials: bomFormat is "SPDX", and must be "CycloneDX"`,
		`{"bomFormat": "CycloneDX"}`:                     "no bill of materials: specVersion is missing",
		`{"bomFormat": "CycloneDX", "specVersion": "9"}`: "no bill of materials: it cannot be read as CycloneDX: invalid specification version",
		`{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"type": "library", "name": "a"}, {"name": "b"}]}`: `no bill of materials: components[1] must have a name ("b") and a type ("")`,
		`{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": {}}`:                                                "no bill of materials: it cannot be read as CycloneDX: json: cannot unmarshal object into Go struct field BOM.components of type []cyclonedx.Component",
		`{"spdxVersion": "SPDX-1.2"}`:                          "no bill of materials: it cannot be read as SPDX: unsupported SDPX version: SPDX-1.2",
		strings.Replace(spdx2, `"name": "x"`, `"name": ""`, 1): "no bill of materials: name is missing",
		strings.Replace(spdx2, `"name": "a"`, `"nme": "a"`, 1): "no bill of materials: packages[0].name is missing",
	} {
		_, err := Parse([]byte(text))
		assert.ErrorIs(t, err, ErrNoSBOM)
		assert.EqualError(t, err, want, text)
	}
}

// built is a plugin with build information in it, as the Go linker writes it.
func built(info string) []byte {
	m := wasmtest.Plugin()
	return append(m.Bytes(), custom("x", string(infoStart)+info+string(infoEnd), "producers", producers)...)
}

const producers = "\x02\x08language\x01\x02Go\x08go1.26.8\x0cprocessed-by\x01\x0eGo cmd/compile\x08go1.26.8"

// custom makes custom sections of names and bodies.
func custom(pairs ...string) (all []byte) {
	for i := 0; i < len(pairs); i += 2 {
		body := append([]byte{byte(len(pairs[i]))}, pairs[i]+pairs[i+1]...)
		size := len(body)
		all = append(all, 0, byte(size)|0x80, byte(size>>7)|0x80, byte(size>>14))
		all = append(all, body...)
	}
	return all
}

const info = "path\texample.com/lens/plugin\nmod\texample.com/lens\t(devel)\t\n" +
	"dep\texample.com/a\tv1.0.0+incompatible\th1:Ag48cSOUCOq/sheSLXV3M4ZS0FOd4YMnY1N7FRoxGQY=\n" +
	"dep\texample.com/b\tv2.0.0\n=>\texample.com/fork\tv2.0.1\th1:DZmEzADnMIbThFXXslDgq9C0LCC/xzMrONm7iM77RM0=\n" +
	"dep\texample.com/c\tv3.0.0\n=>\t../c\t(devel)\t\n" +
	"build\tGOOS=wasip1\n"

var origin = Origin{"example.com/lens/plugin", Module{Path: "example.com/lens"}, []Module{
	{"example.com/a", "v1.0.0+incompatible", "h1:Ag48cSOUCOq/sheSLXV3M4ZS0FOd4YMnY1N7FRoxGQY="},
	{"example.com/fork", "v2.0.1", "h1:DZmEzADnMIbThFXXslDgq9C0LCC/xzMrONm7iM77RM0="},
	{"example.com/c", "v3.0.0", ""},
}}

func TestBuildInformationIsReadOutOfThePlugin(t *testing.T) {
	o, err := FromPlugin(built(info))
	require.NoError(t, err)
	assert.Equal(t, origin, *o)

	for name, plugin := range map[string][]byte{
		"none": wasmtest.Plugin().Bytes(), "cut short": []byte(string(infoStart) + info), "rubbish": built("mod\t\n"), "no module": built("path\tx\n"), "a module without a name": built("path\tx\nmod\tx\tv1\t\ndep\t\tv1\t\n"),
	} {
		_, err := FromPlugin(plugin)
		assert.ErrorIs(t, err, ErrNoBuildInfo, name)
	}
}

const goList = `{"ImportPath": "fmt", "Standard": true, "DepOnly": true}
{"ImportPath": "example.com/a/x", "DepOnly": true, "Module": {"Path": "example.com/a", "Version": "v1.0.0+incompatible", "Sum": "h1:Ag48cSOUCOq/sheSLXV3M4ZS0FOd4YMnY1N7FRoxGQY="}}
{"ImportPath": "example.com/a", "DepOnly": true, "Module": {"Path": "example.com/a", "Version": "v1.0.0+incompatible", "Sum": "h1:Ag48cSOUCOq/sheSLXV3M4ZS0FOd4YMnY1N7FRoxGQY="}}
{"ImportPath": "example.com/c", "DepOnly": true, "Module": {"Path": "example.com/c", "Version": "v3.0.0", "Replace": {"Path": "../c"}}}
{"ImportPath": "example.com/b", "DepOnly": true, "Module": {"Path": "example.com/b", "Version": "v2.0.0",
  "Replace": {"Path": "example.com/fork", "Version": "v2.0.1", "Sum": "h1:DZmEzADnMIbThFXXslDgq9C0LCC/xzMrONm7iM77RM0="}}}
{"ImportPath": "example.com/lens/plugin", "Module": {"Path": "example.com/lens", "Main": true}}
{"ImportPath": "example.com/lens/other", "DepOnly": true, "Module": {"Path": "example.com/lens", "Main": true}}
`

func TestGoListTellsTheSame(t *testing.T) {
	o, err := FromGoList([]byte(goList))
	require.NoError(t, err)
	assert.Equal(t, origin.Package, o.Package)
	assert.Equal(t, origin.Main, o.Main)
	assert.ElementsMatch(t, origin.Modules, o.Modules, "each once")

	for text, want := range map[string]string{
		"":                                  "it lists no package of a main module: run go list -deps -json in the plugin's own folder",
		"{}":                                "value 1 is no package: it has no ImportPath; go list -deps -json prints them",
		`{"ImportPath": "x", "Module": {}}`: "value 1, x, has a module without a Path",
		"fmt":                               "value 1 is not valid JSON: invalid character 'm' in literal false (expecting 'a')",
		`{"ImportPath": "x"} {"ImportPath": "example.com/a", "Module": {"Path": "example.com/a"}}`: "it lists no package of a main module: run go list -deps -json in the plugin's own folder",
	} {
		_, err := FromGoList([]byte(text))
		assert.EqualError(t, err, want)
	}
}

func TestABillOfMaterialsIsMade(t *testing.T) {
	about := About{Plugin: built(info), Version: "1.2", Created: time.Unix(1700000000, 0), Maker: "v1"}
	d, err := Make(&origin, about)
	require.NoError(t, err)
	goldentest.Equal(t, filepath.Join("testdata", "made.cdx.json"), string(d.Bytes))
	assert.Equal(t, "CycloneDX 1.6", d.Format)
	assert.Equal(t, 4, d.Parts, "the modules and the standard library")
	again, err := Make(&origin, about)
	require.NoError(t, err)
	assert.Equal(t, string(d.Bytes), string(again.Bytes))

	about.Created, about.Version = time.Time{}, ""
	d, err = Make(&origin, about)
	require.NoError(t, err)
	assert.NotContains(t, string(d.Bytes), "timestamp")
}

func TestItIsAttachedOnce(t *testing.T) {
	client, err := registry.New(registry.Options{ConfigFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	ref, err := registry.Parse("oci-layout:" + t.TempDir() + ":1")
	require.NoError(t, err)
	store, err := client.Open(ref, registry.Write)
	require.NoError(t, err)
	defer store.Close()
	plugin := registry.Describe(ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2}`))
	_, err = store.Point(t.Context(), "1", plugin.Descriptor, plugin.Bytes)
	require.NoError(t, err)
	d, err := Parse([]byte(cdx))
	require.NoError(t, err)

	attached, sent, err := Attach(t.Context(), store, plugin.Descriptor, d)
	require.NoError(t, err)
	assert.True(t, sent)
	again, sent, err := Attach(t.Context(), store, plugin.Descriptor, d)
	require.NoError(t, err)
	assert.False(t, sent)
	assert.Equal(t, attached, again)

	referrers, err := store.Referrers(t.Context(), plugin.Descriptor)
	require.NoError(t, err)
	require.Len(t, referrers, 1)
	assert.Equal(t, CycloneDXType, referrers[0].ArtifactType)
	data, err := store.Manifest(t.Context(), attached)
	require.NoError(t, err)
	var m ocispec.Manifest
	require.NoError(t, json.Unmarshal(data, &m))
	assert.Equal(t, digest.FromString(cdx), m.Layers[0].Digest)
	assert.Equal(t, "sbom.cdx.json", m.Layers[0].Annotations[ocispec.AnnotationTitle])
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(cdx))
	f.Add([]byte(spdx2))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := Parse(data); err == nil {
			require.NotEmpty(t, d.MediaType)
			require.NotEmpty(t, d.Format)
		}
	})
}

func FuzzOrigin(f *testing.F) {
	f.Add([]byte(goList))
	f.Add(built(info))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func([]byte) (*Origin, error){FromPlugin, FromGoList} {
			o, err := read(data)
			if err != nil {
				continue
			}
			d, err := Make(o, About{Plugin: data})
			require.NoError(t, err, "what was read can be written")
			require.GreaterOrEqual(t, d.Parts, len(o.Modules))
		}
	})
}
