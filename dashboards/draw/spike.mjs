// From a spike to its records: clicks on a point of the errors on Routes, follows the link that opens, and looks at what it leads to.

// followSpike returns a line for each thing that is not as it should be.
export async function followSpike(browser, site, range) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  await page.goto(`${site}/d/routelens-routes?${range}&still`);
  const panel = page.locator('section', { has: page.getByRole('heading', { name: 'Errors by route', exact: true }) });
  await panel.locator('canvas').waitFor();
  await panel.scrollIntoViewIfNeeded();
  await page.waitForLoadState('networkidle');
  const link = page.getByRole('link', { name: /records around this moment/ });
  if (!await clickLine(page, await panel.boundingBox(), link)) {
    return ['no point of "Errors by route" has a link to its records'];
  }
  await link.click();
  await page.waitForURL(/\/d\/routelens-route\?.*from=/); // the page has read the time from the link
  const shown = new URL(page.url()).searchParams;
  await page.waitForFunction(() => !document.querySelector('[data-nodata="waiting"]') && document.querySelector('[data-line]'), null, { timeout: 20000 }).catch(() => {});
  const lines = await page.locator('[data-line]').allInnerTexts();
  await page.close();
  const minutes = (Date.parse(shown.get('to')) - Date.parse(shown.get('from'))) / 60000;
  return [
    ...(minutes === 5 ? [] : [`the link leads to ${minutes} minutes, not to the 5 around the point`]),
    ...(lines.length ? [] : [`there are no records where the link leads: ${page.url()}`]),
    ...lines.filter((line) => !line.includes(`/${shown.get('var-route')}`)).slice(0, 1).map((line) => `a record is not of route ${shown.get('var-route')}: ${line}`),
  ];
}

// clickLine goes down the middle of a chart until a line is near enough to be clicked on.
async function clickLine(page, { x, y, width, height }, link) {
  for (let down = 50; down < height - 60; down += 12) {
    await page.mouse.move(x + width / 2, y + down);
    await page.mouse.click(x + width / 2, y + down);
    if (await link.waitFor({ timeout: 400 }).then(() => true, () => false)) return true;
    await page.keyboard.press('Escape');
  }
  return false;
}
