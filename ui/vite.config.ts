import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { normalizePath } from 'vite';
import { wuchale } from 'wuchale/vite';
import { defineConfig } from 'vitest/config';
import { ahead } from './scripts/ahead.ts';
import { budget } from './scripts/budget.ts';
import { help } from './scripts/help.ts';
import { languages, lookUps } from './scripts/languages.ts';
import { licences } from './scripts/licences.ts';

/** The window's own content security policy, so that a preview in a browser is held to it too. */
function windowPolicy(): string {
  const config = JSON.parse(readFileSync(new URL('../tauri.conf.json', import.meta.url), 'utf8')) as {
    app: { security: { csp: Record<string, string> } };
  };
  return Object.entries(config.app.security.csp)
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join('; ');
}

/** What is carried out before the language is known, beside the first script: one file, since each is asked for by itself. */
const START = /\/src\/(opening|backend\/tauri|languages\/.*|text\/locale)\.ts$|\/@tauri-apps\/api\/|\/wuchale\/|virtual:languages|preload-helper/;

/** Whether a module comes after the language: its texts are looked up as it is read. */
function isOfWindow(id: string): boolean {
  return !START.test(id) && !/\.css|\/index\.html|^\0rolldown|\/src\/main\.ts$|\/src\/backend\/(browser|fixture)/.test(id);
}

/** The script a module of the window goes to. */
function scriptOf(id: string, modules: { getModuleInfo(id: string): { importedIds: string[] } | null }): string {
  if (atOnce.size === 0) {
    const waiting = [normalizePath(fileURLToPath(new URL('src/window.ts', import.meta.url)))];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (atOnce.has(next)) continue;
      atOnce.add(next);
      waiting.push(...(modules.getModuleInfo(next)?.importedIds ?? []));
    }
  }
  return atOnce.has(id) ? 'window' : 'pages';
}

/** What the window reads before it shows anything. */
const atOnce = new Set<string>();

export default defineConfig({
  // Tests read the text as it stands in the source.
  plugins: [...(process.env.VITEST === undefined ? [wuchale()] : []), svelte(), svelteTesting(), help(), languages(), lookUps(), licences(), ahead(), budget()],
  // Tauri prints its own errors into the same terminal.
  clearScreen: false,
  server: { port: 5173, strictPort: true },
  preview: { headers: { 'Content-Security-Policy': windowPolicy() } },
  build: {
    target: ['es2022', 'safari17.5'],
    // The policy has no `data:` for fonts and scripts.
    assetsInlineLimit: 0,
    // Everything lies on this computer.
    modulePreload: false,
    // One file is smaller than many; all of it is read at the start anyway.
    cssCodeSplit: false,
    // How long a plugin takes is no fault of the build.
    rolldownOptions: {
      checks: { pluginTimings: false },
      // Two scripts after the language: what Home needs, and all other pages. Packed together, many are a tenth smaller
      // than apart; read at the start, the other pages would hold Home up.
      output: {
        codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: 'start', test: START }, { name: scriptOf, test: isOfWindow }] },
      },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test-setup.ts'],
    testTimeout: 60_000,
  },
});
