package sign

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"google.golang.org/protobuf/encoding/protojson"
)

// The forms of a signature, by the media types of what holds them.
const (
	SimpleType = "application/vnd.dev.cosign.simplesigning.v1+json"
	BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

const (
	signatureKey  = "dev.cosignproject.cosign/signature" // the annotation of a simple payload
	statementType = "https://in-toto.io/Statement/v1"
	payloadType   = "application/vnd.in-toto+json"
	// SignPredicate is what cosign calls a statement that says nothing but: this is signed.
	SignPredicate = "https://sigstore.dev/cosign/sign/v1"
)

// errOther says that something is sound and no signature, such as an attestation.
var errOther = errors.New("not a signature")

// statement is what was signed, and with what.
type statement struct {
	message    []byte // that the signatures are over
	signatures [][]byte
	hint       string // of the key, if it is said
	digests    []digest.Digest
	identity   string // that the signer gave the artifact, if any
}

// simplePayload names a digest, in the form that containers/image and cosign share. identity is the repository, or whatever whoever
// checks it expects there.
func simplePayload(identity string, d digest.Digest) []byte {
	data, err := json.Marshal(payload.SimpleContainerImage{Critical: payload.Critical{
		Identity: payload.Identity{DockerReference: identity},
		Image:    payload.Image{DockerManifestDigest: d.String()},
		Type:     payload.CosignSignatureType,
	}})
	if err != nil {
		panic(err) // three strings can be marshalled
	}
	return data
}

// readSimple reads a payload and the annotation that holds its signature.
func readSimple(data []byte, annotation string) (*statement, error) {
	signature, err := base64.StdEncoding.DecodeString(annotation)
	if err != nil || len(signature) == 0 {
		return nil, fmt.Errorf("its annotation %s holds no signature in base64", signatureKey)
	}
	var image payload.SimpleContainerImage
	if err := json.Unmarshal(data, &image); err != nil {
		return nil, fmt.Errorf("its payload is not valid JSON: %w", err)
	}
	if image.Critical.Type != payload.CosignSignatureType {
		return nil, fmt.Errorf("its payload's critical.type is %q, and must be %q", image.Critical.Type, payload.CosignSignatureType)
	}
	d, err := digest.Parse(image.Critical.Image.DockerManifestDigest)
	if err != nil {
		return nil, fmt.Errorf("its payload names the digest %q, which is none", image.Critical.Image.DockerManifestDigest)
	}
	return &statement{data, [][]byte{signature}, "", []digest.Digest{d}, image.Critical.Identity.DockerReference}, nil
}

// inToto is a statement of in-toto, as far as it is used here.
type inToto struct {
	Type          string          `json:"_type"`
	Subject       []inTotoSubject `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     struct{}        `json:"predicate"`
}

type inTotoSubject struct {
	Digest map[string]string `json:"digest"`
}

// makeBundle signs a digest in a bundle, with the key's name in it.
func makeBundle(key *Key, d digest.Digest) ([]byte, error) {
	text, err := json.Marshal(inToto{
		Type:          statementType,
		Subject:       []inTotoSubject{{map[string]string{d.Algorithm().String(): d.Encoded()}}},
		PredicateType: SignPredicate,
	})
	if err != nil {
		return nil, err
	}
	return seal(key, text)
}

// seal signs a statement.
func seal(key *Key, text []byte) ([]byte, error) {
	signature, err := key.sign(authenticated(payloadType, text))
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(&bundlepb.Bundle{
		MediaType: BundleType,
		VerificationMaterial: &bundlepb.VerificationMaterial{Content: &bundlepb.VerificationMaterial_PublicKey{
			PublicKey: &commonpb.PublicKeyIdentifier{Hint: key.Public.Hint()},
		}},
		Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
			Payload: text, PayloadType: payloadType, Signatures: []*dssepb.Signature{{Sig: signature}},
		}},
	})
}

// authenticated is what DSSE signs: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. The library for it would bring
// SSH along.
func authenticated(payloadType string, text []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(text), text)
}

// readBundle reads a bundle. Attestations come in bundles too: they are errOther.
func readBundle(data []byte) (*statement, error) {
	var b bundlepb.Bundle
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &b); err != nil {
		return nil, errors.New("it is no Sigstore bundle in JSON")
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil || envelope.PayloadType != payloadType {
		return nil, fmt.Errorf("%w: it holds no statement of in-toto", errOther)
	}
	var text inToto
	if err := json.Unmarshal(envelope.Payload, &text); err != nil {
		return nil, fmt.Errorf("its statement cannot be read: %w", err)
	}
	if text.PredicateType != SignPredicate {
		return nil, fmt.Errorf("%w: it is an attestation, %s", errOther, text.PredicateType)
	}
	s := &statement{message: authenticated(payloadType, envelope.Payload), hint: b.GetVerificationMaterial().GetPublicKey().GetHint()}
	for _, one := range envelope.Signatures {
		s.signatures = append(s.signatures, one.GetSig())
	}
	for _, subject := range text.Subject {
		for algorithm, hex := range subject.Digest {
			if d := digest.NewDigestFromEncoded(digest.Algorithm(algorithm), hex); d.Validate() == nil {
				s.digests = append(s.digests, d)
			}
		}
	}
	return s, nil
}
