package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/registry"
)

// keys makes a key pair, whose password no output may hold either.
func keys(t testing.TB) (private, public string) {
	t.Setenv("COSIGN_PASSWORD", password)
	prefix := filepath.Join(t.TempDir(), "cosign")
	must(t, "", "keygen", "--output-key-prefix", prefix)
	return prefix + ".key", prefix + ".pub"
}

const spdx = `{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0", "name": "plugin", "documentNamespace": "https://example.com/plugin",
	"creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: test"]}}`

// signed makes a layout whose plugin, at tag 1, is signed and has a bill of materials.
func signed(t testing.TB, file string) (layout, public string) {
	private, public := keys(t)
	layout = "oci-layout:" + filepath.Join(t.TempDir(), "signed")
	must(t, "", "push", file, layout+":1")
	must(t, "", "sign", layout+":1", "--key", private)
	must(t, spdx, "attach", layout+":1", "--sbom", "-")
	return layout, public
}

// belonging is how many signatures and other things what signed made has.
var belonging = []int{2, 1}

func TestSignaturesAndBillsOfMaterialsComeAlong(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	layout, public := signed(t, file)
	first, second := serve(t, distribution(t, false)), serve(t, distribution(t, false))
	must(t, "", "copy", layout+":1", first+"/a:1", "--plain-http")
	must(t, "", "copy", first+"/a:1", second+"/b", "--from-plain-http", "--plain-http")
	for _, ref := range []string{layout + ":1", first + "/a:1", second + "/b:1"} {
		assert.Equal(t, belonging, counted(t, ref), ref)
		must(t, "", "verify", ref, "--key", public, "--plain-http")
	}
}

// counted counts signatures, and what else is attached.
func counted(t testing.TB, ref string) []int {
	var report struct{ Signatures, Attached []any }
	require.NoError(t, json.Unmarshal([]byte(must(t, "", "inspect", ref, "-o", "json", "--plain-http")), &report))
	return []int{len(report.Signatures), len(report.Attached)}
}

func TestSignaturesGoThereAndBackEachWay(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	private, public := keys(t)
	for _, s := range sides(t) {
		t.Run(s.name, func(t *testing.T) {
			ref := s.host + "/team/plugin:1"
			pinned := s.run(t, "push", file, ref)
			assert.Equal(t, pinned, s.run(t, "sign", ref, "--key", private))
			assert.Equal(t, pinned, s.run(t, "verify", ref, "--key", public))
			assert.Equal(t, pinned, s.run(t, "verify", pinned, "--key", public))
			s.run(t, "attach", ref, "--go-list", write(t, `{"ImportPath": "example.com/p", "Module": {"Path": "example.com/p", "Main": true}}`))
		})
	}
}

func write(t testing.TB, text string) string {
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, registry.ReplaceFile(file, []byte(text)))
	return file
}

// tampering stands before a registry and changes one byte of one content, whatever its digest.
type tampering struct {
	registry http.Handler
	with     digest.Digest
}

func (s *tampering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || s.with == "" {
		s.registry.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.registry.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	if digest.FromBytes(body) == s.with {
		body[len(body)/2] ^= 1
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(body)
}

func TestAChangedByteIsRefused(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	private, public := keys(t)
	s := &tampering{registry: distribution(t, false)}
	host := serve(t, s)
	ref := host + "/team/plugin:1"
	pinned := must(t, "", "push", file, ref, "--plain-http")
	must(t, "", "sign", ref, "--key", private, "--plain-http")
	store := opened(t, ref)
	plugin, err := store.Resolve(t.Context())
	require.NoError(t, err)
	all, err := registry.Belonging(t.Context(), store, plugin)
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, one := range all {
		what, left := "the bundle", "signature under cosign's tag"
		if one.Tag != "" {
			what, left = left, "bundle"
		}
		t.Run(what, func(t *testing.T) {
			for _, changed := range []digest.Digest{one.Digest, layerOf(t, store, one.Descriptor).Digest} {
				s.with = changed
				r := publish(t, "", "verify", ref, "--key", public, "--plain-http")
				s.with = ""
				require.Zero(t, r.code, "the other one is good")
				assert.Contains(t, r.stderr, "what came does not match its digest")
				assert.Regexp(t, "(?m)"+left+".*: good", r.stderr)
			}
		})
	}
	s.with = plugin.Digest
	r := publish(t, "", "pull", pinned, "-o", "-", "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "what came does not match its digest", "a plugin that was changed is noticed by whoever pulls it")
}

// opened opens what a reference names, past the command line.
func opened(t testing.TB, name string) *registry.Store {
	client, err := registry.New(registry.Options{PlainHTTP: true, ConfigFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	ref, err := registry.Parse(name)
	require.NoError(t, err)
	store, err := client.Open(ref, registry.Write)
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

func layerOf(t testing.TB, store *registry.Store, d ocispec.Descriptor) ocispec.Descriptor {
	return manifestAt(t, store, d).Layers[0]
}

func manifestAt(t testing.TB, store *registry.Store, d ocispec.Descriptor) (m ocispec.Manifest) {
	data, err := store.Manifest(t.Context(), d)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &m))
	return m
}

// forgeries are what somebody who may write to the registry, and has no key, could do for a plugin that was never signed.
var forgeries = map[string]func(t testing.TB, store *registry.Store, from, to digest.Digest){
	"the signature of another": func(t testing.TB, store *registry.Store, from, to digest.Digest) {
		repoint(t, store, from, to, func(*ocispec.Manifest) {})
	},
	"another payload under a signature": func(t testing.TB, store *registry.Store, from, to digest.Digest) {
		repoint(t, store, from, to, func(m *ocispec.Manifest) {
			old, err := store.Blob(t.Context(), m.Layers[0])
			require.NoError(t, err)
			payload := registry.Describe(m.Layers[0].MediaType, []byte(strings.ReplaceAll(string(old), from.String(), to.String())))
			_, err = store.Put(t.Context(), payload.Descriptor, registry.Bytes(payload.Bytes))
			require.NoError(t, err)
			m.Layers[0].Digest, m.Layers[0].Size = payload.Digest, payload.Size
		})
	},
	"another signature over a payload": func(t testing.TB, store *registry.Store, from, to digest.Digest) {
		repoint(t, store, from, to, func(m *ocispec.Manifest) {
			const key = "dev.cosignproject.cosign/signature"
			text := []byte(m.Layers[0].Annotations[key])
			text[20] ^= 1
			m.Layers[0].Annotations[key] = string(text)
		})
	},
}

// repoint gives one digest the signatures of another, changed.
func repoint(t testing.TB, store *registry.Store, from, to digest.Digest, change func(*ocispec.Manifest)) {
	d, there, err := store.Has(t.Context(), registry.CosignTag(from, "sig"))
	require.NoError(t, err)
	require.True(t, there)
	m := manifestAt(t, store, d)
	change(&m)
	data, err := json.Marshal(m)
	require.NoError(t, err)
	c := registry.Describe(m.MediaType, data)
	_, err = store.Point(t.Context(), registry.CosignTag(to, "sig"), c.Descriptor, c.Bytes)
	require.NoError(t, err)
}

// forged is a registry with a plugin that is signed, and one that somebody without the key would like to pass for signed.
func forged(t testing.TB, private, host string, how func(t testing.TB, store *registry.Store, from, to digest.Digest)) (ref string) {
	good, _ := plugin(t, 1000)
	bad, _ := plugin(t, 2000)
	_, from, _ := strings.Cut(must(t, "", "push", good, host+"/team/plugin:1", "--plain-http"), "@")
	must(t, "", "sign", host+"/team/plugin:1", "--key", private, "--plain-http")
	pinned := must(t, "", "push", bad, host+"/team/plugin:1", "--plain-http")
	_, to, _ := strings.Cut(pinned, "@")
	how(t, opened(t, host+"/team/plugin:1"), digest.Digest(from), digest.Digest(to))
	return pinned
}

func TestForgeriesAreRefused(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	private, public := keys(t)
	for name, how := range forgeries {
		t.Run(name, func(t *testing.T) {
			ref := forged(t, private, serve(t, distribution(t, false)), how)
			r := publish(t, "", "verify", ref, "--key", public, "--plain-http")
			assert.Equal(t, 1, r.code)
			assert.Empty(t, r.stdout)
			assert.Contains(t, r.stderr, "not verified")
		})
	}
}

func TestASignatureIsOfADigestNotOfATag(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	private, public := keys(t)
	ref := serve(t, distribution(t, false)) + "/team/plugin:1"
	old, _ := plugin(t, 1000)
	next, _ := plugin(t, 2000)
	pinned := must(t, "", "push", old, ref, "--plain-http")
	must(t, "", "sign", ref, "--key", private, "--plain-http")
	must(t, "", "push", next, ref, "--plain-http")
	r := publish(t, "", "verify", ref, "--key", public, "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "there is no signature of it")
	_, d, _ := strings.Cut(pinned, "@")
	r = publish(t, "", "verify", ref+"@"+d, "--key", public, "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "the tag was moved, and points at sha256:")
	assert.Equal(t, pinned, must(t, "", "verify", pinned, "--key", public, "--plain-http"))
}
