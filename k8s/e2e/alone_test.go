//go:build istio

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// pilot-agent starts Envoy, and mounts are made for both.
func TestWhatRunsAloneLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	length := fmt.Sprint(100_000_000 + os.Getpid()) // of a sleep that is nobody else's
	p, err := lab.Start(lab.Command{
		Name: "alone", Binary: "/bin/sh", Dir: dir, In: true, Alone: true,
		Args: []string{"-c", `mkdir m && mount -t tmpfs tmpfs m && touch m/seen && { sleep "$0" & wait; }`, length},
	})
	require.NoError(t, err)
	require.NoError(t, p.Serves(t.Context(), 10*time.Second, func(context.Context) (string, bool) {
		return "", len(sleeping(t, length)) == 1
	}))
	assert.NoFileExists(t, filepath.Join(dir, "m/seen"))
	assert.Error(t, p.Stop(), "a shell that is the first of its processes is deaf to SIGTERM")
	assert.Empty(t, sleeping(t, length))
}

func sleeping(t testing.TB, length string) (found []string) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(line), "sleep\x00"+length+"\x00") {
			found = append(found, file)
		}
	}
	return found
}
