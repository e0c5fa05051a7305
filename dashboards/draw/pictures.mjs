// Draws each dashboard in Chromium at two widths and looks at what came out: a panel without data or with an error, text over text,
// a title that is cut, or anything that the page complains of is a fault. Pictures are written all the same.
//
//	DASHBOARDS=http://127.0.0.1:3000 CHROMIUM=chromium node pictures.mjs FOLDER SECONDS
//
// FOLDER takes the pictures; the dashboards show the last SECONDS, once there has been traffic for so long.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { faultsOnPage, panelsOnPage, recordCanvasText } from './faults.mjs';
import { blanks, write } from './picture.mjs';
import { followSpike } from './spike.mjs';

const { DASHBOARDS: site, CHROMIUM: browserFile = 'chromium' } = process.env;
const [folder, seconds] = process.argv.slice(2);
const range = `from=now-${seconds % 60 ? `${seconds}s` : `${seconds / 60}m`}&to=now`;
const widths = [1600, 800];

// What is chosen where a dashboard is of one thing: of the demo's routes, one that has something to show.
const chosen = { 'routelens-route': 'var-route=payments' };

// The upper part of one of them, for the README.
const lead = { uid: 'routelens-routes', height: 1500, file: 'lead.png' };

async function main() {
  const dashboards = await (await fetch(`${site}/api/dashboards`)).json();
  mkdirSync(folder, { recursive: true });
  await traffic(Number(seconds));
  const browser = await chromium.launch({ executablePath: browserFile, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
  const faults = [];
  try {
    for (const { uid, title } of dashboards) {
      for (const width of widths) {
        const found = await draw(browser, uid, width);
        faults.push(...found.map((fault) => `${title} at ${width} px: ${fault}`));
      }
    }
    faults.push(...(await followSpike(browser, site, range)).map((fault) => `From a spike to its records: ${fault}`));
  } finally {
    await browser.close();
  }
  for (const fault of faults) console.error(fault);
  console.error(`${dashboards.length} dashboards at ${widths.join(' and ')} px: ${faults.length} faults; pictures are in ${folder}`);
  process.exitCode = faults.length || !dashboards.length ? 1 : 0;
}

// traffic waits until Prometheus has seen the plugin's metrics for so long.
async function traffic(wanted) {
  const query = `(time() - min(min_over_time(timestamp(routelens_requests_total)[1h:5s]))) >= ${wanted}`;
  for (const since = Date.now(); Date.now() - since < (wanted + 120) * 1000; await sleep(2000)) {
    const answer = await (await fetch(`${site}/prometheus/api/v1/query?${new URLSearchParams({ query })}`)).json();
    if (answer.data?.result.length) return;
  }
  throw new Error(`Prometheus has not seen ${wanted} s of traffic`);
}

async function draw(browser, uid, width) {
  const page = await browser.newPage({ viewport: { width, height: 1000 } });
  const complaints = [];
  page.on('pageerror', (fault) => complaints.push(fault.message));
  page.on('response', (answer) => answer.status() >= 400 && complaints.push(`${answer.status()} ${answer.url()}`));
  await page.addInitScript(recordCanvasText);
  await page.goto(`${site}/d/${uid}?${range}&still&${chosen[uid] ?? ''}`);
  await settle(page);
  for (const row of (await page.locator('[aria-label^="Expand row"]').all()).reverse()) {
    await row.click();
  }
  // All of it in sight: a page that is made longer while its picture is taken is drawn anew, and may not be done.
  await page.setViewportSize({ width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
  await settle(page);
  const [faults, panels] = [await page.evaluate(faultsOnPage), await page.evaluate(panelsOnPage)];
  const picture = sharp(await page.screenshot());
  await page.close();
  const wide = width === widths[0];
  faults.push(...await blanks(picture, panels), ...await write(picture, join(folder, `${uid}${wide ? '' : `-${width}`}.png`)));
  if (wide && uid === lead.uid) {
    const height = Math.max(...panels.map(({ top, height }) => top + height).filter((bottom) => bottom < lead.height)) + 12;
    faults.push(...await write(picture.clone().extract({ left: 0, top: 0, width, height }), join(folder, lead.file)));
  }
  return [...new Set([...complaints, ...faults])];
}

// settle waits until every panel has its answer and is drawn.
async function settle(page) {
  await page.waitForSelector('[data-viz-panel-key], [data-fault]', { timeout: 30000 });
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => !document.querySelector('[data-nodata="waiting"]') && [...document.querySelectorAll('[data-viz-panel-key]')].every((panel) => panel.textContent),
    null, { timeout: 30000 });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(1000);
}

await main();
