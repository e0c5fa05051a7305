package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Options say how to reach registries. The zero value does as Docker does: TLS, the system's authorities, Docker's credentials.
type Options struct {
	PlainHTTP bool   // no TLS
	Insecure  bool   // TLS with whoever answers
	CAFile    string // more authorities to trust, PEM
	CertFile  string // a client certificate, PEM, with KeyFile
	KeyFile   string

	ConfigFile string // in place of Docker's
	Username   string // in place of what ConfigFile has
	Password   string

	Timeout  time.Duration // of everything together; for errors to name, as the context ends it
	Backoff  Backoff
	Agent    string
	Sent     func(bytes int64) // is told of each piece of a blob that was sent
	Received func(bytes int64) // likewise
}

// Client reaches registries.
type Client struct {
	options Options
	auth    *auth.Client
	store   credentials.Store
	secrets secrets
}

// New reads the files that the options name.
func New(o Options) (*Client, error) {
	if o.Backoff == (Backoff{}) {
		o.Backoff = DefaultBackoff
	}
	c := &Client{options: o}
	c.secrets.addProxies()
	config, err := o.tls()
	if err != nil {
		return nil, err
	}
	if c.store, err = openCredentials(o.ConfigFile); err != nil {
		return nil, err
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = config
	base.MaxIdleConnsPerHost = 2 * concurrent // else most of those that are used at once are closed after each request
	c.auth = &auth.Client{
		Client:     &http.Client{Transport: patient(roundTripper(func(req *http.Request) (*http.Response, error) { return c.once(base, req) }), o.Backoff)},
		Header:     http.Header{"User-Agent": {o.Agent}},
		Cache:      auth.NewCache(),
		ClientID:   "routelens-publish",
		Credential: c.credential,
	}
	return c, nil
}

func (o Options) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM form", o.CAFile)
		}
	}
	switch {
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("--cert-file and --key-file go together")
	case o.CertFile != "":
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("--cert-file, --key-file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// openCredentials opens Docker's configuration, or a file like it, with the helpers that it names.
func openCredentials(file string) (credentials.Store, error) {
	options := credentials.StoreOptions{AllowPlaintextPut: true, DetectDefaultNativeStore: true}
	if file == "" {
		store, err := credentials.NewStoreFromDocker(options)
		if err != nil {
			return nil, fmt.Errorf("Docker's configuration: %w; --registry-config names another file", err)
		}
		return store, nil
	}
	store, err := credentials.NewStore(file, options)
	if err != nil {
		return nil, fmt.Errorf("--registry-config: %w", err)
	}
	return store, nil
}

func (c *Client) credential(ctx context.Context, host string) (auth.Credential, error) {
	found := auth.Credential{Username: c.options.Username, Password: c.options.Password}
	if found.Username == "" {
		var err error
		if found, err = credentials.Credential(c.store)(ctx, host); err != nil {
			return found, fmt.Errorf("%w for %s: %w", errHelper, host, err)
		}
	}
	c.secrets.addPassword(found.Username, found.Password)
	c.secrets.add(found.RefreshToken, found.AccessToken)
	return found, nil
}

var errHelper = errors.New("the credential helper failed")

// repository is the client's view of a repository. Its credentials are for this host alone: no other is ever told them.
func (c *Client) repository(r Reference) *remote.Repository {
	return &remote.Repository{
		Client:    c.auth,
		Reference: registry.Reference{Registry: r.Host, Repository: r.Repository},
		PlainHTTP: c.options.PlainHTTP,
	}
}

// once sends a request, and looks after it: it learns the secrets, counts the bytes, and knows a server that wanted TLS.
func (c *Client) once(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	c.secrets.addHeader(req.Header)
	if c.options.Sent != nil && uploads(req) && req.Body != nil {
		counted := *req
		counted.Body = &counter{req.Body, c.options.Sent}
		req = &counted
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if req.URL.Scheme == "http" && resp.StatusCode == http.StatusBadRequest && wantsTLS(base, req, resp) {
		resp.Body.Close()
		return nil, errPlainToTLS
	}
	if c.options.Received != nil && req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
		resp.Body = &counter{resp.Body, c.options.Received}
	}
	return resp, nil
}

var errPlainToTLS = errors.New("plain HTTP was sent to a server that speaks TLS")

// wantsTLS knows the words of Go's and nginx's servers. They are in the body of a 400, which the answer to HEAD lacks: then they are
// asked for.
func wantsTLS(base http.RoundTripper, req *http.Request, resp *http.Response) bool {
	if req.Method == http.MethodHead {
		get := req.Clone(req.Context())
		get.Method = http.MethodGet
		get.Header.Del("Authorization")
		answer, err := base.RoundTrip(get)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		resp = answer
	}
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	resp.Body = &prefixed{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	return bytes.Contains(head, []byte("HTTP request to an HTTPS server")) || bytes.Contains(head, []byte("HTTP request was sent to HTTPS port"))
}

type counter struct {
	io.ReadCloser
	tell func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.tell(int64(n))
	return n, err
}

type prefixed struct {
	io.Reader
	io.Closer
}
