//go:build istio

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// fault is why the agent cannot have the plugin, and what its log says of it, and docs/kubernetes.md of that.
type fault struct {
	name          string
	image, secret string
	log           string
	slow          bool // the agent waits for all of its time-out
}

func faults(t testing.TB, plain, guarded registry) []fault {
	hanging, _ := hangingRegistry(t)
	odd := openRegistryOfRealm(t, "registry")
	absent, garbled := absentRegistry(t), garbledRegistry(t)
	plain.push(t, artifact(t), "team/routelens:cncf", "--format", "cncf")
	locked := guarded.push(t, artifact(t), "team/routelens:1")
	digest := strings.Repeat("0", 64)
	return []fault{
		{name: "no such tag", image: plain.host + "/team/routelens:nosuch", log: "MANIFEST_UNKNOWN"},
		{name: "no such digest", image: plain.host + "/team/routelens@sha256:" + digest, log: "MANIFEST_UNKNOWN"},
		{name: "no such repository", image: plain.host + "/team/nosuch:1", log: "MANIFEST_UNKNOWN"},
		{name: "the registry is away", image: absent.host + "/team/routelens:1", log: "connection refused"},
		{name: "what answers is no registry", image: garbled.host + "/team/routelens:1", log: "invalid character '<'"},
		{name: "another layout", image: plain.host + "/team/routelens:cncf", log: "invalid format as an OCI image"},
		{name: "no credentials", image: locked, log: "UNAUTHORIZED"},
		{name: "wrong credentials", image: locked, secret: "wrong", log: "UNAUTHORIZED"},
		{name: "a realm that is no URL", image: odd.push(t, artifact(t), "team/routelens:1"), secret: "right", log: "rejected unsafe bearer realm"},
		{name: "no such secret", image: locked, secret: "nosuch", log: "missing image pulling secret"},
		{name: "the registry hangs", image: hanging.host + "/team/routelens:1", log: "deadline exceeded", slow: true},
	}
}

// whatAllows is in the filter that the agent puts in place of a plugin that it cannot fetch, with FAIL_OPEN.
const whatAllows = "wasm-default-allow"

func TestTrafficPassesWhereTheAgentCannotFetchThePlugin(t *testing.T) {
	plain, guarded := openRegistry(t), openGuardedRegistry(t)
	good := plain.image(t, 1)
	all := faults(t, plain, guarded)
	control := openControl(t, pullSecrets{"istio-system/wrong": guarded.credentials("wrong"), "istio-system/right": guarded.credentials(password)})
	options := gateway(t)
	options.trust = guarded.caFile // of all that speak TLS here
	t.Run("anew", func(t *testing.T) {
		proxy := control.openProxy(t, options)
		for n, f := range all {
			t.Run(f.name, func(t *testing.T) {
				control.install(t, install{overlay: "gateway", image: good.digest, generation: n})
				proxy.runs(t, time.Minute, good.code, fmt.Sprintf("x-%d", n))
				said := len(proxy.log(t))
				tr := startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix()})
				time.Sleep(time.Second)
				start := time.Now()
				control.install(t, f.install())
				proxy.runs(t, time.Minute, whatAllows)
				f.took(t, time.Since(start))
				time.Sleep(time.Second)
				report := tr.end(t)
				f.isLogged(t, proxy.log(t)[said:])
				l, err := lab.ReadLedger(t.Context(), control.store, report)
				require.NoError(t, err)
				t.Logf("%d requests, %d recorded before", report.Sent, report.Sent-len(l.Missing))
				assert.Empty(t, l.Doubled)
				assert.NotEmpty(t, l.Missing, "the plugin is gone")
			})
		}
		failed := 0.0
		for _, m := range scrape(t, proxy.agent+"/stats/prometheus")["istio_agent_wasm_config_conversion_count"].GetMetric() {
			if labelsOf(m)["result"] != "success" {
				failed += m.GetCounter().GetValue()
			}
		}
		assert.Positive(t, failed)
	})
	for _, f := range all {
		t.Run("as the proxy starts, "+f.name, func(t *testing.T) {
			control.install(t, f.install())
			start := time.Now()
			proxy := control.openProxy(t, options)
			f.took(t, time.Since(start))
			tr := startTraffic(t, lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix()})
			time.Sleep(time.Second)
			tr.end(t)
			f.isLogged(t, proxy.log(t))
		})
	}
}

func (f fault) install() install {
	return install{overlay: "gateway", image: f.image, secret: f.secret}
}

func (f fault) isLogged(t testing.TB, log string) {
	t.Helper()
	_, said, found := strings.Cut(log, "error in converting the wasm config to local: ")
	require.True(t, found)
	said, _, found = strings.Cut(said, ". applying allow RBAC filter")
	require.True(t, found)
	t.Log(said)
	assert.Contains(t, said, f.log)
	assert.Contains(t, string(read(t, "../../docs/kubernetes.md")), "`"+f.log+"`")
}

// fetchLimit is Istio's.
const fetchLimit = 30 * time.Second

func (f fault) took(t testing.TB, d time.Duration) {
	t.Helper()
	t.Logf("there after %s", d.Round(time.Millisecond))
	if f.slow {
		assert.Greater(t, d, fetchLimit)
	} else {
		assert.Less(t, d, fetchLimit)
	}
}

func TestTheAgentFetchesAgainWhenItIsToldAgain(t *testing.T) {
	const still = 5 * time.Second
	registry := openRegistry(t)
	control := openControl(t, nil)
	proxy := control.openProxy(t, gateway(t))
	missing := install{overlay: "gateway", image: registry.host + "/team/routelens:1", generation: 1}
	control.install(t, missing)
	proxy.runs(t, time.Minute, whatAllows)
	good := registry.image(t, 1)
	asked := registry.asked.Load()
	time.Sleep(still)
	assert.Equal(t, asked, registry.asked.Load(), "nobody asks by himself")
	proxy.runs(t, time.Second, whatAllows)

	t.Run("as the resource changes, be it in an annotation", func(t *testing.T) {
		missing.annotation = "again"
		control.install(t, missing)
		proxy.runs(t, time.Minute, good.code)
	})
	t.Run("as istiod is another", func(t *testing.T) {
		next := install{overlay: "gateway", image: registry.host + "/team/routelens:2", generation: 1}
		control.install(t, next)
		proxy.runs(t, time.Minute, whatAllows)
		second := registry.image(t, 2)
		control.restart(t)
		proxy.runs(t, time.Minute, second.code)
	})
}

func TestWhatTheAgentHasNeedsNoRegistry(t *testing.T) {
	registry := openRegistry(t)
	first, second := registry.image(t, 1), registry.image(t, 2)
	control := openControl(t, nil)
	proxy := control.openProxy(t, gateway(t))
	for _, image := range []string{second.tag, first.digest} {
		control.install(t, install{overlay: "gateway", image: image, generation: 1})
		proxy.runs(t, time.Minute, "x-1", code(first, second, image))
	}
	registry.close()
	for n, image := range []string{first.digest, second.tag, first.digest} {
		control.install(t, install{overlay: "gateway", image: image, generation: 2 + n, env: fmt.Sprint(n)})
		proxy.runs(t, time.Minute, fmt.Sprintf("x-%d", 2+n), code(first, second, image))
	}
}

func code(first, second image, reference string) string {
	if reference == first.digest {
		return first.code
	}
	return second.code
}

// What waits in a plugin that is taken away is lost with it, and so is its count: of at most sink.batch.max_delay.
func TestRecordsThatWaitGoWithAPluginThatCannotBeFetched(t *testing.T) {
	registry := openRegistry(t)
	control := openControl(t, nil)
	proxy := control.openProxy(t, gateway(t))
	control.install(t, install{overlay: "gateway", image: registry.image(t, 1).digest, generation: 1, delay: "5s"})
	proxy.runs(t, time.Minute, "x-1")
	report, err := lab.Load{Entry: proxy.Entry, Mix: lab.ShopMix(), Total: 100}.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, lab.Until(t.Context(), "all records to wait", 3*time.Second, func(ctx context.Context) (string, bool) {
		stats, err := proxy.Stats(ctx)
		return fmt.Sprint(stats.Pipeline(), err), stats.Pipeline().Waiting == report.Sent
	}))
	control.install(t, install{overlay: "gateway", image: registry.host + "/team/routelens:nosuch"})
	proxy.runs(t, time.Minute, whatAllows)
	time.Sleep(7 * time.Second)
	l, err := lab.ReadLedger(t.Context(), control.store, report)
	require.NoError(t, err)
	assert.Len(t, l.Missing, report.Sent)
	stats, err := proxy.Stats(t.Context())
	require.NoError(t, err)
	assert.Empty(t, stats, "no VM, no stats")
}

func TestFailCloseAnswers403ToEveryone(t *testing.T) {
	registry := openRegistry(t)
	good := registry.image(t, 1)
	control := openControl(t, nil)
	proxy := control.openProxy(t, gateway(t))
	control.install(t, install{overlay: "gateway", image: good.digest, generation: 1})
	proxy.runs(t, time.Minute, "x-1")
	proxy.answers(t, http.StatusOK)
	control.install(t, install{overlay: "gateway", image: registry.host + "/team/routelens:nosuch", failClose: true})
	proxy.logs(t, time.Minute, "applying deny RBAC filter")
	proxy.runs(t, time.Minute, "wasm-default-deny")
	proxy.answers(t, http.StatusForbidden)
}
