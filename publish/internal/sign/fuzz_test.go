package sign

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzPayload(f *testing.F) {
	public := cosigns(f).Public
	f.Add(file(f, "simple-payload.json"), string(file(f, "simple-signature.txt")))
	f.Add([]byte(`{"critical": null}`), "c2ln")
	f.Fuzz(func(t *testing.T, payload []byte, signature string) {
		s, err := readSimple(payload, signature)
		if err == nil && s.check(simpleDigest, public) == nil {
			require.Equal(t, file(t, "simple-payload.json"), payload, "nothing else was signed")
		}
	})
}

func FuzzBundle(f *testing.F) {
	public := cosigns(f).Public
	f.Add(file(f, "bundle.json"))
	f.Add([]byte(`{"dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": "e30=", "signatures": [null]}}`))
	genuine, err := readBundle(file(f, "bundle.json"))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readBundle(data)
		if err == nil && s.check(bundleDigest, public) == nil {
			require.Equal(t, genuine.message, s.message, "nothing else was signed")
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add(file(f, "cosign.key"))
	f.Add(file(f, "cosign.pub"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := ParseKey(data, given("")); err == nil {
			require.NotEmpty(t, key.Public.Hint())
		}
		if key, err := ParsePublicKey(data); err == nil {
			block, _ := pem.Decode(data)
			require.False(t, bytes.Contains([]byte(block.Type), []byte("PRIVATE")))
			require.NotEmpty(t, key.Hint())
		}
	})
}
