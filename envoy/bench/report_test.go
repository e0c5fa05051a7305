package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRatiosAreTakenWithinARound(t *testing.T) {
	none := &subject{variant: variant{name: noFilter}, CPU: []float64{50, 100}}
	empty := &subject{variant: variant{name: "empty"}, CPU: []float64{60, 120}}
	plugin := &subject{variant: variant{name: "plugin", base: "empty"}, CPU: []float64{66, 144}}
	report := newReport(options{rounds: 2}, fleet{none, empty, plugin})

	require.Nil(t, report.Variants[0].OverNone)
	require.InDelta(t, 1.2, report.Variants[1].OverNone.Median, 1e-9)
	require.InDelta(t, 1.15, report.Variants[2].OverEmpty.Median, 1e-9)
	require.InDelta(t, 1.1, report.Variants[2].OverEmpty.Min, 1e-9)

	var table strings.Builder
	require.NoError(t, report.writeTable(&table))
	require.Regexp(t, `plugin +105\.0 +66\.0\.\.144\.0 +1\.38 +1\.15 +1\.10\.\.1\.20`, table.String())
}

func TestVariantsThatAreNotComparedHaveNoRatio(t *testing.T) {
	alone := &subject{variant: variant{name: "plugin", base: "empty"}, CPU: []float64{66}}
	require.Nil(t, newReport(options{rounds: 1}, fleet{alone}).Variants[0].OverEmpty)
}

func TestBodiesAreComparedWithTheSameBodies(t *testing.T) {
	none := &subject{variant: variant{name: noFilter}, CPU: []float64{50}}
	large := &subject{variant: variant{name: withoutFilter(64 << 10), body: 64 << 10}, CPU: []float64{100}}
	plugin := &subject{variant: variant{name: "plugin", body: 64 << 10}, CPU: []float64{150}}
	report := newReport(options{rounds: 1}, fleet{none, large, plugin})
	require.Nil(t, report.Variants[1].OverNone)
	require.InDelta(t, 1.5, report.Variants[2].OverNone.Median, 1e-9)
}

func TestDocumentsAreJSONOfTheirSize(t *testing.T) {
	for _, size := range bodySizes {
		require.Len(t, document(size), size)
		require.True(t, json.Valid([]byte(document(size))))
	}
}

func TestEmptyPluginIsTheSameForBothSDKs(t *testing.T) {
	plain, err := os.ReadFile("empty/sdk_go.go")
	require.NoError(t, err)
	tiny, err := os.ReadFile("empty/sdk_tinygo.go")
	require.NoError(t, err)
	twin := strings.NewReplacer("//go:build !tinygo", "//go:build tinygo", "github.com/proxy-wasm/", "github.com/tetratelabs/")
	require.Equal(t, string(tiny), twin.Replace(string(plain)))
}
