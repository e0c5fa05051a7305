//go:build consumers

package e2e

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/metrics"
)

const k8s = "../../k8s/overlays"

// What an API server takes, istiod's webhook may still refuse: its checks are applied to the resources in k8s/ too.
func TestIstiosOwnChecksTakeWhatStandsInK8s(t *testing.T) {
	crds := schemas(t)
	checked := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(k8s, "istio"), func(path string, d fs.DirEntry, err error) error {
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

// The patch is a text to the API server, and Envoy Gateway leaves out of it what it does not know.
func TestEnvoyGatewayAddsTheLabelsToItsOwn(t *testing.T) {
	merged, err := tool(t, nil, "gateway", "-bootstrap", filepath.Join(k8s, "envoy-gateway", "envoyproxy.yaml"))
	require.NoError(t, err)
	for _, tag := range append(metrics.Labels(), "from_zone") { // the last is its own
		assert.Contains(t, string(merged), "tag_name: "+tag+"\n")
	}
	assert.Contains(t, string(merged), "routelens_\\w+_milliseconds")
}
