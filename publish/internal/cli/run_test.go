package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
	"github.com/routelens/routelens/publish/internal/registry/registrytest"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

func TestMain(m *testing.M) {
	os.Unsetenv("SOURCE_DATE_EPOCH")
	os.Exit(m.Run())
}

type result struct {
	code           int
	stdout, stderr string
}

func run(t testing.TB, args ...string) result { return runWith(t, "", args...) }

func runWith(t testing.TB, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := Run(context.Background(), args, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// server is an empty registry, and no credentials.
func server(t testing.TB) (host string, r *registrytest.Registry) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	r = &registrytest.Registry{Referrers: true}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), r
}

func write(t testing.TB, name string, data []byte) string {
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

func pluginFile(t testing.TB) string { return write(t, "plugin.wasm", wasmtest.Plugin().Bytes()) }

func TestHelpPagesAreAsTheyWere(t *testing.T) {
	pages := 0
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "help" || c.Parent() != nil && c.Parent().Name() == "completion" { // cobra's own
			return
		}
		path := strings.Fields(c.CommandPath())
		r := run(t, append(path[1:], "--help")...)
		require.Zero(t, r.code, c.CommandPath())
		assert.Empty(t, r.stderr)
		goldentest.Equal(t, "testdata/help/"+strings.Join(path, "-")+".txt", r.stdout)
		for line := range strings.Lines(c.Long) {
			assert.LessOrEqual(t, len(line), 105, "%s: %s", c.CommandPath(), line)
		}
		pages++
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	root := (&app{}).root()
	root.InitDefaultCompletionCmd()
	visit(root)
	assert.Equal(t, 19, pages)
}

func TestNoFlagTakesAPassword(t *testing.T) {
	for _, c := range (&app{}).root().Commands() {
		assert.Nil(t, c.Flags().Lookup("password"), c.Name())
	}
}

func TestWhatIsNotUnderstoodIsAMisuse(t *testing.T) {
	host, _ := server(t)
	file := pluginFile(t)
	for want, args := range map[string][]string{
		"publish: unknown command \"pushh\" for \"publish\"\n\nDid you mean this?\n\tpush\n\nSee publish --help.\n":                                                     {"pushh"},
		"publish: unknown command \"chekc\" for \"publish config\"\nSee publish config --help.\n":                                                                       {"config", "chekc"},
		"publish: requires at least 2 arg(s), only received 1\nSee publish push --help.\n":                                                                              {"push", file},
		"publish: unknown flag: --formt\nSee publish push --help.\n":                                                                                                    {"push", "--formt", "x"},
		"publish: no format \"zip\": there are oci, compat, both and cncf\nSee publish push --help.\n":                                                                  {"push", file, host + "/p:1", "--format", "zip"},
		"publish: annotation \"x\" must be key=value\nSee publish push --help.\n":                                                                                       {"push", file, host + "/p:1", "--annotation", "x"},
		"publish: not a reference: \"team\" is no registry's host: write HOST/REPO:TAG, such as docker.io/team/p\nSee publish push --help.\n":                           {"push", file, "team/p:1"},
		"publish: \".a\" is no tag, which is up to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash\nSee publish push --help.\n": {"push", file, host + "/p:1", ".a"},
		"publish: tag 1-compat is given twice\nSee publish push --help.\n":                                                                                              {"push", file, host + "/p:1", "1-compat", "--format", "both"},
		"publish: --username needs --password-stdin, so that the password shows in no list of processes\nSee publish tags --help.\n":                                    {"tags", host + "/p", "--username", "x"},
		"publish: --password-stdin needs --username\nSee publish tags --help.\n":                                                                                        {"tags", host + "/p", "--password-stdin"},
		"publish: " + host + "/p:1: tags wants " + host + "/p alone\nSee publish tags --help.\n":                                                                        {"tags", host + "/p:1"},
		"publish: --output says where the plugin goes: a file, or - for standard output\nSee publish pull --help.\n":                                                    {"pull", host + "/p:1"},
		"publish: no output \"yaml\": there are text and json\nSee publish inspect --help.\n":                                                                           {"inspect", host + "/p:1", "-o", "yaml"},
		"publish: without a terminal, login needs --username and --password-stdin\nSee publish login --help.\n":                                                         {"login", host},
		"publish: --password-stdin and --from-password-stdin cannot both read standard input; publish login keeps one of them\nSee publish copy --help.\n":              {"copy", host + "/p:1", host + "/q:1", "-u", "x", "--password-stdin", "--from-username", "x", "--from-password-stdin"},
		"publish: the name of a registry is its host, with its port if it has one, such as registry.example.com\nSee publish logout --help.\n":                          {"logout", "a/b"},
	} {
		r := run(t, args...)
		assert.Equal(t, result{2, "", want}, r, strings.Join(args, " "))
	}
}

func TestAFileThatEnvoyWouldNotLoadIsNotSent(t *testing.T) {
	host, r := server(t)
	bad := wasmtest.Plugin()
	bad.Exports = bad.Exports[:1]
	bad.Imports[0].Name = "proxy_redis_call"
	file := write(t, "bad.wasm", bad.Bytes())
	got := run(t, "push", file, host+"/pp:1", "--plain-http")
	assert.Equal(t, result{1, "", "publish: " + file + ` is not pushed:
  it exports no function proxy_abi_version_0_2_*: it is no proxy-wasm plugin, or its main package does not use a proxy-wasm SDK
  it exports neither proxy_on_memory_allocate nor malloc: Envoy can hand it no data
  it imports the function env.proxy_redis_call, which Envoy does not offer
To push it all the same, for another proxy or a newer one: --no-check
`}, got)
	text := write(t, "x.wat", []byte("(module)"))
	got = run(t, "push", text, host+"/pp:1", "--plain-http", "--no-check")
	assert.Equal(t, 1, got.code, "no flag makes it a module")
	assert.Contains(t, got.stderr, text+" is not pushed:\n  not a Wasm module")
	assert.Empty(t, r.Requests(), "nothing was asked or sent")

	got = run(t, "push", file, host+"/pp:1", "--plain-http", "--no-check")
	assert.Zero(t, got.code, got.stderr)
	got = run(t, "inspect", host+"/pp:1", "--plain-http")
	assert.Contains(t, got.stdout, "Istio: no: Envoy would not load the plugin\n")
	assert.Contains(t, got.stdout, "Why Envoy would not load it\n  it exports no function")
}

func TestPushSaysWhatItDidAndPrintsTheDigestAlone(t *testing.T) {
	host, _ := server(t)
	file := pluginFile(t)
	first := run(t, "push", file, host+"/pp:1", "latest", "--plain-http")
	assert.Regexp(t, `^`+host+`/pp@sha256:[0-9a-f]{64}\n$`, first.stdout)
	assert.Equal(t, file+`: 131 bytes, proxy-wasm ABI 0.2.0, 1 import
`+host+`/pp: 189 bytes uploaded in 2 blobs (oci), tags 1, latest set
`+host+`/pp:1: there, with the digests and sizes that were sent; who can pull it: Istio, Envoy Gateway; not: Wasm tools (CNCF layout)
`, first.stderr)
	again := run(t, "push", file, host+"/pp:1", "--plain-http", "--no-verify")
	assert.Equal(t, first.stdout, again.stdout)
	assert.Contains(t, again.stderr, host+"/pp: nothing to upload (oci), tag 1 as before\n")
}

func TestARepositoryThatNoProxyCanNameIsTold(t *testing.T) {
	host, _ := server(t)
	pushed := run(t, "push", pluginFile(t), host+"/p:1", "--plain-http")
	require.Zero(t, pushed.code, "others may pull from it: %s", pushed.stderr)
	const why = "it reads names of repositories with 2 to 255 characters, and this one has 1"
	assert.Contains(t, pushed.stderr, "who can pull it: nobody; not: Istio ("+why+"), Envoy Gateway ("+why+"), Wasm tools (CNCF layout)\n")
	assert.Contains(t, run(t, "inspect", host+"/p:1", "--plain-http").stdout, "  Istio: no: "+why+"\n")
	r := run(t, "manifest", host+"/p:1", "--plain-http", "--for", "envoy-gateway", "--target", "Gateway/eg")
	assert.Equal(t, result{1, "", "publish: " + host + "/p:1: Envoy Gateway could not pull it: " + why + "\n" +
		"Copy it to another repository: publish copy " + host + "/p:1 " + host + "/NAME\n"}, r)
}

func TestTheDigestFollowsFromInputAlone(t *testing.T) {
	host, _ := server(t)
	data := wasmtest.Plugin().Bytes()
	push := func(args ...string) string {
		file := write(t, "another-name.wasm", data)
		r := run(t, append([]string{"push", file, host + "/p:1", "--plain-http"}, args...)...)
		require.Zero(t, r.code, r.stderr)
		return r.stdout
	}
	plain := push()
	assert.Equal(t, plain, push())
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dated := push()
	assert.NotEqual(t, plain, dated)
	assert.Equal(t, dated, push())
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	r := run(t, "push", pluginFile(t), host+"/p:1")
	assert.Equal(t, 2, r.code)
	assert.Contains(t, r.stderr, `SOURCE_DATE_EPOCH ("yesterday") must be seconds since 1970`)
}

func TestATagThatSomebodyElseMovesIsNoticed(t *testing.T) {
	host, r := server(t)
	other := wasmtest.Plugin()
	other.Padding = 9
	require.Zero(t, run(t, "push", write(t, "o.wasm", other.Bytes()), host+"/p:theirs", "--plain-http").code)
	moved := false
	r.Hook = func(w http.ResponseWriter, req *http.Request) bool {
		if moved && req.Method == "GET" && strings.HasSuffix(req.URL.Path, "/manifests/1") {
			http.Redirect(w, req, "/v2/p/manifests/theirs", http.StatusTemporaryRedirect)
			return true
		}
		moved = moved || req.Method == "PUT" && strings.HasSuffix(req.URL.Path, "/manifests/1")
		return false
	}
	got := run(t, "push", pluginFile(t), host+"/p:1", "--plain-http")
	assert.Equal(t, 1, got.code)
	assert.Empty(t, got.stdout)
	assert.Contains(t, got.stderr, "somebody else moved the tag meanwhile")
}

func TestPullReplacesTheFileOnlyWhenItIsWhole(t *testing.T) {
	host, r := server(t)
	require.Zero(t, run(t, "push", pluginFile(t), host+"/p:1", "--plain-http").code)
	file := write(t, "old.wasm", []byte("old"))
	r.Hook = func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != "GET" || !strings.Contains(req.URL.Path, "/blobs/") {
			return false
		}
		w.Write(make([]byte, len(wasmtest.Plugin().Bytes())))
		return true
	}
	got := run(t, "pull", host+"/p:1", "-o", file, "--plain-http")
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.stderr, "publish: "+host+": cannot read tag 1 of p: what came does not match its digest")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "old", string(data))
	r.Hook = nil
	got = run(t, "pull", host+"/p:1", "-o", file, "--plain-http")
	assert.Zero(t, got.code, got.stderr)
	data, err = os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, wasmtest.Plugin().Bytes(), data)
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no half file is left")

	got = run(t, "pull", host+"/p:1", "-o", filepath.Join(filepath.Dir(file), "none", "x"), "--plain-http")
	assert.Equal(t, 1, got.code)
}

func TestAResultThatCannotBePrintedIsAFailure(t *testing.T) {
	host, _ := server(t)
	for _, args := range [][]string{{"push", pluginFile(t), host + "/pp:1"}, {"inspect", host + "/pp:1"}, {"tags", host + "/pp"}} {
		full, stderr := errorWriter{syscall.ENOSPC}, &bytes.Buffer{}
		assert.Equal(t, 1, Run(context.Background(), append(args, "--plain-http"), nil, full, stderr), args[0])
		assert.Contains(t, stderr.String(), "publish: no space left on device\n")
	}
}

type errorWriter struct{ error }

func (w errorWriter) Write([]byte) (int, error) { return 0, w.error }

func TestAFullDiskIsNamed(t *testing.T) {
	err := error(&fs.PathError{Op: "write", Path: "plugin.wasm", Err: syscall.ENOSPC})
	if full, opened := os.OpenFile("/dev/full", os.O_WRONLY, 0); opened == nil { // Linux has a disk that always is
		defer full.Close()
		_, err = full.Write([]byte("x"))
	}
	assert.EqualError(t, writeError("plugin.wasm", err), "plugin.wasm: cannot write it: the disk is full\nMake room, or write somewhere else.")
}

func TestInspectIsForPeopleAndForPrograms(t *testing.T) {
	host, _ := server(t)
	for _, format := range []string{"oci", "compat", "cncf"} {
		pushed := run(t, "push", pluginFile(t), host+"/pp:"+format, "--plain-http", "--format", format, "--version", "1.0", "--description", "A plugin")
		require.Zero(t, pushed.code, pushed.stderr)
		for _, output := range []string{"text", "json"} {
			r := run(t, "inspect", host+"/pp:"+format, "--plain-http", "-o", output)
			require.Zero(t, r.code, r.stderr)
			goldentest.Equal(t, "testdata/inspect-"+format+"."+output, strings.ReplaceAll(r.stdout, host, "HOST"))
			assert.Equal(t, output == "json", json.Valid([]byte(r.stdout)))
		}
	}
}

func TestNothingInAnArtifactSteersTheTerminal(t *testing.T) {
	host, r := server(t)
	hostile := wasmtest.Plugin()
	hostile.Imports[0].Name = "proxy\x1b[2J"
	got := run(t, "push", write(t, "x.wasm", hostile.Bytes()), host+"/p:1", "--plain-http", "--no-check", "--annotation", "a=\x1b]0;owned\x07\nSignature  yes")
	require.Zero(t, got.code, got.stderr)
	assert.NotContains(t, got.stderr, "\x1b")
	got = run(t, "inspect", host+"/p:1", "--plain-http")
	assert.NotContains(t, got.stdout, "\x1b")
	assert.Contains(t, got.stdout, "Annotation  a=]0;owned Signature yes\n")
	r.Hook = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Write([]byte(`{"tags": ["\u001b[2J1"]}`))
		return true
	}
	assert.Equal(t, "[2J1\n", run(t, "tags", host+"/p", "--plain-http").stdout)
}

func TestConfigCheckNamesEveryFault(t *testing.T) {
	r := runWith(t, `{"sink": {"cluster": "logs"}}`, "config", "check", "-")
	assert.Equal(t, result{0, "", "-: no fault found\n"}, r)
	file := write(t, "c.json", []byte(`{"sampling": {"rate": 2}, "colour": 1}`))
	r = run(t, "config", "check", file)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "publish: "+file+": 2 faults:\n  sampling.rate: must be ")
	assert.Equal(t, 1, run(t, "config", "check", file+".none").code)
}

func TestConfigSchemaIsTheCommittedOne(t *testing.T) {
	want, err := os.ReadFile("../../../plugin/config/schema.json")
	require.NoError(t, err)
	assert.Equal(t, result{0, string(want), ""}, run(t, "config", "schema"))
}

func TestCompletionAndVersionArePrinted(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := run(t, "completion", shell)
		assert.Zero(t, r.code)
		assert.Contains(t, r.stdout, "publish", shell)
	}
	r := run(t, "version")
	assert.Zero(t, r.code)
	assert.Regexp(t, `^publish \S+ \(go\S+, \w+/\w+\)\n$`, r.stdout)
	assert.Contains(t, run(t, "__complete", "push", "--format", "").stdout, "compat\n")
}
