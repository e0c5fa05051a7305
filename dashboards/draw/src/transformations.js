// timeSeriesTable makes a row of each series, with its points in a cell for a sparkline. It is Grafana's own transformation of that name,
// which its library leaves out.
import { map } from 'rxjs';
import { FieldType, isTimeSeriesFrame, reduceField, toDataFrame } from '@grafana/data';

export const timeSeriesTable = {
  id: 'timeSeriesTable',
  name: 'Time series to table',
  defaultOptions: {},
  operator: (options) => (source) => source.pipe(map((frames) => tabulate(frames, options))),
};

function tabulate(frames, options) {
  const byQuery = Map.groupBy(frames.filter(isTimeSeriesFrame), (frame) => frame.refId ?? 'A');
  return [...frames.filter((frame) => !isTimeSeriesFrame(frame)), ...[...byQuery].map(([refId, all]) => rows(refId, all, options[refId] ?? {}))];
}

function rows(refId, frames, { stat = 'lastNotNull' }) {
  const valueOf = (frame) => frame.fields.find((f) => f.type === FieldType.number);
  const labels = [...new Set(frames.flatMap((frame) => Object.keys(valueOf(frame).labels ?? {})))];
  const trend = frames.map((frame) => ({ ...frame, value: reduceField({ field: valueOf(frame), reducers: [stat] })[stat] ?? null }));
  return toDataFrame({
    refId,
    fields: [
      ...labels.map((name) => ({ name, type: FieldType.string, values: frames.map((frame) => valueOf(frame).labels?.[name]) })),
      { name: `Trend #${refId}`, type: FieldType.frame, values: trend },
    ],
  });
}
