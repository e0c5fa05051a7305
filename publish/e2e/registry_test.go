package e2e

import (
	"bytes"
	"context"
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
	"github.com/routelens/routelens/publish/internal/cli"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestMain(m *testing.M) {
	logrus.SetOutput(io.Discard) // the registry's log
	log.SetOutput(io.Discard)
	for _, name := range []string{"SOURCE_DATE_EPOCH", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

const user, password = "ada", "correct-horse"

// distribution is the registry itself. It wants a password only when told.
func distribution(t testing.TB, withPassword bool) http.Handler {
	if withPassword {
		return guarded(t, "registry")
	}
	return guarded(t, "")
}

// guarded is a registry that wants a password, for what it calls its realm; without one it wants none.
func guarded(t testing.TB, realm string) http.Handler {
	var auth configuration.Auth
	if realm != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(user+":"+string(hash)+"\n"), 0o600))
		auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": realm, "path": file}}
	}
	app := cncf.Registry(t.TempDir(), auth)
	t.Cleanup(func() { app.Shutdown() })
	return app
}

// serve puts a handler on a loopback port.
func serve(t testing.TB, handler http.Handler) (host string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// serveTLS does so with TLS, and gives the file of the authority to trust.
func serveTLS(t testing.TB, handler http.Handler) (host, caFile string) {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, block, 0o600))
	return strings.TrimPrefix(server.URL, "https://"), caFile
}

// plugin writes a plugin of about the given size.
func plugin(t testing.TB, size int) (file string, data []byte) {
	m := wasmtest.Plugin()
	m.Padding = size
	data = m.Bytes()
	file = filepath.Join(t.TempDir(), "plugin.wasm")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file, data
}

// result is what a command did.
type result struct {
	code           int
	stdout, stderr string
}

// publish runs the command in this process, with a credentials file of its own.
func publish(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	return publishIn(t, context.Background(), stdin, args...)
}

func publishIn(t testing.TB, ctx context.Context, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	require.NotContains(t, stdout.String()+stderr.String(), password, "no output holds the password")
	return result{code, stdout.String(), stderr.String()}
}

// must is publish where it has to succeed; it gives standard output.
func must(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	r := publish(t, stdin, args...)
	require.Zero(t, r.code, "publish %s:\n%s", strings.Join(args, " "), r.stderr)
	return strings.TrimSpace(r.stdout)
}
