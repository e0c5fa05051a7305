package sign

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/routelens/routelens/publish/internal/registry"
)

// Made says which forms of a signature were added. The other was there, by the same key.
type Made struct {
	Simple bool // under cosign's tag
	Bundle bool // as what refers to the artifact
}

// Sign signs a digest in both forms. What the key has signed already is not signed again; the signatures of others stay. Where two sign
// the same digest at the same moment, one signature under the tag may be lost, as with cosign: registries have no way to add to a tag.
func Sign(ctx context.Context, store *registry.Store, d ocispec.Descriptor, identity string, key *Key) (made Made, err error) {
	if made.Bundle, err = addBundle(ctx, store, d, key); err != nil {
		return made, err
	}
	made.Simple, err = addSimple(ctx, store, d, identity, key)
	return made, err
}

func addBundle(ctx context.Context, store *registry.Store, d ocispec.Descriptor, key *Key) (bool, error) {
	referrers, err := store.Referrers(ctx, d)
	if err != nil {
		return false, err
	}
	for _, r := range referrers {
		b := registry.Belongs{Descriptor: r}
		if r.ArtifactType != BundleType || !Signs(b) {
			continue
		}
		for _, f := range examine(ctx, store, b, d.Digest, key.Public) {
			if f.Err == nil && f.Type == BundleType {
				return false, nil
			}
		}
	}
	bundle, err := makeBundle(key, d.Digest)
	if err != nil {
		return false, fmt.Errorf("sign %s: %w", d.Digest, err)
	}
	_, added, err := registry.Refer(ctx, store, d, registry.Describe(BundleType, bundle), map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope",
		predicateKey:                  SignPredicate,
	})
	return added, err
}

// predicateKey is the annotation by which a list of referrers tells what is in a bundle.
const predicateKey = "dev.sigstore.bundle.predicateType"

func addSimple(ctx context.Context, store *registry.Store, d ocispec.Descriptor, identity string, key *Key) (bool, error) {
	tag := registry.CosignTag(d.Digest, "sig")
	payload := registry.Describe(SimpleType, simplePayload(identity, d.Digest))
	manifest, err := signatures(ctx, store, tag)
	if err != nil {
		return false, err
	}
	for _, l := range manifest.Layers {
		if l.MediaType != SimpleType || l.Digest != payload.Digest {
			continue // what verify would not find there
		}
		if s, err := readSimple(payload.Bytes, l.Annotations[signatureKey]); err == nil && s.by(key.Public) {
			return false, nil
		}
	}
	if len(manifest.Layers) >= maxSignatures {
		return false, fmt.Errorf("%s: tag %s holds %d signatures, and no more are looked at; nothing was changed there", store.Ref.Place(), tag, len(manifest.Layers))
	}
	signature, err := key.sign(payload.Bytes)
	if err != nil {
		return false, fmt.Errorf("sign %s: %w", d.Digest, err)
	}
	layer := payload.Descriptor
	layer.Annotations = map[string]string{signatureKey: base64.StdEncoding.EncodeToString(signature)}
	manifest.Layers = append(manifest.Layers, layer)
	config := configOf(manifest.Layers)
	manifest.Config = config.Descriptor
	data, err := json.Marshal(manifest)
	if err != nil {
		return false, err
	}
	_, err = registry.Push(ctx, store, []registry.Content{config, payload}, registry.Describe(ocispec.MediaTypeImageManifest, data), []string{tag})
	return err == nil, err
}

// signatures fetches the manifest under cosign's tag, or begins one.
func signatures(ctx context.Context, store *registry.Store, tag string) (m ocispec.Manifest, err error) {
	m = ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	d, there, err := store.Has(ctx, tag)
	if err != nil || !there {
		return m, err
	}
	if d.MediaType != ocispec.MediaTypeImageManifest {
		return m, fmt.Errorf("%s: tag %s holds %q, and signatures are kept there in %q; nothing was changed", store.Ref.Place(), tag, d.MediaType, ocispec.MediaTypeImageManifest)
	}
	data, err := store.Manifest(ctx, d)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s: tag %s holds no valid manifest: %w; nothing was changed", store.Ref.Place(), tag, err)
	}
	return m, nil
}

// configOf makes the config of an image with such layers, which is what cosign takes its signatures for.
func configOf(layers []ocispec.Descriptor) registry.Content {
	image := ocispec.Image{RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}}
	for _, l := range layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, l.Digest)
	}
	data, err := json.Marshal(image)
	if err != nil {
		panic(err) // digests can be marshalled
	}
	return registry.Describe(ocispec.MediaTypeImageConfig, data)
}

// by tells whether any of the signatures is the key's.
func (s *statement) by(key *PublicKey) bool {
	return slices.ContainsFunc(s.signatures, func(signature []byte) bool { return key.signed(s.message, signature) })
}
