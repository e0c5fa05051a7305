// Each fault of a page is found, and a page without any is not blamed. Run by `make dashboards-pictures`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { faultsOnPage, panelsOnPage, recordCanvasText } from './faults.mjs';
import { blanks } from './picture.mjs';

let browser;
before(async () => { browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid() === 0 ? ['--no-sandbox'] : [] }); });
after(() => browser.close());

const panel = (content) => `<div data-viz-panel-key="panel-1" style="position: relative; width: 300px; height: 200px; overflow: hidden"><h2 style="width: 280px; overflow: hidden; white-space: nowrap; font-size: 16px">Requests</h2>${content}</div>`;
const at = (left, top, text) => `<span style="position: absolute; left: ${left}px; top: ${top}px; white-space: nowrap">${text}</span>`;
const chart = (script) => `<canvas width="300" height="100"></canvas><script>const c = document.querySelector('canvas').getContext('2d'); c.font = '14px sans-serif'; ${script}</script>`;

for (const [what, body, want] of [
  ['a page in order', panel(at(10, 50, 'catalog') + at(10, 150, 'users') + chart("c.fillText('12:00', 10, 50); c.fillText('12:05', 90, 50);")), []],
  ['text that is clipped away', panel(`<div style="height: 20px; overflow: hidden"><div>one</div><div>two</div></div>${at(0, 62, '')}<div>three</div>`), []],
  ['what a chart wrote before it was cleared', panel(chart("c.fillText('12:00', 10, 50); c.clearRect(0, 0, 300, 100); c.fillText('12:01', 12, 50);")), []],
  ['no panels', '<p>nothing</p>', ['there are no panels']],
  ['a page that failed', `<pre data-fault>no dashboard x</pre>${panel('')}`, ['no dashboard x']],
  ['a panel without data', panel('<div data-nodata="none">-</div>'), ['panel "Requests": no data']],
  ['a cell without data', panel('<p>No data</p>'), ['panel "Requests": no data']],
  ['an error', panel('<button data-testid="data-testid Panel status error">!</button>'), ['panel "Requests": error']],
  ['a cut title', panel('').replace('Requests', 'Requests by route and by everything else that there is'), ['panel "Requests by route and by everything else that there is": its title is cut']],
  ['a title cut by an ellipsis', panel('').replace('overflow: hidden; white-space', 'text-overflow: ellipsis; overflow: hidden; white-space').replace('Requests', 'Requests by route and by everything else that there is'), ['panel "Requests by route and by everything else that there is": its title is cut']],
  ['a label that is cut', panel('<div style="width: 60px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap">unmatched routes</div>'), ['panel "Requests": "unmatched routes" is cut']],
  ['text over text', panel(at(10, 50, 'catalog') + at(30, 52, 'users')), ['panel "Requests": "catalog" and "users" overlap']],
  ['text over text on a chart', panel(chart("c.fillText('12:00', 10, 50); c.fillText('12:05', 30, 50);")), ['panel "Requests": "12:00" and "12:05" overlap']],
  ['text of a chart over an element\'s', panel(`${chart("c.fillText('12:00', 10, 50);")}${at(10, 85, '12 req/s')}`), ['panel "Requests": "12 req/s" and "12:00" overlap']],
  ['text turned by a chart', panel(chart("c.translate(50, 80); c.rotate(-Math.PI / 2); c.fillText('requests', 0, 0); c.setTransform(1, 0, 0, 1, 0, 0); c.fillText('12:05', 40, 60);")), ['panel "Requests": "requests" and "12:05" overlap']],
]) {
  test(what, async () => {
    const page = await browser.newPage();
    await page.addInitScript(recordCanvasText);
    await page.goto(`data:text/html,${encodeURIComponent(`<!doctype html><body style="margin: 0">${body}`)}`);
    assert.deepEqual(await page.evaluate(faultsOnPage), want);
    await page.close();
  });
}

test('a panel that is not in the picture', async () => {
  const page = await browser.newPage();
  await page.setContent(`<body style="margin: 0">${panel('catalog')}${panel('users').replace('Requests', 'Errors')}`);
  const panels = await page.evaluate(panelsOnPage);
  assert.deepEqual(await blanks(sharp(await page.screenshot()), panels), []);
  await page.locator('[data-viz-panel-key]').last().evaluate((e) => { e.style.visibility = 'hidden'; });
  assert.deepEqual(await blanks(sharp(await page.screenshot()), panels), ['panel "Errors": the picture shows nothing of it']);
  await page.close();
});
