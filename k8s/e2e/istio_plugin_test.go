//go:build istio

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// install is a resource of an overlay, with a user's changes.
type install struct {
	overlay    string // of k8s/overlays/istio
	image      string
	generation int // of pluginConfig
	env        string
	secret     string
	failClose  bool
	delay      string // of batches; "": they are quickly sent
	annotation string
	labels     []string // of the metrics; nil: the default's
}

// places of what is WasmPlugin's and TrafficExtension's alike.
var places = map[string]string{"WasmPlugin": "/spec", "TrafficExtension": "/spec/wasm"}

// version is what an API server counts up with every change.
var version atomic.Int64

func (i install) yaml(t testing.TB) string {
	changes := map[string][]operation{}
	for kind, place := range places {
		operations := append(pluginConfig(place+"/pluginConfig", i.generation), set(place+"/url", "oci://"+i.image))
		if i.env != "" {
			operations = append(operations, set(place+"/vmConfig", map[string]any{"env": []map[string]string{{"name": "GENERATION", "value": i.env}}}))
		}
		if i.secret != "" {
			operations = append(operations, set(place+"/imagePullSecret", i.secret))
		}
		if i.failClose {
			operations = append(operations, set(place+"/failStrategy", "FAIL_CLOSE"))
		}
		if i.delay != "" {
			operations = append(operations, set(place+"/pluginConfig/sink/batch", map[string]any{"max_delay": i.delay}))
		}
		if i.labels != nil {
			operations = append(operations, set(place+"/pluginConfig/metrics", map[string]any{"labels": i.labels}))
		}
		if i.annotation != "" {
			operations = append(operations, set("/metadata/annotations", map[string]string{"changed": i.annotation}))
		}
		changes[kind] = append(operations, set("/metadata/resourceVersion", fmt.Sprint(version.Add(1))))
	}
	return overlay(t, "overlays/istio/"+i.overlay, changes)
}

// translated is what the name of each TrafficExtension that istiod makes of a WasmPlugin ends with.
const translated = "~istio-translated-wasmplugin"

// install waits until istiod has it, for those that are there and those that come.
func (c *control) install(t testing.TB, i install) {
	t.Helper()
	read := func() string { return string(read(t, c.Log)) }
	said := len(read())
	c.apply(t, "plugin", i.yaml(t))
	require.NoError(t, lab.Until(t.Context(), "istiod to push", 20*time.Second, func(context.Context) (string, bool) {
		return "", strings.Contains(read()[said:], "XDS: Pushing")
	}))
}
