// Package goldentest compares what a test made with a file in the tree.
package goldentest

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Equal fails the test where the file holds something else; with -update it
// writes the file first.
func Equal(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test -update in this package, and read the difference")
	assert.Equal(t, string(want), got, "%s differs: if that is meant, run go test -update in this package", file)
}
