// A Prometheus data source: range and instant queries as series, tables and heat maps, annotations, and the queries of variables.
import { getDefaultTimeRange, rangeUtil } from '@grafana/data';
import { interpolate } from '../grafana.js';
import { heatmap, labelled, selectorOf, series, table } from './frames.js';
import { ask } from './request.js';

export class Prometheus {
  constructor(settings) {
    Object.assign(this, settings);
  }

  getRef() {
    return { type: this.type, uid: this.uid };
  }

  async query(request) {
    const targets = request.targets.filter((target) => target.expr && !target.hide);
    const tables = targets.filter(({ format }) => format === 'table').length;
    return { data: (await Promise.all(targets.map((target) => this.#target(target, request, tables > 1)))).flat() };
  }

  async #target(target, { range, scopedVars, intervalMs }, several) {
    const step = stepOf(intervalMs, range, interpolate(target.interval ?? '', scopedVars));
    const expr = interpolate(target.expr, { ...scopedVars, ...intervals(step, range, this.interval) }, regexOf);
    const asks = target.instant && !target.range ? [this.#instant(expr, range)]
      : target.instant ? [this.#range(expr, range, step), this.#instant(expr, range)] : [this.#range(expr, range, step)];
    const results = (await Promise.all(asks)).flat();
    switch (target.format) {
      case 'table': return [table(results, target, several)];
      case 'heatmap': return heatmap(results, target, step);
      default: return results.map((result) => series(result, target, step));
    }
  }

  #range(expr, range, step) {
    // Aligned to the step, so that a refresh moves whole points.
    const at = (time) => Math.floor(time.valueOf() / step) * step / 1000;
    return this.#read('query_range', { query: expr, start: at(range.from), end: at(range.to), step: step / 1000 });
  }

  #instant(expr, range) {
    return this.#read('query', { query: expr, time: range.to.valueOf() / 1000 });
  }

  async #read(path, parameters) {
    const answer = await ask(`${this.url}/api/v1/${path}`, parameters);
    if (!answer.data) throw new Error(answer.error ?? `Prometheus answered ${answer.status}`);
    const { resultType, result } = answer.data;
    if (resultType === 'scalar') return [{ metric: {}, values: [result] }];
    // Native histograms come without values: there is no drawing them here.
    return result.filter((r) => r.values || r.value).map((r) => ({ metric: r.metric, values: r.values ?? [r.value] }));
  }

  // metricFindQuery answers a variable: label_values(label), label_values(selector, label), query_result(expr), metrics(regex).
  async metricFindQuery(query, { scopedVars, range = getDefaultTimeRange() } = {}) {
    const text = interpolate(typeof query === 'string' ? query : query?.query ?? '', { ...scopedVars, ...intervals(15000, range, this.interval) }, regexOf);
    const within = { start: range.from.valueOf() / 1000, end: range.to.valueOf() / 1000 };
    const [, selector, label] = text.match(/^label_values\((?:(.*),)?\s*([\w$]+)\s*\)$/s) ?? [];
    const [, expr] = text.match(/^query_result\((.*)\)$/s) ?? [];
    const [, metric] = text.match(/^metrics\((.*)\)$/s) ?? [];
    if (label) return this.#values(label, selector?.trim() ? { 'match[]': selector.trim(), ...within } : within);
    if (metric) return (await this.#values('__name__', within)).filter(({ text }) => new RegExp(metric).test(text));
    if (!expr) throw new Error(`the variable's query ${JSON.stringify(text)} is neither label_values, metrics nor query_result`);
    return (await this.#instant(expr, range)).map(({ metric, values: [[time, value]] }) => ({ text: `${selectorOf(metric)} ${value} ${time * 1000}` }));
  }

  async #values(label, parameters) {
    const response = await fetch(`${this.url}/api/v1/label/${label}/values?${new URLSearchParams(parameters)}`);
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data.map((value) => ({ text: value, value }));
  }

  // annotationQuery makes a mark of each stretch of time in which the expression returns something.
  async annotationQuery({ annotation, range }) {
    const step = 15000;
    const target = annotation.target?.expr ? annotation.target : annotation;
    const results = await this.#range(interpolate(target.expr, intervals(step, range, this.interval), regexOf), range, step);
    return results.flatMap((result) => stretches(result.values, step).map(([from, to]) => ({
      annotation, time: from, timeEnd: to, isRegion: from !== to,
      title: labelled(annotation.titleFormat ?? '', result.metric), text: labelled(annotation.textFormat ?? '', result.metric),
      tags: (annotation.tagKeys ?? '').split(',').map((key) => result.metric[key.trim()]).filter(Boolean),
    })));
  }
}

function stretches(values, step) {
  const all = [];
  for (const [seconds, value] of values) {
    if (!(+value > 0)) continue;
    const time = seconds * 1000;
    const last = all.at(-1);
    if (last && time - last[1] <= step) last[1] = time;
    else all.push([time, time]);
  }
  return all;
}

// regexOf writes a variable's value for use in a matcher, as Grafana's own data source does: several values as alternatives.
function regexOf(value, variable) {
  if (variable?.multi || variable?.includeAll || Array.isArray(value)) {
    const all = [value].flat().map((v) => String(v).replace(/[\\^$*+?.()|[\]{}/]/g, '\\\\$&'));
    return all.length === 1 ? all[0] : `(${all.join('|')})`;
  }
  return String(value).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function stepOf(intervalMs, range, least) {
  const step = Math.max(intervalMs ?? 15000, least ? rangeUtil.intervalToMs(least) : 0, 1000);
  return Math.max(step, Math.ceil((range.to.valueOf() - range.from.valueOf()) / 11000 / 1000) * 1000);
}

// intervals are the variables that depend on the step, by Grafana's rules: a rate looks back over at least four scrapes.
function intervals(step, range, scrape = '15s') {
  const scrapeMs = rangeUtil.intervalToMs(scrape);
  const rangeMs = range.to.valueOf() - range.from.valueOf();
  const duration = (ms) => ({ text: rangeUtil.secondsToHms(ms / 1000), value: `${Math.round(ms / 1000)}s` });
  return {
    __interval: duration(step), __interval_ms: { text: step, value: step },
    __rate_interval: duration(Math.max(step + scrapeMs, 4 * scrapeMs)),
    __range: duration(rangeMs), __range_s: { text: rangeMs / 1000, value: Math.round(rangeMs / 1000) }, __range_ms: { text: rangeMs, value: rangeMs },
  };
}
