// Has the page ask for the window's scripts at once: each of them is named only by the one before it.
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

/** Names in the built page, beside its first script, all others that the window begins with. */
export function ahead(): Plugin {
  return {
    name: 'ahead',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (_, { bundle, chunk }) =>
        bundle === undefined || chunk === undefined
          ? []
          : needed(chunk, bundle).map((name) => ({
              tag: 'link',
              // In the way in which module scripts are fetched; otherwise it would be fetched twice.
              attrs: { rel: 'modulepreload', crossorigin: true, href: `/${name}` },
              injectTo: 'head' as const,
            })),
    },
  };
}
