// Log stores: a frame of lines with their time, text and labels, out of VictoriaLogs' or Loki's answer.
import { FieldType, toDataFrame } from '@grafana/data';
import { interpolate } from '../grafana.js';
import { series } from './frames.js';
import { ask } from './request.js';

class LogStore {
  constructor(settings) {
    Object.assign(this, settings);
  }

  getRef() {
    return { type: this.type, uid: this.uid };
  }

  async query({ targets, range, scopedVars, intervalMs }) {
    const step = Math.max(intervalMs ?? 15000, 1000);
    const asked = targets.filter((target) => target.expr && !target.hide);
    return { data: (await Promise.all(asked.map((target) => this.answer(
      { ...target, maxLines: target.maxLines ?? 100, expr: interpolate(target.expr, { ...scopedVars, __auto: { text: `${step}ms`, value: `${step}ms` } }, alternatives) }, range, step)))).flat() };
  }

  async metricFindQuery() {
    return [];
  }
}

// alternatives writes several values of a variable for use in a regular expression.
function alternatives(value) {
  const all = [value].flat();
  return all.length === 1 ? String(all[0]) : `(${all.join('|')})`;
}

export class VictoriaLogs extends LogStore {
  async answer(target, range, step) {
    const within = { query: target.expr, start: range.from.toISOString(), end: range.to.toISOString() };
    if (target.queryType === 'statsRange') {
      const { data, error } = await ask(`${this.url}/select/logsql/stats_query_range`, { ...within, step: `${step}ms` });
      if (!data) throw new Error(error);
      return data.result.map((result) => series(result, target, step));
    }
    const response = await fetch(`${this.url}/select/logsql/query`, { method: 'POST', body: new URLSearchParams({ ...within, limit: target.maxLines }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`VictoriaLogs answered ${response.status}: ${text.slice(0, 300)}`);
    return [lines(target.refId, text.split('\n').filter(Boolean).map((line) => {
      const { _time, _msg, _stream, _stream_id, ...labels } = JSON.parse(line);
      return { time: Date.parse(_time), text: _msg, labels };
    }))];
  }
}

export class Loki extends LogStore {
  async answer(target, range, step) {
    const { data, error, message } = await ask(`${this.url}/loki/api/v1/query_range`, {
      query: target.expr, limit: target.maxLines, start: range.from.valueOf() * 1e6, end: range.to.valueOf() * 1e6, step: step / 1000,
    });
    if (!data) throw new Error(error ?? message);
    if (data.resultType === 'matrix') return data.result.map((result) => series(result, target, step));
    return [lines(target.refId, data.result.flatMap(({ stream, values }) => values.map(([time, text]) => ({ time: Number(time) / 1e6, text, labels: stream }))))];
  }
}

function lines(refId, all) {
  const sorted = all.sort((a, b) => b.time - a.time);
  return toDataFrame({
    refId, meta: { preferredVisualisationType: 'logs' },
    fields: [
      { name: 'timestamp', type: FieldType.time, values: sorted.map(({ time }) => time) },
      { name: 'body', type: FieldType.string, values: sorted.map(({ text }) => text) },
      { name: 'labels', type: FieldType.other, values: sorted.map(({ labels }) => labels) },
    ],
  });
}
