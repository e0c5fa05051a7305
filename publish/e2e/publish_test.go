package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/e2e/cncf/cncftest"
)

// side is a way to reach the registry, with the flags that it takes.
type side struct {
	name  string
	host  string
	flags []string
	stdin string
}

// sides starts a registry for each way.
func sides(t testing.TB) []side {
	login := []string{"--username", user, "--password-stdin"}
	plain := serve(t, distribution(t, false))
	secured, ca := cncftest.ServeTLS(t, distribution(t, false))
	guarded, guardedCA := cncftest.ServeTLS(t, distribution(t, true))
	guardedPlain := serve(t, distribution(t, true))
	return []side{
		{"plain", plain, []string{"--plain-http"}, ""},
		{"TLS", secured, []string{"--ca-file", ca}, ""},
		{"TLS with a password", guarded, append([]string{"--ca-file", guardedCA}, login...), password},
		{"plain with a password", guardedPlain, append([]string{"--plain-http"}, login...), password},
	}
}

func (s side) run(t testing.TB, args ...string) string {
	t.Helper()
	return must(t, s.stdin, append(args, s.flags...)...)
}

func TestEveryLayoutGoesThereAndBackEachWay(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 300<<10)
	for _, s := range sides(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, format := range []string{"oci", "compat", "cncf"} {
				ref := s.host + "/team/plugin:" + format
				pushed := s.run(t, "push", file, ref, "--format", format)
				assert.True(t, strings.HasPrefix(pushed, s.host+"/team/plugin@sha256:"), pushed)
				out := filepath.Join(t.TempDir(), "out.wasm")
				assert.Equal(t, pushed, s.run(t, "pull", ref, "-o", out))
				got, err := os.ReadFile(out)
				require.NoError(t, err)
				assert.Equal(t, data, got)
				assert.Equal(t, string(data), s.rawRun(t, "pull", pushed, "-o", "-"), "by digest, to standard output")
			}
			assert.Equal(t, "cncf\ncompat\noci", s.run(t, "tags", s.host+"/team/plugin"))
		})
	}
}

func (s side) rawRun(t testing.TB, args ...string) string {
	t.Helper()
	r := publish(t, s.stdin, append(args, s.flags...)...)
	require.Zero(t, r.code, r.stderr)
	return r.stdout
}

func TestInspectSaysWhoCanPull(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := serve(t, distribution(t, false))
	file, _ := plugin(t, 1000)
	both := strings.Split(must(t, "", "push", file, host+"/pp:1", "--format", "both", "--plain-http", "--version", "1.2", "--annotation", "a=b=c"), "\n")
	require.Len(t, both, 2)
	for i, layout := range []string{"oci", "compat"} {
		var report struct {
			Reference, Layout string
			Annotations       map[string]string
			Plugin            struct{ ABI string }
			Consumers         []struct {
				Name string
				Can  bool
			}
		}
		require.NoError(t, json.Unmarshal([]byte(must(t, "", "inspect", host+"/pp:1"+[]string{"", "-compat"}[i], "-o", "json", "--plain-http")), &report))
		assert.Equal(t, both[i], report.Reference)
		assert.Equal(t, layout, report.Layout)
		assert.Equal(t, "0.2.0", report.Plugin.ABI)
		assert.Equal(t, "1.2", report.Annotations["org.opencontainers.image.version"])
		assert.Equal(t, "b=c", report.Annotations["a"])
		for _, c := range report.Consumers {
			assert.Equal(t, c.Name == "Istio" || c.Name == "Envoy Gateway", c.Can, c.Name)
		}
	}
}

// watcher counts requests by method.
type watcher struct {
	http.Handler
	mu   sync.Mutex
	seen []string
}

func (w *watcher) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	w.Handler.ServeHTTP(rw, r)
}

func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func TestTheSecondPushUploadsNothing(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := &watcher{Handler: distribution(t, false)}
	host := serve(t, w)
	file, _ := plugin(t, 100<<10)
	for _, format := range []string{"oci", "compat", "cncf", "both"} {
		push := []string{"push", file, host + "/" + format + ":1", "--plain-http", "--format", format}
		first := must(t, "", push...)
		assert.NotEmpty(t, w.takeChanges(), "the first push uploads something")
		assert.Equal(t, first, must(t, "", push...), "the same digest")
		assert.Empty(t, w.takeChanges(), format)

		assert.Equal(t, first, must(t, "", append(push, "2")...))
		for _, change := range w.takeChanges() {
			assert.Regexp(t, `^PUT /v2/`+format+`/manifests/2(-compat)?$`, change, "another tag needs no upload either")
		}
	}
	push := []string{"push", file, host + "/oci:1", "--plain-http", "--no-verify"}
	must(t, "", push...)
	assert.Equal(t, []string{"HEAD /v2/oci/manifests/1"}, w.take())
}

// takeChanges are the requests that would change something.
func (w *watcher) takeChanges() []string {
	return slices.DeleteFunc(w.take(), func(request string) bool {
		return strings.HasPrefix(request, "HEAD ") || strings.HasPrefix(request, "GET ")
	})
}

func TestACopyKeepsTheDigestThroughAnArchive(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := sides(t)[2]
	plain := serve(t, distribution(t, false))
	archive := "oci-archive:" + filepath.Join(t.TempDir(), "plugin.tar")
	file, data := plugin(t, 200<<10)
	_, want, _ := strings.Cut(must(t, "", "push", file, plain+"/a/b:1", "--plain-http"), "@")
	must(t, "", "copy", plain+"/a/b:1", archive, "--from-plain-http")
	copied := s.run(t, "copy", archive+":1", s.host+"/c/d")
	assert.Equal(t, s.host+"/c/d@"+want, copied)
	assert.Equal(t, string(data), s.rawRun(t, "pull", s.host+"/c/d:1", "-o", "-"))
}

func TestACopyWithinARegistrySendsNoBlobs(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := &watcher{Handler: distribution(t, false)}
	host := serve(t, w)
	file, _ := plugin(t, 100<<10)
	must(t, "", "push", file, host+"/a:1", "--plain-http")
	w.take()
	must(t, "", "copy", host+"/a:1", host+"/b:1", "--from-plain-http", "--plain-http")
	for _, request := range w.take() {
		assert.False(t, strings.HasPrefix(request, "PUT") && !strings.Contains(request, "/manifests/"), request)
		assert.False(t, strings.HasPrefix(request, "GET") && strings.Contains(request, "/blobs/"), request)
	}
}

func TestLoginIsKeptAndForgotten(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	host := serve(t, distribution(t, true))
	file, _ := plugin(t, 100)

	r := publish(t, "wrong", "login", host, "-u", user, "--password-stdin", "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Equal(t, "publish: "+host+": cannot log in: unauthorized (HTTP 401: authentication required)\nLog in with: publish login "+host+" (or --username and --password-stdin).\n", r.stderr)

	must(t, password+"\n", "login", host, "-u", user, "--password-stdin", "--plain-http")
	must(t, "", "push", file, host+"/p:1", "--plain-http")
	must(t, "", "logout", host)
	r = publish(t, "", "push", file, host+"/p:2", "--plain-http")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, host+": cannot look for tag 2 of p: unauthorized (HTTP 401: there are no credentials for it)\nLog in with: publish login "+host)
}
