import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** Each component's styles by a short name: the class stands on every element. */
const names = new Map();
function styleName(filename) {
  if (!names.has(filename)) names.set(filename, `s${names.size.toString(36)}`);
  return names.get(filename);
}

/** @type {import('@sveltejs/vite-plugin-svelte').SvelteConfig} */
export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, cssHash: ({ filename }) => styleName(filename) },
  vitePlugin: {
    // Packages from npm choose their own mode.
    dynamicCompileOptions: ({ filename }) => (filename.includes('node_modules') ? { runes: undefined } : undefined),
  },
};
