package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/goldentest"
)

func TestAManifestNamesTheDigest(t *testing.T) {
	host, _ := server(t)
	pushed := run(t, "push", pluginFile(t), host+"/pp:1", "--plain-http")
	require.Zero(t, pushed.code, pushed.stderr)
	config := write(t, "routelens.json", []byte(`{"sink": {"cluster": "logs"}, "sampling": {"rate": 0.1}}`))
	for kind, flags := range map[string][]string{
		"istio":                   {"--namespace", "istio-system", "--selector", "istio=ingressgateway", "--selector", "app=shop", "--pull-secret", "login", "--phase", "authz"},
		"istio-traffic-extension": {"--target", "Gateway/eg", "--target", "service/shop", "--name", "lens"},
		"envoy-gateway":           {"--target", "HTTPRoute/checkout", "-n", "shop", "--pull-secret", "login"},
		"envoy":                   {"--file", "/tmp/p.wasm", "--upstream", "shop:80", "--sink", "logs.example.com:9428"},
	} {
		r := run(t, append([]string{"manifest", host + "/pp:1", "--plain-http", "--for", kind, "--config", config}, flags...)...)
		require.Zero(t, r.code, r.stderr)
		assert.Empty(t, r.stderr)
		assert.Contains(t, r.stdout, strings.TrimSpace(pushed.stdout))
		goldentest.Equal(t, "testdata/manifest-"+kind+".yaml", strings.ReplaceAll(r.stdout, host, "registry.example.com"))
		again := run(t, append([]string{"manifest", strings.TrimSpace(pushed.stdout), "--plain-http", "--for", kind, "--config", config}, flags...)...)
		assert.Equal(t, r, again, "a digest gives the same as the tag")
	}
}

func TestAManifestIsNotWrittenForWhatWouldNotRun(t *testing.T) {
	host, _ := server(t)
	for _, format := range []string{"oci", "cncf"} {
		require.Zero(t, run(t, "push", pluginFile(t), host+"/pp:"+format, "--plain-http", "--format", format).code)
	}
	r := run(t, "manifest", host+"/pp:cncf", "--plain-http", "--for", "istio")
	assert.Equal(t, result{1, "", "publish: " + host + "/pp:cncf: Istio could not pull it: an artifact must have exactly two layers, and this has 1; the last is application/wasm\n" +
		"Push the plugin with --format oci or compat.\n"}, r)
	assert.Zero(t, run(t, "manifest", host+"/pp:cncf", "--plain-http", "--for", "envoy").code, "publish pull brings any layout to Envoy")

	file := write(t, "c.json", []byte(`{"sampling": {"rate": 2}, "colour": 1}`))
	r = run(t, "manifest", host+"/pp:oci", "--plain-http", "--for", "istio", "--config", file)
	assert.Equal(t, 1, r.code)
	assert.Empty(t, r.stdout)
	assert.Contains(t, r.stderr, "publish: "+file+": 2 faults:\n  sampling.rate: must be ")
	r = run(t, "manifest", host+"/pp:oci", "--plain-http", "--for", "istio", "--config", file, "--no-check")
	assert.Zero(t, r.code, r.stderr)
	assert.Contains(t, r.stdout, "  pluginConfig:\n    sampling:\n      rate: 2\n    colour: 1\n")

	r = run(t, "manifest", host+"/pp:none", "--plain-http", "--for", "istio")
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, "cannot read tag none of pp: no such tag")
}

func TestSecretsInAManifestAreTold(t *testing.T) {
	host, _ := server(t)
	require.Zero(t, run(t, "push", pluginFile(t), host+"/pp:1", "--plain-http").code)
	r := runWith(t, `{"sink": {"cluster": "logs", "headers": {"authorization": "Bearer abc"}}}`,
		"manifest", host+"/pp:1", "--plain-http", "--for", "istio", "--config", "-")
	require.Zero(t, r.code, r.stderr)
	assert.Contains(t, r.stderr, "-: what redact.key and sink.headers hold is in the YAML as it stands")
	assert.NotContains(t, r.stderr, "abc")
}

func TestManifestFlagsThatMakeNoSenseAreAMisuse(t *testing.T) {
	const ref = "registry.example.com/team/p:1"
	for want, args := range map[string][]string{
		"--for must be one of istio, istio-traffic-extension, envoy-gateway, envoy":                         {ref},
		"--selector has no meaning for envoy-gateway":                                                       {ref, "--for", "envoy-gateway", "--selector", "a=b"},
		"--namespace has no meaning for envoy":                                                              {ref, "--for", "envoy", "--namespace", "x"},
		"--upstream has no meaning for istio":                                                               {ref, "--for", "istio", "--upstream", "a:1"},
		"--for envoy-gateway needs --target, such as --target Gateway/eg":                                   {ref, "--for", "envoy-gateway"},
		"target \"Service/x\" must be KIND/NAME, where KIND is one of Gateway, HTTPRoute, GRPCRoute":        {ref, "--for", "envoy-gateway", "--target", "Service/x"},
		"--selector and --target: Istio takes one of them":                                                  {ref, "--for", "istio", "--target", "Gateway/x", "--selector", "a=b"},
		"label \"a\" must be key=value":                                                                     {ref, "--for", "istio", "--selector", "a"},
		"label a is given twice":                                                                            {ref, "--for", "istio", "--selector", "a=b", "--selector", "a=c"},
		"no phase \"first\": there are AUTHN, AUTHZ, STATS":                                                 {ref, "--for", "istio", "--phase", "first"},
		"--name \"My Plugin\" is no name of a resource: lower-case letters, digits, dashes and dots":        {ref, "--for", "istio", "--name", "My Plugin"},
		"--upstream: \"shop\" must be HOST:PORT":                                                            {ref, "--for", "envoy", "--upstream", "shop"},
		"oci-layout:dist:1: Istio pulls from registries alone; publish copy brings it into one":             {"oci-layout:dist:1", "--for", "istio"},
		"--config - and --password-stdin cannot both read standard input; publish login keeps the password": {ref, "--for", "istio", "--config", "-", "-u", "x", "--password-stdin"},
		"not a reference: \"team\" is no registry's host: write HOST/REPO:TAG, such as docker.io/team/p":    {"team/p:1", "--for", "istio"},
	} {
		r := run(t, append([]string{"manifest"}, args...)...)
		assert.Equal(t, result{2, "", "publish: " + want + "\nSee publish manifest --help.\n"}, r, strings.Join(args, " "))
	}
}
