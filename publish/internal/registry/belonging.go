package registry

import (
	"context"
	"encoding/json"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Belongs is an artifact that belongs to another: a signature, an attestation, a bill of materials.
type Belongs struct {
	ocispec.Descriptor
	Tag string // where cosign keeps it under a tag made of the digest; else it is a referrer
}

// cosignKinds are the endings of cosign's tags.
var cosignKinds = []string{"sig", "att", "sbom"}

// Belonging lists what belongs to d: its referrers, and what lies under cosign's tags.
func Belonging(ctx context.Context, from *Store, d ocispec.Descriptor) ([]Belongs, error) {
	referrers, err := from.Referrers(ctx, d)
	if err != nil {
		return nil, err
	}
	var all []Belongs
	for _, r := range referrers {
		all = append(all, Belongs{Descriptor: r})
	}
	for _, kind := range cosignKinds {
		tag := CosignTag(d.Digest, kind)
		found, there, err := from.Has(ctx, tag)
		if err != nil {
			return nil, err
		}
		if there {
			all = append(all, Belongs{found, tag})
		}
	}
	return all, nil
}

// CosignTag is the tag under which cosign keeps a digest's signatures (sig), attestations (att) or bill of materials (sbom).
func CosignTag(d digest.Digest, kind string) string {
	return d.Algorithm().String() + "-" + d.Encoded() + "." + kind
}

// subject is what a manifest refers to, if it does.
func subject(manifest []byte) *ocispec.Descriptor {
	var about struct{ Subject *ocispec.Descriptor }
	if json.Unmarshal(manifest, &about) != nil {
		return nil
	}
	return about.Subject
}
