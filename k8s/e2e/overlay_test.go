//go:build istio || gateway

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// set is the operation for a place that may not be there yet.
func set(path string, value any) operation { return operation{"add", path, value} }

// overlay renders a folder of k8s/ as users do who keep their changes in a kustomization of their own; changes are by kind. components are
// folders of k8s/ too.
func overlay(t testing.TB, folder string, changes map[string][]operation, components ...string) string {
	t.Helper()
	k8s, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	resource, err := filepath.Rel(dir, filepath.Join(k8s, folder))
	require.NoError(t, err)
	components = slices.Clone(components) // the caller's go into another overlay, too
	for i, component := range components {
		components[i], err = filepath.Rel(dir, filepath.Join(k8s, component))
		require.NoError(t, err)
	}
	type patch struct {
		Target map[string]string `json:"target"`
		Patch  string            `json:"patch"`
	}
	var patches []patch
	for kind, operations := range changes {
		text, err := yaml.Marshal(operations)
		require.NoError(t, err)
		patches = append(patches, patch{map[string]string{"kind": kind}, string(text)})
	}
	own, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{resource}, "components": components, "patches": patches,
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), own, 0o600))
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err, folder)
	text, err := rendered.AsYaml()
	require.NoError(t, err, folder)
	return string(text)
}

// pluginConfig are the changes that make the plugin of an overlay record everything, at a place such as /spec/pluginConfig, in batches
// that are quickly sent. generation is for a live change.
func pluginConfig(place string, generation int) []operation {
	return []operation{
		set(place+"/sampling", map[string]any{"rate": 1, "max_per_second": 0}),
		set(place+"/headers", map[string]any{"request": []string{fmt.Sprintf("x-%d", generation)}}),
		set(place+"/sink/timeout", "30s"), // a busy machine is no failure of the sink
		set(place+"/sink/batch", map[string]any{"max_delay": "300ms"}),
		set(place+"/sink/retry", map[string]any{"max": "1s"}),
	}
}
