import { adapter as svelte } from '@wuchale/svelte';
import { createHeuristic, defaultHeuristicOpts, defineConfig, pofile } from 'wuchale';
import { adapter as script } from 'wuchale/adapter-vanilla';

/** What the build's look-ups are called. No module declares it. */
export const LOOK_UP = '_w_text_';

// What stands in markup, and attributes that begin with a capital letter, are text. In scripts only what is said to be:
// a string there may as well be a key or a value that PowerSchool knows.
const usual = createHeuristic(defaultHeuristicOpts);
const heuristic = (message) => (message.details.scope === 'script' ? false : usual(message));
const patterns = [
  { name: 'say', args: ['message'] },
  { name: 'plural', args: ['other', 'message', 'pluralFunc'] },
];

// The language is chosen before the window's modules are read and stays for the page's life. The compiler takes a name
// that is not declared for a constant: what it answers is shown once and not watched. `scripts/languages.ts` brings the name
// in. What a module begins with instead is for development alone: it takes up a text that has just been written.
const asItIs = { wrapInit: (expression) => `/* @__PURE__ */ ${expression}`, wrapUse: () => LOOK_UP };
const runtime = {
  initReactive: ({ funcName }) => (funcName == null ? false : null),
  useReactive: false,
  plain: asItIs,
  reactive: asItIs,
};
const storage = pofile({ dir: 'src/languages' });
const rules = { heuristic, patterns, runtime, storage, loader: 'custom' };

export default defineConfig({
  locales: ['en', 'es'],
  localesDir: 'src/languages',
  ai: null,
  adapters: {
    window: svelte({ ...rules, files: { include: 'src/**/*.svelte', ignore: 'src/gallery/**' } }),
    script: script({
      ...rules,
      files: {
        include: 'src/**/*.ts',
        ignore: ['src/bindings/**', 'src/backend/fixture*.ts', 'src/gallery/**', 'src/**/*.d.ts', 'src/**/*.test.ts', 'src/test-*.ts'],
      },
    }),
  },
});
