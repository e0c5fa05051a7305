//go:build gateway

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// another is a build of the plugin that nobody has yet.
func another(t testing.TB, n int) string {
	file, err := lab.OtherBuild(artifact(t), t.TempDir(), n)
	require.NoError(t, err)
	return file
}

// hasCode is whether Envoy was told to run a file.
func hasCode(t testing.TB, file string) func(*plugin) bool {
	code, err := os.ReadFile(file)
	require.NoError(t, err)
	checksum := fmt.Sprintf("%x", sha256.Sum256(code))
	return func(p *plugin) bool { return p != nil && p.VM.Code.Remote.SHA256 == checksum }
}

// hasGeneration is whether a plugin has the configuration of recordsAll.
func hasGeneration(n int) func(*plugin) bool {
	return func(p *plugin) bool {
		return p != nil && strings.Contains(p.Configuration.Value, fmt.Sprintf(`"x-%d"`, n))
	}
}

func hasEnvironment(p *plugin) bool {
	return p != nil && slices.Contains(p.VM.Environment.Keys, "HOME")
}

func TestEnvoyGatewayChangesThePluginUnderLoad(t *testing.T) {
	r := openRegistry(t)
	first, second, third := artifact(t), another(t, 2), another(t, 3)
	ref := r.push(t, first, "team/routelens:1.0")
	r.push(t, second, "team/routelens:1.1")
	pinned := r.push(t, third, "team/routelens:1.2")
	g := openGateway(t, changed(t, ref))
	g.runs(t, "the plugin", hasCode(t, first))
	tr := startTraffic(t, lab.Load{Entry: g.Entry, Mix: routed()})
	time.Sleep(changeStays)

	env := set(pluginPath+"/env", map[string]any{"hostKeys": []string{"HOME"}})
	for _, c := range []struct {
		name    string
		ref     string
		changes []operation
		made    func(*plugin) bool
	}{
		{"another configuration", ref, recordsAll(2), hasGeneration(2)},
		{"another environment", ref, append(recordsAll(2), env), hasEnvironment},
		{"another tag", r.host + "/team/routelens:1.1", append(recordsAll(2), env), hasCode(t, second)},
		{"another digest", pinned, append(recordsAll(2), env), hasCode(t, third)},
		{"a configuration again", pinned, append(recordsAll(3), env), hasGeneration(3)},
	} {
		start := time.Now()
		g.apply(t, "policy.yaml", changed(t, c.ref, c.changes...))
		g.runs(t, c.name, c.made)
		t.Logf("%s after %s", c.name, time.Since(start).Round(time.Millisecond))
		time.Sleep(changeStays)
	}
	time.Sleep(drain) // the last VMs are to go under load too
	report := tr.end(t)
	b := settle(t, g.Envoy, g.store, report)
	b.eachOnce(t)
	assert.Equal(t, byRouteName(report), b.stats.Exchanges())
}

// changeStays is how long one change is under load before the next comes.
const changeStays = 5 * time.Second

// A stream is under way for as long as it likes. What outlasts the drain time is cut off by any change.
func TestAChangeEndsStreamsAfterTheDrainTime(t *testing.T) {
	r := openRegistry(t)
	ref := r.push(t, artifact(t), "team/routelens:1.0")
	shutdown := map[string][]operation{"EnvoyProxy": {set("/spec/shutdown", map[string]string{"drainTimeout": "3s"})}}
	g := openGateway(t, policy(t, ref, shutdown))
	g.runs(t, "the plugin", anyPlugin)
	response, err := http.Get(g.Entry + "/events?n=100&every=500ms")
	require.NoError(t, err)
	defer response.Body.Close()

	start := time.Now()
	shutdown["EnvoyExtensionPolicy"] = recordsAll(2)
	g.apply(t, "policy.yaml", policy(t, ref, shutdown))
	_, err = io.Copy(io.Discard, response.Body)
	assert.Error(t, err, "the stream, with what it is to have")
	assert.Less(t, time.Since(start), 40*time.Second)
	assert.Greater(t, time.Since(start), 3*time.Second)
}

// A tag that was moved is not looked at again, unless the policy asks for that: another reason to name digests.
func TestEnvoyGatewayKeepsWhatATagWas(t *testing.T) {
	r := openRegistry(t)
	first, second := artifact(t), another(t, 4)
	r.push(t, first, "team/routelens:1.0")
	tag := r.host + "/team/routelens:1.0"
	g := openGateway(t, changed(t, tag))
	g.runs(t, "the plugin", hasCode(t, first))

	r.push(t, second, "team/routelens:1.0")
	g.apply(t, "policy.yaml", changed(t, tag, recordsAll(2)...))
	g.runs(t, "another configuration", hasGeneration(2))
	g.runs(t, "the tag as it was", hasCode(t, first))
	g.apply(t, "policy.yaml", changed(t, tag, append(recordsAll(3), set(pluginPath+"/code/pullPolicy", "Always"))...))
	g.runs(t, "the tag as it is", hasCode(t, second))
}

func TestEnvoyGatewayHasACacheUntilItEnds(t *testing.T) {
	r := openRegistry(t)
	ref := r.push(t, artifact(t), "team/routelens:1.0")
	g := openGateway(t, changed(t, ref))
	g.runs(t, "the plugin", anyPlugin)

	r.close()
	g.apply(t, "policy.yaml", changed(t, ref, recordsAll(2)...))
	g.runs(t, "another configuration, of the cache", hasGeneration(2))
	require.NoError(t, g.Stop())
	g.start(t)
	g.hasCondition(t, "EnvoyExtensionPolicy", "routelens", condition{Type: "Accepted", Status: "False", Message: "connection refused"})
	g.runs(t, "no plugin", noPlugin)
	assert.Equal(t, http.StatusOK, answer(t, g.Entry+"/catalog", "shop"))
}

// Envoy keeps the configuration that it has, and the plugin's log is the only one to tell of the other. An Envoy that has none serves
// without the plugin.
func TestAConfigurationThatThePluginRefusesChangesNothing(t *testing.T) {
	r := openRegistry(t)
	ref := r.push(t, artifact(t), "team/routelens:1.0")
	g := openGateway(t, changed(t, ref))
	g.runs(t, "the plugin", anyPlugin)
	tr := startTraffic(t, lab.Load{Entry: g.Entry, Mix: routed()})
	g.apply(t, "policy.yaml", changed(t, ref, append(recordsAll(2), set(pluginPath+"/config/sampling/rate", 7))...))
	g.logs(t, "routelens: configuration refused\nsampling.rate: must be a number from 0 to 1; found 7")
	g.tells(t, "Envoy rejected the last update")
	g.runs(t, "the configuration that it had", hasGeneration(1))
	assert.True(t, g.has(t, extensionPolicy, "routelens", condition{Type: "Accepted", Status: "True"}))
	settle(t, g.Envoy, g.store, tr.end(t)).eachOnce(t)

	require.NoError(t, g.Stop())
	g.start(t)
	g.logs(t, "routelens: configuration refused")
	assert.Equal(t, http.StatusOK, answer(t, g.Entry+"/catalog", "shop"))
	stats, err := g.Stats(t.Context())
	require.NoError(t, err)
	assert.Zero(t, stats.Sum(metrics.Requests))
}
