// Pictures of every screen, taken in Chromium against the sample data under the window's own content security
// policy, into ../screenshots. Fails when a page logs an error or breaks the policy.
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const here = fileURLToPath(new URL('..', import.meta.url));
const out = fileURLToPath(new URL('../../screenshots/', import.meta.url));
const only = process.argv.slice(2);

const NORMAL = { width: 1180, height: 780 };
const NARROW = { width: 900, height: 700 };
const TINY = { width: 640, height: 800 };
const WIDE = { width: 1680, height: 950 };

const click = (id) => (page) => page.getByTestId(id).click();
/** Also where there is no room for it and it is left out. */
const press = (id) => (page) => page.getByTestId(id).evaluate((button) => button.click());
const until = (id) => (page) => page.getByTestId(id).waitFor();
const step = (name) => (page) => page.getByTestId(`step-${name}`).click();

/** Name, address, what is done there, and how it is looked at. */
const SCENES = [
  { name: 'welcome', query: 'scene=new' },
  { name: 'welcome-starting', query: 'scene=new&pace=600000', actions: [click('welcome-practice')] },
  { name: 'welcome-failed', query: 'scene=new&fail=practice', actions: [click('welcome-practice'), until('error-code')] },
  { name: 'welcome-import', query: 'scene=new', actions: [click('welcome-import')] },
  { name: 'powerschool-empty', query: 'scene=new', actions: [click('welcome-district'), until('plugin-asks')] },
  { name: 'powerschool-fields', query: 'scene=practice', actions: [click('section-exchanges'), click('plugin-fields')] },
  { name: 'powerschool-plugin', query: 'scene=practice', actions: [click('section-plugin'), click('plugin-save')] },
  ...['system', 'settings', 'dashboard', 'install', 'enable', 'plugin', 'credentials'].map((page) => ({
    name: `walk-${page}`,
    query: 'scene=practice',
    actions: [click('section-plugin'), press(`walk-${page}`)],
  })),
  { name: 'walk-older-system', query: 'scene=practice', actions: [click('section-plugin'), click('menus-older'), press('walk-system')] },
  { name: 'walk-older-plugin', query: 'scene=practice', actions: [click('section-plugin'), click('menus-older'), press('walk-plugin')] },
  {
    name: 'powerschool-changes',
    query: 'scene=practice&written',
    actions: [click('section-exchanges'), click('exchange-raptor-tardies'), click('exchanges-continue'), until('plugin-changes')],
  },
  ...['raptor-Plugin.xml', 'broken.zip', 'hostile.xml'].map((file) => ({
    name: `vendor-${file.split('.')[0]}`,
    query: 'scene=practice',
    actions: [
      click('section-plugin'),
      click('vendor-open'),
      (page) => page.getByTestId('field-plugin-file').setInputFiles({ name: file, mimeType: 'text/xml', buffer: Buffer.from('<plugin/>') }),
      until('plugin-check'),
    ],
  })),
  { name: 'proxy', query: 'scene=practice', actions: [click('proxy'), click('proxy-explicit'), (page) => page.getByTestId('field-proxy-username').fill('office')] },
  {
    name: 'powerschool-hints',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) => page.getByTestId('field-url').fill('http://ps.northfield.k12.us'),
      (page) => page.getByTestId('field-client-id').fill('"3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10"'),
      (page) => page.getByTestId('field-client-secret').fill('a1b2c3d4-0000-4000-8000-12345678'),
      (page) => page.getByTestId('field-url').focus(),
    ],
  },
  {
    name: 'powerschool-swapped',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) => page.getByTestId('field-url').fill('3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10'),
      (page) => page.getByTestId('field-client-id').fill('https://ps.northfield.k12.us'),
    ],
  },
  { name: 'handover-open', query: 'scene=new', actions: [click('welcome-district'), click('handover-open'), click('handover-key'), until('handover-key-text')] },
  {
    name: 'handover-wrong',
    query: 'scene=new&fail=handover',
    actions: [
      click('welcome-district'),
      click('handover-open'),
      (page) => page.getByTestId('field-handover-file').setInputFiles({ name: 'rosterbridge-handover.age', mimeType: 'text/plain', buffer: Buffer.from('-----BEGIN AGE') }),
      (page) => page.getByTestId('field-handover-passphrase').fill('correct horse'),
      click('handover-take'),
      until('error-code'),
    ],
  },
  { name: 'handover-write', query: 'scene=practice', actions: [click('handover-write')] },
  {
    name: 'handover-written',
    query: 'scene=practice',
    actions: [
      click('handover-write'),
      (page) => page.getByTestId('field-handover-new-passphrase').fill('correct horse battery'),
      (page) => page.getByTestId('field-handover-again').fill('correct horse battery'),
      click('handover-save'),
      until('handover-mail'),
    ],
  },
  {
    name: 'powerschool-pasted',
    query: 'scene=new',
    actions: [
      click('welcome-district'),
      click('section-exchanges'),
      (page) =>
        page.getByTestId('field-url').evaluate((input) => {
          const data = new DataTransfer();
          data.setData(
            'text',
            'Client ID: 3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10\nClient Secret: a1b2c3d4-0000-4000-8000-1234567890ab\nhttps://ps.northfield.k12.us',
          );
          input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        }),
    ],
  },
  { name: 'powerschool-testing', query: 'scene=practice&pace=400', actions: [click('test-powerschool'), (page) => page.waitForTimeout(1400)] },
  { name: 'powerschool-tested', query: 'scene=practice', actions: [click('test-powerschool'), (page) => page.getByText('PowerSchool is connected.').last().waitFor()] },
  { name: 'powerschool-failed', query: 'scene=practice&fail=test', actions: [click('test-powerschool'), until('error-code')] },
  ...['dns', 'authority', 'access', 'replaced', 'maintenance'].map((fail) => ({
    name: `powerschool-${fail}`,
    query: `scene=practice&fail=${fail}`,
    actions: [click('test-powerschool'), until('error-code'), until('tested-at')],
  })),
  {
    name: 'certificate',
    query: 'scene=practice&fail=authority',
    actions: [click('test-powerschool'), click('view-certificate'), until('certificate-sha256')],
  },
  { name: 'powerschool-waiting', query: 'scene=practice&waiting', actions: [until('test-waiting')] },
  { name: 'powerschool-last', query: 'scene=practice&tested', actions: [until('access-toggle'), click('access-toggle'), click('access-ATTENDANCE')] },
  { name: 'buildings', query: 'scene=practice', actions: [step('buildings'), until('building-row-5')] },
  { name: 'buildings-fresh', query: 'scene=new', actions: [click('welcome-district'), step('buildings'), until('building-row-5')] },
  {
    name: 'buildings-open',
    query: 'scene=practice',
    actions: [step('buildings'), until('building-row-5'), click('building-school-5')],
  },
  { name: 'buildings-long', query: 'scene=practice&long', actions: [step('buildings'), until('building-row-5')] },
  { name: 'tardies', query: 'scene=practice', actions: [step('tardies'), until('tardy-row-0')] },
  { name: 'tardies-off', query: 'scene=new', actions: [click('welcome-district'), step('tardies')] },
  { name: 'tardies-new', query: 'scene=practice', actions: [step('tardies'), click('tardy-new'), click('tardy-code')] },
  { name: 'tardies-long', query: 'scene=practice&long', actions: [step('tardies'), until('tardy-row-0')] },
  { name: 'hero', query: 'scene=practice', actions: [step('hero')] },
  { name: 'hero-empty', query: 'scene=new', actions: [click('welcome-district'), step('hero')] },
  { name: 'hero-question', query: 'scene=practice', actions: [step('hero'), click('test-hero'), until('accept-host-key')] },
  {
    name: 'hero-tested',
    query: 'scene=practice',
    actions: [step('hero'), click('test-hero'), click('accept-host-key'), (page) => page.getByText('Hero is connected.').last().waitFor()],
  },
  { name: 'hero-changed', query: 'scene=practice&changed-key', actions: [click('open-setup'), step('hero'), click('test-hero'), until('host-key-changed')] },
  { name: 'home-quiet', query: 'scene=quiet' },
  { name: 'home', query: 'scene=home' },
  { name: 'home-long', query: 'scene=home&long' },
  { name: 'home-running', query: 'scene=home&pace=110', actions: [click('run-now'), (page) => page.waitForTimeout(5600)] },
  { name: 'home-pulling', query: 'scene=quiet&pace=300', actions: [click('run-now'), (page) => page.waitForTimeout(2600)] },
  { name: 'home-result', query: 'scene=quiet&pace=5', actions: [click('run-now'), until('run-outcome')] },
  { name: 'home-dry', query: 'scene=quiet&pace=5', actions: [click('dry-run'), until('run-outcome')] },
  { name: 'home-failed', query: 'scene=home&pace=5&fail=sync', actions: [click('run-now'), until('run-outcome')] },
  { name: 'home-cancelled', query: 'scene=quiet&pace=60', actions: [click('run-now'), (page) => page.waitForTimeout(1800), click('cancel-run'), until('run-outcome')] },
  { name: 'home-elsewhere', query: 'scene=home&elsewhere' },
  { name: 'home-run-open', query: 'scene=home', actions: [(page) => page.getByTestId('recent-runs').getByRole('button').first().click()] },
  { name: 'home-guarded', query: 'scene=home&guarded', actions: [until('guard-accept')] },
  { name: 'held', query: 'scene=home', actions: [click('show-held'), until('held-rows')] },
];

const LOOKS = [
  { suffix: 'light', colorScheme: 'light', viewport: NORMAL },
  { suffix: 'dark', colorScheme: 'dark', viewport: NORMAL },
  { suffix: 'narrow', colorScheme: 'light', viewport: NARROW },
  { suffix: 'tiny', colorScheme: 'light', viewport: TINY },
  { suffix: 'wide', colorScheme: 'dark', viewport: WIDE },
];

await build({ root: here, mode: 'fixture', logLevel: 'error', build: { outDir: 'node_modules/.fixture-dist', emptyOutDir: true } });
const server = await preview({ root: here, mode: 'fixture', logLevel: 'error', preview: { port: 4199, strictPort: true }, build: { outDir: 'node_modules/.fixture-dist' } });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

if (only.length === 0) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const problems = [];
try {
  for (const look of LOOKS) {
    const context = await browser.newContext({ colorScheme: look.colorScheme, viewport: look.viewport });
    for (const scene of SCENES) {
      const name = `${scene.name}-${look.suffix}`;
      if (only.length > 0 && !only.some((wanted) => name.startsWith(wanted) || name.endsWith(wanted))) continue;
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') problems.push(`${name}: ${message.text()}`);
      });
      page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`));
      page.setDefaultTimeout(8000);
      try {
        await page.goto(`http://localhost:4199/?${scene.query}`);
        await page.locator('h1').first().waitFor();
        for (const action of scene.actions ?? []) await action(page);
        await page.waitForTimeout(350);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        if (overflow > 0) problems.push(`${name}: the page is ${overflow} px too wide`);
        const inner = await page.evaluate(() => {
          const scrolled = document.querySelector('.page');
          return scrolled === null ? document.documentElement.scrollHeight : scrolled.scrollHeight + 60;
        });
        if (inner > look.viewport.height && !scene.name.startsWith('held')) {
          await page.setViewportSize({ width: look.viewport.width, height: Math.min(inner, 2400) });
        }
        await page.screenshot({ path: `${out}${name}.png` });
      } catch (error) {
        problems.push(`${name}: ${error.message.split('\n')[0]}`);
      }
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
  await server.close();
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
