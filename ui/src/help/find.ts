import type { Page } from 'virtual:help';
import { titleOf } from './titles';

/** How many pages a search lists. */
export const MOST_FOUND = 40;

/** Whether a page is about one code. */
export function isCodePage({ book, level }: Page): boolean {
  return book === 'troubleshooting' && level === 3;
}

/** What a page is called in front of a person. */
export function nameOf(page: Page): string {
  return isCodePage(page) ? titleOf(page.key) : page.title;
}

/** The chapter a page lies in, if it lies in one. */
export function chapterOf(pages: Page[], page: Page): Page | undefined {
  if (page.level < 3) return undefined;
  return pages.slice(0, pages.indexOf(page)).filter(({ book, level }) => book === page.book && level === 2).at(-1);
}

/** The pages that lie in a chapter. */
export function inChapter(pages: Page[], chapter: Page): Page[] {
  const from = pages.indexOf(chapter) + 1;
  const length = pages.slice(from).findIndex(({ level }) => level < 3);
  return pages.slice(from, length < 0 ? undefined : from + length);
}

/** What is read of a page, without its markup, in small letters; each is looked at once. */
const TEXTS = new WeakMap<Page, string>();

function textOf(page: Page): string {
  const known = TEXTS.get(page);
  if (known !== undefined) return known;
  const text = folded(page.html.replaceAll(/<[^>]*>/g, ' '));
  TEXTS.set(page, text);
  return text;
}

/** As it is compared: nobody types a curled apostrophe. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll('’', "'").replaceAll('&quot;', '"').replaceAll('&#39;', "'");
}

/** The pages in which every word is found, best first: those whose title or code has them before those whose text has. */
export function find(pages: Page[], wanted: string): Page[] {
  const words = folded(wanted).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const rank = (page: Page): number => {
    const name = folded(`${nameOf(page)} ${isCodePage(page) ? page.key : ''}`);
    if (page.key === words.join(' ')) return 0;
    if (name.startsWith(words.join(' '))) return 1;
    if (words.every((word) => name.includes(word))) return 2;
    return words.every((word) => name.includes(word) || textOf(page).includes(word)) ? 3 : 4;
  };
  return pages
    .map((page) => ({ page, rank: rank(page) }))
    .filter(({ rank }) => rank < 4)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MOST_FOUND)
    .map(({ page }) => page);
}
