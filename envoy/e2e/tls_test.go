package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
)

func TestTLSAndTheClientsCertificateAreRecorded(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		dir := t.TempDir()
		authority := newCertificate(t, "authority", nil)
		files := &config.TLS{Certificate: filepath.Join(dir, "own.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem")}
		own := newCertificate(t, "entry", &authority)
		own.save(t, files.Certificate, files.Key)
		authority.save(t, files.ClientCA, "")
		s := open(t, standOptions{wasm: wasm, envoy: func(o *config.Options) { o.TLS = files }})

		roots := x509.NewCertPool()
		roots.AddCert(authority.Certificate)
		ada := newCertificate(t, "ada", &authority)
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{{Certificate: [][]byte{ada.Raw}, PrivateKey: ada.key}},
		}}}
		id := newID()
		entry := strings.Replace(s.Entry, "http://", "https://", 1)
		response, body := exchange(t, client, newRequest(t, "GET", entry+"/catalog", id, nil, nil))
		assert.Equal(t, "HTTP/2.0", response.Proto)
		assert.Contains(t, body, "lamp")
		says(t, s.record(t, id), map[string]string{
			"url.scheme": "https", "network.protocol.version": "2",
			"tls.protocol.version": "1.3", "tls.client.subject": "CN=ada,O=shop", "client.address": "127.0.0.1",
		})
	})
}

type certificate struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// newCertificate is signed by another, or by itself.
func newCertificate(t *testing.T, name string, by *certificate, identities ...string) certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"shop"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        by == nil, BasicConstraintsValid: true,
	}
	for _, identity := range identities {
		uri, err := url.Parse(identity)
		require.NoError(t, err)
		template.URIs = append(template.URIs, uri)
	}
	if by == nil {
		by = &certificate{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, &key.PublicKey, by.key)
	require.NoError(t, err)
	signed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return certificate{signed, key}
}

func (c certificate) save(t *testing.T, file, keyFile string) {
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o644))
	if keyFile == "" {
		return
	}
	der, err := x509.MarshalECPrivateKey(c.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
}
