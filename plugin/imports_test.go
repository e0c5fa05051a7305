package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "github.com/routelens/routelens/plugin"

// order is the one direction of the way of an exchange: a package may import
// only those before it. host stands aside: see the tests.
var order = []string{"shared", "jsontext", "record", "metrics", "config", "redact", "body", "sampling", "capture", "encode", "queue", "export", "."}

// imports gives what each package under plugin imports, tests aside; fakes
// (…test) are tests.
func imports(t *testing.T) map[string][]string {
	found := map[string][]string{}
	require.NoError(t, filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.HasSuffix(path.Dir(file), "test") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range parsed.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			found[path.Dir(file)] = append(found[path.Dir(file)], imported)
		}
		return nil
	}))
	require.Greater(t, len(found), len(order)-2, "the packages are where this test looks for them")
	return found
}

func TestPackagesImportOnlyWhatStandsBeforeThem(t *testing.T) {
	for dir, imported := range imports(t) {
		if dir == "host" {
			continue
		}
		at := slices.Index(order, dir)
		require.GreaterOrEqual(t, at, 0, "plugin/%s has no place in the order: give it one", dir)
		for _, i := range imported {
			other, ours := strings.CutPrefix(i, root+"/")
			if !ours || dir == "." && other == "host" {
				continue
			}
			assert.Contains(t, order[:at], other, "plugin/%s must not import plugin/%s", dir, other)
		}
	}
}

func TestOnlyHostImportsAnSDKAndNothingOfOursButMetrics(t *testing.T) {
	for dir, imported := range imports(t) {
		for _, i := range imported {
			if strings.Contains(i, "proxy-wasm-go-sdk") {
				assert.Equal(t, "host", dir, "plugin/%s must not import %s", dir, i)
			}
			if dir == "host" && strings.HasPrefix(i, root) {
				assert.Equal(t, root+"/metrics", i)
			}
		}
	}
}

func TestTheTwoSDKFilesDifferInNothingButTheImportPath(t *testing.T) {
	goFile, err := os.ReadFile("host/sdk_go.go")
	require.NoError(t, err)
	tinygoFile, err := os.ReadFile("host/sdk_tinygo.go")
	require.NoError(t, err)
	translated := strings.NewReplacer("//go:build !tinygo\n", "//go:build tinygo\n", "github.com/proxy-wasm/proxy-wasm-go-sdk/", "github.com/tetratelabs/proxy-wasm-go-sdk/").Replace(string(goFile))
	assert.Equal(t, translated, string(tinygoFile))
	assert.NotEqual(t, string(goFile), string(tinygoFile))
}
