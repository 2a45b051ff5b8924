import { defineConfig } from '@playwright/test';

/** The whole app in Chromium: the interface of this folder on the real engine, and every screen on sample data. */
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'node_modules/.e2e-results',
  globalSetup: './e2e/build.ts',
  fullyParallel: true,
  workers: 2,
  timeout: 180_000,
  expect: { timeout: 60_000 },
  forbidOnly: process.env.CI !== undefined,
  reporter: [['list'], ...(process.env.E2E_REPORT === undefined ? [] : [['json', { outputFile: process.env.E2E_REPORT }] as ['json', { outputFile: string }]])],
  use: {
    viewport: { width: 1180, height: 780 },
    reducedMotion: 'reduce',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    },
  },
});
