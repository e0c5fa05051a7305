package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/artifact"
)

// lens is a configuration of Routelens.
const lens = `{
  "sink": {"cluster": "logs", "path": "/insert/jsonline?_time_field=time&_msg_field=message"},
  "resource": {"service.name": "shop", "on": "yes", "version": "1e3", "date": "2026-01-01"},
  "sampling": {"rate": 0.10}
}`

func TestEnvoyTakesItsManifest(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	envoy := os.Getenv("ROUTELENS_ENVOY")
	require.NotEmpty(t, envoy, "ROUTELENS_ENVOY is Envoy's binary; make publish-e2e sets it")
	host := serve(t, distribution(t, false))
	dir := t.TempDir()
	config, code, bootstrap := filepath.Join(dir, "c.json"), filepath.Join(dir, "a plugin.wasm"), filepath.Join(dir, "envoy.yaml")
	require.NoError(t, os.WriteFile(config, []byte(lens), 0o600))
	file, _ := plugin(t, 1000)
	for _, layout := range artifact.Layouts {
		ref := must(t, "", "push", file, host+"/p:1", "--format", string(layout), "--plain-http")
		must(t, "", "pull", ref, "-o", code, "--plain-http")
		for name, flags := range map[string][]string{
			"bare": nil,
			"full": {"--config", config, "--name", "lens-1.x", "--upstream", "[::1]:8080", "--sink", "logs.example.com:9428"},
		} {
			yaml := must(t, "", append([]string{"manifest", host + "/p:1", "--for", "envoy", "--file", code, "--plain-http"}, flags...)...)
			require.Contains(t, yaml, ref)
			require.NoError(t, os.WriteFile(bootstrap, []byte(yaml), 0o600))
			said, err := exec.Command(envoy, "--mode", "validate", "-c", bootstrap, "--use-dynamic-base-id", "-l", "warn").CombinedOutput()
			require.NoError(t, err, "%s, %s: %s\n%s", layout, name, said, yaml)
		}
	}
}
