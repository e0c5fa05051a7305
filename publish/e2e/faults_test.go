package e2e

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
)

// flaky fails each different request so many times before it lets it pass.
type flaky struct {
	http.Handler
	times int
	fail  func(http.ResponseWriter)

	mu   sync.Mutex
	seen map[string]int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	// An upload that begins anew has another path, so what carries content is told apart by its digest.
	key := r.Method + r.URL.Path
	if digest := r.URL.Query().Get("digest"); digest != "" {
		key = r.Method + digest
	}
	f.seen[key]++
	fails := f.seen[key] <= f.times
	f.mu.Unlock()
	if fails {
		f.fail(w)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

func TestFailuresThatPassAreWaitedFor(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 50<<10)
	for name, fail := range map[string]func(http.ResponseWriter){
		"503":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"429":                 func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"a broken connection": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, &flaky{Handler: distribution(t, false), times: 2, fail: fail})
			must(t, "", "push", file, host+"/p:1", "--plain-http")
			assert.Equal(t, string(data), publish(t, "", "pull", host+"/p:1", "-o", "-", "--plain-http").stdout)
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	var once sync.Once
	var refused, again time.Time
	registry := distribution(t, false)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upload := r.Method == http.MethodPut && !strings.Contains(r.URL.Path, "/manifests/")
		first := false
		if upload && r.ContentLength > 500 {
			once.Do(func() { first, refused = true, time.Now() })
			if first {
				w.Header().Set("Retry-After", "4")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			again = time.Now()
		}
		registry.ServeHTTP(w, r)
	}))
	must(t, "", "push", file, host+"/p:1", "--plain-http", "--no-verify")
	assert.GreaterOrEqual(t, again.Sub(refused), 4*time.Second)
}

func TestASlowRegistryIsGivenUp(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	registry := distribution(t, false)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
		registry.ServeHTTP(w, r)
	}))
	start := time.Now()
	r := publish(t, "", "push", file, host+"/p:1", "--plain-http", "--timeout", "500ms")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "timed out (after 500ms)\nRaise --timeout, or look why it is slow.\n")
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestASlowButSteadyRegistryIsNot(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 50<<10)
	registry := distribution(t, false)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		registry.ServeHTTP(w, r)
	}))
	must(t, "", "push", file, host+"/p:1", "--plain-http")
	assert.Equal(t, string(data), publish(t, "", "pull", host+"/p:1", "-o", "-", "--plain-http").stdout)
}

func TestABlobThatIsNotThereAsItWasSentIsNoticed(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 1000)
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		says   string
	}{
		"lost":     {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "no such digest"},
		"cut":      {func(w http.ResponseWriter) { w.Header().Set("Content-Length", "10") }, "what came does not match its digest (mismatched digest: "},
		"mistaken": {func(w http.ResponseWriter) { w.Header().Set("Docker-Content-Digest", string(digest.FromString("x"))) }, "what came does not match its digest ("},
	} {
		t.Run(name, func(t *testing.T) {
			registry := distribution(t, false)
			var sent atomic.Bool
			host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if sent.Load() && r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, string(digest.FromBytes(data))) {
					w.Header().Set("Content-Length", strconv.Itoa(len(data)))
					c.answer(w)
					return
				}
				registry.ServeHTTP(w, r)
				if r.Method == http.MethodPut && r.URL.Query().Get("digest") == string(digest.FromBytes(data)) {
					sent.Store(true)
				}
			}))
			r := publish(t, "", "push", file, host+"/pp:1", "--plain-http")
			assert.Equal(t, 1, r.code)
			assert.Contains(t, r.stderr, "it was pushed as "+host+"/pp@sha256:")
			assert.Contains(t, r.stderr, ": cannot look for sha256:")
			assert.Contains(t, r.stderr, c.says)
			assert.Empty(t, r.stdout)
			must(t, "", "push", file, host+"/pp:1", "--plain-http", "--no-verify")
		})
	}
}

func TestChangedBytesAreRefused(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	registry := distribution(t, false)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			registry.ServeHTTP(w, r)
			return
		}
		kept := httptest.NewRecorder()
		registry.ServeHTTP(kept, r)
		body := kept.Body.Bytes()
		body[len(body)/2] ^= 1
		for name, values := range kept.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(kept.Code)
		w.Write(body)
	}))
	r := publish(t, "", "push", file, host+"/p:1", "--plain-http", "--verify-whole")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "it was pushed as "+host+"/p@sha256:")
	assert.Contains(t, r.stderr, ": cannot read tag 1 of p: what came does not match its digest")
	assert.Empty(t, r.stdout)
}
