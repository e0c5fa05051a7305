// Holds dashboards to Grafana's own types: JSON Schemas are made out of @grafana/schema's declarations, and units and transformations
// are looked up in @grafana/data.
//
//	node schema.mjs ../grafana/*.json
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const packages = join(dirname(fileURLToPath(import.meta.url)), 'node_modules');
const workshop = join(packages, '.schema');
const panelTypes = ['bargauge', 'gauge', 'heatmap', 'logs', 'piechart', 'stat', 'table', 'text', 'timeseries'];

// What a target may hold is its data source's own affair, so that no type of the schema says it.
const targetKeys = {
  prometheus: ['datasource', 'editorMode', 'exemplar', 'expr', 'format', 'hide', 'instant', 'interval', 'legendFormat', 'range', 'refId'],
  loki: ['datasource', 'editorMode', 'expr', 'hide', 'legendFormat', 'maxLines', 'queryType', 'refId'],
  'victoriametrics-logs-datasource': ['datasource', 'editorMode', 'expr', 'hide', 'legendFormat', 'maxLines', 'queryType', 'refId'],
};

// check returns a line for each thing in a dashboard that Grafana's types do not allow.
export function check(dashboard) {
  const { panels = [], ...rest } = dashboard;
  const faults = [];
  const hold = (where, validator, value) => {
    if (!validator(value)) faults.push(...validator.errors.filter(meant).map((error) => `${where}${error.instancePath}: ${said(error)}`));
  };
  hold('dashboard', schemas().Dashboard, rest);
  for (const panel of panels.flatMap((p) => [p, ...(p.panels ?? [])])) {
    const where = `panel ${panel.id} "${panel.title ?? ''}"`;
    if (panel.type === 'row') {
      hold(where, schemas().RowPanel, { ...panel, panels: [] });
      continue;
    }
    hold(where, schemas().Panel, panel);
    faults.push(...ofItsType(panel, hold, where), ...targets(panel, where), ...names(panel, where));
  }
  return faults;
}

// ofItsType holds what depends on a panel's type to that: options, its own field configuration, and overrides of either kind.
function ofItsType({ type, options = {}, fieldConfig = {} }, hold, where) {
  if (!panelTypes.includes(type)) return [`${where}: type ${type} is not among those that are checked: ${panelTypes.join(', ')}`];
  hold(`${where} options`, schemas()[`${type}.options`], options);
  const custom = schemas()[`${type}.custom`];
  hold(`${where} fieldConfig/defaults/custom`, custom, fieldConfig.defaults?.custom ?? {});
  for (const [i, { properties }] of (fieldConfig.overrides ?? []).entries()) {
    for (const { id, value } of properties) {
      const [validator, name] = id.startsWith('custom.') ? [custom, id.slice('custom.'.length)] : [schemas().FieldConfig, id];
      hold(`${where} overrides/${i} ${id}`, validator, { [name]: value });
    }
  }
  return [];
}

function targets({ targets = [] }, where) {
  return targets.flatMap((target) => {
    const allowed = targetKeys[target.datasource?.type];
    if (!allowed) return [`${where} target ${target.refId}: there is no data source type ${target.datasource?.type}; there are ${Object.keys(targetKeys).join(', ')}`];
    return Object.keys(target).filter((key) => !allowed.includes(key)).map((key) => `${where} target ${target.refId}: has no ${key}; it may have ${allowed.join(', ')}`);
  });
}

// names looks up what the schema takes as any text.
function names({ fieldConfig = {}, options = {}, transformations = [] }, where) {
  const { getValueFormats, standardTransformers } = library();
  const known = new Set(getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)));
  const units = [fieldConfig.defaults?.unit, options.yAxis?.unit, ...(fieldConfig.overrides ?? []).flatMap(({ properties }) => properties.filter(({ id }) => id === 'unit').map(({ value }) => value))];
  const transformers = new Set([...Object.values(standardTransformers).map(({ id }) => id), 'timeSeriesTable']);
  return [
    ...units.filter((unit) => unit && !known.has(unit) && !/^(suffix|prefix|short|si|count|currency|time|bool):?/.test(unit)).map((unit) => `${where}: there is no unit ${unit}`),
    ...transformations.filter(({ id }) => !transformers.has(id)).map(({ id }) => `${where}: there is no transformation ${id}`),
  ];
}

const library = once(() => {
  globalThis.navigator ??= { languages: ['en-US'] }; // it is written for browsers
  return createRequire(import.meta.url)('@grafana/data');
});

const schemas = once(() => {
  const types = '@grafana/schema/dist/types/raw';
  const dashboard = (type) => [`${types}/dashboard/x/types.gen`, type];
  const wanted = { Dashboard: dashboard('Dashboard'), Panel: dashboard('Panel'), RowPanel: dashboard('RowPanel'), FieldConfig: dashboard('FieldConfig') };
  for (const panel of panelTypes) {
    wanted[`${panel}.options`] = [`${types}/composable/${panel}/panelcfg/x/types.gen`, 'Options'];
    wanted[`${panel}.custom`] = [`${types}/composable/${panel}/panelcfg/x/types.gen`, 'FieldConfig'];
  }
  const ajv = new Ajv({ strict: false, allErrors: true, verbose: true });
  return Object.fromEntries(Object.entries(wanted).map(([name, [module, type]]) => [name, ajv.compile(schemaOf(name, module, type))]));
});

// schemaOf is kept beside the packages it comes from, as making it takes half a second each.
function schemaOf(name, module, type) {
  const kept = join(workshop, `${name}.json`);
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8'));
  mkdirSync(workshop, { recursive: true });
  const path = join(workshop, `${name}.ts`);
  const tsconfig = join(workshop, 'tsconfig.json');
  const exported = readFileSync(join(packages, `${module}.d.ts`), 'utf8').includes(` ${type} `);
  writeFileSync(path, exported ? `import { ${type} as X } from '${module}';\nexport type Root = X;\n` : 'export type Root = {};\n');
  writeFileSync(tsconfig, '{"compilerOptions":{"module":"esnext","moduleResolution":"node","target":"es2020","strict":true,"skipLibCheck":true}}');
  const made = createGenerator({ path, tsconfig, type: 'Root', additionalProperties: false, skipTypeCheck: true }).createSchema('Root');
  // Grafana fills in what is left out of these; of the others it demands what they demand.
  const schema = ['Dashboard', 'Panel', 'RowPanel'].includes(name) ? made : optional(made);
  writeFileSync(`${kept}.new`, JSON.stringify(schema));
  renameSync(`${kept}.new`, kept);
  return schema;
}

function optional(schema) {
  if (Array.isArray(schema)) return schema.map(optional);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).filter(([key, value]) => key !== 'required' || !Array.isArray(value)).map(([key, value]) => [key, optional(value)]));
}

// meant leaves out that none of several alternatives fits: each says by itself why.
const meant = ({ keyword }) => keyword !== 'anyOf' && keyword !== 'if';

const said = ({ message, params, data }) => [message, Object.values(params).flat().join(', '), typeof data === 'object' ? '' : `(${data})`].filter(Boolean).join(' ');

function once(make) {
  let made;
  return () => (made ??= make());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2);
  const faults = files.flatMap((file) => check(JSON.parse(readFileSync(file, 'utf8'))).map((fault) => `${file}: ${fault}`));
  faults.forEach((fault) => console.error(fault));
  console.error(`${files.length} dashboards, held to Grafana's schema: ${faults.length} faults`);
  process.exitCode = faults.length || !files.length ? 1 : 0;
}
