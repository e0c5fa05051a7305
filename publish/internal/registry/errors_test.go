package registry

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2/content"

	"github.com/routelens/routelens/publish/internal/registry/registrytest"
)

// quick gives up early, as tests do not wait.
var quick = Backoff{Retries: 1, First: time.Millisecond, Longest: time.Millisecond, Patience: time.Second}

// client has no credentials but those of the options.
func client(t testing.TB, o Options) *Client {
	if o.ConfigFile == "" {
		o.ConfigFile = filepath.Join(t.TempDir(), "config.json")
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = quick
	}
	c, err := New(o)
	require.NoError(t, err)
	return c
}

func open(t testing.TB, c *Client, ref string, access Access) *Store {
	r, err := Parse(ref)
	require.NoError(t, err)
	s, err := c.Open(r, access)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func contentOf(mediaType, text string) Content {
	return Content{ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(text), Size: int64(len(text))}, []byte(text)}
}

var (
	aBlob     = contentOf("application/x", "a blob")
	aManifest = contentOf(ocispec.MediaTypeImageManifest, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/x","digest":%q,"size":6},"layers":[]}`,
		ocispec.MediaTypeImageManifest, digest.FromString("a blob")))
)

func push(s *Store, tags ...string) error {
	_, err := Push(context.Background(), s, []Content{aBlob}, aManifest, tags)
	return err
}

// answer makes a hook that fails requests of a method whose path holds a part.
func answer(method, part string, status int, code, message string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, part) {
			return false
		}
		registrytest.Fail(w, status, code, message)
		return true
	}
}

func TestErrorsOfPushingSayWhatToDo(t *testing.T) {
	const login = "\nLog in with: publish login HOST (or --username and --password-stdin)."
	upload, tag := "HOST: cannot upload "+aBlob.Digest.String()+" to team/p: ", "HOST: cannot move tag 1.0 of team/p: "
	for name, c := range map[string]struct {
		hook  func(http.ResponseWriter, *http.Request) bool
		fault error
		want  string
	}{
		"unauthorized": {answer("POST", "", 401, "UNAUTHORIZED", "authentication required"), ErrUnauthorized,
			upload + "unauthorized (HTTP 401: authentication required)" + login},
		"unauthorized, with a challenge": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(401)
			return true
		}, ErrUnauthorized, "HOST: cannot look for tag 1.0 of team/p: unauthorized (HTTP 401: there are no credentials for it)" + login},
		"denied": {answer("POST", "", 403, "DENIED", "requested access to the resource is denied"), ErrDenied,
			upload + "denied (HTTP 403: requested access to the resource is denied)\nUse credentials that may do this in team/p; some registries answer so, too, where the repository must be created first."},
		"no such repository": {answer("POST", "", 404, "NAME_UNKNOWN", "The repository with name 'team/p' does not exist"), ErrNoRepository,
			upload + "no such repository (HTTP 404: The repository with name 'team/p' does not exist)\nCheck the name team/p. To push, create it first where the registry does not do so by itself."},
		"an immutable tag (by its words)": {answer("PUT", "/manifests/", 400, "TAG_INVALID", "The image tag '1.0' already exists in the 'p' repository and cannot be overwritten because the repository is immutable."), ErrImmutable,
			tag + "the tag may not be moved (HTTP 400: The image tag '1.0' already exists in the 'p' repository and cannot be overwritten because the repository is immutable.)\nPush under a new tag, or allow the tag to be moved in the registry's settings."},
		"an immutable tag (by its status)": {answer("PUT", "/manifests/", 412, "PRECONDITION", "Failed to process request"), ErrImmutable,
			tag + "the tag may not be moved (HTTP 412: Failed to process request)\nPush under a new tag, or allow the tag to be moved in the registry's settings."},
		"a digest that it finds wrong": {answer("PUT", "/uploads/", 400, "DIGEST_INVALID", "provided digest did not match uploaded content"), ErrDigest,
			upload + "what came does not match its digest (HTTP 400: provided digest did not match uploaded content)\n" + tampered},
		"its disk is full": {answer("PUT", "/uploads/", 507, "UNKNOWN", "no space left on device"), ErrDiskFull,
			upload + "the disk is full (HTTP 507: no space left on device)\nIt is the registry's: ask whoever runs it for room."},
		"too large": {answer("PUT", "/uploads/", 413, "SIZE_INVALID", ""), ErrTooLarge,
			upload + "too large for it (HTTP 413: SIZE_INVALID)\nRaise the limit for request bodies of the registry or of the proxy before it (nginx: client_max_body_size)."},
		"too many requests": {answer("POST", "", 429, "TOOMANYREQUESTS", "You have reached your pull rate limit"), ErrTooMany,
			upload + "too many requests (HTTP 429: You have reached your pull rate limit)\nIt was asked again and again, as it wished. Wait, then try once more; logging in may raise the limit."},
		"a registry that fails": {answer("PUT", "/uploads/", 500, "UNKNOWN", "unknown error"), ErrServer,
			upload + "the registry failed (HTTP 500: unknown error)\nIt was asked again and again. Try later, and look into its log."},
		"no registry": {func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }, ErrNoRegistry,
			upload + "no registry answers there (HTTP 404)\nCheck host and port: what answers there does not speak the registry protocol, or not for this repository."},
		"refused otherwise": {answer("PUT", "/manifests/", 400, "MANIFEST_INVALID", "unknown media type"), ErrRefused,
			tag + "the registry refuses it (HTTP 400: unknown media type)"},
		"a broken connection": {func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == "PUT" {
				panic(http.ErrAbortHandler)
			}
			return false
		}, ErrBroken, upload + "the connection broke\nIt was tried again and again. Check the network and what stands between, then repeat the command: nothing is sent twice."},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&registrytest.Registry{Hook: c.hook})
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			err := push(open(t, client(t, Options{PlainHTTP: true}), host+"/team/p:1.0", Write), "1.0")
			require.Error(t, err)
			assert.Equal(t, c.want, strings.ReplaceAll(err.Error(), host, "HOST"))
			assert.ErrorIs(t, err, c.fault)
		})
	}
}

func TestErrorsOfReadingSayWhatToDo(t *testing.T) {
	registry := &registrytest.Registry{}
	server := httptest.NewServer(registry)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	c := client(t, Options{PlainHTTP: true})
	require.NoError(t, push(open(t, c, host+"/team/p:1.0", Write), "1.0"))

	for name, want := range map[string]string{
		"team/p:2.0":       "cannot read tag 2.0 of team/p: no such tag\nWhat there is: publish tags HOST/team/p",
		"team/p@" + sum:    "cannot read " + sum + " of team/p: no such digest\nWhat there is: publish tags HOST/team/p",
		"team/missing:1.0": "cannot read tag 1.0 of team/missing: no such repository (HTTP 404)\nCheck the name team/missing. To push, create it first where the registry does not do so by itself.",
	} {
		_, err := open(t, c, host+"/"+name, Read).Resolve(t.Context())
		require.Error(t, err)
		assert.Equal(t, "HOST: "+want, strings.ReplaceAll(err.Error(), host, "HOST"))
	}
	err := open(t, c, host+"/team/missing", Read).Tags(t.Context(), func([]string) error { return nil })
	assert.ErrorIs(t, err, ErrNoRepository)

	registry.Hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && strings.Contains(r.URL.Path, "/blobs/") {
			w.Header().Set("Content-Length", "6")
			w.Write([]byte("a blip"))
			return true
		}
		return false
	}
	s := open(t, c, host+"/team/p:1.0", Read)
	_, err = content.FetchAll(t.Context(), s, aBlob.Descriptor)
	require.Error(t, err)
	err = s.Explain(err)
	assert.ErrorIs(t, err, ErrDigest)
	assert.Equal(t, "HOST: cannot read tag 1.0 of team/p: what came does not match its digest (mismatched digest)\n"+tampered, strings.ReplaceAll(err.Error(), host, "HOST"))
}

func TestErrorsOfTheWaySayWhatToDo(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		return s
	}
	plain := httptest.NewServer(&registrytest.Registry{})
	defer plain.Close()
	secured := quiet(httptest.NewUnstartedServer(&registrytest.Registry{}))
	secured.StartTLS()
	defer secured.Close()
	wantsCert := quiet(httptest.NewUnstartedServer(&registrytest.Registry{}))
	wantsCert.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	wantsCert.StartTLS()
	defer wantsCert.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	}))
	defer slow.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	away := nobody.Addr().String()
	nobody.Close()
	host := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw}), 0o600))

	for name, c := range map[string]struct {
		host    string
		options Options
		fault   error
		want    string
	}{
		"an untrusted certificate": {host(secured), Options{}, ErrCertificate,
			"its certificate is not trusted (x509: certificate signed by unknown authority)\nGive the authority that signed it with --ca-file; --insecure takes any, for trials only."},
		"a client certificate wanted": {host(wantsCert), Options{Insecure: true}, ErrClientCert,
			"it wants a client certificate (tls: certificate required)\nGive one that it accepts with --cert-file and --key-file."},
		"http, and TLS was tried": {host(plain), Options{}, ErrPlainHTTP,
			"it speaks plain HTTP, and TLS was tried\nWith --plain-http it is spoken to so; credentials can be read on the way then."},
		"TLS, and http was tried": {host(secured), Options{PlainHTTP: true}, ErrTLS, "it speaks TLS, and plain HTTP was tried\nLeave out --plain-http."},
		"nobody there":            {away, Options{}, ErrUnreachable, "it cannot be reached (connect: connection refused)\n" + unreachable},
		"no answer":               {host(slow), Options{PlainHTTP: true, Timeout: 100 * time.Millisecond}, ErrTimeout, "timed out (after 100ms)\nRaise --timeout, or look why it is slow."},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if c.options.Timeout > 0 {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, c.options.Timeout)
				defer stop()
			}
			_, err := open(t, client(t, c.options), c.host+"/p:1", Read).Resolve(ctx)
			require.Error(t, err)
			assert.Equal(t, "HOST: cannot read tag 1 of p: "+c.want, strings.ReplaceAll(err.Error(), c.host, "HOST"))
			assert.ErrorIs(t, err, c.fault)
		})
	}

	t.Run("trusted, it is reached", func(t *testing.T) {
		require.NoError(t, push(open(t, client(t, Options{CAFile: ca}), host(secured)+"/p:1", Write), "1"))
		require.NoError(t, push(open(t, client(t, Options{Insecure: true}), host(secured)+"/p:2", Write), "2"))
	})
}

func TestAFullDiskIsNamed(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/data/x", Err: syscall.ENOSPC}
	r, err := Parse("oci-layout:/data:1")
	require.NoError(t, err)
	err = (*Client)(nil).explain(r, "write it", full)
	assert.EqualError(t, err, "oci-layout:/data: cannot write it: the disk is full (/data/x)\nMake room, or write somewhere else.")
	assert.ErrorIs(t, err, ErrDiskFull)
	assert.ErrorIs(t, err, syscall.ENOSPC)
}

func TestNoCredentialGetsIntoAnError(t *testing.T) {
	const password = "correct-horse+battery"
	// The registry sends back all that it was told.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(401)
			return
		}
		name, word, _ := r.BasicAuth()
		registrytest.Fail(w, 403, "DENIED", fmt.Sprintf("%s is not %s, \x1b[31m%s", r.Header.Get("Authorization"), name, word))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	s := open(t, client(t, Options{PlainHTTP: true, Username: "ada", Password: password}), host+"/p:1", Write)
	err := s.Tags(t.Context(), func([]string) error { return nil })
	require.Error(t, err)
	assert.Equal(t, host+": cannot list the tags of p: denied (HTTP 403: Basic [hidden] is not ada, [31m[hidden])\nUse credentials that may do this in p; some registries answer so, too, where the repository must be created first.", err.Error())

	t.Setenv("HTTPS_PROXY", "http://ada:"+password+"@proxy.example:1")
	c := client(t, Options{})
	assert.Equal(t, "proxyconnect http://ada:[hidden]@proxy.example:1", c.secrets.clean("proxyconnect http://ada:"+password+"@proxy.example:1"))
	assert.Equal(t, "Put https://r/v2/p/blobs/uploads/1: broken", strings.ReplaceAll(c.secrets.clean(`Put https://r/v2/p/blobs/uploads/1?_state=xyz&digest=1 : broken`), " :", ":"))
}

func TestAnExplainedErrorStaysAsItIs(t *testing.T) {
	first := &Error{Place: "a", Doing: "read", Fault: ErrDigest}
	r := Reference{Host: "b"}
	assert.Same(t, first, (*Client)(nil).explain(r, "write", fmt.Errorf("Put %w", first)))
	assert.NoError(t, (*Client)(nil).explain(r, "write", nil))
	assert.ErrorIs(t, (*Client)(nil).explain(r, "write", errors.New("odd")), ErrOther)
}
