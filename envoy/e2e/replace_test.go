package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// change replaces the plugin for the n-th time.
type change struct {
	name string
	make func(t *testing.T, p *config.Plugin, n int)
}

// Each moves the queue in its own way.
var (
	byConfiguration = change{"configuration", func(_ *testing.T, p *config.Plugin, n int) { // same VMs, same queue
		p.Config = recording(settings{"headers.request": []string{fmt.Sprintf("x-%d", n)}})
	}}
	byEnvironment = change{"environment", func(_ *testing.T, p *config.Plugin, n int) { // new VMs, same queue
		p.Env = map[string]string{"GENERATION": fmt.Sprint(n)}
	}}
	byCode = change{"code", func(t *testing.T, p *config.Plugin, n int) { // likewise
		file, err := lab.OtherBuild(p.File, t.TempDir(), n)
		require.NoError(t, err)
		p.File = file
	}}
	bySink = change{"sink", func(_ *testing.T, p *config.Plugin, n int) { // same VMs, new queue
		p.Config = recording(settings{"sink.path": fmt.Sprintf("%s&generation=%d", lab.NDJSONPath, n)})
	}}
)

// recording is a configuration with all bodies.
func recording(changes settings) string {
	all := maps.Clone(everyJSON)
	maps.Copy(all, changes)
	return configuration(all)
}

var everyJSON = settings{"bodies.request": map[string]any{"rate": 1}, "bodies.response": map[string]any{"rate": 1}}

func TestReplacingThePluginUnderLoadLosesNothing(t *testing.T) {
	cases := []struct {
		name    string
		changes []change
		answers time.Duration // how long the sink takes to answer
	}{
		{"same sink", []change{byConfiguration, byEnvironment, byCode}, 0},
		{"sinks come and go", []change{bySink, byConfiguration, byEnvironment, bySink, byCode}, 0},
		// Whenever a VM goes, something is under way.
		{"a slow sink", []change{byEnvironment, byCode}, 1500 * time.Millisecond},
	}
	eachArtifact(t, func(t *testing.T, wasm string) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { testReplacing(t, wasm, c.changes, c.answers) })
		}
	})
}

// replacedStays is time for the requests under way, however long Envoy's main thread was held: a new
// build in plain Go takes it 3 s to compile, and several times that where the machine is busy.
const replacedStays = lab.ReplaceLimit + 5*time.Second

func testReplacing(t *testing.T, wasm string, changes []change, answers time.Duration) {
	s := open(t, standOptions{wasm: wasm, plugin: everyJSON, faults: answers > 0, drain: replacedStays})
	if answers > 0 {
		s.faults.Delay = answers
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reports := make(chan lab.Report, 1)
	failed := make(chan error, 1)
	go func() {
		report, err := lab.Load{Entry: s.Entry, Mix: lab.ShopMix(), Rate: replacingRate, Workers: 8}.Run(ctx)
		reports <- report
		failed <- err
	}()
	made := s.replaceInTurn(t, changes)
	time.Sleep(replacedStays) // the last VMs are to go under load too
	stop()
	report := <-reports
	require.NoError(t, <-failed)
	require.Empty(t, report.Failures, "requests that failed while the plugin was replaced")

	sent, stats := s.reconcileCounters(t, report)
	p := stats.Pipeline()
	t.Logf("%d requests through %d replacements: %s; %d collectors", sent, made, p, int(stats.Sum(metrics.CollectorChanges)))
	assert.Equal(t, sent, p.Emitted)
	assert.EqualValues(t, p.Dropped, stats.Sum(metrics.Dropped, "reason=sink_removed"), "no other reason: %v", reasons(stats))
	if !slices.ContainsFunc(changes, func(c change) bool { return c.name == bySink.name }) {
		assert.Zero(t, p.Dropped)
	}
	if answers > 0 {
		assert.Positive(t, p.Unconfirmed, "records under way when their VM went")
	}
	missing, doubled := s.compare(t, report)
	assert.Empty(t, lab.Examples(doubled), "%d records are in the store twice", len(doubled))
	assert.LessOrEqual(t, len(missing), p.Dropped+p.Unconfirmed, "requests that are not in the store, such as %v", lab.Examples(missing))
	assert.GreaterOrEqual(t, sent-len(missing), p.Delivered, "records in the store")
	s.haveBodies(t, report)
	streams, rpcs := report.Counts[lab.Outcome{Route: "events", Code: "200"}]+2*report.Counts[lab.Outcome{Route: "ws", Code: "101"}], 2*report.Counts[lab.Outcome{Route: "grpc", Code: "200"}]
	assert.EqualValues(t, streams, stats.Sum(metrics.BodiesOmitted, "reason=stream"))
	assert.EqualValues(t, rpcs, stats.Sum(metrics.BodiesOmitted, "reason=grpc"))
	assert.Zero(t, stats.Sum(metrics.BodiesOmitted, "reason=no_room"))
}

// haveBodies looks for records that lack a body that passed.
func (s *stand) haveBodies(t *testing.T, report lab.Report) {
	t.Helper()
	for filter, body := range map[string]string{
		`http.route:="users"`:                             `http.response.body.json.name:="Ada"`,
		`http.route:="users" http.request.method:="POST"`: `http.request.body.json.name:="Ada"`,
		`http.route:="checkout"`:                          `http.request.body.json.basket:* http.response.body.json.order:="accepted"`,
		`http.route:="echo"`:                              `http.request.body.json.hello:="world" http.response.body.json.hello:="world"`,
	} {
		all, err := s.store.Count(t.Context(), report.Filter()+" "+filter)
		require.NoError(t, err)
		assert.Positive(t, all, filter)
		with, err := s.store.Count(t.Context(), report.Filter()+" "+filter+" "+body)
		require.NoError(t, err)
		assert.Equal(t, all, with, "records of %s, with %s", filter, body)
	}
}

// A counter that nobody adds to any more must not go with the VM that made it.
func TestCountersOutliveTheVMThatMadeThem(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm})
		once := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("users", "/users/1"), Times: 1}}, Total: 3})
		s.reconcile(t, once)
		s.renewVMs(t)
		later := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}, Total: 3})
		s.reconcile(t, once, later)
	})
}

// What the sink did not take is counted though the VM went and nobody ships any more.
func TestRecordsLeftByASinkThatWentAreCounted(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		t.Parallel()
		s := open(t, standOptions{wasm: wasm, faults: true, plugin: settings{"sink.retry.max_elapsed": "10m"}})
		require.NoError(t, s.faults.Set(lab.ServerError))
		report := s.load(t, lab.Load{Mix: []lab.Share{{Call: lab.Get("catalog", "/catalog"), Times: 1}}, Total: 50})
		require.NoError(t, s.Replace(t.Context(), func(o *config.Options) {
			byEnvironment.make(t, o.Plugin, 1)
			o.Plugin.Config = "{}"
		}))
		sent, stats := s.reconcileCounters(t, report)
		assert.Equal(t, sent, stats.Pipeline().Emitted)
		assert.Equal(t, sent, stats.Pipeline().Dropped+stats.Pipeline().Unconfirmed, reasons(stats))
	})
}

// renewVMs replaces every VM, twice, and waits until the old ones are gone.
func (s *stand) renewVMs(t *testing.T) {
	for n := range 2 {
		require.NoError(t, s.Replace(t.Context(), func(o *config.Options) { byEnvironment.make(t, o.Plugin, n) }))
	}
	time.Sleep(8 * time.Second) // they are gone after 5
}

// replaceInTurn makes the changes, one a period, for replacingTime.
func (s *stand) replaceInTurn(t *testing.T, changes []change) (made int) {
	start := time.Now()
	for time.Since(start) < replacingTime {
		time.Sleep(time.Until(start.Add(time.Duration(made+1) * replacingPeriod)))
		c := changes[made%len(changes)]
		err := s.Replace(t.Context(), func(o *config.Options) { c.make(t, o.Plugin, made) })
		require.NoError(t, err, "replacing by %s", c.name)
		made++
	}
	time.Sleep(replacingPeriod)
	return made
}

// reasons are the records dropped, by reason.
func reasons(stats lab.Stats) map[string]float64 {
	dropped := map[string]float64{}
	for _, reason := range metrics.Reasons() {
		if n := stats.Sum(metrics.Dropped, "reason="+reason); n > 0 {
			dropped[reason] = n
		}
	}
	return dropped
}
