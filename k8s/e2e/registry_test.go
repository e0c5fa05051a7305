//go:build istio || gateway

package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/publish/e2e/cncf/cncftest"
)

func TestMain(m *testing.M) { cncftest.Main(m) }

const user, password = cncftest.User, cncftest.Password

// registry is CNCF's Distribution on a loopback port.
type registry struct {
	host    string
	caFile  string // where it speaks TLS
	guarded bool
	asked   *atomic.Int64 // requests so far
	close   func()
}

// openRegistry speaks plain HTTP and asks nobody who they are.
func openRegistry(t testing.TB) registry {
	distribution, asked := cncftest.Registry(t, ""), new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		distribution.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return registry{host: strings.TrimPrefix(server.URL, "http://"), asked: asked, close: server.Close}
}

// openGuardedRegistry speaks TLS and wants a password. Its realm is a URL: both Istio and Envoy Gateway refuse any other.
func openGuardedRegistry(t testing.TB) registry {
	return openRegistryOfRealm(t, "https://registry.example.com/")
}

func openRegistryOfRealm(t testing.TB, realm string) registry {
	host, caFile := cncftest.ServeTLS(t, cncftest.Registry(t, realm))
	return registry{host: host, caFile: caFile, guarded: true}
}

// push is what a user does: publish. It gives the reference with the digest.
func (r registry) push(t testing.TB, file, ref string, flags ...string) (pinned string) {
	t.Helper()
	args := append([]string{"push", file, r.host + "/" + ref}, flags...)
	if r.caFile == "" {
		args = append(args, "--plain-http")
	} else {
		args = append(args, "--ca-file", r.caFile)
	}
	if r.guarded {
		args = append(args, "-u", user, "--password-stdin")
	}
	cmd := exec.CommandContext(t.Context(), needed(t, "ROUTELENS_PUBLISH"), args...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(password), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return strings.TrimSpace(string(out))
}

// credentials are a Docker configuration, as a pull secret holds it.
func (r registry) credentials(password string) string {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, r.host, auth)
}

// absentRegistry is an address that refuses connections.
func absentRegistry(t testing.TB) registry {
	host, err := lab.FreeAddress(0)
	require.NoError(t, err)
	return registry{host: host}
}

// hangingRegistry takes connections and never answers. asked gets a value for each.
func hangingRegistry(t testing.TB) (r registry, asked <-chan struct{}) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	connections := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			connections <- struct{}{}
		}
	}()
	return registry{host: listener.Addr().String()}, connections
}

// garbledRegistry answers everything with a web page, as a captive portal does.
func garbledRegistry(t testing.TB) registry {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><body>Please log in</body></html>")
	}))
	t.Cleanup(server.Close)
	return registry{host: strings.TrimPrefix(server.URL, "http://")}
}

// needed fails the test, never skips it, where a variable is missing.
func needed(t testing.TB, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make does", variable)
	return value
}

// artifact is the plugin.
func artifact(t testing.TB) string {
	file := needed(t, "ROUTELENS_WASM")
	require.FileExists(t, file, "from ROUTELENS_WASM; make plugin builds it")
	return file
}
