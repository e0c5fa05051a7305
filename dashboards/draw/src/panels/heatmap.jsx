// A heat map of buckets over time, on the axes of Grafana's library.
import { useMemo, useRef } from 'react';
import * as scales from 'd3-scale-chromatic';
import { dateTimeFormat, FieldType, formattedValueToString, getDisplayProcessor } from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { SeriesTable, TooltipPlugin2, UPlotChart, UPlotConfigBuilder, useTheme2 } from '@grafana/ui';
import { empty, NoData } from './nodata.jsx';

const legendHeight = 36;

export function HeatmapPanel(props) {
  const theme = useTheme2();
  const { cellValues } = props.options;
  const cells = useMemo(() => (empty(props.data) ? null : cellsOf(props.data.series[0], numbers(cellValues, theme))), [props.data, cellValues, theme]);
  return cells?.most ? <Heatmap {...props} cells={cells} /> : <NoData {...props} />;
}

function Heatmap({ cells, timeRange, timeZone, width, height, options, onChangeTimeRange }) {
  const theme = useTheme2();
  // The plot is made again when its axes change; what changes with each answer is read through here.
  const latest = useRef();
  latest.current = { cells, timeRange, options, theme };
  const config = useMemo(() => configOf(latest, timeZone), [cells.names.join(), theme, timeZone, options]);
  const plotted = useMemo(() => [cells.times, cells.times.map(() => 0)], [cells, timeRange]);
  const legend = options.legend?.show ?? true ? legendHeight : 0;
  return (
    <div>
      <UPlotChart config={config} data={plotted} width={width} height={height - legend}>
        <TooltipPlugin2 config={config} hoverMode={1} queryZoom={({ from, to }) => onChangeTimeRange({ from, to })}
          render={(u) => <Tip at={cellAt(u, cells)} cells={cells} options={options} theme={theme} timeZone={timeZone} />} />
      </UPlotChart>
      {legend > 0 && <Legend width={width} cells={cells} options={options} theme={theme} />}
    </div>
  );
}

function cellsOf(frame, display) {
  const time = frame.fields.find((field) => field.type === FieldType.time);
  const rows = frame.fields.filter((field) => field.type === FieldType.number);
  return {
    times: time.values, step: time.config.interval ?? time.values[1] - time.values[0], display,
    names: rows.map((field) => field.config.displayName ?? field.config.displayNameFromDS ?? field.name),
    rows: rows.map((field) => field.values), most: Math.max(...rows.flatMap((field) => field.values)),
  };
}

function configOf(latest, timeZone) {
  const { cells, theme, options } = latest.current;
  const builder = new UPlotConfigBuilder(timeZone);
  const name = boundary(cells, options, theme);
  builder.addScale({
    scaleKey: 'x', isTime: true, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right,
    range: () => { const { from, to } = latest.current.timeRange; return [from.valueOf(), to.valueOf()]; },
  });
  builder.addScale({ scaleKey: 'y', orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, latest.current.cells.names.length] });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone, theme, grid: { show: false } });
  const every = Math.ceil(cells.names.length / 10);
  builder.addAxis({
    scaleKey: 'y', placement: AxisPlacement.Left, theme, grid: { show: false },
    splits: () => cells.names.map((_, i) => i + 1).filter((i) => i % every === 0), values: (_, splits) => splits.map((i) => name(i - 1)),
    label: options.yAxis?.axisLabel,
  });
  builder.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, pointsBuilder: () => null, show: true });
  builder.addHook('drawClear', (u) => paint(u, latest.current));
  builder.setCursor({ drag: { x: true, y: false } });
  return builder;
}

const numbers = ({ unit, decimals } = {}, theme) => getDisplayProcessor({ field: { type: FieldType.number, config: { unit, decimals } }, theme });

// boundary writes the upper end of a row in the y axis' unit.
function boundary(cells, { yAxis }, theme) {
  const format = numbers(yAxis, theme);
  return (i) => (Number.isFinite(Number(cells.names[i])) ? formattedValueToString(format(Number(cells.names[i]))) : cells.names[i]);
}

function paint(u, { cells, options, theme }) {
  const colour = colours(options.color, theme, cells.most);
  const { ctx } = u;
  const gap = options.cellGap ?? 1;
  const hidden = options.filterValues?.le ?? 1e-9;
  const x = (time) => Math.round(u.valToPos(time, 'x', true));
  const y = (row) => Math.round(u.valToPos(row, 'y', true));
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  cells.times.forEach((time, n) => {
    const left = x(time - cells.step);
    const width = Math.max(1, x(time) - left - gap);
    cells.rows.forEach((values, row) => {
      if (!(values[n] > hidden)) return;
      ctx.fillStyle = colour(values[n]);
      const top = y(row + 1);
      ctx.fillRect(left, top, width, Math.max(1, y(row) - top - gap));
    });
  });
  ctx.restore();
}

// colours gives each value its colour: a scheme by name, or one colour at more or less opacity.
function colours({ mode = 'scheme', scheme = 'Oranges', fill = 'dark-orange', exponent = 0.5, steps = 64, reverse = false, max } = {}, theme, most) {
  const share = (value) => Math.min(1, value / (max ?? most));
  if (mode === 'opacity') {
    const colour = theme.visualization.getColorByName(fill);
    return (value) => `color-mix(in srgb, ${colour} ${(share(value) ** exponent * 100).toFixed(0)}%, transparent)`;
  }
  const scale = scales[`interpolate${scheme}`] ?? scales.interpolateOranges;
  // Schemes are made for white paper: on a dark page the little is dark and the much is bright.
  const turned = reverse !== (theme.isDark && !/Turbo|Viridis|Inferno|Magma|Plasma|Warm|Cool|Cubehelix/.test(scheme));
  return (value) => {
    const step = Math.floor(share(value) ** exponent * (steps - 1)) / (steps - 1);
    return scale(turned ? 1 - step : step);
  };
}

function cellAt(u, cells) {
  const time = u.posToVal(u.cursor.left, 'x');
  const row = Math.floor(u.posToVal(u.cursor.top, 'y'));
  const column = cells.times.findIndex((t) => time > t - cells.step && time <= t);
  return column < 0 || !cells.names[row] ? null : { row, column };
}

function Tip({ at, cells, options, theme, timeZone }) {
  if (!at) return null;
  const name = boundary(cells, options, theme);
  const value = cells.rows[at.row][at.column];
  return (
    <div style={{ padding: theme.spacing(1) }}>
      <SeriesTable timestamp={dateTimeFormat(cells.times[at.column], { timeZone })}
        series={[{ label: `${at.row ? name(at.row - 1) : 0} to ${name(at.row)}`, value: formattedValueToString(cells.display(value)), color: colours(options.color, theme, cells.most)(value) }]} />
    </div>
  );
}

function Legend({ width, cells, options, theme }) {
  const colour = colours(options.color, theme, cells.most);
  const stops = Array.from({ length: 24 }, (_, i) => colour((cells.most * (i + 0.5)) / 24));
  const length = Math.min(280, width - 40);
  return (
    <div style={{ width: length, margin: '4px 0 0 40px', fontSize: theme.typography.bodySmall.fontSize, color: theme.colors.text.secondary }}>
      <div style={{ display: 'flex', height: 8 }}>{stops.map((stop, i) => <span key={i} style={{ flex: 1, background: stop }} />)}</div>
      <div style={{ display: 'flex', justifyContent: 'space-between' }}><span>0</span><span>{formattedValueToString(cells.display(cells.most))}</span></div>
    </div>
  );
}
