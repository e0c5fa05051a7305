// What a Grafana server's own front end sets up at its start, which is not on npm: without it the library ignores units, thresholds
// and colours, and knows no transformation.
import {
  booleanOverrideProcessor, dataLinksOverrideProcessor, displayNameOverrideProcessor, EventBusSrv, FieldColorModeId, identityOverrideProcessor,
  numberOverrideProcessor, standardEditorsRegistry, standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry,
  stringOverrideProcessor, thresholdsOverrideProcessor, ThresholdsMode, unitOverrideProcessor, valueMappingsOverrideProcessor, createTheme,
} from '@grafana/data';
import { config, setAppEvents, setDataSourceSrv, setPluginImportUtils, setRunRequest, setTemplateSrv } from '@grafana/runtime';
import { sceneGraph, sceneUtils } from '@grafana/scenes';
import { panels } from './panels/index.jsx';
import { runRequest } from './sources/request.js';
import { timeSeriesTable } from './transformations.js';

const editors = ['number', 'slider', 'text', 'boolean', 'select', 'radio', 'unit', 'color', 'fieldColor', 'strings', 'stats-picker', 'timezone',
  'multi-select', 'field-name', 'dashboard-uid'];

const properties = [
  ['unit', unitOverrideProcessor],
  ['min', numberOverrideProcessor],
  ['max', numberOverrideProcessor],
  ['fieldMinMax', booleanOverrideProcessor],
  ['decimals', numberOverrideProcessor],
  ['displayName', displayNameOverrideProcessor],
  ['noValue', stringOverrideProcessor],
  ['links', dataLinksOverrideProcessor],
  ['actions', identityOverrideProcessor],
  ['mappings', valueMappingsOverrideProcessor],
  ['filterable', booleanOverrideProcessor],
  ['color', identityOverrideProcessor, { mode: FieldColorModeId.PaletteClassic }],
  ['thresholds', thresholdsOverrideProcessor, { mode: ThresholdsMode.Absolute, steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] }],
];

const property = ([id, process, defaultValue]) => ({
  id, path: id, name: id, description: '', editor: () => null, override: () => null, process, shouldApply: () => true, defaultValue,
});

// start takes 'dark' or 'light', and what answers for data sources. It returns the theme.
export function start(mode, sources) {
  const theme = createTheme({ colors: { mode } });
  config.theme2 = theme;
  config.theme = theme.v1;
  config.bootData = { user: {}, settings: {}, navTree: [], ...config.bootData };
  standardEditorsRegistry.setInit(() => editors.map((id) => ({ id, name: id, editor: () => null })));
  standardFieldConfigEditorRegistry.setInit(() => properties.map(property));
  const transformations = new Map([...Object.values(standardTransformers), timeSeriesTable].map((t) => [t.id, t]));
  standardTransformersRegistry.setInit(() => [...transformations.values()].map((t) => ({ id: t.id, name: t.name, transformation: async () => t, editor: () => null })));
  setAppEvents(new EventBusSrv());
  setDataSourceSrv(sources);
  setRunRequest(runRequest);
  setTemplateSrv({
    replace: interpolate, getVariables: () => [], containsTemplate: (text) => /\$|\[\[/.test(text ?? ''), updateTimeRange() {}, getAdhocFilters: () => [],
  });
  setPluginImportUtils({
    importPanelPlugin: async (id) => { throw new Error(`there is no panel "${id}" in this page`); },
    getPanelPluginFromCache: () => undefined,
  });
  for (const [pluginId, plugin] of Object.entries(panels)) {
    sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin });
  }
  return theme;
}

// interpolate puts in the values of variables, as they are where the query or text stands.
export function interpolate(text, scopedVars, format) {
  const scene = scopedVars?.__sceneObject?.value?.valueOf() ?? window.__grafanaSceneContext;
  return scene ? sceneGraph.interpolate(scene, text, scopedVars, format) : text;
}
