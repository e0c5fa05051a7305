package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// killer stands before the registry and kills the process that calls it, at its n-th request.
type killer struct {
	registry http.Handler
	after    bool // the registry has carried the request out, and its answer is lost

	mu     sync.Mutex
	left   int
	victim *os.Process
	killed bool
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.left--
	now := k.left == 0
	gone := k.left < 0
	k.mu.Unlock()
	switch {
	case gone:
		panic(http.ErrAbortHandler) // from a process that is being killed
	case !now:
		k.registry.ServeHTTP(w, r)
		return
	case k.after:
		k.registry.ServeHTTP(httptest.NewRecorder(), r)
	}
	k.mu.Lock()
	k.killed = true
	k.victim.Kill()
	k.mu.Unlock()
	panic(http.ErrAbortHandler)
}

// binary builds publish as users run it.
func binary(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "publish")
	build := exec.Command("go", "build", "-C", filepath.Join("..", ".."), "-buildvcs=false", "-o", file, "./publish")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return file
}

func TestAKilledPushLeavesTheOldTagOrTheNewOneWhole(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	program := binary(t)
	old, oldData := plugin(t, 50<<10)
	next, nextData := plugin(t, 90<<10)
	layout, _ := signed(t, next)
	for name, command := range map[string][]string{
		"push": {"push", next, "REPO:1", "--plain-http"},
		"both": {"push", next, "REPO:1", "--plain-http", "--format", "both", "--no-verify"},
		"copy": {"copy", layout + ":1", "REPO:1", "--plain-http"},
	} {
		for _, when := range []string{"before", "after"} {
			t.Run(name+", "+when+" the registry acted", func(t *testing.T) {
				results := map[string]int{}
				for n := 1; ; n++ {
					registry := distribution(t, false)
					direct := serve(t, registry) + "/team/plugin"
					must(t, "", "push", old, direct+":1", "--plain-http")
					k := &killer{registry: registry, after: when == "after", left: n}
					through := serve(t, k) + "/team/plugin"

					var stderr bytes.Buffer
					args := strings.Split(strings.ReplaceAll(strings.Join(command, "\x00"), "REPO", through), "\x00")
					cmd := exec.Command(program, args...)
					cmd.Stderr = &stderr
					k.mu.Lock()
					require.NoError(t, cmd.Start())
					k.victim = cmd.Process
					k.mu.Unlock()
					err := cmd.Wait()
					k.mu.Lock()
					killed := k.killed
					k.mu.Unlock()
					if !killed {
						require.NoError(t, err, stderr.String())
						require.Greater(t, n, 5, "it was killed at some requests")
						assert.NotZero(t, results["old"], "some kills came early")
						t.Logf("killed at each of %d requests: %d times the old one was left, %d times the new one", n-1, results["old"], results["new"])
						return
					}
					require.Error(t, err)
					r := publish(t, "", "pull", direct+":1", "-o", "-", "--plain-http")
					require.Zero(t, r.code, "killed at request %d: %s", n, r.stderr)
					switch r.stdout {
					case string(oldData):
						results["old"]++
					case string(nextData):
						results["new"]++
					default:
						t.Fatalf("killed at request %d: the tag has neither the old nor the new plugin", n)
					}
					again := strings.Split(strings.ReplaceAll(strings.Join(command, "\x00"), "REPO", direct), "\x00")
					must(t, "", again...)
					if name == "copy" {
						assert.Equal(t, belonging, counted(t, direct+":1"), "killed at request %d", n)
					}
					assert.Equal(t, string(nextData), publish(t, "", "pull", direct+":1", "-o", "-", "--plain-http").stdout, "what was left does not stand in the way")
				}
			})
		}
	}
}
