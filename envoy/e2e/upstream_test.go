package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// upstream answers the route "script" as each test wants; it speaks HTTP/1.1 and HTTP/2.
type upstream struct {
	*httptest.Server
	handler atomic.Pointer[http.HandlerFunc]
}

func startUpstream(t *testing.T) *upstream {
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*u.handler.Load())(w, r)
	}))
	u.Config.Protocols = new(http.Protocols)
	u.Config.Protocols.SetHTTP1(true)
	u.Config.Protocols.SetUnencryptedHTTP2(true)
	u.Start()
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) answer(handler http.HandlerFunc) { u.handler.Store(&handler) }

// place gives Envoy routes to the script, to where nobody listens, and to what Envoy answers itself.
func (u *upstream) place(t *testing.T, o *config.Options) {
	nobody, err := lab.FreeAddress(0)
	require.NoError(t, err)
	o.Clusters = append(o.Clusters,
		config.Cluster{Name: "script", Address: u.Listener.Addr().String()},
		config.Cluster{Name: "http2", Address: u.Listener.Addr().String(), HTTP2: true},
		config.Cluster{Name: "nobody", Address: nobody})
	o.Routes = append([]config.Route{
		{Name: "script", Prefix: "/script", Cluster: "script", Timeout: "0s"},
		{Name: "http2", Prefix: "/http2", Cluster: "http2"},
		{Name: "nobody", Prefix: "/nobody", Cluster: "nobody"},
		{Name: "slow", Prefix: "/slow", Cluster: "script", Timeout: "0.2s"},
		{Name: "teapot", Prefix: "/teapot", Status: 418},
		{Prefix: "/nameless/", Cluster: "catalog"},
		{Name: "rewrite", Prefix: "/rewritten/42", Cluster: "catalog", Rewrite: "/catalog"},
	}, o.Routes...)
}

// newID is an id of the form that Envoy makes, so that it leaves it as it is.
func newID() string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()&0xffffffffffff)
}

// record waits for the one record of a request.
func (s *stand) record(t *testing.T, id string) lab.Record {
	t.Helper()
	var rows []lab.Record
	err := lab.Until(t.Context(), "the record of request "+id, 20*time.Second, func(ctx context.Context) (string, bool) {
		var err error
		rows, err = s.logs.Records(ctx, id)
		return fmt.Sprintf("%v %v", rows, err), len(rows) > 0
	})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0]
}

// says compares some fields of a record; the value "-" is for one that must not be there.
func says(t *testing.T, record, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for key := range want {
		got[key] = "-"
		if value, ok := record[key]; ok {
			got[key] = value
		}
	}
	assert.Equal(t, want, got, "in the record %v", record)
}

// call sends one HTTP/1.1 request and returns the answer with its whole body.
func (s *stand) call(t *testing.T, method, path, id string, header http.Header) (*http.Response, string) {
	t.Helper()
	return exchange(t, http.DefaultClient, newRequest(t, method, s.Entry+path, id, nil, header))
}

func newRequest(t *testing.T, method, url, id string, body io.Reader, header http.Header) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	if header != nil {
		request.Header = header
	}
	request.Header.Set("X-Request-Id", id)
	return request
}

func exchange(t *testing.T, client *http.Client, request *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// raw is a connection for what no client library would send.
type raw struct {
	net.Conn
	*bufio.Reader
}

func (s *stand) dial(t *testing.T) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Entry, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return &raw{conn, bufio.NewReader(conn)}
}

func (r *raw) Read(b []byte) (int, error) { return r.Reader.Read(b) }

// send writes lines and reads the head of the answer.
func (r *raw) send(t *testing.T, method string, lines ...string) *http.Response {
	t.Helper()
	_, err := io.WriteString(r, strings.Join(lines, "\r\n")+"\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(r.Reader, &http.Request{Method: method})
	require.NoError(t, err)
	return response
}
