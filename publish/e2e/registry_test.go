package e2e

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/e2e/cncf/cncftest"
	"github.com/routelens/routelens/publish/internal/cli"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestMain(m *testing.M) { cncftest.Main(m) }

const user, password = cncftest.User, cncftest.Password

// distribution is the registry itself. It wants a password only when told.
func distribution(t testing.TB, withPassword bool) http.Handler {
	if withPassword {
		return cncftest.Registry(t, "registry")
	}
	return cncftest.Registry(t, "")
}

// serve puts a handler on a loopback port.
func serve(t testing.TB, handler http.Handler) (host string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
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
