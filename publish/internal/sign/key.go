// Package sign signs artifacts with a key pair, and checks signatures, in the two forms that cosign reads and writes: a simple signing
// payload under a tag made of the digest, and a Sigstore bundle that refers to the artifact. No transparency log and no certificate has a
// part in it.
package sign

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/cryptoutils/goodkey"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// What can be wrong with a key, for errors.Is.
var (
	ErrKeyFormat = errors.New("no such key")
	ErrPassword  = errors.New("the password is not the one that it was encrypted with, or the file is damaged")
)

// Key is a private key.
type Key struct {
	signer signature.Signer
	Public *PublicKey
}

// PublicKey is what signatures are checked with.
type PublicKey struct {
	verifiers []signature.Verifier // one for each way in which cosign uses a key of this kind
	der       []byte
}

// The forms of a private key that cosign writes, then and now.
const (
	sigstoreKey = "ENCRYPTED SIGSTORE PRIVATE KEY"
	cosignKey   = "ENCRYPTED COSIGN PRIVATE KEY"
	publicKey   = "PUBLIC KEY"
)

// ParseKey reads a private key as cosign generate-key-pair writes it. The password is asked for once it is known to be one.
func ParseKey(data []byte, password func() ([]byte, error)) (*Key, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("%w: it is not in PEM form", ErrKeyFormat)
	case block.Type == publicKey:
		return nil, fmt.Errorf("%w: it is a public key, which checks signatures; a private one makes them", ErrKeyFormat)
	case block.Type != sigstoreKey && block.Type != cosignKey:
		return nil, fmt.Errorf("%w: it is a %q, and an %q is wanted; cosign import-key-pair makes one of other private keys", ErrKeyFormat, block.Type, sigstoreKey)
	}
	secret, err := password()
	if err != nil {
		return nil, err
	}
	if secret == nil {
		secret = []byte{} // which sigstore would take as no encryption at all
	}
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(data, cryptoutils.StaticPasswordFunc(secret))
	if err != nil {
		return nil, ErrPassword // its own words are about JSON and boxes
	}
	return newKey(private)
}

func newKey(private crypto.PrivateKey) (*Key, error) {
	signer, err := signature.LoadSigner(private, crypto.SHA256) // as cosign verify checks each kind of key unless told otherwise
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	public, err := signer.PublicKey()
	if err != nil {
		return nil, err
	}
	checker, err := newPublicKey(public)
	return &Key{signer, checker}, err
}

// ParsePublicKey reads a public key as cosign generate-key-pair writes it.
func ParsePublicKey(data []byte) (*PublicKey, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("%w: it is not in PEM form", ErrKeyFormat)
	case block.Type == sigstoreKey || block.Type == cosignKey:
		return nil, fmt.Errorf("%w: it is a private key; its public one, such as cosign.pub, checks signatures", ErrKeyFormat)
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("%w: it is a %q, and no %s could be read of it", ErrKeyFormat, block.Type, publicKey)
	}
	return newPublicKey(key)
}

// newPublicKey refuses keys that are too weak. cosign sign uses the hash that goes with a curve's size and the prehashed form of Ed25519,
// and cosign verify expects neither.
func newPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	if err := goodkey.ValidatePubKey(key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
	}
	der, err := cryptoutils.MarshalPublicKeyToDER(key)
	if err != nil {
		return nil, err
	}
	p := &PublicKey{der: der}
	for _, load := range []func() (signature.Verifier, error){
		func() (signature.Verifier, error) {
			return signature.LoadDefaultVerifier(key, options.WithED25519ph())
		},
		func() (signature.Verifier, error) { return signature.LoadVerifier(key, crypto.SHA256) },
	} {
		verifier, err := load()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeyFormat, err)
		}
		p.verifiers = append(p.verifiers, verifier)
	}
	return p, nil
}

// Hint names the key, as bundles do: its SHA-256 in base64.
func (p *PublicKey) Hint() string {
	sum := sha256.Sum256(p.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// signed tells whether the key's owner signed a message.
func (p *PublicKey) signed(message, signature []byte) bool {
	for _, v := range p.verifiers {
		if v.VerifySignature(bytes.NewReader(signature), bytes.NewReader(message)) == nil {
			return true
		}
	}
	return false
}

func (k *Key) sign(message []byte) ([]byte, error) {
	return k.signer.SignMessage(bytes.NewReader(message))
}

// PEM is the key as publish verify and cosign verify read it.
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicKey, Bytes: k.der})
}

// Generate makes a key pair, as cosign generate-key-pair does: ECDSA on P-256, the private key encrypted.
func Generate(password []byte) (private, public []byte, err error) {
	if password == nil {
		password = []byte{} // sigstore would not encrypt at all
	}
	return cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), cryptoutils.StaticPasswordFunc(password))
}
