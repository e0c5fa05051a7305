//go:build gateway

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/routelens/routelens/envoy/lab"
)

// envoyGateway is Envoy Gateway without a cluster: it reads resources from a folder, and runs Envoy itself, as its child.
type envoyGateway struct {
	*lab.Envoy // whose Process is Envoy Gateway's
	dir        string
	entry      string // host:port
	store      *lab.Store
	faults     *lab.Faults // before the store
	starts     int         // each has a log
}

// openGateway returns once Envoy serves the shop, with or without the plugin of the policy.
func openGateway(t testing.TB, policy string) *envoyGateway {
	t.Helper()
	g := &envoyGateway{dir: t.TempDir(), store: openStore(t)}
	require.NoError(t, os.Mkdir(filepath.Join(g.dir, resources), 0o700))
	var err error
	g.entry, err = lab.FreeAddress(0)
	require.NoError(t, err)
	g.faults, err = lab.StartFaults(g.store.Address)
	require.NoError(t, err)
	t.Cleanup(func() { g.faults.Stop() })
	certificates := g.certificates(t)
	g.apply(t, "gateway.yaml", surroundings(t, openShop(t), g.faults.Address, g.entry)+certificates)
	g.apply(t, "policy.yaml", policy)
	g.start(t)
	return g
}

// resources is the folder that Envoy Gateway watches, within its own.
const resources = "resources"

// certificates are those of Envoy Gateway's own conversations, made by it. The secret with Envoy's it wants among the resources.
func (g *envoyGateway) certificates(t testing.TB) (secret string) {
	out, err := exec.CommandContext(t.Context(), needed(t, "ROUTELENS_ENVOY_GATEWAY"), "certgen", "--local", "--config-home", g.dir+"/config").CombinedOutput()
	require.NoError(t, err, "%s", out)
	data := map[string]string{}
	for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
		content, err := os.ReadFile(filepath.Join(g.dir, "config/certs/envoy", name))
		require.NoError(t, err)
		data[name] = base64.StdEncoding.EncodeToString(content)
	}
	return document(t, map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
		"metadata": map[string]string{"name": "envoy", "namespace": "envoy-gateway-system"}, "data": data,
	})
}

// alone ends in Envoy Gateway, which has what is everywhere else at / and two things that only a cluster gives: the name under which Envoys
// ask it for plugins, and Envoy's certificates in /certs. Processes and shared memory are its own: other Envoys use the same names.
const alone = `
mkdir -p root
mount -t tmpfs tmpfs root
for entry in /*; do
	if [ -L "$entry" ]; then ln -s "$(readlink "$entry")" "root$entry"; elif [ -d "$entry" ]; then mkdir "root$entry"; mount --rbind "$entry" "root$entry"; fi
done
mkdir -p root/certs
mount --bind config/certs/envoy root/certs
mount --bind hosts root/etc/hosts
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/dev/shm
exec chroot root "$@"`

// start is for one that runs no more, too: all that it knew of plugins it has forgotten then.
func (g *envoyGateway) start(t testing.TB) {
	t.Helper()
	g.write(t, "hosts", "127.0.0.1 localhost envoy-gateway.envoy-gateway-system.svc.cluster.local\n")
	g.write(t, "envoy-gateway.yaml", fmt.Sprintf(`
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
provider:
  type: Custom
  custom:
    resource: {type: File, file: {paths: [%[1]s/resources]}}
    infrastructure:
      type: Host
      host: {configHome: %[1]s/config, dataHome: %[1]s/data, stateHome: %[1]s/state, runtimeDir: %[1]s/run}
extensionApis: {enableBackend: true}
`, g.dir))
	// It looks for its Envoy under a version, and asks no one where it finds it.
	bin := filepath.Join(g.dir, "data/envoy-versions", envoyVersion, "bin")
	require.NoError(t, os.MkdirAll(bin, 0o700))
	envoy, err := filepath.EvalSymlinks(needed(t, "ROUTELENS_ENVOY"))
	require.NoError(t, err)
	if err := os.Symlink(envoy, filepath.Join(bin, "envoy")); !os.IsExist(err) {
		require.NoError(t, err)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(g.dir, "run")))

	g.starts++
	process, err := lab.Start(lab.Command{
		Name: fmt.Sprint("envoy-gateway-", g.starts), Binary: "sh", Dir: g.dir, In: true, Alone: true,
		Args: []string{"-ec", alone, "sh", needed(t, "ROUTELENS_ENVOY_GATEWAY"), "server", "--config-path", g.dir + "/envoy-gateway.yaml"},
		Env:  append(os.Environ(), "HOME="+g.dir),
	})
	require.NoError(t, err)
	t.Cleanup(func() { g.close(t, process) })
	g.Envoy = &lab.Envoy{Process: process, Entry: "http://" + g.entry}
	require.NoError(t, process.Serves(t.Context(), 2*time.Minute, func(ctx context.Context) (string, bool) {
		files, _ := filepath.Glob(filepath.Join(g.dir, "run/*/admin-address.txt"))
		if len(files) == 0 {
			return "no Envoy", false
		}
		address, err := os.ReadFile(files[0])
		if err != nil || len(address) == 0 {
			return fmt.Sprint(err), false
		}
		g.Admin = "http://" + strings.TrimSpace(string(address))
		conn, err := net.Dial("tcp", g.entry)
		if err != nil {
			return err.Error(), false
		}
		conn.Close()
		return "", true
	}))
}

func (g *envoyGateway) close(t testing.TB, process *lab.Process) {
	if process.Failed() == nil {
		assert.NoError(t, process.Stop())
	}
	log := logged(t, process)
	assert.Empty(t, lab.Crashes(log), "Envoy's log")
	if t.Failed() {
		t.Logf("Envoy Gateway's log ends:\n%s", log[max(0, len(log)-6000):])
	}
}

// log is that of Envoy Gateway, with Envoy's, since it was started last.
func (g *envoyGateway) log(t testing.TB) string { return logged(t, g.Process) }

func logged(t testing.TB, process *lab.Process) string {
	log, err := os.ReadFile(process.Log)
	require.NoError(t, err)
	return string(log)
}

// logs waits for words in the log.
func (g *envoyGateway) logs(t testing.TB, words string) {
	t.Helper()
	assert.Eventually(t, func() bool { return strings.Contains(g.log(t), words) }, time.Minute, 50*time.Millisecond, words)
}

// tells waits for words that the docs promise.
func (g *envoyGateway) tells(t testing.TB, words string) {
	t.Helper()
	assert.Contains(t, docs(t), "`"+words+"`")
	g.logs(t, words)
}

func docs(t testing.TB) string {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	require.NoError(t, err)
	return string(page)
}

func (g *envoyGateway) write(t testing.TB, name, content string) {
	require.NoError(t, os.WriteFile(filepath.Join(g.dir, name), []byte(content), 0o600))
}

// apply puts resources in place in one step, as it is watched.
func (g *envoyGateway) apply(t testing.TB, name, content string) {
	t.Helper()
	g.write(t, name, content)
	require.NoError(t, os.Rename(filepath.Join(g.dir, name), filepath.Join(g.dir, resources, name)))
}

// plugin is what Envoy has of the plugin, where it has it.
type plugin struct {
	Configuration struct{ Value string }
	VM            struct {
		Environment struct {
			Keys []string `json:"host_env_keys"`
		} `json:"environment_variables"`
		Code struct{ Remote struct{ SHA256 string } }
	} `json:"vm_config"`
}

// plugin asks Envoy. It is not settled while a listener waits to take another's place.
func (g *envoyGateway) plugin(ctx context.Context) (p *plugin, settled bool, _ error) {
	page, err := g.Page(ctx, "/config_dump?resource=dynamic_listeners")
	if err != nil {
		return nil, false, err
	}
	var dump struct {
		Configs []struct {
			Active  any `json:"active_state"`
			Warming any `json:"warming_state"`
		}
	}
	if err := json.Unmarshal(page, &dump); err != nil {
		return nil, false, err
	}
	settled = true
	for _, listener := range dump.Configs {
		settled = settled && listener.Warming == nil
		if found := typed(listener.Active, "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"); found != nil {
			text, _ := json.Marshal(found["config"])
			p = &plugin{}
			if err := json.Unmarshal(text, p); err != nil {
				return nil, false, err
			}
		}
	}
	return p, settled, nil
}

// typed is the first message of a type, in a tree of JSON.
func typed(tree any, kind string) map[string]any {
	switch tree := tree.(type) {
	case map[string]any:
		if tree["@type"] == kind {
			return tree
		}
		for _, value := range tree {
			if found := typed(value, kind); found != nil {
				return found
			}
		}
	case []any:
		for _, value := range tree {
			if found := typed(value, kind); found != nil {
				return found
			}
		}
	}
	return nil
}

// runs waits until Envoy runs a plugin as wanted, or none where nil is.
func (g *envoyGateway) runs(t testing.TB, what string, wanted func(*plugin) bool) {
	t.Helper()
	require.NoError(t, lab.Until(t.Context(), "Envoy to run "+what, time.Minute, func(ctx context.Context) (string, bool) {
		if err := g.Failed(); err != nil {
			return err.Error(), false
		}
		p, settled, err := g.plugin(ctx)
		return fmt.Sprintf("%+v, settled: %t, %v", p, settled, err), err == nil && settled && wanted(p)
	}))
}

func anyPlugin(p *plugin) bool { return p != nil }
func noPlugin(p *plugin) bool  { return p == nil }

// condition is one of a resource's status.
type condition struct{ Type, Status, Reason, Message string }

// conditions are those that Envoy Gateway wrote last: where resources are files, into its log.
func (g *envoyGateway) conditions(t testing.TB, kind, name string) (all []condition) {
	entry := regexp.MustCompile(`(?s)Got new status for ` + kind + `\n(.*?)\t(\{.*?\})\n`)
	for _, match := range entry.FindAllStringSubmatch(g.log(t), -1) {
		if !strings.Contains(match[2], `"key": "default/`+name+`"`) {
			continue
		}
		type set struct{ Conditions []condition }
		var status struct{ Ancestors, Parents []set }
		require.NoError(t, yaml.Unmarshal([]byte(match[1]), &status), match[1])
		all = nil
		for _, s := range append(status.Ancestors, status.Parents...) {
			all = append(all, s.Conditions...)
		}
	}
	return all
}

// has is whether a resource has a condition with such a message.
func (g *envoyGateway) has(t testing.TB, kind, name string, wanted condition) bool {
	return slices.ContainsFunc(g.conditions(t, kind, name), func(c condition) bool {
		return c.Type == wanted.Type && c.Status == wanted.Status && strings.Contains(c.Message, wanted.Message)
	})
}

// hasCondition waits for one.
func (g *envoyGateway) hasCondition(t testing.TB, kind, name string, wanted condition) {
	t.Helper()
	assert.NoError(t, lab.Until(t.Context(), fmt.Sprintf("%s %s to have %+v", kind, name, wanted), time.Minute, func(context.Context) (string, bool) {
		return fmt.Sprintf("%+v", g.conditions(t, kind, name)), g.has(t, kind, name, wanted)
	}))
}
