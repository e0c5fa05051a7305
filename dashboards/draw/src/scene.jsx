// A dashboard's JSON as a scene of Grafana's library: variables, time, rows, panels with their queries.
import { dataLayers, CustomVariable, ConstantVariable, DataSourceVariable, EmbeddedScene, IntervalVariable, QueryVariable, SceneControlsSpacer, SceneDataLayerControls,
  SceneDataLayerSet, SceneDataTransformer, SceneGridItem, SceneGridLayout, SceneGridRow, SceneQueryRunner, SceneRefreshPicker, SceneTimePicker, SceneTimeRange, SceneVariableSet,
  TextBoxVariable, VariableValueSelectors, VizPanel, behaviors } from '@grafana/scenes';
import { DashboardCursorSync } from '@grafana/schema';
import { Links } from './links.jsx';

// sceneOf makes the scene; a still one does not refresh by itself.
export function sceneOf(dashboard, all, still) {
  const marks = (dashboard.annotations?.list ?? []).filter((a) => a.expr || a.target?.expr);
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ from: dashboard.time?.from ?? 'now-1h', to: dashboard.time?.to ?? 'now', timeZone: dashboard.timezone || 'browser' }),
    $variables: new SceneVariableSet({ variables: (dashboard.templating?.list ?? []).map(variable).filter(Boolean) }),
    $data: new SceneDataLayerSet({ layers: marks.map(annotations) }),
    $behaviors: [new behaviors.CursorSync({ key: 'sync', sync: dashboard.graphTooltip ?? DashboardCursorSync.Off })],
    controls: [
      new VariableValueSelectors({}), ...(marks.length ? [new SceneDataLayerControls()] : []), new SceneControlsSpacer(), new Links({ dashboard, all }), new SceneTimePicker({}),
      new SceneRefreshPicker({ refresh: still ? '' : dashboard.refresh || '', intervals: dashboard.timepicker?.refresh_intervals }),
    ],
    body: new SceneGridLayout({ children: rows(dashboard.panels ?? []), isLazy: false }),
  });
}

const hidden = (v) => ({ hide: v.hide ?? 0, label: v.label, description: v.description, skipUrlSync: v.skipUrlSync });
const choice = (v) => ({
  ...hidden(v), name: v.name, isMulti: v.multi ?? false, includeAll: v.includeAll ?? false, allValue: v.allValue || undefined, defaultToAll: v.includeAll && !v.current?.value,
  value: v.current?.value ?? '', text: v.current?.text ?? '', allowCustomValue: v.allowCustomValue ?? true,
});

function variable(v) {
  switch (v.type) {
    case 'datasource': return new DataSourceVariable({ ...choice(v), pluginId: v.query, regex: v.regex ?? '', value: '', text: '' });
    case 'query': return new QueryVariable({ ...choice(v), query: v.query, datasource: v.datasource, regex: v.regex ?? '', sort: v.sort ?? 0, refresh: 2 });
    case 'custom': return new CustomVariable({ ...choice(v), query: v.query });
    case 'constant': return new ConstantVariable({ ...hidden(v), name: v.name, value: v.query, hide: v.hide ?? 2 });
    case 'textbox': return new TextBoxVariable({ ...hidden(v), name: v.name, value: v.current?.value ?? v.query ?? '' });
    case 'interval': return new IntervalVariable({
      ...hidden(v), name: v.name, value: v.current?.value, intervals: v.query?.split(','), autoEnabled: v.auto, autoStepCount: v.auto_count, autoMinInterval: v.auto_min,
    });
    default: return console.error(`variable ${v.name}: there is no type ${v.type} in this page`);
  }
}

function annotations(a) {
  return new dataLayers.AnnotationsDataLayer({ key: a.name, name: a.name, isEnabled: a.enable, isHidden: a.hide, query: a });
}

// rows puts the panels that follow an open row into it; a collapsed one holds them itself.
function rows(panels) {
  const children = [];
  let row;
  for (const p of panels) {
    if (p.type === 'row') {
      row = new SceneGridRow({ key: `row-${p.id}`, title: p.title, isCollapsed: p.collapsed ?? false, y: p.gridPos.y, children: (p.panels ?? []).map(item) });
      children.push(row);
    } else if (row && !row.state.isCollapsed) {
      row.setState({ children: [...row.state.children, item(p)] });
    } else {
      children.push(item(p));
    }
  }
  return children;
}

function item(p) {
  const { x, y, w, h } = p.gridPos;
  return new SceneGridItem({ key: `grid-${p.id}`, x, y, width: w, height: h, isResizable: false, isDraggable: false, body: panel(p) });
}

function panel(p) {
  const shifted = p.timeFrom ? { $timeRange: new SceneTimeRange({ from: `now-${p.timeFrom}`, to: 'now' }) } : {};
  return new VizPanel({
    ...shifted, key: `panel-${p.id}`, pluginId: p.type, title: p.title, description: p.description, displayMode: p.transparent ? 'transparent' : 'default',
    hoverHeader: !p.title, options: p.options ?? {}, fieldConfig: { defaults: p.fieldConfig?.defaults ?? {}, overrides: p.fieldConfig?.overrides ?? [] },
    $data: p.targets?.length ? data(p) : undefined,
  });
}

function data(p) {
  const queries = new SceneQueryRunner({ datasource: p.datasource ?? p.targets[0].datasource, queries: p.targets, maxDataPoints: p.maxDataPoints, minInterval: p.interval });
  return new SceneDataTransformer({ $data: queries, transformations: p.transformations ?? [] });
}
