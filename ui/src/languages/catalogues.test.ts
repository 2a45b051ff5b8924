import PO from 'pofile';
import { expect, test } from 'vitest';
import en from './en.po?raw';
import es from './es.po?raw';
import { LANGUAGES, type Language } from './language';

const TEXTS: Record<Language, string> = { en, es };
const catalogueOf = (language: Language) => PO.parse(TEXTS[language]);

/** The values and tags of a text, in any order: `{0}`, `<0>`, `</0>`, `<1/>`. */
const marksOf = (text: string) => [...text.matchAll(/\{\d+\}|<\/?\d+\/?>/g)].map(([mark]) => mark).sort();

test.each(LANGUAGES)('$name is complete', ({ language }) => {
  const missing = catalogueOf(language).items.filter(
    ({ msgid_plural, msgstr }) => msgstr.length !== (msgid_plural ? 2 : 1) || msgstr.some((text) => text.trim() === ''),
  );
  expect(missing.map(({ msgid }) => msgid)).toEqual([]);
});

test.each(LANGUAGES)('$name has no text that is gone from the source', ({ language }) => {
  expect(catalogueOf(language).items.filter(({ obsolete }) => obsolete).map(({ msgid }) => msgid)).toEqual([]);
});

test.each(LANGUAGES)('$name keeps every value and every tag', ({ language }) => {
  const broken = catalogueOf(language).items.filter(({ msgid, msgid_plural, msgstr }) =>
    msgstr.some((text, form) => marksOf(text).join() !== marksOf(form === 0 ? msgid : (msgid_plural ?? msgid)).join()),
  );
  expect(broken.map(({ msgid }) => msgid)).toEqual([]);
});

test('the languages have the same texts', () => {
  const [first, ...others] = LANGUAGES.map(({ language }) =>
    catalogueOf(language).items.map(({ msgctxt, msgid }) => `${msgctxt ?? ''}: ${msgid}`).sort(),
  );
  for (const other of others) expect(other).toEqual(first);
});
