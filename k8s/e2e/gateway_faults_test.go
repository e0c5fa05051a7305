//go:build gateway

package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// pulled is a policy with what it takes to pull.
type pulled struct {
	ref        string
	changes    []operation
	components []string
	resources  string // besides
}

func (p pulled) yaml(t testing.TB) string {
	t.Helper()
	return policy(t, p.ref, map[string][]operation{"EnvoyExtensionPolicy": p.changes}, p.components...) + p.resources
}

const secretName = "routelens-registry"

// withPassword pulls from a registry that asks who pulls, by a secret as the overlay's pull-secret names it.
func (r registry) withPassword(t testing.TB, ref, password string) pulled {
	p := r.withAuthority(t, ref)
	p.components = []string{"pull-secret"}
	p.resources += document(t, map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": secretName, "namespace": "default"}, "type": "kubernetes.io/dockerconfigjson",
		"data": map[string]string{".dockerconfigjson": base64.StdEncoding.EncodeToString([]byte(r.credentials(password)))},
	})
	return p
}

// withAuthority trusts the registry's.
func (r registry) withAuthority(t testing.TB, ref string) pulled {
	authority, err := os.ReadFile(r.caFile)
	require.NoError(t, err)
	return pulled{
		ref:     ref,
		changes: []operation{set(imagePath+"/tls", map[string]any{"caCertificateRef": map[string]string{"kind": "ConfigMap", "name": secretName}})},
		resources: document(t, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": secretName, "namespace": "default"},
			"data": map[string]string{"ca.crt": string(authority)},
		}),
	}
}

// refused is the condition of a policy whose plugin was not fetched.
func refused(message string) condition {
	return condition{Type: "Accepted", Status: "False", Reason: "Invalid", Message: message}
}

const extensionPolicy = "EnvoyExtensionPolicy"

func TestEnvoyGatewayPullsWithASecret(t *testing.T) {
	r := openGuardedRegistry(t)
	ref := r.push(t, artifact(t), "team/routelens:1.0")
	g := openGateway(t, r.withPassword(t, ref, password).yaml(t))
	g.runs(t, "the plugin", anyPlugin)
	g.hasCondition(t, extensionPolicy, "routelens", condition{Type: "Accepted", Status: "True"})
}

func TestEnvoyGatewayServesWithoutAPluginThatItCannotFetch(t *testing.T) {
	plain, guarded := openRegistry(t), openGuardedRegistry(t)
	good := plain.push(t, artifact(t), "team/routelens:1.0")
	secret := guarded.push(t, artifact(t), "team/routelens:1.0")
	other := plain.push(t, artifact(t), "team/routelens:cncf", "--format", "cncf")
	repository, _, _ := strings.Cut(good, "@")

	missing := pulled{ref: plain.host + "/team/routelens:9.9"}
	g := openGateway(t, missing.yaml(t)) // from the start
	g.hasCondition(t, extensionPolicy, "routelens", refused("MANIFEST_UNKNOWN"))
	report := startTraffic(t, lab.Load{Entry: g.Entry, Mix: routed()})
	g.apply(t, "policy.yaml", changed(t, good))
	g.runs(t, "the plugin", anyPlugin)
	reports := []lab.Report{report.end(t)}

	for _, c := range []struct {
		name    string
		policy  pulled
		message string // in the policy's status, and in the docs
	}{
		{"no such tag", missing, "MANIFEST_UNKNOWN"},
		{"no such digest", pulled{ref: repository + "@sha256:" + strings.Repeat("0", 64)}, "MANIFEST_UNKNOWN"},
		{"the registry is away", pulled{ref: absentRegistry(t).host + "/team/routelens:1.0"}, "connection refused"},
		{"it is no registry", pulled{ref: garbledRegistry(t).host + "/team/routelens:1.0"}, "invalid character '<'"},
		{"another layout", pulled{ref: other}, "invalid format as an OCI image"},
		{"no credentials", guarded.withAuthority(t, secret), "UNAUTHORIZED"},
		{"wrong credentials", guarded.withPassword(t, secret, "wrong"), "UNAUTHORIZED"},
		{"no such secret", pulled{ref: secret, components: []string{"pull-secret"}}, "does not exist"},
		{"an authority that nobody trusts", pulled{ref: secret}, "x509: certificate signed by unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Contains(t, docs(t), "`"+c.message+"`")
			tr := startTraffic(t, lab.Load{Entry: g.Entry, Mix: routed()})
			time.Sleep(time.Second)
			g.apply(t, "policy.yaml", c.policy.yaml(t))
			g.hasCondition(t, extensionPolicy, "routelens", refused(c.message))
			g.runs(t, "no plugin", noPlugin)
			time.Sleep(time.Second)
			g.apply(t, "policy.yaml", changed(t, good))
			g.runs(t, "the plugin again", anyPlugin)
			time.Sleep(time.Second)
			reports = append(reports, tr.end(t))
			g.losesNothing(t, reports...)
		})
	}
}

// losesNothing holds that of all requests that met a plugin the record is there, once.
func (g *envoyGateway) losesNothing(t testing.TB, reports ...lab.Report) {
	t.Helper()
	stats, err := g.Quiet(t.Context(), 0, time.Minute)
	require.NoError(t, err)
	b := open(t, stats, g.store, reports...)
	assert.Equal(t, b.Emitted, b.Delivered+b.Unconfirmed)
	assert.Equal(t, b.Emitted, b.sent-len(b.Missing), "requests in the store")
}

// What fails closed does so where its policy is, and nowhere else.
func TestARouteThatFailsClosedAnswers500(t *testing.T) {
	r := openRegistry(t)
	ref := r.push(t, artifact(t), "team/routelens:1.0")
	closed := []operation{
		set("/spec/targetRefs", []any{map[string]string{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "catalog"}}),
		set(pluginPath+"/failOpen", false),
	}
	g := openGateway(t, changed(t, ref, closed...))
	g.runs(t, "the plugin", anyPlugin)
	assert.Equal(t, http.StatusOK, answer(t, g.Entry+"/catalog", "shop"))

	g.apply(t, "policy.yaml", changed(t, r.host+"/team/routelens:9.9", closed...))
	g.hasCondition(t, extensionPolicy, "routelens", refused("MANIFEST_UNKNOWN"))
	assert.Eventually(t, func() bool { return answer(t, g.Entry+"/catalog", "shop") == http.StatusInternalServerError }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, http.StatusOK, answer(t, g.Entry+"/users/1", "shop"), "another route")
	g.tells(t, "setting 500 direct response in routes")
}

// While a registry hangs, Envoys go on with what they have, the plugin too. So does everything else: Envoy Gateway does one thing at a time.
func TestARegistryThatHangsHoldsAllChangesUp(t *testing.T) {
	r := openRegistry(t)
	good := r.push(t, artifact(t), "team/routelens:1.0")
	g := openGateway(t, changed(t, good))
	g.runs(t, "the plugin", anyPlugin)
	tr := startTraffic(t, lab.Load{Entry: g.Entry, Mix: routed()})
	t.Run("hangs", func(t *testing.T) {
		slow, asked := hangingRegistry(t)
		g.apply(t, "policy.yaml", changed(t, slow.host+"/team/routelens:1.0"))
		<-asked
		g.logs(t, `fetching image	{"image": "team/routelens", "registry": "`+slow.host+`"`)
		g.apply(t, "another.yaml", newRoute)
		assert.Never(t, func() bool { return answer(t, g.Entry+"/new", "shop") == http.StatusOK }, 5*time.Second, 100*time.Millisecond, "a route that was added meanwhile")
		g.runs(t, "the plugin that it had", anyPlugin)
	})
	g.hasCondition(t, extensionPolicy, "routelens", refused("could not fetch"))
	assert.Eventually(t, func() bool { return answer(t, g.Entry+"/new", "shop") == http.StatusOK }, time.Minute, 100*time.Millisecond, "the route, once the registry is gone")
	report := tr.end(t)
	g.losesNothing(t, report)
}

// newRoute leads to the catalog, too.
const newRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: new, namespace: default}
spec:
  parentRefs: [{name: eg}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /new}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /catalog}}}]
    backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: catalog}]
`

// Any change has Envoy Gateway look for the plugin again, and after ten attempts it does so no more for an hour.
func TestEnvoyGatewayGivesAReferenceUp(t *testing.T) {
	r := openRegistry(t)
	file := another(t, 5)
	tag, up := r.host+"/team/routelens:1.0", r.host+"/team/routelens:1.1"
	g := openGateway(t, changed(t, tag))
	g.hasCondition(t, extensionPolicy, "routelens", refused("MANIFEST_UNKNOWN"))
	r.push(t, file, "team/routelens:1.0")
	g.apply(t, "another.yaml", newRoute)
	g.runs(t, "the plugin, after a change to a route", anyPlugin)

	const words = "after 10 attempts"
	assert.Contains(t, docs(t), "`"+words+"`")
	givenUp := refused("failed to get Wasm module oci://" + up + " " + words)
	attempts := func() int { return strings.Count(g.log(t), "Failed to get Wasm module") }
	before := attempts()
	g.apply(t, "policy.yaml", changed(t, up))
	for n := range 11 {
		require.Eventually(t, func() bool { return attempts() > before+n }, time.Minute, 20*time.Millisecond)
		g.apply(t, "another.yaml", strings.ReplaceAll(newRoute, "/new", fmt.Sprint("/new-", n)))
	}
	g.hasCondition(t, extensionPolicy, "routelens", givenUp)
	pinned := r.push(t, file, "team/routelens:1.1")
	g.apply(t, "another.yaml", newRoute)
	require.Eventually(t, func() bool { return answer(t, g.Entry+"/new", "shop") == http.StatusOK }, time.Minute, 50*time.Millisecond)
	g.hasCondition(t, extensionPolicy, "routelens", givenUp)
	g.runs(t, "no plugin, though it is there", noPlugin)
	g.apply(t, "policy.yaml", changed(t, pinned))
	g.runs(t, "the plugin, by another name", anyPlugin)
}

// A plugin that goes has the drain time to deliver what waits.
func TestRecordsThatWaitAsThePluginGoesAreDelivered(t *testing.T) {
	r := openRegistry(t)
	g := openGateway(t, changed(t, r.push(t, artifact(t), "team/routelens:1.0")))
	g.runs(t, "the plugin", anyPlugin)
	require.NoError(t, g.faults.Set(lab.ServerError))
	report, err := lab.Load{Entry: g.Entry, Mix: routed(), Total: 200}.Run(t.Context())
	require.NoError(t, err)
	g.apply(t, "policy.yaml", changed(t, r.host+"/team/routelens:9.9"))
	g.runs(t, "no plugin", noPlugin)
	stats, err := g.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, report.Sent, stats.Pipeline().Emitted)
	require.Zero(t, stats.Pipeline().Delivered)

	require.NoError(t, g.faults.Set(lab.Pass))
	settle(t, g.Envoy, g.store, report).eachOnce(t)
	assert.NoError(t, lab.Until(t.Context(), "the plugin's stats to go with it", time.Minute, func(ctx context.Context) (string, bool) {
		stats, err := g.Stats(ctx)
		return fmt.Sprint(len(stats), err), err == nil && len(stats) == 0
	}))
}
