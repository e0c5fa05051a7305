// Prometheus' results as frames: a series, a table, the buckets of a heat map.
import { FieldType, toDataFrame } from '@grafana/data';

const numbers = (values) => values.map(([, value]) => (value === 'NaN' ? null : Number(value.replace('Inf', 'Infinity'))));
const times = (values) => values.map(([time]) => time * 1000);
export const selectorOf = ({ __name__: name = '', ...labels }) => `${name}{${Object.entries(labels).map(([k, v]) => `${k}="${v}"`).join(',')}}`;
export const labelled = (format, labels) => format.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, label) => labels[label] ?? '');

function nameOf(target, metric) {
  if (target.legendFormat && target.legendFormat !== '__auto') return labelled(target.legendFormat, metric);
  return Object.keys(metric).length ? selectorOf(metric) : target.expr;
}

export function series({ metric, values }, target, step) {
  const name = nameOf(target, metric);
  return toDataFrame({
    refId: target.refId, name, meta: { type: 'timeseries-multi' },
    fields: [
      { name: 'Time', type: FieldType.time, values: times(values), config: { interval: step } },
      { name: 'Value', type: FieldType.number, values: numbers(values), labels: metric, config: { displayNameFromDS: name } },
    ],
  });
}

// table names the values' column by the query where there are several tables to be joined.
export function table(results, { refId }, several) {
  const labels = [...new Set(results.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const rows = results.flatMap(({ metric, values }) => values.map(([time, value]) => ({ metric, time, value })));
  return toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map(({ time }) => time * 1000) },
      ...labels.map((name) => ({ name, type: FieldType.string, values: rows.map(({ metric }) => metric[name] ?? ''), config: { filterable: true } })),
      { name: several ? `Value #${refId}` : 'Value', type: FieldType.number, values: numbers(rows.map(({ value }) => [0, value])) },
    ],
  });
}

// heatmap makes one frame with a field for each bucket, out of cumulative ones.
export function heatmap(results, target, step) {
  const bound = ({ metric }) => Number(metric.le?.replace('Inf', 'Infinity'));
  const sorted = results.filter((result) => result.metric.le !== undefined).sort((a, b) => bound(a) - bound(b));
  if (!sorted.length) return [];
  const all = [...new Set(sorted.flatMap(({ values }) => times(values)))].sort((a, b) => a - b);
  const columns = sorted.map(({ values }) => {
    const at = new Map(times(values).map((time, i) => [time, numbers(values)[i]]));
    return all.map((time) => at.get(time) ?? 0);
  });
  return [toDataFrame({
    refId: target.refId, meta: { type: 'heatmap-rows' },
    fields: [
      { name: 'Time', type: FieldType.time, values: all, config: { interval: step } },
      ...sorted.map(({ metric }, i) => ({
        name: metric.le, type: FieldType.number, labels: metric, config: { displayNameFromDS: metric.le },
        values: columns[i].map((value, n) => Math.max(0, value - (i ? columns[i - 1][n] : 0))),
      })),
    ],
  })];
}
