// A person without a mouse: Tab until the focus is where it is wanted, and at every stop on the way the focus has to be
// seen.
import { expect, type Page } from '@playwright/test';
import { settled } from './settled';

/** How thick a focus ring is at least, in CSS pixels, and how much it differs from what is behind it (WCAG 2.2, 1.4.11). */
const RING = { thickness: 2, contrast: 3 };

/** What is focused, as it is drawn. */
interface Stop {
  /** Its test id, or else what it is called. */
  name: string;
  testid: string | undefined;
  /** Among those that were numbered before. */
  number: string | undefined;
  /** Thickness of what is drawn around it, and its contrast with what is behind. */
  thickness: number;
  contrast: number;
  /** Whether its middle is inside the window, with nothing of another part over it. */
  inside: boolean;
  /** Where it is from top to bottom, and what is at its middle: for whoever looks into a failure. */
  where: string;
}

/** Runs in the page. */
function focused(): Stop | null {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement) || element === document.body) return null;

  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  /** Any colour as red, green, blue and opacity. */
  function rgba(colour: string): [number, number, number, number] {
    if (canvas === null) return [0, 0, 0, 0];
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0, opacity = 0] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, opacity / 255];
  }
  function luminance([red, green, blue]: number[]): number {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((value = 0) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function behind(of: Element): number[] {
    for (let at: Element | null = of; at !== null; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.95) return colour;
    }
    return [255, 255, 255];
  }
  function contrast(one: number[], other: number[]): number {
    const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }

  /** The ring is on the element, or on the box drawn around a field or a file's place. */
  const around = [element, element.closest('label'), element.closest('.drop'), element.parentElement, element.querySelector('.active, .chosen')];
  let [thickness, best] = [0, 0];
  for (const part of around) {
    if (part === null) continue;
    const style = getComputedStyle(part);
    const rings: { width: number; colour: string }[] = [];
    if (style.outlineStyle !== 'none') rings.push({ width: parseFloat(style.outlineWidth), colour: style.outlineColor });
    // A colour, then four lengths: the last one is how far it spreads.
    for (const [, colour = '', spread = '0'] of style.boxShadow.matchAll(/((?:rgb|rgba|oklch|oklab|color|lab|lch)\([^)]*\)) \S+ \S+ \S+ (\S+?)px/g)) {
      // A field's border takes the same colour.
      const border = style.borderTopColor === colour ? parseFloat(style.borderTopWidth) : 0;
      rings.push({ width: parseFloat(spread) + border, colour });
    }
    for (const { width, colour } of rings) {
      const drawn = rgba(colour);
      if (drawn[3] < 0.5) continue;
      const differs = contrast(drawn, behind(part.parentElement ?? part));
      if (width >= 2 && differs > best) [thickness, best] = [width, differs];
    }
  }

  const shown = element.classList.contains('unseen') ? (element.closest('label') ?? element) : element;
  const box = shown.getBoundingClientRect();
  // Of something taller than the window, the part that is in it.
  const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
  const y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
  const there = document.elementFromPoint(x, y);
  const inside =
    box.width > 0 && box.left >= -1 && box.right <= innerWidth + 1 &&
    (box.height > innerHeight || (box.top >= -1 && box.bottom <= innerHeight + 1)) &&
    there !== null && (shown.contains(there) || there.contains(shown) || there.closest('label') === shown.closest('label'));
  return {
    name: element.dataset.testid ?? element.getAttribute('aria-label') ?? (element.textContent.trim().slice(0, 40) || element.tagName),
    testid: element.dataset.testid,
    number: element.dataset.number,
    thickness,
    contrast: best,
    inside,
    where: `${box.top.toFixed(0)} to ${box.bottom.toFixed(0)} of ${String(innerHeight)}, behind ${there === null ? 'nothing' : `${there.tagName} ${there.className}`}`,
  };
}

/** Works a page by its keyboard, and keeps in mind where the focus was not seen. */
export class Keyboard {
  readonly problems = new Set<string>();
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Presses Tab. Answers what has the focus then; nothing where that lies outside the page. */
  async tab(): Promise<Stop | null> {
    await this.#page.keyboard.press('Tab');
    await settled(this.#page);
    const at = await this.#page.evaluate(focused);
    if (at === null) return null;
    if (!at.inside) this.problems.add(`${at.name} is out of sight while it has the focus (${at.where})`);
    if (at.thickness < RING.thickness) this.problems.add(`${at.name} has no focus ring`);
    else if (at.contrast < RING.contrast) this.problems.add(`${at.name}: its focus ring has a contrast of ${at.contrast.toFixed(2)}`);
    return at;
  }

  /** Tabs to a part of the page. */
  async reach(id: string): Promise<void> {
    const wanted = this.#page.getByTestId(id);
    await expect(wanted).toBeVisible();
    await expect(wanted).toBeEnabled();
    const passed: string[] = [];
    for (let presses = 0; presses < 200; presses += 1) {
      const at = await this.tab();
      if (at?.testid === id) return;
      passed.push(at?.name ?? 'the page');
    }
    throw new Error(`Tab does not reach ${id}, but ${passed.join(', ')}`);
  }

  /** Tabs to a button and presses it. */
  async press(id: string): Promise<void> {
    await this.reach(id);
    await this.#page.keyboard.press('Enter');
  }
}
