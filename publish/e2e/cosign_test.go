//go:build consumers

package e2e

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cosign runs it against a registry, with the password of the keys.
func (w way) cosign(t testing.TB, args ...string) ([]byte, error) {
	env := append(w.environment(t), "COSIGN_PASSWORD="+password)
	if w.guarded {
		env = append(env, "DOCKER_CONFIG="+filepath.Dir(w.secret(t, password)))
	}
	return tool(t, env, "cosign", args...)
}

// verifyFlags check the newest form that there is, as cosign does by itself, or the one under the tag alone, as cosign 2 does. There is no
// transparency log.
var verifyFlags = map[string][]string{
	"by itself":     {"--insecure-ignore-tlog"},
	"under the tag": {"--insecure-ignore-tlog", "--new-bundle-format=false"},
}

// signFlags are the ways in which cosign writes a signature without a transparency log.
var signFlags = map[string][]string{
	"a bundle":                    {"--use-signing-config=false", "--tlog-upload=false"},
	"a payload under its tag":     {"--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false"},
	"a payload that refers to it": {"--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false", "--registry-referrers-mode=oci-1-1"},
}

func TestCosignAcceptsOurSignature(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	private, public := keys(t)
	_, another := keys(t)
	for _, w := range ways(t) {
		for form, flags := range verifyFlags {
			t.Run(w.name+", "+form, func(t *testing.T) {
				ref := w.publish(t, "push", file, w.host+"/team/plugin:1")
				_, err := w.cosign(t, append(append([]string{"verify", "--key", public}, flags...), w.host+"/unsigned/plugin:1")...)
				require.Error(t, err)
				w.publish(t, "sign", ref, "--key", private)
				_, digest, _ := strings.Cut(ref, "@")
				for _, name := range []string{ref, w.host + "/team/plugin:1"} {
					out, err := w.cosign(t, append(append([]string{"verify", "--key", public}, flags...), name)...)
					require.NoError(t, err)
					assert.Contains(t, string(out), `"docker-manifest-digest":"`+digest+`"`)
				}
				_, err = w.cosign(t, append(append([]string{"verify", "--key", another}, flags...), ref)...)
				assert.Error(t, err, "another key")
			})
		}
	}
}

func TestWeAcceptCosignsSignature(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("COSIGN_EXPERIMENTAL", "1") // for --registry-referrers-mode
	file, _ := plugin(t, 1000)
	_, another := keys(t)
	dir := t.TempDir()
	t.Chdir(dir) // where cosign puts the keys
	for _, w := range ways(t) {
		_, err := w.cosign(t, "generate-key-pair", "--output-key-prefix", w.name)
		require.NoError(t, err)
		private, public := filepath.Join(dir, w.name+".key"), filepath.Join(dir, w.name+".pub")
		for form, flags := range signFlags {
			t.Run(w.name+", "+form, func(t *testing.T) {
				ref := w.publish(t, "push", file, w.host+"/team/plugin:1", "--annotation", "form="+form)
				_, err := w.cosign(t, append(append([]string{"sign", "--yes", "--key", private}, flags...), ref)...)
				require.NoError(t, err)
				assert.Equal(t, ref, w.publish(t, "verify", ref, "--key", public))
				assert.Equal(t, ref, w.publish(t, "sign", ref, "--key", private), "what cosign made is a key for us, and stays beside ours")
				var report struct{ Signatures []struct{ Good bool } }
				require.NoError(t, json.Unmarshal([]byte(w.publish(t, "verify", ref, "--key", public, "-o", "json")), &report))
				for _, s := range report.Signatures {
					assert.True(t, s.Good)
				}
				for _, flags := range verifyFlags {
					_, err = w.cosign(t, append(append([]string{"verify", "--key", public}, flags...), ref)...)
					assert.NoError(t, err)
				}
				r := publish(t, password, append([]string{"verify", ref, "--key", another}, w.flags()...)...)
				assert.Equal(t, 1, r.code)
				assert.Contains(t, r.stderr, "not verified")
			})
		}
	}
}

func TestNoSignatureIsLostWhenCosignAndWeTakeTurns(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := ways(t)[0]
	file, _ := plugin(t, 1000)
	ref := w.publish(t, "push", file, w.host+"/team/plugin:1")
	var publics []string
	for i := range 4 {
		private, public := keys(t)
		publics = append(publics, public)
		if i%2 == 0 {
			_, err := w.cosign(t, append(append([]string{"sign", "--yes", "--key", private}, signFlags["a payload under its tag"]...), ref)...)
			require.NoError(t, err)
		} else {
			w.publish(t, "sign", ref, "--key", private)
		}
	}
	for _, public := range publics {
		w.publish(t, "verify", ref, "--key", public)
		_, err := w.cosign(t, append(append([]string{"verify", "--key", public}, verifyFlags["under the tag"]...), ref)...)
		assert.NoError(t, err)
	}
}

func TestCosignRefusesTheSameForgeries(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := ways(t)[0]
	private, public := keys(t)
	for name, how := range forgeries {
		t.Run(name, func(t *testing.T) {
			ref := forged(t, private, w.host+"/"+strings.ReplaceAll(name, " ", "-"), how)
			for _, flags := range verifyFlags {
				_, err := w.cosign(t, append(append([]string{"verify", "--key", public}, flags...), ref)...)
				assert.Error(t, err)
			}
		})
	}
}

func TestOtherKindsOfKeysSignAsWell(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("COSIGN_PASSWORD", password)
	t.Setenv("COSIGN_EXPERIMENTAL", "1") // for --registry-referrers-mode
	w := ways(t)[0]
	file, _ := plugin(t, 1000)
	t.Chdir(t.TempDir()) // where cosign puts the keys
	small, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	old, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]any{"p256": small, "p384": large, "rsa": old, "ed25519": edwards} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.MarshalPKCS8PrivateKey(key)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
			_, err = w.cosign(t, "import-key-pair", "--key", name+".pem", "--output-key-prefix", name)
			require.NoError(t, err)
			ref := w.publish(t, "push", file, w.host+"/team/plugin:"+name, "--annotation", "key="+name)
			w.publish(t, "sign", ref, "--key", name+".key")
			w.publish(t, "verify", ref, "--key", name+".pub")
			for form, flags := range verifyFlags {
				_, err = w.cosign(t, append(append([]string{"verify", "--key", name + ".pub"}, flags...), ref)...)
				assert.NoError(t, err, form)
			}
			ref = w.publish(t, "push", file, w.host+"/team/plugin:"+name, "--annotation", "by=cosign, "+name)
			for form, flags := range signFlags {
				_, err = w.cosign(t, append(append([]string{"sign", "--yes", "--key", name + ".key"}, flags...), ref)...)
				require.NoError(t, err, form)
			}
			w.publish(t, "verify", ref, "--key", name+".pub")
		})
	}
}

func TestAnAttestationOfCosignsIsNoSignature(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	w := ways(t)[0]
	file, _ := plugin(t, 1000)
	private, public := keys(t)
	ref := w.publish(t, "push", file, w.host+"/team/plugin:1")
	_, err := w.cosign(t, "attest", "--yes", "--key", private, "--type", "spdxjson", "--predicate", write(t, spdx), "--use-signing-config=false", "--tlog-upload=false", ref)
	require.NoError(t, err)
	r := publish(t, "", append([]string{"verify", ref, "--key", public}, w.flags()...)...)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "there is no signature of it")
	var report struct {
		Signatures []any
		Attached   []struct{ Kind string }
	}
	require.NoError(t, json.Unmarshal([]byte(w.publish(t, "inspect", ref, "-o", "json")), &report))
	assert.Empty(t, report.Signatures)
	require.Len(t, report.Attached, 1)
	assert.Equal(t, "attestation", report.Attached[0].Kind)
}

func TestOthersFindTheBillOfMaterials(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	file, _ := plugin(t, 1000)
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			ref := w.publish(t, "push", file, w.host+"/team/plugin:1")
			attached := w.publish(t, "attach", ref, "--sbom", write(t, spdx))
			run := func(args ...string) []byte {
				out, err := tool(t, w.environment(t), "oras", append(args, w.orasFlags(t)...)...)
				require.NoError(t, err)
				return out
			}
			var found struct {
				Referrers, Manifests []struct{ Reference, ArtifactType string }
			}
			require.NoError(t, json.Unmarshal(run("discover", ref, "--format", "json"), &found))
			all := append(found.Referrers, found.Manifests...)
			require.Len(t, all, 1)
			assert.Equal(t, attached, all[0].Reference)
			assert.Equal(t, "application/spdx+json", all[0].ArtifactType)
			dir := t.TempDir()
			run("pull", attached, "--output", dir)
			data, err := os.ReadFile(filepath.Join(dir, "sbom.spdx.json"))
			require.NoError(t, err)
			assert.Equal(t, spdx, string(data))
		})
	}
}
