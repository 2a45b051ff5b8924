import { read, type Page } from 'virtual:help';
import { screen, waitFor, within } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';
import { speakOf } from '../text/locale';
import { chapterOf, find, inChapter, isCodePage } from './find';
import { help } from './help.svelte';
import { SCREEN_PAGES, STEP_PAGES } from './here';
import { isReported, placeFor, turnFor } from './next';
import { TITLES, isCode, titleOf } from './titles';

const pages = await read();
const codes = pages.filter(isCodePage);
const page = (key: string) => pages.find((one) => one.key === key) as Page;

describe('the pages', () => {
  test('every code that is explained has a title, and every title a page', () => {
    expect(codes.map(({ key }) => key).filter((key) => !isCode(key))).toEqual([]);
    const explained = new Set(codes.map(({ key }) => key));
    expect(Object.keys(TITLES).filter((code) => !explained.has(code))).toEqual([]);
  });

  test.each(codes.map(({ key }) => key))('%s says what happened and what to do', (key) => {
    const { html } = page(key);
    expect(html).toContain('<strong>What happened:</strong>');
    expect(html).toContain('<strong>What to do:</strong>');
    expect(titleOf(key)).not.toMatch(/[.!]$|\bAPI\b/);
    expect(titleOf(key).length).toBeLessThanOrEqual(40);
  });

  test('every link leads to a page, and to a place that is in it', () => {
    const shown = document.createElement('div');
    let links = 0;
    for (const { html, key } of pages) {
      shown.innerHTML = html;
      for (const link of shown.querySelectorAll('a')) {
        links += 1;
        const to = page(link.dataset.help ?? '');
        expect(to, `${key} leads to ${link.dataset.help}`).toBeDefined();
        if (link.dataset.place !== undefined) expect(to.html).toContain(`id="${link.dataset.place}"`);
      }
    }
    expect(links).toBeGreaterThan(20);
  });

  test('nothing in them is a script, a style, a picture or an address', () => {
    for (const { html } of pages) expect(html).not.toMatch(/<script|<style|<img|<iframe| style=| src=| on[a-z]+=|href="(?!#help-page")/);
  });

  test('no two have one key', () => {
    expect(new Set(pages.map(({ key }) => key)).size).toBe(pages.length);
  });

  test.each([...Object.values(STEP_PAGES), ...Object.values(SCREEN_PAGES)].filter((key) => key !== undefined))('%s is there for F1', (key) => {
    expect(page(key)).toBeDefined();
  });

  test('a code lies in its chapter', () => {
    const chapter = chapterOf(pages, page('sftp.dns'));
    expect(chapter?.title).toBe('SFTP');
    expect(inChapter(pages, chapter as Page).map(({ key }) => key)).toContain('sftp.dns');
    expect(inChapter(pages, chapter as Page).every(({ key }) => key.startsWith('sftp.'))).toBe(true);
  });
});

describe('the search', () => {
  const keys = (wanted: string) => find(pages, wanted).map(({ key }) => key);

  test('a code is found by itself first, and by its beginning', () => {
    expect(keys('powerschool.bad_credentials')[0]).toBe('powerschool.bad_credentials');
    expect(keys('sftp.host').every((key) => typeof key === 'string')).toBe(true);
    expect(keys('sftp.host_key_cha')).toContain('sftp.host_key_changed');
  });

  test('words of a title come before words of a text, in any order, with a straight apostrophe', () => {
    expect(keys("host's")).toContain('sftp.dns');
    const found = keys('changed key host');
    expect(found[0]).toBe('sftp.host_key_changed');
    expect(keys('Keychain locked')[0]).toBe('vault.locked');
  });

  test('nothing and nonsense find nothing', () => {
    expect(keys('  ')).toEqual([]);
    expect(keys('zebra crossing')).toEqual([]);
  });
});

describe('the next step', () => {
  test.each([
    ['sftp.bad_password', 'hero', 'hero'],
    ['sftp.bad_password', 'raptor', 'buildings'],
    ['mapping.unknown_code', undefined, 'tardies'],
    ['held.reason_not_mapped', undefined, 'tardies'],
    ['mail.refused', undefined, 'schedule'],
    ['powerschool.not_known_yet', undefined, 'powerschool'],
  ] as const)('%s (%s) leads to the step %s', (code, integration, step) => {
    expect(placeFor(code, integration)?.step).toBe(step);
  });

  test('a code of no step leads nowhere in the set-up', () => {
    expect(placeFor('store.busy')).toBeUndefined();
    expect(placeFor('constructor')).toBeUndefined();
    expect(turnFor('constructor')).toBeUndefined();
    expect(turnFor('guard.large_change')?.page).toBe('home');
    expect([isReported('window.unexpected'), isReported('store.busy')]).toEqual([true, false]);
  });
});

describe('in the window', () => {
  async function failedTest() {
    const user = open('scene=practice&fail=test');
    await user.click(await byId('test-powerschool'));
    return { user, code: await byId('error-code') };
  }

  test('a failure says its title, its sentence and its remedy, and its code opens its page', async () => {
    const { user, code } = await failedTest();
    expect(code.textContent).toBe('powerschool.bad_credentials');
    expect((await byId('error-title')).textContent).toBe('Credentials refused.');
    await user.click(code);
    expect((await byId('help-heading')).textContent).toBe('Credentials refused');
    expect((await byId('help-code')).textContent).toBe('powerschool.bad_credentials');
    expect((await byId('help-text')).textContent).toContain('Copy both values again');
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('help-heading')));
  });

  test('what the engine says is marked as English, and what the window says is not', async () => {
    await failedTest();
    const title = await byId('error-title');
    expect(title.closest('[lang]')).toBeNull();
    expect(title.nextElementSibling?.getAttribute('lang')).toBe('en');
    expect((await byId('error-remedy')).getAttribute('lang')).toBe('en');
  });

  test('a fault of the window itself is in its language', async () => {
    const user = open('scene=home&own&fail=key');
    const file = new File(['x'], 'recovery.age');
    Object.defineProperty(file, 'size', { value: 20_000_000 });
    await user.upload(await byId('field-recovery-file'), file);
    const code = await screen.findByText('window.file_too_large');
    const told = code.closest('.fault');
    expect(told?.querySelector('[data-testid="error-remedy"]')?.textContent).toContain('Choose the file itself');
    expect(told?.querySelector('[lang]')).toBeNull();
  });

  test.each([
    ['es', true],
    ['en', false],
  ])('in %s it says whether its pages are in another language', async (language, foreign) => {
    speakOf(language);
    try {
      open('scene=home');
      await byId('card-raptor');
      help.open('sftp.dns');
      expect((await byId('help-text')).getAttribute('lang')).toBe('en');
      // What a code is called is in the window's language.
      expect((await byId('help-heading')).getAttribute('lang')).toBeNull();
      expect(screen.queryByTestId('help-english') !== null).toBe(foreign);
    } finally {
      speakOf('en');
    }
  });

  test('Esc closes the help, and the focus is where it was', async () => {
    const { user, code } = await failedTest();
    code.focus();
    await user.keyboard('{Enter}');
    await byId('help-heading');
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByTestId('help')).toBeNull());
    expect(document.activeElement).toBe(code);
  });

  test('F1 opens the page about the step, and closes it again', async () => {
    const user = open('scene=setup');
    await byId('test-powerschool');
    await user.keyboard('{F1}');
    expect((await byId('help-heading')).textContent).toBe('1. Plugin and credentials');
    await user.keyboard('{F1}');
    await waitFor(() => expect(screen.queryByTestId('help')).toBeNull());
  });

  test('the contents, the search and the pages are reached by the keyboard alone', async () => {
    const user = open('scene=home');
    await byId('card-raptor');
    help.open();
    const search = await byId('help-search');
    await waitFor(() => expect(document.activeElement).toBe(search));
    const guide = await byId('help-book-guide');
    expect(within(guide).getByText('Set-up')).toBeDefined();
    await user.keyboard('locked');
    await waitFor(() => expect(screen.getAllByTestId('help-entry')[0]?.textContent).toContain('vault.locked'));
    await user.keyboard('{ArrowDown}{Enter}');
    expect((await byId('help-heading')).textContent).toBe('The keychain is locked');
    await user.click(screen.getByText('Keychain', { selector: 'button' }));
    expect((await byId('help-heading')).textContent).toBe('Keychain');
    await user.click(await byId('help-back'));
    expect((await byId('help-code')).textContent).toBe('vault.locked');
    await user.click(await byId('help-contents'));
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId('help-search')));
  });

  test('a link of a page leads to its place in another one', async () => {
    const user = open('scene=home');
    await byId('card-raptor');
    help.open('powerschool.bad_client_id');
    await user.click(within(await byId('help-text')).getByText('where that is'));
    expect((await byId('help-heading')).textContent).toBe('1. Plugin and credentials');
  });

  test('a code that is not explained here says so, and shows its kind', async () => {
    open('scene=home');
    await byId('card-raptor');
    help.open('sftp.not_known_yet');
    const unknown = await byId('help-unknown');
    expect(unknown.textContent).toContain('sftp.not_known_yet');
    expect(within(unknown).getAllByTestId('help-entry').length).toBeGreaterThan(30);
    help.open('aliens.landed');
    expect(await byId('help-book-troubleshooting')).toBeDefined();
  });
});

test('the search finds nothing: that is said', async () => {
  const user = userEvent.setup();
  open('scene=home');
  await byId('card-raptor');
  help.open();
  await user.type(await byId('help-search'), 'zebra crossing');
  expect(await byId('help-none')).toBeDefined();
});

describe('every fault of the sample data', () => {
  const sources = import.meta.glob<string>('../**/*.{ts,svelte}', { query: '?raw', import: 'default', eager: true });
  const named = Object.entries(sources)
    .filter(([path]) => !path.endsWith('.test.ts'))
    .flatMap(([, text]) => [...text.matchAll(/\bcode: '([a-z]+\.[a-z0-9_]+)'/g)].map(([, code]) => code ?? ''));

  test('has a code that is explained', () => {
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((code) => !isCode(code))).toEqual([]);
  });

  const click = (id: string) => async (user: ReturnType<typeof userEvent.setup>) => user.click(await byId(id));
  test.each([
    ['a stage of the test', 'scene=practice&fail=test', [click('test-powerschool')], 'error'],
    ['a run', 'scene=home&fail=sync', [click('run-now')], 'error'],
    ['the practice district', 'scene=new&fail=practice', [click('welcome-practice')], 'error'],
    ['the schools', 'scene=practice&own&fail=choices', [click('step-buildings')], 'error'],
    ['the history', 'scene=home&own&fail=history', [click('status-history')], 'error'],
    ['the mail', 'scene=home&own&mail', [], 'cause'],
  ] as const)('%s: says its title, its sentence, its code and a next step', async (_, query, actions, kind) => {
    const user = open(query);
    for (const action of actions) await action(user);
    await screen.findAllByTestId(`${kind}-code`);
    const faults = [...document.querySelectorAll('.fault')].filter((fault) => fault.querySelector('[data-testid$="-code"]') !== null);
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) {
      const title = titleOf(fault.querySelector('[data-testid$="-code"]')?.textContent ?? '');
      const text = (fault.closest('.notice') ?? fault).textContent;
      expect(text).toContain(title);
      expect(text.length).toBeGreaterThan(title.length + 5);
      expect(fault.querySelectorAll('[data-testid$="-next"] button').length).toBeGreaterThan(0);
    }
  });
});
