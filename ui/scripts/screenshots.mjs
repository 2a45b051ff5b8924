// Pictures of every screen, taken in Chromium against the sample data under the window's own content security
// policy, into ../screenshots. Fails when a page logs an error or breaks the policy.
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LOOKS, SCENES, openScene, withBrowser } from './scenes.mjs';

const out = fileURLToPath(new URL('../../screenshots/', import.meta.url));
const only = process.argv.slice(2);

if (only.length === 0) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const problems = [];
await withBrowser(4199, async (browser, address) => {
  for (const look of LOOKS) {
    const context = await browser.newContext({ colorScheme: look.colorScheme, viewport: look.viewport });
    for (const scene of SCENES) {
      const name = `${scene.name}-${look.suffix}`;
      if (only.length > 0 && !only.some((wanted) => name.startsWith(wanted) || name.endsWith(wanted))) continue;
      try {
        const page = await openScene(context, address, scene, (text) => problems.push(`${name}: ${text}`));
        await page.waitForTimeout(350);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (overflow > 0) problems.push(`${name}: the page is ${overflow} px too wide`);
        const inner = await page.evaluate(() => {
          // A dialog is looked at as the window shows it.
          if (document.querySelector('[role=dialog], [role=alertdialog]') !== null) return 0;
          const scrolled = document.querySelector('.page');
          return scrolled === null ? document.documentElement.scrollHeight : scrolled.scrollHeight + 60;
        });
        if (inner > look.viewport.height && !scene.name.startsWith('held')) {
          await page.setViewportSize({ width: look.viewport.width, height: Math.min(inner, 5200) });
        }
        await page.screenshot({ path: `${out}${name}.png` });
        await page.close();
      } catch (error) {
        problems.push(`${name}: ${error.message.split('\n')[0]}`);
      }
    }
    await context.close();
  }
});
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
