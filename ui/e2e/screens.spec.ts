// Every screen on the sample data: axe-core (WCAG 2.2 AA and good practice) in light, dark and high contrast, and at 200 %
// zoom nothing is cut off or has to be scrolled sideways for.
import { expect, test, type Page } from '@playwright/test';
import axe from 'axe-core';
import { SCENES, openScene } from '../scripts/scenes.mjs';
import { settled } from './settled';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** What another look of the same page can change. */
const COLOURS = ['color-contrast', 'link-in-text-block'];
/** A window of 1280 × 900 at 200 %. */
const ZOOMED = { width: 640, height: 450 };

async function violations(page: Page, runOnly: { type: 'tag' | 'rule'; values: string[] }): Promise<string[]> {
  await settled(page);
  const found = await page.evaluate(async (run): Promise<{ id: string; help: string; nodes: { target: string[]; failureSummary: string }[] }[]> => {
    const { axe: inPage } = window as unknown as { axe: { run: (options: object) => Promise<{ violations: [] }> } };
    return (await inPage.run({ runOnly: run, resultTypes: ['violations'] })).violations;
  }, runOnly);
  const told: string[] = [];
  for (const { id, help, nodes } of found) {
    for (const { target, failureSummary } of nodes) {
      // The list of a combobox lies above the page, and is its field's wherever it stands.
      if (id === 'region' && (await page.locator(`${target[0]}[role=listbox], ${target[0]} [role=listbox]`).count()) > 0) continue;
      told.push(`${id} (${help})\n  ${target.join(' ')}\n  ${failureSummary.replaceAll('\n', '\n  ')}`);
    }
  }
  return told;
}

/** What does not fit. Runs in the page. */
function tooWide(): string[] {
  const told: string[] = [];
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) told.push(`the page is ${wide} px too wide`);
  const name = (element: Element) =>
    `${element.tagName.toLowerCase()}${element instanceof HTMLElement && element.dataset.testid !== undefined ? `[${element.dataset.testid}]` : ''} “${(element.textContent ?? '').trim().slice(0, 40)}”`;
  for (const element of document.body.querySelectorAll<HTMLElement>('*')) {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || element.closest('.unseen, svg') !== null) continue;
    // What is typed into scrolls by itself.
    if (element.matches('input, textarea')) continue;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const hides = style.overflowX === 'hidden' || style.overflowX === 'clip';
    // What ends in … is told in full elsewhere.
    if (hides && style.textOverflow !== 'ellipsis' && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1) {
      told.push(`${name(element)} is cut off by ${element.scrollWidth - element.clientWidth} px`);
    }
    const cutDown = style.overflowY === 'hidden' || style.overflowY === 'clip';
    if (cutDown && element.scrollHeight > element.clientHeight + 2 && element.clientHeight > 1) {
      told.push(`${name(element)} is cut off below by ${element.scrollHeight - element.clientHeight} px`);
    }
    // What stands still while the page scrolls has to be in the window as a whole.
    if (style.position === 'fixed' && box.width > 0 && (box.left < -1 || box.right > innerWidth + 1 || box.top < -1 || box.bottom > innerHeight + 1)) {
      told.push(`${name(element)} stands partly outside the window`);
    }
  }
  return told;
}

interface Scene {
  name: string;
  query: string;
  actions?: ((page: Page) => Promise<void>)[];
  /** Looked at as it is printed. */
  paper?: boolean;
}

/** How many states of each screen, in their order, lie between two that every run of all tests looks at. */
const BETWEEN = 3;
const states = new Map<string, number>();

for (const scene of (SCENES as Scene[]).filter(({ paper }) => paper !== true)) {
  const [screen = scene.name] = scene.name.split('-');
  const state = states.get(screen) ?? 0;
  states.set(screen, state + 1);
  test(scene.name, { tag: state % BETWEEN === 0 ? [] : ['@state'] }, async ({ context }) => {
    const page = await openScene(context, process.env.E2E_SAMPLES, scene, () => {});
    await page.evaluate(axe.source);
    expect.soft(await violations(page, { type: 'tag', values: RULES }), 'light').toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect.soft(await violations(page, { type: 'rule', values: COLOURS }), 'dark').toEqual([]);
    await page.emulateMedia({ colorScheme: 'light', contrast: 'more' });
    expect.soft(await violations(page, { type: 'rule', values: COLOURS }), 'high contrast').toEqual([]);
    await page.emulateMedia({ contrast: null });
    await page.setViewportSize(ZOOMED);
    await settled(page);
    expect.soft(await page.evaluate(tooWide), '200 % zoom').toEqual([]);
  });
}
