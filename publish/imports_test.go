package main

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const internal = "github.com/routelens/routelens/publish/internal/"

// order is the direction of imports: a package may import only those before it.
var order = []string{"wasm", "artifact", "registry", "sign", "sbom", "manifest", "cli"}

func TestPackagesImportOnlyWhatStandsBeforeThem(t *testing.T) {
	files, err := filepath.Glob("internal/*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files, "the packages are where this test looks for them")
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		dir := path.Base(path.Dir(filepath.ToSlash(file)))
		at := slices.Index(order, dir)
		require.GreaterOrEqual(t, at, 0, "publish/internal/%s has no place in the order: give it one", dir)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if other, ours := strings.CutPrefix(imported, internal); ours {
				assert.Contains(t, order[:at], other, "%s must not import it", file)
			}
			if strings.HasPrefix(imported, "github.com/spf13/") {
				assert.Equal(t, "cli", dir, "%s: only the command line knows of flags", file)
			}
		}
	}
}
