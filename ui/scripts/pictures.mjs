// The administrator guide's pictures, into ../docs/images: each is one of the scenes, whole or some of its panels. Takes
// the beginnings of pictures' names to make these alone. Look at each before it goes into the guide.
import { fileURLToPath } from 'node:url';
import { SCENES, openScene, withBrowser } from './scenes.mjs';

const out = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const VIEWPORT = { width: 1180, height: 780 };
/** Round panels that are cut out. */
const MARGIN = 16;

/** The window as it is; `whole`, all of the page; or what is round the headings in `panels`. */
const PICTURES = [
  { name: 'welcome', scene: 'welcome' },
  { name: 'home', scene: 'home', whole: true },
  { name: 'powerschool-plugin', scene: 'walk-enable', panels: ['The plugin'] },
  { name: 'powerschool-test', scene: 'powerschool-last', panels: ['Test connection'] },
  { name: 'buildings', scene: 'buildings', whole: true },
  { name: 'setup-confirmation', scene: 'confirmation' },
  { name: 'tardy-codes', scene: 'tardies', whole: true },
  { name: 'hero-connection', scene: 'hero-tested', panels: ['Managed connections'] },
  { name: 'hero-host-key', scene: 'hero-question' },
  { name: 'hero-account', scene: 'hero', panels: ['The account at Hero', 'Files and times'] },
  { name: 'hero-day', scene: 'account-day', panels: ['Order of the day'] },
  { name: 'hero-sheet', scene: 'account-sheet-export' },
  { name: 'hero-files', scene: 'account-files', panels: ['Files at Hero'] },
  { name: 'schedule', scene: 'schedule' },
  { name: 'find-a-row', scene: 'trace-row', whole: true },
];

/** What is round these headings, from the first panel's top to the last one's bottom. */
async function around(page, headings) {
  const boxes = [];
  for (const heading of headings) {
    const panel = page.getByRole('heading', { level: 2, name: heading }).locator('xpath=ancestor::section[1]');
    boxes.push(await panel.boundingBox());
  }
  const left = Math.min(...boxes.map(({ x }) => x)) - MARGIN;
  const top = Math.min(...boxes.map(({ y }) => y)) - MARGIN;
  const right = Math.max(...boxes.map(({ x, width }) => x + width)) + MARGIN;
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height)) + MARGIN;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

const only = process.argv.slice(2);
const problems = [];
await withBrowser(4197, async (browser, address) => {
  const context = await browser.newContext({ colorScheme: 'light', viewport: VIEWPORT });
  for (const { name, scene: wanted, whole, panels } of PICTURES) {
    if (only.length > 0 && !only.some((start) => name.startsWith(start))) continue;
    try {
      const scene = SCENES.find(({ name: known }) => known === wanted);
      if (scene === undefined) throw new Error(`there is no scene ${wanted}`);
      const page = await openScene(context, address, scene, (text) => problems.push(`${name}: ${text}`));
      if (whole || panels !== undefined) {
        const height = await page.evaluate(() => {
          // The buttons stand below what is scrolled.
          const scrolled = document.querySelector('.page');
          return scrolled === null ? document.documentElement.scrollHeight : scrolled.scrollHeight + 60;
        });
        await page.setViewportSize({ width: VIEWPORT.width, height: Math.max(height, VIEWPORT.height) });
      }
      // What fades in has not its colours yet.
      await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
      await page.screenshot({ path: `${out}${name}.png`, ...(panels === undefined ? {} : { clip: await around(page, panels) }) });
      await page.close();
    } catch (error) {
      problems.push(`${name}: ${error.message.split('\n')[0]}`);
    }
  }
  await context.close();
});
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
