//go:build consumers

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/e2e/cncf/cncftest"
	"github.com/routelens/routelens/publish/internal/artifact"
	"github.com/routelens/routelens/publish/internal/registry/registrytest"
)

// realm is one that Istio's fetcher lets pass: it refuses a registry whose realm is no https URL.
const realm = "https://registry.example.com/"

// way is how a registry is reached.
type way struct {
	name, host string
	ca         string // where it speaks TLS
	guarded    bool
}

func ways(t testing.TB) []way {
	secured, ca := cncftest.ServeTLS(t, distribution(t, false))
	guardedTLS, guardedCA := cncftest.ServeTLS(t, cncftest.Registry(t, realm))
	return []way{
		{"plain", serve(t, distribution(t, false)), "", false},
		{"TLS", secured, ca, false},
		{"plain with a password", serve(t, cncftest.Registry(t, realm)), "", true},
		{"TLS with a password", guardedTLS, guardedCA, true},
	}
}

// flags are those of publish to reach the registry; where it wants a password, that is on standard input.
func (w way) flags() []string {
	flags := []string{"--plain-http"}
	if w.ca != "" {
		flags = []string{"--ca-file", w.ca}
	}
	if w.guarded {
		flags = append(flags, "-u", user, "--password-stdin")
	}
	return flags
}

func (w way) publish(t testing.TB, args ...string) string {
	t.Helper()
	return must(t, password, append(args, w.flags()...)...)
}

// secret is a Docker configuration with a password for the registry, in a folder of its own.
func (w way) secret(t testing.TB, password string) string {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	file := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, w.host, auth), 0o600))
	return file
}

// tool runs one of those that make consumers built.
func tool(t testing.TB, env []string, name string, args ...string) ([]byte, error) {
	dir := os.Getenv("ROUTELENS_CONSUMERS")
	require.NotEmpty(t, dir, "ROUTELENS_CONSUMERS is where make consumers built them; make test-publish sets it")
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.IsType(t, &exec.ExitError{}, err, "%s was built", name)
		return nil, fmt.Errorf("%s: %w: %s%s", name, err, stdout.String(), stderr.String())
	}
	return stdout.Bytes(), nil
}

// environment is what the tools see of it: no credentials of this machine, and the authority.
func (w way) environment(t testing.TB) []string {
	env := []string{"DOCKER_CONFIG=" + t.TempDir()}
	if w.ca != "" {
		env = append(env, "SSL_CERT_FILE="+w.ca)
	}
	return env
}

// The consumers, by the names that publish gives them.
var consumers = map[string]func(t testing.TB, w way, ref string) ([]byte, error){
	"Istio": func(t testing.TB, w way, ref string) ([]byte, error) {
		var flags []string
		if w.guarded {
			flags = []string{"-secret", w.secret(t, password)}
		}
		return written(t, w, "istio", append([]string{"pull"}, flags...), "oci://"+ref)
	},
	"Envoy Gateway": func(t testing.TB, w way, ref string) ([]byte, error) {
		var flags []string
		if w.guarded {
			flags = []string{"-secret", w.secret(t, password)}
		}
		if w.ca != "" {
			flags = append(flags, "-ca", w.ca)
		}
		return written(t, w, "gateway", flags, "oci://"+ref)
	},
}

func written(t testing.TB, w way, name string, args []string, url string) ([]byte, error) {
	out := filepath.Join(t.TempDir(), "out.wasm")
	if _, err := tool(t, w.environment(t), name, append(args, url, out)...); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

func TestThoseWhoCanPullItDo(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 700<<10)
	for _, w := range ways(t) {
		for _, layout := range artifact.Layouts {
			pinned := w.publish(t, "push", file, w.host+"/team/plugin:"+string(layout), "--format", string(layout))
			for name, pull := range consumers {
				t.Run(fmt.Sprintf("%s, %s, %s", w.name, layout, name), func(t *testing.T) {
					for _, ref := range []string{w.host + "/team/plugin:" + string(layout), pinned} {
						got, err := pull(t, w, ref)
						if layout == artifact.CNCF {
							require.ErrorContains(t, err, "invalid format as an OCI image", "of what it cannot pull")
							continue
						}
						require.NoError(t, err)
						assert.True(t, bytes.Equal(data, got), "the same bytes")
					}
				})
			}
			t.Run(fmt.Sprintf("%s, %s, oras", w.name, layout), func(t *testing.T) {
				assert.True(t, bytes.Equal(data, w.oras(t, layout, pinned)))
			})
			t.Run(fmt.Sprintf("%s, %s, crane", w.name, layout), func(t *testing.T) {
				assert.True(t, bytes.Equal(data, w.crane(t, layout, w.host+"/team/plugin:"+string(layout), pinned)))
			})
		}
	}
}

// orasFlags are those to reach the registry.
func (w way) orasFlags(t testing.TB) []string {
	flags := []string{"--plain-http"}
	if w.ca != "" {
		flags = []string{"--ca-file", w.ca}
	}
	if w.guarded {
		flags = append(flags, "--registry-config", w.secret(t, password))
	}
	return flags
}

// oras pulls the files that the artifact names; of an image, which names none, it fetches the layer.
func (w way) oras(t testing.TB, layout artifact.Layout, ref string) []byte {
	run := func(args ...string) []byte {
		out, err := tool(t, w.environment(t), "oras", append(args, w.orasFlags(t)...)...)
		require.NoError(t, err)
		return out
	}
	if layout == artifact.Compat {
		m := manifestOf(t, run("manifest", "fetch", ref))
		return untarred(t, run("blob", "fetch", repository(ref)+"@"+m.Layers[0].Digest.String(), "--output", "-"))
	}
	dir := t.TempDir()
	run("pull", ref, "--output", dir)
	data, err := os.ReadFile(filepath.Join(dir, "plugin.wasm"))
	require.NoError(t, err)
	return data
}

// crane takes an image apart as a container's, and anything else blob by blob.
func (w way) crane(t testing.TB, layout artifact.Layout, ref, pinned string) []byte {
	env := w.environment(t)
	if w.guarded {
		env = append(env, "DOCKER_CONFIG="+filepath.Dir(w.secret(t, password)))
	}
	run := func(args ...string) []byte {
		out, err := tool(t, env, "crane", args...)
		require.NoError(t, err)
		return out
	}
	assert.Equal(t, pinned, repository(ref)+"@"+strings.TrimSpace(string(run("digest", ref))))
	if layout == artifact.Compat {
		run("validate", "--remote", ref)
		return untarred(t, run("export", ref, "-"))
	}
	m := manifestOf(t, run("manifest", ref))
	return run("blob", repository(ref)+"@"+m.Layers[len(m.Layers)-1].Digest.String())
}

func manifestOf(t testing.TB, data []byte) (m ocispec.Manifest) {
	require.NoError(t, json.Unmarshal(data, &m))
	require.NotEmpty(t, m.Layers)
	return m
}

// repository is a reference without tag and digest.
func repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	return ref
}

// untarred finds plugin.wasm in an archive, compressed or not.
func untarred(t testing.TB, data []byte) []byte {
	var from io.Reader = bytes.NewReader(data)
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		from = z
	}
	for archive := tar.NewReader(from); ; {
		header, err := archive.Next()
		require.NoError(t, err)
		if path.Base(header.Name) == "plugin.wasm" {
			data, err := io.ReadAll(archive)
			require.NoError(t, err)
			return data
		}
	}
}

func TestWhatOthersPushIsJudgedAsTheConsumersDo(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := ways(t)[0]
	file, data := plugin(t, 50<<10)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"plugin.wasm": data, "runtime-config.json": []byte("{}"), "empty.txt": nil} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	layer := filepath.Join(dir, "layer.tar")
	require.NoError(t, os.WriteFile(layer, tarred(t, data), 0o600))
	t.Chdir(dir) // oras names files as it is given them
	run := func(name string, args ...string) {
		_, err := tool(t, w.environment(t), name, args...)
		require.NoError(t, err)
	}
	const content, config = "plugin.wasm:" + artifact.ContentType, "runtime-config.json:" + artifact.ConfigType
	for tag, push := range map[string]func(ref string){
		"one-layer":       func(ref string) { run("oras", "push", "--plain-http", ref, content) },
		"two-layers":      func(ref string) { run("oras", "push", "--plain-http", ref, config, content) },
		"content-first":   func(ref string) { run("oras", "push", "--plain-http", ref, content, config) },
		"three-layers":    func(ref string) { run("oras", "push", "--plain-http", ref, config, content, "empty.txt") },
		"no-plugin":       func(ref string) { run("oras", "push", "--plain-http", ref, config, "plugin.wasm:application/wasm") },
		"docker-image":    func(ref string) { run("crane", "append", "-f", layer, "-t", ref) },
		"docker-two":      func(ref string) { run("crane", "append", "-f", layer, "-f", layer, "-t", ref) },
		"oci-empty-base":  func(ref string) { run("crane", "append", "--oci-empty-base", "-f", layer, "-t", ref) },
		"ours":            func(ref string) { w.publish(t, "push", file, ref) },
		"ours-compat":     func(ref string) { w.publish(t, "push", file, ref, "--format", "compat") },
		"ours-cncf":       func(ref string) { w.publish(t, "push", file, ref, "--format", "cncf") },
		"copied-by-crane": func(ref string) { w.publish(t, "push", file, ref+"-0"); run("crane", "copy", ref+"-0", ref) },
		"copied-by-oras": func(ref string) {
			w.publish(t, "push", file, ref+"-0", "--format", "compat")
			run("oras", "copy", "--from-plain-http", "--to-plain-http", ref+"-0", ref)
		},
	} {
		ref := w.host + "/team/p:" + tag
		push(ref)
		for _, judged := range w.judged(t, ref) {
			pull := consumers[judged.Name]
			t.Run(tag+", "+judged.Name, func(t *testing.T) {
				got, err := pull(t, w, ref)
				require.Equal(t, judged.Can, err == nil, "publish said %q, the consumer: %v", judged.Reason, err)
				if err == nil {
					assert.True(t, bytes.Equal(data, got))
				}
			})
		}
	}
}

// verdict is what publish says of one of the consumers.
type verdict struct {
	Name, Reason string
	Can          bool
}

// judged is what publish says of each of them.
func (w way) judged(t testing.TB, ref string) []verdict {
	var report struct{ Consumers []verdict }
	require.NoError(t, json.Unmarshal([]byte(w.publish(t, "inspect", ref, "-o", "json")), &report))
	known := slices.DeleteFunc(report.Consumers, func(v verdict) bool { return consumers[v.Name] == nil })
	require.Len(t, known, len(consumers))
	return known
}

// The registry is one that takes any name, so that it is the consumers' parsers that refuse.
func TestNamesAreJudgedAsTheConsumersReadThem(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := way{name: "any name", host: serve(t, &registrytest.Registry{})}
	_, port, _ := strings.Cut(w.host, ":")
	file, data := plugin(t, 1000)
	refused := 0
	for name, ref := range map[string]string{
		"one character":           w.host + "/p:1",
		"one character and a tag": w.host + "/p:a-long-tag",
		"two characters":          w.host + "/pp:1",
		"one in each part":        w.host + "/a/b:1",
		"underscores":             w.host + "/a__b_c/d---e.f:1",
		"digits":                  w.host + "/12:34",
		"255 characters":          w.host + "/" + strings.Repeat("p", 255) + ":1",
		"256 characters":          w.host + "/" + strings.Repeat("p", 256) + ":1",
		"256 characters in parts": w.host + "/" + strings.Repeat("abcdefg/", 31) + "abcdefgh:1",
		"a tag of 128":            w.host + "/pp:" + strings.Repeat("T", 128),
		"a tag with all":          w.host + "/pp:_A.b-9",
		"a host without a dot":    "localhost:" + port + "/pp:1",
	} {
		pinned := w.publish(t, "push", file, ref)
		for _, judged := range w.judged(t, ref) {
			pull := consumers[judged.Name]
			if !judged.Can {
				refused++
			}
			for form, ref := range map[string]string{"by tag": ref, "by digest": pinned} {
				t.Run(name+", "+judged.Name+", "+form, func(t *testing.T) {
					got, err := pull(t, w, ref)
					require.Equal(t, judged.Can, err == nil, "publish said %q, the consumer: %v", judged.Reason, err)
					if err == nil {
						assert.True(t, bytes.Equal(data, got))
					} else {
						assert.ErrorContains(t, err, "could not parse reference")
					}
				})
			}
		}
	}
	assert.Equal(t, 2*4, refused, "both refuse each of four names")
	for _, ref := range []string{w.host + "/Pp:1", w.host + "/pp:" + strings.Repeat("T", 129), w.host + "/pp:a+b", w.host + "/-p:1", w.host + "/a//b:1"} {
		assert.Equal(t, 2, publish(t, "", "push", file, ref, "--plain-http").code, "OCI does not allow %s", ref)
	}
}

// tarred is an archive with plugin.wasm.
func tarred(t testing.TB, data []byte) []byte {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "plugin.wasm", Mode: 0o644, Size: int64(len(data))}))
	_, err := archive.Write(data)
	require.NoError(t, errors.Join(err, archive.Close()))
	return out.Bytes()
}

func TestWhatIstioAndEnvoyGatewayWantBesides(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, data := plugin(t, 1000)
	named, ca := cncftest.ServeTLS(t, cncftest.Registry(t, "registry"))
	w := way{"a realm that is no URL", named, ca, true}
	ref := w.publish(t, "push", file, w.host+"/team/p:1")
	_, err := consumers["Istio"](t, w, ref)
	assert.ErrorContains(t, err, "rejected unsafe bearer realm")
	got, err := consumers["Envoy Gateway"](t, w, ref)
	require.NoError(t, err)
	assert.Equal(t, data, got)

	w = ways(t)[3]
	ref = w.publish(t, "push", file, w.host+"/team/p:1")
	for name, args := range map[string][]string{"istio": {"pull"}, "gateway": {"-ca", w.ca}} {
		_, err = written(t, w, name, append(args, "-secret", w.secret(t, "wrong")), "oci://"+ref)
		assert.ErrorContains(t, err, "UNAUTHORIZED", "%s, another password", name)
		_, err = written(t, w, name, args, "oci://"+ref)
		assert.ErrorContains(t, err, "UNAUTHORIZED", "%s, no password", name)
	}
}
