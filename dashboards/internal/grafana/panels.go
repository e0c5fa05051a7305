package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Panel is what panels of all kinds have. The functions named after kinds give it its looks.
type Panel struct {
	Title, Description string
	Unit               string
	Queries            []Query
	Links              []dashboard.DashboardLink // of a data point
	Thresholds         []Threshold
	Looks              []Look
	NoData             string // what is shown where there is none; empty: No data

	kind            string
	options, custom any
	overrides       []dashboard.DashboardFieldConfigSourceOverrides
	transformations []dashboard.DataTransformerConfig
}

// Threshold is from which value on a colour is used. The first is from the least on.
type Threshold struct {
	From  float64
	Color string
}

// Colours of thresholds.
const (
	Green  = "green"
	Yellow = "yellow"
	Red    = "red"
	Blue   = "blue"
)

// Rising is good, bad from a value on, and very bad from another.
func Rising(bad, worse float64) []Threshold {
	return []Threshold{{Color: Green}, {bad, Yellow}, {worse, Red}}
}

// Falling is very bad, less bad from a value on, and good from another.
func Falling(bad, good float64) []Threshold {
	return []Threshold{{Color: Red}, {bad, Yellow}, {good, Green}}
}

// Lines draws a line for each series.
func Lines(p Panel) Panel {
	p.kind = "timeseries"
	p.options = timeseries.Options{
		Legend:  common.VizLegendOptions{DisplayMode: common.LegendDisplayModeList, Placement: common.LegendPlacementBottom, ShowLegend: true, Calcs: []string{}},
		Tooltip: common.VizTooltipOptions{Mode: common.TooltipDisplayModeMulti, Sort: common.SortOrderDescending},
	}
	custom := lines(p.Unit)
	if p.Thresholds != nil {
		custom.ThresholdsStyle = &common.GraphThresholdsStyleConfig{Mode: common.GraphThresholdsStyleModeDashed}
	}
	p.custom = custom
	return p
}

func lines(unit string) timeseries.FieldConfig {
	// Without a least scale, a line at zero has one up to 100.
	scale := 1.0
	if unit == "percentunit" {
		scale = 0.01
	}
	return timeseries.FieldConfig{
		DrawStyle: new(common.GraphDrawStyleLine), LineWidth: new(1.0), FillOpacity: new(8.0),
		ShowPoints: new(common.VisibilityModeNever), SpanNulls: &common.BoolOrFloat64{Bool: new(false)},
		AxisPlacement: new(common.AxisPlacementAuto), AxisSoftMin: new(0.0), AxisSoftMax: &scale,
	}
}

// Stacked draws the series on top of each other.
func Stacked(p Panel) Panel { return stacked(p, common.StackingModeNormal) }

// Shares draws the series as shares of their sum.
func Shares(p Panel) Panel { return stacked(p, common.StackingModePercent) }

func stacked(p Panel, mode common.StackingMode) Panel {
	p = Lines(p)
	custom := lines(p.Unit)
	custom.FillOpacity = new(40.0)
	custom.Stacking = &common.StackingConfig{Mode: &mode, Group: new("A")}
	p.custom = custom
	return p
}

// Number shows the last value, large.
func Number(p Panel) Panel {
	p.kind = "stat"
	p.options = stat.Options{
		GraphMode: common.BigValueGraphModeNone, ColorMode: common.BigValueColorModeValue, JustifyMode: common.BigValueJustifyModeAuto,
		TextMode: common.BigValueTextModeAuto, WideLayout: false, ReduceOptions: last(), PercentChangeColorMode: common.PercentChangeColorModeStandard,
		Orientation: common.VizOrientationAuto,
	}
	if p.Thresholds == nil {
		p.Thresholds = []Threshold{{Color: Blue}}
	}
	return p
}

// Bars draws a bar for each series of a query that is instant.
func Bars(p Panel) Panel {
	p.kind = "bargauge"
	p.options = bargauge.Options{
		DisplayMode: common.BarGaugeDisplayModeGradient, ValueMode: common.BarGaugeValueModeColor, NamePlacement: common.BarGaugeNamePlacementLeft,
		ShowUnfilled: true, Sizing: common.BarGaugeSizingManual, MinVizWidth: 8, MinVizHeight: 16, MaxVizHeight: 26,
		Text:          &common.VizTextDisplayOptions{TitleSize: new(12.0), ValueSize: new(14.0)},
		Legend:        common.VizLegendOptions{DisplayMode: common.LegendDisplayModeList, Placement: common.LegendPlacementBottom, Calcs: []string{}},
		ReduceOptions: last(), Orientation: common.VizOrientationHorizontal,
	}
	return p
}

func last() common.ReduceDataOptions {
	return common.ReduceDataOptions{Calcs: []string{"lastNotNull"}, Values: new(false), Fields: new("")}
}

// Heatmap draws a histogram over time.
func Heatmap(p Panel) Panel {
	p.kind = "heatmap"
	p.options = heatmap.Options{
		Calculate:    new(false),
		Color:        heatmap.HeatmapColorOptions{Mode: new(heatmap.HeatmapColorModeScheme), Scheme: "Oranges", Fill: "dark-orange", Exponent: 0.5, Steps: 64},
		FilterValues: &heatmap.FilterValueRange{Le: new(float32(1e-9))},
		ShowValue:    common.VisibilityModeNever, CellGap: new(uint8(1)), CellValues: &heatmap.CellValues{Unit: new("reqps")},
		YAxis:         heatmap.YAxisConfig{Unit: &p.Unit, AxisPlacement: new(common.AxisPlacementLeft)},
		Legend:        heatmap.HeatmapLegend{Show: true},
		Tooltip:       heatmap.HeatmapTooltip{Mode: common.TooltipDisplayModeSingle, YHistogram: new(true)},
		Exemplars:     heatmap.ExemplarConfig{Color: "rgba(255,0,255,0.7)"},
		SelectionMode: new(heatmap.HeatmapSelectionModeX),
	}
	p.custom = heatmap.FieldConfig{}
	for i := range p.Queries {
		p.Queries[i].heatmap = true
	}
	return p
}

// Records lists records out of a log store.
func Records(p Panel) Panel {
	p.kind = "logs"
	p.options = logs.Options{
		ShowTime: true, WrapLogMessage: true, EnableLogDetails: true, SortOrder: common.LogsSortOrderDescending,
		DedupStrategy: common.LogsDedupStrategyNone,
	}
	return p
}

func thresholds(steps []Threshold) *dashboard.ThresholdsConfig {
	config := &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute}
	for i, t := range steps {
		step := dashboard.Threshold{Color: t.Color}
		if i > 0 {
			step.Value = new(t.From)
		}
		config.Steps = append(config.Steps, step)
	}
	return config
}

func (p Panel) build() dashboard.Panel {
	panel := dashboard.Panel{
		Type: p.kind, Title: &p.Title, Description: &p.Description, Options: p.options,
		Datasource: p.source(), Transformations: p.transformations,
	}
	for i, q := range p.Queries {
		panel.Targets = append(panel.Targets, q.build(refID(i)))
	}
	fields := dashboard.FieldConfigSource{Overrides: append([]dashboard.DashboardFieldConfigSourceOverrides{}, p.overrides...)}
	for _, l := range p.Looks {
		fields.Overrides = append(fields.Overrides, l.override())
	}
	fields.Defaults = dashboard.FieldConfig{Custom: p.custom, Links: p.Links}
	if p.Unit != "" {
		fields.Defaults.Unit = &p.Unit
	}
	if p.NoData != "" {
		fields.Defaults.NoValue = &p.NoData
	}
	fields.Defaults.Color = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassic}
	if p.Thresholds != nil {
		fields.Defaults.Thresholds = thresholds(p.Thresholds)
		if p.kind != "timeseries" {
			fields.Defaults.Color.Mode = dashboard.FieldColorModeIdThresholds
		}
	}
	panel.FieldConfig = &fields
	return panel
}

func (p Panel) source() *common.DataSourceRef {
	if len(p.Queries) > 0 && p.Queries[0].Logs != "" {
		return logSource(p.Queries[0].Logs)
	}
	return metricSource()
}

func refID(i int) string { return string(rune('A' + i)) }
