package e2e

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// guard stands before a store: it speaks TLS alone, and lets in who shows the credential.
func guard(t *testing.T, store lab.LogStore, own certificate, credential string) (_ *httptest.Server, refused *atomic.Int64) {
	refused = &atomic.Int64{}
	way := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: store.Cluster().Address})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != credential {
			refused.Add(1)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		way.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: own.key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, refused
}

func TestASinkIsReachedByTLSWithACredential(t *testing.T) {
	const secret = "Bearer 4f0c-open-sesame"
	ways := map[string]func(t *testing.T, o *standOptions){
		"in a header of the configuration's": func(_ *testing.T, o *standOptions) {
			o.plugin = settings{"sink.headers": map[string]string{"authorization": secret}}
		},
		"of Envoy's cluster": func(t *testing.T, o *standOptions) {
			file := filepath.Join(t.TempDir(), "credential")
			require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
			change := o.envoy
			o.envoy = func(e *config.Options) { change(e); e.Sink.Credential = file }
		},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		dir := t.TempDir()
		authority := newCertificate(t, "authority", nil)
		authority.save(t, filepath.Join(dir, "ca.pem"), "")
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				store := startVictoriaLogs(t)
				server, refused := guard(t, store, newCertificate(t, "logs", &authority), secret)
				o := standOptions{wasm: wasm, logs: store, sink: server.Listener.Addr().String()}
				o.envoy = func(e *config.Options) { e.Sink.CA = filepath.Join(dir, "ca.pem") }
				way(t, &o)
				s := open(t, o)
				s.reconcile(t, s.load(t, lab.Load{Mix: lab.ShopMix(), Total: 100}))
				assert.Zero(t, refused.Load())
				envoys, err := os.ReadFile(s.Log)
				require.NoError(t, err)
				assert.NotContains(t, string(envoys), strings.TrimPrefix(secret, "Bearer "), "Envoy's log")
			})
		}
	})
}
