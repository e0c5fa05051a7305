//go:build unix

package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestPullWritesIntoWhatIsNoFile(t *testing.T) {
	host, _ := server(t)
	require.Zero(t, run(t, "push", pluginFile(t), host+"/pp:1", "--plain-http").code)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	read := make(chan []byte)
	go func() {
		data, _ := os.ReadFile(pipe)
		read <- data
	}()
	got := run(t, "pull", host+"/pp:1", "-o", pipe, "--plain-http")
	require.Zero(t, got.code, got.stderr)
	assert.Equal(t, wasmtest.Plugin().Bytes(), <-read)
	info, err := os.Stat(pipe)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&fs.ModeNamedPipe, "it was not replaced, nor would a device be")

	dir := t.TempDir()
	got = run(t, "pull", host+"/pp:1", "-o", dir, "--plain-http")
	assert.Equal(t, result{1, "", "publish: " + dir + " is a folder: name a file in it\n"}, got)

	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	require.NoError(t, os.Symlink(file, link))
	require.Zero(t, run(t, "pull", host+"/pp:1", "-o", link, "--plain-http").code)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, wasmtest.Plugin().Bytes(), data, "what the link names is replaced, not the link")
}
