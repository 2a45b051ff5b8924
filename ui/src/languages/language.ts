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

let runtime = toRuntime();

/** What the build's look-ups ask, once per module. */
export function runtimeOf(): typeof runtime {
  return runtime;
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

/** Loads the catalogue of the language in use. Must be done before any module with text in it is read. */
export async function speak(): Promise<void> {
  const wanted = chosenLanguage() ?? systemLanguage();
  // A window in English is better than none.
  const [language, catalogue] = await read(wanted).then(
    (found) => [wanted, found] as const,
    async () => ['en', await read('en')] as const,
  );
  runtime = toRuntime(isStretched() ? { ...catalogue, c: catalogue.c.map(stretched) } : catalogue, language);
  speakOf(language);
  document.documentElement.lang = language;
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
