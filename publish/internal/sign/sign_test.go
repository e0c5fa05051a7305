package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/registry"
)

// What is in testdata was written by cosign 3.1.3, with this password, for these digests.
const (
	testPassword = "swordfish"
	simpleDigest = digest.Digest("sha256:522e6f15585d442d122987a50c1ee6a92859745996663b163505875135c20c5a")
	bundleDigest = digest.Digest("sha256:31f4e4ab02aaeee004936a923208501893be1b7252f1a78c0a4a50b438d84f3d")
)

func file(t testing.TB, name string) []byte {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

func given(password string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(password), nil }
}

// cosigns is the key pair that cosign made. Its password takes a while, as it should.
func cosigns(t testing.TB) *Key {
	key, err := cosignsOnce()
	require.NoError(t, err)
	return key
}

var cosignsOnce = sync.OnceValues(func() (*Key, error) {
	data, err := os.ReadFile(filepath.Join("testdata", "cosign.key"))
	if err != nil {
		return nil, err
	}
	return ParseKey(data, given(testPassword))
})

func another(t testing.TB) *Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := newKey(private)
	require.NoError(t, err)
	return key
}

// stored is a store with something to sign.
func stored(t testing.TB, text string) (*registry.Store, ocispec.Descriptor) {
	client, err := registry.New(registry.Options{ConfigFile: filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	ref, err := registry.Parse("oci-layout:" + t.TempDir() + ":1")
	require.NoError(t, err)
	store, err := client.Open(ref, registry.Write)
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return store, add(t, store, text)
}

func add(t testing.TB, store *registry.Store, text string) ocispec.Descriptor {
	config := registry.Describe("application/x", []byte(text))
	data, err := json.Marshal(ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config.Descriptor, Layers: []ocispec.Descriptor{}})
	require.NoError(t, err)
	manifest := registry.Describe(ocispec.MediaTypeImageManifest, data)
	_, err = registry.Push(t.Context(), store, []registry.Content{config}, manifest, []string{"1"})
	require.NoError(t, err)
	return manifest.Descriptor
}

func TestWhatIsSignedIsVerified(t *testing.T) {
	store, d := stored(t, "plugin")
	key := cosigns(t)
	made, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	assert.Equal(t, Made{true, true}, made)

	public, err := ParsePublicKey(file(t, "cosign.pub"))
	require.NoError(t, err)
	found, err := Verify(t.Context(), store, d, public)
	require.NoError(t, err)
	require.Len(t, found, 2)
	for i, want := range []struct{ tag, form, identity string }{{"", BundleType, ""}, {registry.CosignTag(d.Digest, "sig"), SimpleType, "registry.example/p"}} {
		assert.Equal(t, want, struct{ tag, form, identity string }{found[i].Tag, found[i].Type, found[i].Identity})
		assert.NoError(t, found[i].Err)
	}
}

func TestSigningTwiceAddsNothing(t *testing.T) {
	store, d := stored(t, "plugin")
	key, other := cosigns(t), another(t)
	_, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	made, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	assert.Equal(t, Made{}, made)

	made, err = Sign(t.Context(), store, d, "registry.example/p", other)
	require.NoError(t, err)
	assert.Equal(t, Made{true, true}, made, "another key's is another signature")
	made, err = Sign(t.Context(), store, d, "elsewhere.example/p", key)
	require.NoError(t, err)
	assert.Equal(t, Made{Simple: true}, made, "a bundle names no repository")

	for key, good := range map[*Key]int{key: 3, other: 2} {
		found, err := Verify(t.Context(), store, d, key.Public)
		require.NoError(t, err)
		require.Len(t, found, 5, "none was lost")
		for _, f := range found {
			if f.Err == nil {
				good--
			}
		}
		assert.Zero(t, good)
	}
}

func TestTheSignaturesAreAnImageToCosign(t *testing.T) {
	store, d := stored(t, "plugin")
	for _, key := range []*Key{cosigns(t), another(t)} {
		_, err := Sign(t.Context(), store, d, "registry.example/p", key)
		require.NoError(t, err)
	}
	m, err := signatures(t.Context(), store, registry.CosignTag(d.Digest, "sig"))
	require.NoError(t, err)
	data, err := store.Blob(t.Context(), m.Config)
	require.NoError(t, err)
	var image ocispec.Image
	require.NoError(t, json.Unmarshal(data, &image))
	require.Len(t, m.Layers, 2)
	assert.Equal(t, []digest.Digest{m.Layers[0].Digest, m.Layers[1].Digest}, image.RootFS.DiffIDs)
}

func TestWhatIsNotSignedByTheKeyIsRefused(t *testing.T) {
	key := cosigns(t)
	for name, c := range map[string]struct {
		prepare func(store *registry.Store, d ocispec.Descriptor) error
		errs    []error
		says    string
	}{
		"there is no signature": {
			func(*registry.Store, ocispec.Descriptor) error { return nil },
			[]error{ErrUnsigned}, "there is no signature of it",
		},
		"another key made it": {
			func(store *registry.Store, d ocispec.Descriptor) error {
				_, err := Sign(context.Background(), store, d, "", another(t))
				return err
			},
			[]error{ErrAnotherKey, ErrNoMatch}, "made with another key\nit does not match this key: another one made it, or what it signs was changed since",
		},
		"it was made for another digest, and moved": {
			func(store *registry.Store, d ocispec.Descriptor) error {
				other := add(t, store, "another plugin")
				if _, err := Sign(context.Background(), store, other, "", key); err != nil {
					return err
				}
				return move(store, registry.CosignTag(other.Digest, "sig"), registry.CosignTag(d.Digest, "sig"))
			},
			[]error{ErrOtherDigest}, "it is the signature of another digest, sha256:",
		},
		"its payload was changed": {
			func(store *registry.Store, d ocispec.Descriptor) error {
				other := add(t, store, "another plugin")
				if _, err := Sign(context.Background(), store, other, "", key); err != nil {
					return err
				}
				return forge(store, registry.CosignTag(other.Digest, "sig"), registry.CosignTag(d.Digest, "sig"), simplePayload("", d.Digest))
			},
			[]error{ErrNoMatch}, "",
		},
		"an index is in its place": {
			func(store *registry.Store, d ocispec.Descriptor) error {
				index := registry.Describe(ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"layers":[]}`))
				_, err := store.Point(context.Background(), registry.CosignTag(d.Digest, "sig"), index.Descriptor, index.Bytes)
				return err
			},
			[]error{ErrUnsigned}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, d := stored(t, "plugin")
			require.NoError(t, c.prepare(store, d))
			_, err := Verify(t.Context(), store, d, key.Public)
			for _, want := range c.errs {
				assert.ErrorIs(t, err, want)
			}
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestASignatureUnderAnotherPayloadIsMadeAgain(t *testing.T) {
	store, d := stored(t, "plugin")
	key := cosigns(t)
	_, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	tag := registry.CosignTag(d.Digest, "sig")
	require.NoError(t, forge(store, tag, tag, simplePayload("elsewhere.example/p", d.Digest)))
	made, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	assert.Equal(t, Made{Simple: true}, made)
}

func TestALayerThatVerifyDoesNotReadIsNoSignature(t *testing.T) {
	store, d := stored(t, "plugin")
	key := cosigns(t)
	_, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	tag := registry.CosignTag(d.Digest, "sig")
	manifest, err := signatures(t.Context(), store, tag)
	require.NoError(t, err)
	manifest.Layers[0].MediaType = "text/plain"
	require.NoError(t, point(store, tag, manifest))
	made, err := Sign(t.Context(), store, d, "registry.example/p", key)
	require.NoError(t, err)
	assert.Equal(t, Made{Simple: true}, made)
}

func TestNoSignatureIsAddedThatVerifyWouldNotReach(t *testing.T) {
	store, d := stored(t, "plugin")
	tag := registry.CosignTag(d.Digest, "sig")
	require.NoError(t, point(store, tag, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: make([]ocispec.Descriptor, maxSignatures)}))
	_, err := Sign(t.Context(), store, d, "", cosigns(t))
	assert.EqualError(t, err, store.Ref.Place()+": tag "+tag+" holds 1000 signatures, and no more are looked at; nothing was changed there")
}

func TestWhatIsTooMuchIsNotRead(t *testing.T) {
	for want, layers := range map[string][]ocispec.Descriptor{
		"it cannot be read: it has 1048577 bytes, and 1048576 at most are read":              {{MediaType: SimpleType, Digest: simpleDigest, Size: maxSigned + 1}},
		"it cannot be read: 1001 signatures in one manifest, and 1000 at most are looked at": make([]ocispec.Descriptor, maxSignatures+1),
	} {
		store, d := stored(t, "plugin")
		require.NoError(t, point(store, registry.CosignTag(d.Digest, "sig"), ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: layers}))
		_, err := Verify(t.Context(), store, d, cosigns(t).Public)
		assert.ErrorIs(t, err, ErrUnreadable)
		assert.EqualError(t, err, want)
	}
}

func TestAPayloadThatRefersToTheArtifactIsFound(t *testing.T) {
	store, d := stored(t, "plugin")
	key := cosigns(t)
	_, err := addSimple(t.Context(), store, d, "", key)
	require.NoError(t, err)
	tag := registry.CosignTag(d.Digest, "sig")
	m, err := signatures(t.Context(), store, tag)
	require.NoError(t, err)
	m.Subject, m.ArtifactType = &d, "application/vnd.dev.cosign.artifact.sig.v1+json"
	require.NoError(t, point(store, "moved-away", m))
	require.NoError(t, point(store, tag, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest}))
	found, err := Verify(t.Context(), store, d, key.Public)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Empty(t, found[0].Tag)
}

// move points one tag at what another points at.
func move(store *registry.Store, from, to string) error {
	m, err := signatures(context.Background(), store, from)
	if err != nil {
		return err
	}
	return point(store, to, m)
}

func point(store *registry.Store, tag string, m ocispec.Manifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c := registry.Describe(m.MediaType, data)
	_, err = store.Point(context.Background(), tag, c.Descriptor, c.Bytes)
	return err
}

// forge puts another payload under a signature.
func forge(store *registry.Store, from, to string, payload []byte) error {
	m, err := signatures(context.Background(), store, from)
	if err != nil {
		return err
	}
	blob := registry.Describe(SimpleType, payload)
	if _, err := store.Put(context.Background(), blob.Descriptor, registry.Bytes(payload)); err != nil {
		return err
	}
	m.Layers[0].Digest, m.Layers[0].Size = blob.Digest, blob.Size
	return point(store, to, m)
}

func TestAnAttestationIsNoSignature(t *testing.T) {
	store, d := stored(t, "plugin")
	key := cosigns(t)
	statement, err := json.Marshal(inToto{Type: statementType, PredicateType: "https://cyclonedx.org/bom", Subject: []inTotoSubject{{map[string]string{"sha256": d.Digest.Encoded()}}}})
	require.NoError(t, err)
	bundle, err := seal(key, statement)
	require.NoError(t, err)
	_, _, err = registry.Refer(t.Context(), store, d, registry.Describe(BundleType, bundle), nil)
	require.NoError(t, err)
	_, err = Verify(t.Context(), store, d, key.Public)
	assert.ErrorIs(t, err, ErrUnsigned)
}

func TestWhatLiesUnderTheTagAlreadyIsNotOverwritten(t *testing.T) {
	store, d := stored(t, "plugin")
	tag := registry.CosignTag(d.Digest, "sig")
	index := registry.Describe(ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"manifests":[]}`))
	_, err := store.Point(t.Context(), tag, index.Descriptor, index.Bytes)
	require.NoError(t, err)
	_, err = Sign(t.Context(), store, d, "", cosigns(t))
	assert.EqualError(t, err, store.Ref.Place()+`: tag `+tag+` holds "application/vnd.oci.image.index.v1+json", and signatures are kept there in "application/vnd.oci.image.manifest.v1+json"; nothing was changed`)
	now, _, err := store.Has(t.Context(), tag)
	require.NoError(t, err)
	assert.Equal(t, index.Digest, now.Digest)
}

func TestCosignsOwnSignaturesAreRead(t *testing.T) {
	public, err := ParsePublicKey(file(t, "cosign.pub"))
	require.NoError(t, err)
	simple, err := readSimple(file(t, "simple-payload.json"), string(file(t, "simple-signature.txt")))
	require.NoError(t, err)
	assert.NoError(t, simple.check(simpleDigest, public))
	assert.Equal(t, simplePayload(simple.identity, simpleDigest), file(t, "simple-payload.json"), "ours is the same, byte for byte")
	bundle, err := readBundle(file(t, "bundle.json"))
	require.NoError(t, err)
	assert.NoError(t, bundle.check(bundleDigest, public))
	assert.Equal(t, public.Hint(), bundle.hint)

	assert.ErrorIs(t, simple.check(bundleDigest, public), ErrOtherDigest)
	assert.ErrorIs(t, bundle.check(simpleDigest, public), ErrOtherDigest)
}

func TestEachChangedByteIsNoticed(t *testing.T) {
	public, err := ParsePublicKey(file(t, "cosign.pub"))
	require.NoError(t, err)
	payload, signature := file(t, "simple-payload.json"), file(t, "simple-signature.txt")
	for i := range payload {
		changed := bytes.Clone(payload)
		changed[i] ^= 1
		if s, err := readSimple(changed, string(signature)); err == nil {
			assert.ErrorIs(t, s.check(simpleDigest, public), ErrNoMatch, "byte %d of the payload", i)
		}
	}
	for i := range signature[:len(signature)-2] { // the last letters of base64 have bits to spare
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		if s, err := readSimple(payload, string(changed)); err == nil {
			assert.ErrorIs(t, s.check(simpleDigest, public), ErrNoMatch, "byte %d of the signature", i)
		}
	}
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	const good = "c2ln"
	for want, c := range map[string]struct{ payload, signature string }{
		"its annotation dev.cosignproject.cosign/signature holds no signature in base64":    {`{}`, "%"},
		"its payload is not valid JSON: unexpected end of JSON input":                       {`{`, good},
		`its payload's critical.type is "", and must be "cosign container image signature"`: {`{}`, good},
		`its payload names the digest "md5:1", which is none`:                               {`{"critical": {"type": "cosign container image signature", "image": {"docker-manifest-digest": "md5:1"}}}`, good},
	} {
		_, err := readSimple([]byte(c.payload), c.signature)
		assert.EqualError(t, err, want)
	}
	for want, bundle := range map[string]string{
		"it is no Sigstore bundle in JSON":                     `[]`,
		"not a signature: it holds no statement of in-toto":    `{"messageSignature": {}}`,
		"its statement cannot be read: unexpected end of JSON": `{"dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": "ew=="}}`,
		"not a signature: it is an attestation, x":             `{"dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": "eyJwcmVkaWNhdGVUeXBlIjoieCJ9"}}`,
	} {
		_, err := readBundle([]byte(bundle))
		assert.ErrorContains(t, err, want)
	}
}

func TestKeysSayWhatIsWrongWithThem(t *testing.T) {
	private, public := file(t, "cosign.key"), file(t, "cosign.pub")
	_, err := ParseKey(private, given("secret-guess"))
	assert.ErrorIs(t, err, ErrPassword)
	assert.NotContains(t, err.Error(), "secret-guess")
	for want, data := range map[string]string{
		"no such key: it is not in PEM form":                                                 "x",
		"no such key: it is a public key, which checks signatures; a private one makes them": string(public),
		`no such key: it is a "PRIVATE KEY", and an "ENCRYPTED SIGSTORE PRIVATE KEY" is wanted; cosign import-key-pair makes one of other private keys`: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		_, err := ParseKey([]byte(data), func() ([]byte, error) { panic("no password is asked for") })
		assert.EqualError(t, err, want)
	}
	for want, data := range map[string]string{
		"no such key: it is not in PEM form":                                                      "x",
		"no such key: it is a private key; its public one, such as cosign.pub, checks signatures": string(private),
		`no such key: it is a "PUBLIC KEY", and no PUBLIC KEY could be read of it`:                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		_, err := ParsePublicKey([]byte(data))
		assert.EqualError(t, err, want)
	}
	_, err = ParseKey([]byte(strings.ReplaceAll(string(private), sigstoreKey, cosignKey)), given(testPassword))
	assert.NoError(t, err, "as cosign wrote it at first")
}

func TestAKeyPairFitsTogether(t *testing.T) {
	private, public, err := Generate([]byte("x"))
	require.NoError(t, err)
	key, err := ParseKey(private, given("x"))
	require.NoError(t, err)
	read, err := ParsePublicKey(public)
	require.NoError(t, err)
	assert.Equal(t, read.Hint(), key.Public.Hint())
	assert.Equal(t, string(public), string(key.Public.PEM()))
}

func TestAnEmptyPasswordEncryptsToo(t *testing.T) {
	private, _, err := Generate(nil)
	require.NoError(t, err)
	assert.Contains(t, string(private), sigstoreKey)
	_, err = ParseKey(private, given(""))
	assert.NoError(t, err)
	_, err = ParseKey(private, func() ([]byte, error) { return nil, nil })
	assert.NoError(t, err)
}

func TestEachWayOfUsingAKeyIsTaken(t *testing.T) {
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, private := range []crypto.Signer{large, edwards} {
		public, err := newPublicKey(private.Public())
		require.NoError(t, err)
		cosignSigns, err := signature.LoadDefaultSigner(private, options.WithED25519ph())
		require.NoError(t, err)
		cosignVerifies, err := signature.LoadSigner(private, crypto.SHA256)
		require.NoError(t, err)
		for _, signer := range []signature.Signer{cosignSigns, cosignVerifies} {
			made, err := signer.SignMessage(strings.NewReader("message"))
			require.NoError(t, err)
			assert.True(t, public.signed([]byte("message"), made))
			assert.False(t, public.signed([]byte("massage"), made))
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	_, err = newPublicKey(weak.Public())
	assert.ErrorIs(t, err, ErrKeyFormat)
}
