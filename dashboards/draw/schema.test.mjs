// What check finds, each in a dashboard that is right but for one thing. Run by `make dashboards-schema`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './schema.mjs';

const dashboard = () => ({
  title: 'Routes', uid: 'routes', schemaVersion: 42, graphTooltip: 1, time: { from: 'now-1h', to: 'now' },
  templating: { list: [{ name: 'job', type: 'query', query: 'label_values(job)', hide: 0, refresh: 2 }] },
  panels: [
    { id: 1, type: 'row', title: 'Rates', collapsed: false, panels: [], gridPos: { x: 0, y: 0, w: 24, h: 1 } },
    {
      id: 2, type: 'timeseries', title: 'Requests', gridPos: { x: 0, y: 1, w: 12, h: 8 }, datasource: { type: 'prometheus', uid: '$datasource' },
      targets: [{ refId: 'A', expr: 'up', legendFormat: '{{job}}', datasource: { type: 'prometheus', uid: '$datasource' } }],
      options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: ['max'] } },
      fieldConfig: {
        defaults: { unit: 'reqps', min: 0, custom: { fillOpacity: 10, stacking: { mode: 'normal' } } },
        overrides: [{ matcher: { id: 'byName', options: 'x' }, properties: [{ id: 'custom.lineWidth', value: 2 }, { id: 'unit', value: 'ms' }] }],
      },
      transformations: [{ id: 'timeSeriesTable', options: {} }],
    },
    { id: 3, type: 'gauge', title: 'Errors', gridPos: { x: 12, y: 1, w: 4, h: 8 }, fieldConfig: { defaults: {}, overrides: [] }, options: { showThresholdMarkers: true } },
  ],
});

test('a dashboard that is right', () => assert.deepEqual(check(dashboard()), []));

for (const [what, spoil, want] of [
  ['a misspelt key', (d) => { d.titel = 'x'; }, /dashboard: .*additional properties titel/],
  ['a key of the wrong type', (d) => { d.schemaVersion = '42'; }, /schemaVersion: must be number/],
  ['a variable of an unknown type', (d) => { d.templating.list[0].type = 'quary'; }, /templating\/list\/0\/type: .*\(quary\)/],
  ['a misspelt key of a row', (d) => { d.panels[0].colapsed = true; }, /panel 1 "Rates": .*colapsed/],
  ['a misspelt key of a panel', (d) => { d.panels[1].gridpos = {}; }, /panel 2 "Requests": .*gridpos/],
  ['a panel of an unknown type', (d) => { d.panels[1].type = 'graph'; }, /type graph is not among/],
  ['a misspelt option', (d) => { d.panels[1].options.legend.plcement = 'right'; }, /options\/legend: .*plcement/],
  ['an unknown value of an option', (d) => { d.panels[1].options.legend.displayMode = 'lists'; }, /displayMode: .*\(lists\)/],
  ['a misspelt field option', (d) => { d.panels[1].fieldConfig.defaults.custom.filOpacity = 1; }, /custom: .*filOpacity/],
  ['a field option where there is none', (d) => { d.panels[2].fieldConfig.defaults.custom = { fillOpacity: 1 }; }, /panel 3 .*custom: .*fillOpacity/],
  ['an unknown value of a field option', (d) => { d.panels[1].fieldConfig.defaults.custom.stacking.mode = 'yes'; }, /stacking\/mode: .*\(yes\)/],
  ['an override of what there is not', (d) => { d.panels[1].fieldConfig.overrides[0].properties[0].id = 'custom.width'; }, /overrides\/0 custom\.width/],
  ['an override by the wrong type', (d) => { d.panels[1].fieldConfig.overrides[0].properties[1].value = 3; }, /overrides\/0 unit\/unit: must be string/],
  ['an unknown unit', (d) => { d.panels[1].fieldConfig.defaults.unit = 'requests'; }, /there is no unit requests/],
  ['an unknown transformation', (d) => { d.panels[1].transformations[0].id = 'joinByLabel'; }, /there is no transformation joinByLabel/],
  ['a misspelt key of a target', (d) => { d.panels[1].targets[0].legendFormt = 'x'; }, /target A: has no legendFormt/],
  ['a target of an unknown source', (d) => { d.panels[1].targets[0].datasource.type = 'prom'; }, /no data source type prom/],
  ['a fault within a collapsed row', (d) => { d.panels[0].panels = [{ ...d.panels[1], titel: 1 }]; }, /panel 2 .*titel/],
]) {
  test(what, () => {
    const spoiled = dashboard();
    spoil(spoiled);
    const faults = check(spoiled);
    assert.ok(faults.some((fault) => want.test(fault)), `${want} is not among\n${faults.join('\n')}`);
  });
}
