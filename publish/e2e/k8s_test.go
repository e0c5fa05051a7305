//go:build consumers

package e2e

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What an API server takes, istiod's webhook may still refuse: its checks are applied to the resources in k8s/ too.
func TestIstiosOwnChecksTakeWhatStandsInK8s(t *testing.T) {
	crds := schemas(t)
	checked := 0
	require.NoError(t, filepath.WalkDir("../../k8s/overlays/istio", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "labels": // values and a patch
			return filepath.SkipDir
		case filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml":
			return nil
		}
		_, err = tool(t, nil, "istio", append([]string{"check", path}, crds...)...)
		assert.NoError(t, err, path)
		checked++
		return nil
	}))
	assert.Positive(t, checked)
}
