// Package cncftest puts CNCF's Distribution on loopback ports, for tests.
package cncftest

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/routelens/routelens/publish/e2e/cncf"
)

// User and Password are whom a registry that wants a password lets in.
const User, Password = "ada", "correct-horse"

// Main runs a package's tests without the registry's log, and with nothing in the environment that changes what is pushed, or how.
func Main(m *testing.M) {
	logrus.SetOutput(io.Discard)
	log.SetOutput(io.Discard)
	for _, name := range []string{"SOURCE_DATE_EPOCH", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// Registry wants a password, for what it calls its realm; without a realm it wants none.
func Registry(t testing.TB, realm string) http.Handler {
	var auth configuration.Auth
	if realm != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(User+":"+string(hash)+"\n"), 0o600))
		auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": realm, "path": file}}
	}
	app := cncf.Registry(t.TempDir(), auth)
	t.Cleanup(func() { app.Shutdown() })
	return app
}

// ServeTLS puts a handler on a loopback port, with TLS, and gives the file of the authority to trust.
func ServeTLS(t testing.TB, handler http.Handler) (host, caFile string) {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, block, 0o600))
	return strings.TrimPrefix(server.URL, "https://"), caFile
}
