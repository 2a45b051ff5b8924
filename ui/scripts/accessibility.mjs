// Every screen held to axe-core's rules (WCAG 2.2 AA and good practice), light and dark, in Chromium on the sample
// data; then the PowerSchool step worked by the keyboard. Fails on any violation. Takes the beginnings of scenes'
// names to look at these alone, or `keyboard` for the keyboard alone.
import axe from 'axe-core';
import { keyboardProblems } from './keyboard.mjs';
import { SCENES, openScene, withBrowser } from './scenes.mjs';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** Pages looked at side by side. */
const AT_ONCE = 3;

const only = process.argv.slice(2);
const wanted = SCENES.filter(({ name, paper }) => paper !== true && (only.length === 0 || only.some((start) => name.startsWith(start))));
const violations = [];

async function look(context, address, scene, colorScheme) {
  const page = await openScene(context, address, scene, () => {});
  await page.evaluate(axe.source);
  // What fades in has not its colours yet.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const found = await page.evaluate((tags) => window.axe.run({ runOnly: tags, resultTypes: ['violations'] }), RULES);
  for (const { id, help, nodes } of found.violations) {
    for (const { target, failureSummary } of nodes) {
      // The list of a combobox lies above the page, and is its field's wherever it stands.
      if (id === 'region' && (await page.locator(`${target[0]}[role=listbox], ${target[0]} [role=listbox]`).count()) > 0) continue;
      violations.push(`${scene.name}, ${colorScheme}: ${id} (${help})\n  ${target.join(' ')}\n  ${failureSummary.replaceAll('\n', '\n  ')}`);
    }
  }
  await page.close();
}

await withBrowser(4198, async (browser, address) => {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 780 }, reducedMotion: 'reduce', colorScheme });
    const waiting = [...wanted];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let scene = waiting.shift(); scene !== undefined; scene = waiting.shift()) {
          try {
            await look(context, address, scene, colorScheme);
          } catch (error) {
            violations.push(`${scene.name}, ${colorScheme}: ${error.message.split('\n')[0]}`);
          }
        }
      }),
    );
    await context.close();
  }
  if (only.length === 0 || only.includes('keyboard')) violations.push(...(await keyboardProblems(browser, address)));
});
for (const violation of violations) console.error(violation);
process.exitCode = violations.length > 0 ? 1 : 0;
