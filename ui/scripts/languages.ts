// Offers the catalogues in `src/languages` as data: a window reads the one it speaks, and none of them is a script.
import { readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'vite';
import { LOOK_UP } from '../wuchale.config.js';

const COMPILED = new URL('../src/languages/.wuchale/', import.meta.url);
const OF_LANGUAGE = /^window\.window\.(\w+)\.compiled\.js$/;

const MODULE = 'virtual:languages';

/** The languages there are, with the file each was compiled into. */
function compiled(): [language: string, file: string][] {
  return readdirSync(COMPILED).flatMap((name) => {
    const language = OF_LANGUAGE.exec(name)?.[1];
    return language === undefined ? [] : [[language, fileURLToPath(new URL(name, COMPILED))]];
  });
}

/**
 * Offers `virtual:languages`, whose `read(language)` answers a catalogue. In the product each is a file beside the
 * scripts; while developing a module of its own. Tests read the text as it stands in the source.
 */
export function languages(): Plugin {
  let built = false;
  return {
    name: 'languages',
    configResolved(config) {
      built = config.command === 'build';
    },
    resolveId: (id) => (id === MODULE ? `\0${id}` : undefined),
    load(id) {
      if (id !== `\0${MODULE}`) return undefined;
      if (process.env.VITEST !== undefined) return 'export const read = async () => ({ c: [] })';
      if (built) return 'export const read = async (language) => (await fetch(`/languages/${language}.json`)).json()';
      const files = compiled().map(([language, file]) => `${language}: () => import(${JSON.stringify(file)})`);
      return `const files = {${files.join(', ')}}; export const read = (language) => files[language]()`;
    },
    // By now every module was read, and with it every text.
    async generateBundle() {
      for (const [language, file] of compiled()) {
        const { c } = (await import(pathToFileURL(file).href)) as { c: unknown };
        this.emitFile({ type: 'asset', fileName: `languages/${language}.json`, source: JSON.stringify({ c }) });
      }
    },
  };
}

/** Brings the look-up into every module in which texts were replaced by it, once the compiler has read the module. */
export function lookUps(): Plugin {
  const from = fileURLToPath(new URL('../src/languages/language.ts', import.meta.url));
  return {
    name: 'look-ups',
    transform: {
      order: 'post',
      // On the first line, so that none of the others is another one.
      handler: (code) =>
        code.includes(LOOK_UP) ? { code: `import { lookUp as ${LOOK_UP} } from ${JSON.stringify(from)}; ${code}`, map: null } : undefined,
    },
  };
}
