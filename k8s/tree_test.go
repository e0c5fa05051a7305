package k8s

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	strict "sigs.k8s.io/yaml"
)

// patches are the files that are neither resources nor kustomize's: agree_test.go holds each that concerns the plugin to it, or applies it.
var patches = []string{
	"overlays/istio/labels/values.yaml", "overlays/istio/labels/annotations.yaml", "overlays/envoy-gateway/gateway.yaml", "kind/istio.yaml",
}

// forKustomize is the kind of base/routelens.yaml, which no cluster sees.
const forKustomize = "Routelens"

// kustomizations are the folders that kustomize can render: those of components can not, by themselves.
func kustomizations(t testing.TB) (dirs []string) {
	for _, file := range files(t) {
		if filepath.Base(file) == "kustomization.yaml" && objects(t, read(t, file))[0].GetKind() == "Kustomization" {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	require.NotEmpty(t, dirs)
	return dirs
}

// manifests are the files with resources.
func manifests(t testing.TB) (named map[string][]*unstructured.Unstructured) {
	named = map[string][]*unstructured.Unstructured{}
	for _, file := range files(t) {
		if filepath.Base(file) == "kustomization.yaml" || contains(patches, file) {
			continue
		}
		if all := objects(t, read(t, file)); all[0].GetKind() != forKustomize {
			named[file] = all
		}
	}
	return named
}

func files(t testing.TB) (all []string) {
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".yaml" {
			all = append(all, path)
		}
		return err
	}))
	return all
}

func read(t testing.TB, file string) []byte {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return data
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// render is what kubectl kustomize prints for a folder.
func render(t testing.TB, dir string) []*unstructured.Unstructured {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	require.NoError(t, err, dir)
	data, err := rendered.AsYaml()
	require.NoError(t, err, dir)
	return objects(t, data)
}

// edited renders a folder after a user has replaced a text in its kustomization.yaml.
func edited(t testing.TB, dir, old, new string) []*unstructured.Unstructured {
	t.Helper()
	return changed(t, dir, filepath.Join(dir, "kustomization.yaml"), old, new)
}

// changed renders a folder of a copy of this tree, in one file of which a text was replaced.
func changed(t testing.TB, dir, file, old, new string) []*unstructured.Unstructured {
	t.Helper()
	tree := t.TempDir()
	require.NoError(t, os.CopyFS(tree, os.DirFS(".")))
	data := read(t, file)
	require.Contains(t, string(data), old)
	require.NoError(t, os.WriteFile(filepath.Join(tree, file), bytes.Replace(data, []byte(old), []byte(new), 1), 0o600))
	return render(t, filepath.Join(tree, dir))
}

// objects reads YAML documents as strictly as kubectl does.
func objects(t testing.TB, data []byte) (all []*unstructured.Unstructured) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var node yaml.Node
		if err := d.Decode(&node); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		text, err := yaml.Marshal(&node)
		require.NoError(t, err)
		o := &unstructured.Unstructured{}
		require.NoError(t, strict.UnmarshalStrict(text, &o.Object), "%s", text)
		require.NotEmpty(t, o.GetKind(), "%s", text)
		all = append(all, o)
	}
	require.NotEmpty(t, all)
	return all
}
