//go:build istio

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pki is a mesh's: istiod and proxies know each other by it. istiod gives secrets to nobody else.
type pki struct {
	dir    string // ca.crt, istiod.crt and istiod.key
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

const istiodName = "istiod.istio-system.svc"

func newPKI(t testing.TB) *pki {
	p := &pki{dir: t.TempDir()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "mesh"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	p.ca, p.key = p.sign(t, template, p.dir, "ca.crt", "ca.key")
	p.sign(t, &x509.Certificate{DNSNames: []string{istiodName}}, p.dir, "istiod.crt", "istiod.key")
	return p
}

// workload writes what a proxy proves its identity with to a folder, under the names that pilot-agent looks for.
func (p *pki) workload(t testing.TB, dir, namespace, account string) {
	id := &url.URL{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/" + namespace + "/sa/" + account}
	p.sign(t, &x509.Certificate{URIs: []*url.URL{id}}, dir, "cert-chain.pem", "key.pem")
	root, err := os.ReadFile(filepath.Join(p.dir, "ca.crt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "root-cert.pem"), root, 0o600))
}

func (p *pki) sign(t testing.TB, template *x509.Certificate, dir, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p.serial++
	template.SerialNumber = big.NewInt(p.serial)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.KeyUsage |= x509.KeyUsageDigitalSignature
	parent, signer := p.ca, p.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return certificate, key
}
