// The panels that can be drawn. Lines, single values, bars and tables are components of Grafana's library; what it leaves to its server's
// own panels (gauge, pie, heat map, log lines) is drawn here, with its theme, units and colours.
import { FieldColorModeId, FieldConfigProperty, PanelPlugin } from '@grafana/data';
import { BarGaugePanel, GaugePanel, StatPanel } from './values.jsx';
import { HeatmapPanel } from './heatmap.jsx';
import { LogsPanel } from './logs.jsx';
import { PiePanel } from './pie.jsx';
import { TablePanel } from './table.jsx';
import { TextPanel } from './text.jsx';
import { TimeSeriesPanel } from './timeseries.jsx';

const custom = {
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', lineStyle: { fill: 'solid' }, barAlignment: 0,
    barWidthFactor: 0.6, showPoints: 'auto', pointSize: 5, spanNulls: false, insertNulls: false, stacking: { mode: 'none', group: 'A' }, axisPlacement: 'auto',
    axisColorMode: 'text', axisBorderShow: false, axisLabel: '', axisGridShow: undefined, axisWidth: undefined, axisSoftMin: undefined, axisSoftMax: undefined,
    axisCenteredZero: false, scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, hideFrom: { tooltip: false, viz: false, legend: false },
    fillBelowTo: undefined, lineColor: undefined, transform: undefined,
  },
  table: {
    align: 'auto', cellOptions: { type: 'auto' }, inspect: false, hidden: undefined, hideFrom: undefined, minWidth: undefined, width: undefined, filterable: false,
    wrapHeaderText: false, footer: undefined,
  },
  heatmap: { hideFrom: { tooltip: false, viz: false, legend: false }, scaleDistribution: { type: 'linear' } },
  piechart: { hideFrom: { tooltip: false, viz: false, legend: false } },
};

function plugin(id, component) {
  return new PanelPlugin(component).useFieldConfig({
    standardOptions: { [FieldConfigProperty.Color]: { settings: { byValueSupport: true }, defaultValue: { mode: id === 'timeseries' || id === 'piechart' ? FieldColorModeId.PaletteClassic : FieldColorModeId.Thresholds } } },
    useCustomConfig: (builder) => {
      for (const [path, defaultValue] of Object.entries(custom[id] ?? {})) {
        builder.addCustomEditor({ id: path, path, name: path, defaultValue, editor: () => null, override: () => null, process: (v) => v, shouldApply: () => true });
      }
    },
  });
}

export const panels = Object.fromEntries(Object.entries({
  bargauge: BarGaugePanel, gauge: GaugePanel, heatmap: HeatmapPanel, logs: LogsPanel, piechart: PiePanel, stat: StatPanel, table: TablePanel, text: TextPanel,
  timeseries: TimeSeriesPanel,
}).map(([id, component]) => [id, plugin(id, component)]));
