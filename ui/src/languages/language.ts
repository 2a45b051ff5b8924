import { read } from 'virtual:languages';
import toRuntime, { type CatalogModule } from 'wuchale/runtime';
import { speakOf } from '../text/locale';

export type Language = 'en' | 'es';

/** What a person can choose; each by its own name. */
export const LANGUAGES: readonly { language: Language; name: string }[] = [
  { language: 'en', name: 'English' },
  { language: 'es', name: 'Español' },
];

const KEY = 'rosterbridge.language';

/** What the build's look-ups ask: a text of the language in use, by its number. */
export let lookUp = toRuntime();

/** What a module asks while the window is developed. */
export function runtimeOf(): typeof lookUp {
  return lookUp;
}

/** What was chosen; undefined where the system's language is followed. */
export function chosenLanguage(): Language | undefined {
  const stored = localStorage.getItem(KEY);
  return LANGUAGES.find(({ language }) => language === stored)?.language;
}

/** The system's language, or English where it is none of ours. */
export function systemLanguage(): Language {
  const spoken = navigator.languages.map((tag) => tag.split('-')[0]);
  return LANGUAGES.find(({ language }) => language === spoken.find((tag) => LANGUAGES.some((ours) => ours.language === tag)))?.language ?? 'en';
}

/** Remembers the choice and shows the window anew in it. */
export function chooseLanguage(language: Language | undefined): void {
  if (language === undefined) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, language);
  window.location.reload();
}

/** Said where no catalogue can be read, and so nothing else can be said. */
const SPEECHLESS =
  'RosterBridge can’t read the texts of its window. Start it again; if this is still all there is, install RosterBridge again. Nothing you have set up is lost.';

/**
 * Loads the catalogue of the language in use. Must be done before any module with text in it is read. Where there is none,
 * English either, the page says what to do, and nothing else can be shown: answers whether something can.
 */
export async function speak(): Promise<boolean> {
  const wanted = chosenLanguage() ?? systemLanguage();
  // A window in English is better than none.
  const spoken = await catalogueOf(wanted).catch(() => catalogueOf('en')).catch(() => undefined);
  if (spoken === undefined) {
    const said = document.createElement('p');
    said.className = 'sheet';
    said.textContent = SPEECHLESS;
    document.getElementById('app')?.replaceChildren(said);
    return false;
  }
  const { language, catalogue } = spoken;
  lookUp = toRuntime(isStretched() ? { ...catalogue, c: catalogue.c.map(stretched) } : catalogue, language);
  speakOf(language);
  document.documentElement.lang = language;
  return true;
}

async function catalogueOf(language: Language) {
  return { language, catalogue: await read(language) };
}

/** Whether texts are to be shown longer than they are, to see what a wordier language would break. Never in the product. */
function isStretched(): boolean {
  return (
    (import.meta.env.DEV || import.meta.env.MODE === 'fixture') &&
    new URLSearchParams(window.location.search).has('stretched')
  );
}

type Text = CatalogModule['c'][number];

/** A text half as long again, in brackets: what shows none on a page did not come from the catalogue. */
function stretched(text: Text): Text {
  const longer = (one: string) => `⟦${one}${'~'.repeat(Math.ceil(one.length / 2))}⟧`;
  if (typeof text === 'string') return longer(text);
  // The forms of a plural, each a text of its own.
  if (text.every((part) => typeof part === 'string')) return text.map((form) => longer(String(form)));
  return ['⟦', ...text, '~~~~', '⟧'] as Text;
}
