package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/publish/internal/registry/registrytest"
	"github.com/routelens/routelens/publish/internal/wasm/wasmtest"
)

const keySecret = "correct-horse"

// keys makes a key pair.
func keys(t testing.TB) (private, public string) {
	t.Setenv(passwordVariable, keySecret)
	prefix := filepath.Join(t.TempDir(), "key")
	require.Equal(t, result{0, "", prefix + ".key: the private key, for publish sign; keep it and its password apart\n" + prefix + ".pub: the public key, for publish verify\n"},
		run(t, "keygen", "--output-key-prefix", prefix))
	return prefix + ".key", prefix + ".pub"
}

// pluginAt pushes a plugin to tag 1, and gives its digest reference.
func pluginAt(t testing.TB, host string) string {
	r := run(t, "push", pluginFile(t), host+"/p:1", "--plain-http")
	require.Zero(t, r.code, r.stderr)
	return strings.TrimSpace(r.stdout)
}

func TestKeygenOverwritesNothing(t *testing.T) {
	private, public := keys(t)
	info, err := os.Stat(private)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	was, err := os.ReadFile(private)
	require.NoError(t, err)
	prefix := strings.TrimSuffix(private, ".key")
	for _, there := range []string{private, public} {
		again := run(t, "keygen", "--output-key-prefix", prefix)
		assert.Equal(t, result{1, "", "publish: " + there + " is there already, and no key is overwritten: name another with --output-key-prefix\n"}, again)
		if there == private {
			require.NoError(t, os.Rename(private, private+".away"))
		}
	}
	now, err := os.ReadFile(private + ".away")
	require.NoError(t, err)
	assert.Equal(t, was, now)

	require.NoError(t, os.Unsetenv(passwordVariable))
	r := run(t, "keygen", "--output-key-prefix", filepath.Join(t.TempDir(), "x"))
	assert.Equal(t, result{1, "", "publish: without a terminal, the password for the new key is taken from COSIGN_PASSWORD, which is not set\n"}, r)
}

func TestThePublicKeyCanBeHadFromThePrivateOne(t *testing.T) {
	private, public := keys(t)
	want, err := os.ReadFile(public)
	require.NoError(t, err)
	assert.Equal(t, result{0, string(want), ""}, run(t, "public-key", "--key", private))

	t.Setenv(passwordVariable, "another")
	r := run(t, "public-key", "--key", private)
	assert.Equal(t, 1, r.code)
	assert.Empty(t, r.stdout)
	assert.Contains(t, r.stderr, "it is taken from COSIGN_PASSWORD, or asked for")
	assert.Contains(t, run(t, "sign", "oci-layout:"+t.TempDir()+":1", "--key", private+"x").stderr, "publish keygen makes one")
}

func TestSignAndVerifySayWhatTheyDid(t *testing.T) {
	host, _ := server(t)
	private, public := keys(t)
	ref := pluginAt(t, host)
	tag := host + "/p:1"
	assert.Equal(t, result{0, ref + "\n", tag + ": signed, under cosign's tag and in a bundle\n"}, run(t, "sign", tag, "--key", private, "--plain-http"))
	assert.Equal(t, result{0, ref + "\n", tag + ": signed by this key already; nothing was changed\n"}, run(t, "sign", tag, "--key", private, "--plain-http"))

	r := run(t, "verify", tag, "--key", public, "--plain-http")
	assert.Equal(t, ref+"\n", r.stdout)
	assert.Equal(t, tag+": bundle sha256:…: good\n"+tag+": signature under cosign's tag: good, made for "+host+"/p\n", hideDigests(r.stderr))

	r = run(t, "verify", tag, "--key", public, "--plain-http", "-o", "json")
	var report verified
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	assert.Equal(t, ref, report.Reference)
	require.Len(t, report.Signatures, 2)
	assert.True(t, report.Signatures[0].Good && report.Signatures[1].Good)

	r = run(t, "inspect", tag, "--plain-http")
	assert.Equal(t, 2, strings.Count(r.stdout, "\nSignature "), r.stdout)
}

var digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

func hideDigests(text string) string { return digests.ReplaceAllString(text, "sha256:…") }

func TestVerifySaysWhyNot(t *testing.T) {
	host, _ := server(t)
	private, public := keys(t)
	_, theirs := keys(t)
	tag := host + "/p:1"
	first := pluginAt(t, host)
	pinned := tag + "@" + digests.FindString(first)
	check := func(ref, key, want string) {
		t.Helper()
		r := run(t, "verify", ref, "--key", key, "--plain-http")
		assert.Equal(t, result{1, "", "publish: " + want + "\n"}, result{r.code, r.stdout, hideDigests(r.stderr)})
	}
	check(tag, public, tag+": not verified: there is no signature of it, which is sha256:… now")
	require.Zero(t, run(t, "sign", tag, "--key", private, "--plain-http").code)
	require.Zero(t, run(t, "verify", pinned, "--key", public, "--plain-http").code)
	check(tag, theirs, tag+": not verified with "+theirs+`:
  bundle sha256:…: made with another key
  signature under cosign's tag: it does not match this key: another one made it, or what it signs was changed since`)

	other := wasmtest.Plugin()
	other.Padding = 9
	require.Zero(t, run(t, "push", write(t, "o.wasm", other.Bytes()), tag, "--plain-http").code)
	check(tag, public, tag+": not verified: there is no signature of it, which is sha256:… now")
	check(pinned, public, tag+"@sha256:…: not verified: the tag was moved, and points at sha256:… now")
	check(host+"/p:2@"+digests.FindString(first), public, host+"/p:2@sha256:…: not verified: there is no tag 2 any more")
	require.Zero(t, run(t, "verify", first, "--key", public, "--plain-http").code, "by its digest it is as it was")
}

func TestAPasswordIsInNoOutput(t *testing.T) {
	host, _ := server(t)
	private, public := keys(t)
	pluginAt(t, host)
	sign := func() result { return run(t, "sign", host+"/p:1", "--key", private, "--plain-http") }
	t.Setenv(passwordVariable, "wrong-battery")
	r := sign()
	assert.Equal(t, result{1, "", "publish: --key " + private + ": the password is not the one that it was encrypted with, or the file is damaged; it is taken from COSIGN_PASSWORD, or asked for\n"}, r)
	require.NoError(t, os.Unsetenv(passwordVariable))
	r = sign()
	assert.Equal(t, result{1, "", "publish: --key " + private + ": without a terminal, the password of " + private + " is taken from COSIGN_PASSWORD, which is not set\n"}, r)
	r = run(t, "sign", host+"/p:1", "--key", public, "--plain-http")
	assert.Equal(t, result{1, "", "publish: --key " + public + ": no such key: it is a public key, which checks signatures; a private one makes them\n"}, r)
}

func TestASignatureInALayoutNamesNoRepositoryUnlessItIsSaid(t *testing.T) {
	_, _ = server(t)
	private, public := keys(t)
	ref := "oci-layout:" + t.TempDir() + ":1"
	require.Zero(t, run(t, "push", pluginFile(t), ref).code)
	require.Zero(t, run(t, "sign", ref, "--key", private).code)
	require.Zero(t, run(t, "sign", ref, "--key", private, "--identity", "docker.io/plugin").code)
	r := run(t, "verify", ref, "--key", public)
	assert.Zero(t, r.code)
	assert.Contains(t, r.stderr, ref+": signature under cosign's tag: good\n")
	assert.Contains(t, r.stderr, ref+": signature under cosign's tag: good, made for index.docker.io/library/plugin\n", "as cosign calls it")
	r = run(t, "sign", ref, "--key", private, "--identity", "A B")
	assert.Equal(t, result{2, "", "publish: --identity \"A B\" is no repository: write HOST/REPO\nSee publish sign --help.\n"}, r)
}

func TestWhatFailsAtAnyRequestCanBeRepeated(t *testing.T) {
	private, public := keys(t)
	bill := write(t, "sbom.json", []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}`))
	for name, args := range map[string][]string{"sign": {"--key", private}, "attach": {"--sbom", bill}} {
		for _, api := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, referrers API: %t", name, api), func(t *testing.T) {
				host, registry := server(t)
				registry.Referrers = api
				ref := pluginAt(t, host)
				n := 0
				for done := false; !done; n++ {
					require.Less(t, n, 50)
					left := n
					registry.Hook = func(w http.ResponseWriter, req *http.Request) bool {
						if left--; left >= 0 {
							return false
						}
						registrytest.Fail(w, http.StatusForbidden, "DENIED", "no more")
						return true
					}
					r := run(t, append([]string{name, ref, "--plain-http"}, args...)...)
					registry.Hook = nil
					if done = r.code == 0; !done {
						require.Contains(t, r.stderr, "denied")
						assert.Empty(t, r.stdout)
					}
				}
				require.Greater(t, n, 5, "it failed at some requests")
				if name == "sign" {
					r := run(t, "verify", ref, "--key", public, "--plain-http")
					assert.Zero(t, r.code, r.stderr)
					assert.Equal(t, 2, strings.Count(r.stderr, ": good"), r.stderr)
				} else {
					r := run(t, "inspect", ref, "--plain-http")
					assert.Equal(t, 1, strings.Count(r.stdout, "\nSbom "), r.stdout)
				}
			})
		}
	}
}

func TestAttachSaysWhatItDid(t *testing.T) {
	host, _ := server(t)
	ref := pluginAt(t, host)
	const spdx = `{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0", "name": "x", "documentNamespace": "https://example.com/x", "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: x"]}}`
	first := run(t, "attach", ref, "--sbom", write(t, "x.json", []byte(spdx)), "--plain-http")
	assert.Regexp(t, `^`+host+`/p@sha256:[0-9a-f]{64}\n$`, first.stdout)
	assert.Equal(t, ref+": bill of materials, SPDX 2.3, 0 components: attached\n", first.stderr)
	again := runWith(t, spdx, "attach", ref, "--sbom", "-", "--plain-http")
	assert.Equal(t, result{0, first.stdout, ref + ": bill of materials, SPDX 2.3, 0 components: attached before; nothing was sent\n"}, again)

	const list = `{"ImportPath": "example.com/p", "Module": {"Path": "example.com/p", "Main": true}}`
	made := runWith(t, list, "attach", ref, "--go-list", "-", "--plain-http")
	assert.Equal(t, ref+": bill of materials, CycloneDX 1.6, 0 components: attached\n", made.stderr)
	r := run(t, "inspect", ref, "--plain-http")
	assert.Equal(t, 2, strings.Count(r.stdout, "\nSbom "), r.stdout)

	r = run(t, "attach", ref, "--build-info", "--plain-http")
	assert.Equal(t, result{1, "", "publish: " + ref + ": the plugin: it holds no build information: the Go compiler writes it, TinyGo does not\nUse --go-list or --sbom.\n"}, r)
	bad := write(t, "bad.json", []byte(`{"bomFormat": "CycloneDX"}`))
	r = run(t, "attach", ref, "--sbom", bad, "--plain-http")
	assert.Equal(t, result{1, "", "publish: --sbom " + bad + ": no bill of materials: specVersion is missing\n"}, r)
	r = run(t, "attach", ref, "--plain-http")
	assert.Equal(t, 2, r.code)
	r = run(t, "attach", ref, "--sbom", bad, "--build-info")
	assert.Equal(t, 2, r.code)
}
