import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { wuchale } from 'wuchale/vite';
import { defineConfig } from 'vitest/config';
import { budget } from './scripts/budget.ts';
import { help } from './scripts/help.ts';
import { languages, lookUps } from './scripts/languages.ts';

/** The window's own content security policy, so that a preview in a browser is held to it too. */
function windowPolicy(): string {
  const config = JSON.parse(readFileSync(new URL('../tauri.conf.json', import.meta.url), 'utf8')) as {
    app: { security: { csp: Record<string, string> } };
  };
  return Object.entries(config.app.security.csp)
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join('; ');
}

/** Whether a module comes after the language: its texts are looked up as it is read. */
function isOfWindow(id: string): boolean {
  return !/\.css|\/index\.html|^\0rolldown|\/src\/(main|languages\/.*|text\/locale)\.ts$|\/wuchale\/|virtual:languages|preload-helper|\/src\/backend\/(tauri|browser|fixture)/.test(id);
}

export default defineConfig({
  // Tests read the text as it stands in the source.
  plugins: [...(process.env.VITEST === undefined ? [wuchale()] : []), svelte(), svelteTesting(), help(), languages(), lookUps(), budget()],
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
      // One script beside the language's: packed together they are a tenth smaller than apart, and no network lies
      // between the window and its pages.
      output: { codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: 'window', test: isOfWindow }] } },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test-setup.ts'],
    testTimeout: 60_000,
  },
});
