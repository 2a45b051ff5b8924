// Has the page ask at once for what it begins with: each script is named only by the one before it, and the letters' shapes
// only by the first text. Laid out before these are there, a page is laid out twice, first in letters the system has to look for.
import type { Plugin, Rolldown } from 'vite';

/** The scripts that come after the first one whatever is shown: those it imports, and those of what it loads by itself. */
function needed(first: Rolldown.OutputChunk, bundle: Rolldown.OutputBundle): string[] {
  const names = [...first.imports, ...first.dynamicImports];
  for (const name of names) {
    const script = bundle[name];
    // Met while it grows: what is added is looked at, too.
    if (script?.type === 'chunk') names.push(...script.imports.filter((next) => next !== first.fileName && !names.includes(next)));
  }
  return [...new Set(names)];
}

/** The letters of both languages; others come when a name has them. */
const LETTERS = /\/inter-latin-wght-normal-[^/]+\.woff2$/;

/** Names in the built page, beside its first script, what else the window begins with. */
export function ahead(): Plugin {
  return {
    name: 'ahead',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (_, { bundle, chunk }) => {
        if (bundle === undefined || chunk === undefined) return [];
        const letters = Object.keys(bundle).filter((name) => LETTERS.test(name));
        if (letters.length !== 1) throw new Error(`the page begins with one file of letters, not ${letters.length}`);
        const links = [
          ...letters.map((name) => ({ name, rel: 'preload', as: 'font', type: 'font/woff2' })),
          ...needed(chunk, bundle).map((name) => ({ name, rel: 'modulepreload' })),
        ];
        return links.map(({ name, ...attrs }) => ({
          tag: 'link',
          // In the way in which scripts and fonts are fetched; otherwise each would be fetched twice.
          attrs: { ...attrs, crossorigin: true, href: `/${name}` },
          injectTo: 'head' as const,
        }));
      },
    },
  };
}
