import { dateTimeFormat, FieldType, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { SeriesTable, TimeSeries, TooltipPlugin2, useTheme2 } from '@grafana/ui';
import { empty, NoData } from './nodata.jsx';

export function TimeSeriesPanel(props) {
  const { data, timeRange, timeZone, width, height, options, onChangeTimeRange } = props;
  if (empty(data)) return <NoData {...props} />;
  const legend = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [], ...options.legend };
  return (
    <TimeSeries frames={data.series.filter(hasNumbers)} structureRev={data.structureRev} timeRange={timeRange} timeZone={timeZone} width={width} height={height}
      legend={legend} options={options}>
      {(config, frame) => options.tooltip?.mode === 'none' ? null : (
        <TooltipPlugin2 config={config} hoverMode={options.tooltip?.mode === 'single' ? 0 : 1} queryZoom={({ from, to }) => onChangeTimeRange({ from, to })}
          getDataLinks={(series, at) => frame.fields[series]?.getLinks?.({ valueRowIndex: at }) ?? []}
          render={(_, indexes, series, pinned, dismiss, range, viaSync, links) => (
            <Tip frame={frame} indexes={indexes} series={series} timeZone={timeZone} options={options.tooltip} links={pinned ? links : []} />)} />
      )}
    </TimeSeries>
  );
}

const hasNumbers = (frame) => frame.fields.some((field) => field.type === FieldType.number);

function Tip({ frame, indexes, series, timeZone, options, links }) {
  const theme = useTheme2();
  const at = indexes.find((i) => i != null);
  const rows = frame.fields.map((field, i) => ({ field, i })).slice(1)
    .filter(({ field, i }) => indexes[i] != null && field.values[indexes[i]] != null && !field.config.custom?.hideFrom?.tooltip)
    .filter(({ i }) => options?.mode !== 'single' || i === series)
    .map(({ field, i }) => {
      const display = field.display(field.values[indexes[i]]);
      return { label: getFieldDisplayName(field, frame), value: formattedValueToString(display), color: display.color, isActive: i === series, order: display.numeric };
    });
  if (options?.sort === 'desc') rows.sort((a, b) => b.order - a.order);
  if (options?.sort === 'asc') rows.sort((a, b) => a.order - b.order);
  return (
    <div style={{ padding: theme.spacing(1) }}>
      <SeriesTable timestamp={at == null ? '' : dateTimeFormat(frame.fields[0].values[at], { timeZone })} series={rows.slice(0, 25)} />
      {links.map((link) => <div key={link.title}><a href={link.href} target={link.target} style={{ color: theme.colors.text.link }}>{link.title}</a></div>)}
    </div>
  );
}
