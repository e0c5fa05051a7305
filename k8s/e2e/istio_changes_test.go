//go:build istio

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// change is one that a user makes to what is installed; words are what the proxy then runs.
type change struct {
	name  string
	make  func(i *install)
	words []string
}

// changes are all that there are: each moves queue and VMs in its own way. The images are builds of the plugin that differ.
func changes(first, second image) []change {
	return []change{
		{"pluginConfig", func(i *install) { i.generation = 2 }, []string{"x-2"}},
		{"env", func(i *install) { i.env = "two" }, []string{`"two"`}},
		{"tag", func(i *install) { i.image = second.tag }, []string{second.code}},
		{"digest", func(i *install) { i.image = first.digest }, []string{first.code}},
		{"pluginConfig again", func(i *install) { i.generation = 3 }, []string{"x-3"}},
		{"TrafficExtension for WasmPlugin", func(i *install) { i.overlay = "traffic-extension/" + i.overlay }, []string{translated, "x-3"}},
		{"pluginConfig of a TrafficExtension", func(i *install) { i.generation = 4 }, []string{"x-4"}},
	}
}

func TestLiveChangesUnderLoadLoseNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		proxy   func(testing.TB) proxyOptions
		install install
		loads   func(c *control) []lab.Load
	}{
		{"gateway", gateway, install{overlay: "gateway"}, entering},
		{"sidecar, by its workload", sidecar, install{overlay: "workload"}, bothSides},
		{"sidecar, by its namespace", sidecar, install{overlay: "namespace"}, bothSides},
	} {
		t.Run(c.name, func(t *testing.T) {
			control := openControl(t, nil)
			proxy := control.openProxy(t, c.proxy(t))
			registry := openRegistry(t)
			first, second := registry.image(t, 1), registry.image(t, 2)
			c.install.image, c.install.generation = first.tag, 1
			control.install(t, c.install)
			proxy.runs(t, time.Minute, "x-1")
			var running []*traffic
			for _, load := range c.loads(control) {
				running = append(running, startTraffic(t, load))
			}
			for _, change := range changes(first, second) {
				time.Sleep(between)
				change.make(&c.install)
				control.install(t, c.install)
				start := time.Now()
				proxy.runs(t, time.Minute, change.words...)
				t.Logf("%s: there after %s", change.name, time.Since(start).Round(time.Millisecond))
			}
			time.Sleep(between)
			var reports []lab.Report
			for _, tr := range running {
				reports = append(reports, tr.end(t))
			}
			b := settle(t, proxy.Envoy, control.store, reports...)
			b.eachOnce(t)
			// What was under way as a VM went has no answer. Before a VM that was held up waited (plugin/collector.go), it was one in fifteen.
			assert.LessOrEqual(t, b.Unconfirmed, b.sent/30, "unconfirmed")
			assert.Equal(t, exchanges(reports), b.stats.Exchanges(), "by route and code")
		})
	}
}

// between is long enough for each plugin to have shipped and gone before the next comes.
const between = 4 * time.Second

// entering is what comes to a gateway.
func entering(c *control) []lab.Load {
	return []lab.Load{{Entry: "http://" + c.Gateway, Mix: lab.ShopMix()}}
}

// bothSides are what comes to a sidecar's workload, and what that asks of others. The first is what its HTTP/1.1 port takes.
func bothSides(c *control) []lab.Load {
	var inbound []lab.Share
	for _, share := range lab.ShopMix() {
		if share.Route != "grpc" && share.Route != "echo" {
			share.Route = inboundRoute + share.Route
			inbound = append(inbound, share)
		}
	}
	return []lab.Load{
		{Entry: "http://" + c.Inbound, Mix: inbound, Rate: rate / 2, Workers: 4},
		{Entry: "http://" + c.Outbound, Mix: lab.ShopMix(), Rate: rate / 2, Workers: 4},
	}
}

// inboundRoute is before the names of routes where Istio has one route for all: to the workload.
const inboundRoute = "default/"

// exchanges are what the plugin is to have counted.
func exchanges(reports []lab.Report) map[lab.Outcome]int {
	sum := map[lab.Outcome]int{}
	for _, report := range reports {
		for outcome, n := range report.Counts {
			if strings.HasPrefix(outcome.Route, inboundRoute) {
				outcome.Route = "default"
			}
			sum[outcome] += n
		}
	}
	return sum
}

// image is a build of the plugin in a registry.
type image struct {
	tag, digest string // references
	code        string // what the agent names the file by, for whoever pulls it by that tag, or by its digest
}

// image pushes the n-th build.
func (r registry) image(t testing.TB, n int) image {
	t.Helper()
	file, err := lab.OtherBuild(artifact(t), t.TempDir(), n)
	require.NoError(t, err)
	tag := fmt.Sprintf("team/routelens:%d", n)
	digest := r.push(t, file, tag)
	_, hex, _ := strings.Cut(digest, "@sha256:")
	return image{r.host + "/" + tag, digest, hex + ".wasm"}
}
