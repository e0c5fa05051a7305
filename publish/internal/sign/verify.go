package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/routelens/routelens/publish/internal/registry"
)

// Why a signature does not count, for errors.Is.
var (
	ErrUnsigned    = errors.New("there is no signature of it")
	ErrAnotherKey  = errors.New("made with another key")
	ErrNoMatch     = errors.New("it does not match this key: another one made it, or what it signs was changed since")
	ErrOtherDigest = errors.New("it is the signature of another digest")
	ErrUnreadable  = errors.New("it cannot be read")
)

// Finding is one signature, and whether it counts.
type Finding struct {
	Manifest digest.Digest // that holds it
	Tag      string        // of cosign's, if it is there
	Type     string        // SimpleType or BundleType
	Identity string        // that the signer gave the artifact; not checked
	Err      error         // why it does not count
}

// Signs tells whether what belongs to an artifact is a signature of a form that is read here.
func Signs(b registry.Belongs) bool {
	if b.Tag != "" {
		return strings.HasSuffix(b.Tag, ".sig")
	}
	switch b.ArtifactType {
	case "application/vnd.dev.cosign.artifact.sig.v1+json": // cosign with --registry-referrers-mode=oci-1-1
		return true
	case BundleType:
		predicate, said := b.Annotations[predicateKey]
		return !said || predicate == SignPredicate
	}
	return false
}

// Verify looks for signatures of d, and checks each. It is an error if none counts.
func Verify(ctx context.Context, store *registry.Store, d ocispec.Descriptor, key *PublicKey) ([]Finding, error) {
	belonging, err := registry.Belonging(ctx, store, d)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, b := range belonging {
		if Signs(b) {
			all = append(all, examine(ctx, store, b, d.Digest, key)...)
		}
	}
	if slices.ContainsFunc(all, func(f Finding) bool { return f.Err == nil }) {
		return all, nil
	}
	if err := ctx.Err(); err != nil {
		return all, store.Explain(err)
	}
	if len(all) == 0 {
		return nil, ErrUnsigned
	}
	var reasons []error
	for _, f := range all {
		reasons = append(reasons, f.Err)
	}
	return all, errors.Join(reasons...)
}

// maxSignatures is how many signatures in one manifest are looked at, as with cosign.
const maxSignatures = 1000

// maxSigned bounds what a signature is over. cosign's are a few hundred bytes.
const maxSigned = 1 << 20

// examine checks every signature in one manifest.
func examine(ctx context.Context, store *registry.Store, b registry.Belongs, wanted digest.Digest, key *PublicKey) []Finding {
	f := Finding{Manifest: b.Digest, Tag: b.Tag}
	var manifest ocispec.Manifest
	data, err := store.Manifest(ctx, b.Descriptor)
	if err == nil {
		if err = json.Unmarshal(data, &manifest); err != nil {
			err = fmt.Errorf("%w: its manifest is not valid JSON: %w", ErrUnreadable, err)
		}
	}
	if len(manifest.Layers) > maxSignatures {
		err = fmt.Errorf("%w: %d signatures in one manifest, and %d at most are looked at", ErrUnreadable, len(manifest.Layers), maxSignatures)
	}
	if err != nil {
		f.Err = err
		return []Finding{f}
	}
	var all []Finding
	for _, layer := range manifest.Layers {
		f.Type = layer.MediaType
		s, err := read(ctx, store, layer)
		if errors.Is(err, errOther) {
			continue
		}
		if f.Err, f.Identity = err, ""; err == nil {
			f.Err, f.Identity = s.check(wanted, key), s.identity
		}
		all = append(all, f)
	}
	return all
}

// read fetches one signature and what it is over.
func read(ctx context.Context, store *registry.Store, layer ocispec.Descriptor) (s *statement, err error) {
	if layer.MediaType != SimpleType && layer.MediaType != BundleType {
		return nil, errOther
	}
	if layer.Size > maxSigned {
		return nil, fmt.Errorf("%w: it has %d bytes, and %d at most are read", ErrUnreadable, layer.Size, maxSigned)
	}
	data, err := store.Blob(ctx, layer)
	if err != nil {
		return nil, err
	}
	if layer.MediaType == SimpleType {
		s, err = readSimple(data, layer.Annotations[signatureKey])
	} else {
		s, err = readBundle(data)
	}
	if err != nil && !errors.Is(err, errOther) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return s, err
}

// check tells why a signature does not count, if it does not. What it says of itself is believed only once the key has signed it.
func (s *statement) check(wanted digest.Digest, key *PublicKey) error {
	switch {
	case s.by(key) && slices.Contains(s.digests, wanted):
		return nil
	case s.by(key) && len(s.digests) == 0:
		return fmt.Errorf("%w: it names none", ErrOtherDigest)
	case s.by(key):
		return fmt.Errorf("%w, %s", ErrOtherDigest, s.digests[0])
	case s.hint != "" && s.hint != key.Hint():
		return ErrAnotherKey
	}
	return ErrNoMatch
}
