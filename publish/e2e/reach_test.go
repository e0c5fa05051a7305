package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAClientCertificateIsShown(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := httptest.NewUnstartedServer(distribution(t, false))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	cert := filepath.Join(dir, "cert.pem")
	file, _ := plugin(t, 100)
	ref := strings.TrimPrefix(server.URL, "https://") + "/p:1"
	must(t, "", "push", file, ref, "--ca-file", cert, "--cert-file", cert, "--key-file", filepath.Join(dir, "key.pem"))
	r := publish(t, "", "push", file, ref, "--ca-file", cert)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "it wants a client certificate")
}

func TestACredentialHelperIsAsked(t *testing.T) {
	host := serve(t, distribution(t, true))
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	helper := fmt.Sprintf("#!/bin/sh\necho '{\"Username\": %q, \"Secret\": %q}'\n", user, password)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-ours"), []byte(helper), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"credHelpers": {%q: "ours"}}`, host), 0o600))
	file, _ := plugin(t, 100)
	must(t, "", "push", file, host+"/p:1", "--plain-http")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-ours"), []byte("#!/bin/sh\necho locked; exit 1\n"), 0o700))
	r := publish(t, "", "push", file, host+"/p:2", "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, host+": cannot look for tag 2 of p: the credential helper failed (")
	assert.Contains(t, r.stderr, "locked")
}

func TestAProxyFromTheEnvironmentIsUsed(t *testing.T) {
	var asked []string
	registry := distribution(t, false)
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Host)
		if r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		registry.ServeHTTP(w, r)
	}))
	file, _ := plugin(t, 100)
	cmd := exec.Command(binary(t), "push", file, "registry.test/p:1", "--plain-http")
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir(), "HTTP_PROXY=http://"+user+":"+password+"@"+proxy)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, asked, "registry.test")

	cmd = exec.Command(cmd.Path, "push", file, "registry.test/p:2")
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+t.TempDir(), "HTTPS_PROXY=http://"+user+":"+password+"@127.0.0.1:1")
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "registry.test: cannot look for tag 2 of p: it cannot be reached (")
	assert.NotContains(t, string(out), password)
}
