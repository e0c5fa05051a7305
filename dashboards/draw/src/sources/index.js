// The data sources that the page's server names, each behind a path of its own on the same origin.
import { interpolate } from '../grafana.js';
import { Loki, VictoriaLogs } from './logs.js';
import { Prometheus } from './prometheus.js';

const kinds = { prometheus: Prometheus, loki: Loki, 'victoriametrics-logs-datasource': VictoriaLogs };

// service is what Grafana's library asks for data sources by uid, by name, by type or by a variable that holds one of them.
export function service(list) {
  const settings = list.map((s, i) => ({ ...s, isDefault: i === 0, meta: { id: s.type, name: s.type, info: { logos: {} } }, jsonData: {} }));
  const sources = new Map(settings.map((s) => [s.uid, new kinds[s.type](s)]));
  const find = (ref, scopedVars) => {
    const wanted = interpolate(typeof ref === 'string' ? ref : ref?.uid ?? '', scopedVars);
    const type = typeof ref === 'object' ? ref?.type : undefined;
    return settings.find((s) => s.uid === wanted || s.name === wanted)
      ?? settings.find((s) => (type ? s.type === type && (!wanted || wanted === 'default') : !wanted || wanted === 'default'));
  };
  return {
    async get(ref, scopedVars) {
      const found = find(ref, scopedVars);
      if (!found) throw new Error(`no data source for ${JSON.stringify(ref)}; there are ${settings.map((s) => s.name).join(', ')}`);
      return sources.get(found.uid);
    },
    getList: ({ pluginId, type } = {}) => settings.filter((s) => (!pluginId || s.type === pluginId) && (!type || [type].flat().includes(s.type))),
    getInstanceSettings: find,
    reload() {},
    registerRuntimeDataSource() {},
  };
}
