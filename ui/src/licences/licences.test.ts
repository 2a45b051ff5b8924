import { read } from 'virtual:licences';
import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { byId, open, type User } from '../test-window';

vi.mock(import('virtual:licences'), async (original) => ({ read: vi.fn((await original()).read) }));

const { packages, texts } = await read();
const named = (name: string) => packages.find((one) => one.name === name);

describe('the list', () => {
  test('has the crates, what they bring along, and the npm packages', () => {
    expect(named('tauri')?.licence).toBe('Apache-2.0 OR MIT');
    expect(named('OpenSSL')?.within).toMatch(/^openssl-src \d/);
    expect(named('svelte')).toMatchObject({ npm: true, licence: 'MIT' });
    // For one system each.
    for (const name of ['webview2-com', 'objc2-app-kit', 'webkit2gtk']) expect(named(name), name).toBeDefined();
    expect(packages.filter(({ name }) => name.startsWith('rosterbridge'))).toEqual([]);
  });

  test('names the licence of each, and has its text', () => {
    for (const { name, licence, texts: places } of packages) {
      expect(licence, name).not.toBe('');
      // Some have a file more, which only says which ones there are.
      const longest = Math.max(...places.map((place) => texts[place]?.length ?? 0));
      expect(longest, name).toBeGreaterThan(500);
    }
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('is in the order of the names', () => {
    const names = packages.map(({ name }) => name.replace('@', '').toLowerCase());
    expect(names.filter((name, index) => index > 0 && name < (names[index - 1] ?? ''))).toEqual([]);
  });
});

describe('in the window', () => {
  beforeEach(() => void vi.mocked(read).mockClear());

  async function about(): Promise<User> {
    const user = open('scene=home&own');
    await user.click(await byId('nav-settings'));
    await user.click(await byId('settings-about'));
    return user;
  }

  async function licences(): Promise<User> {
    const user = await about();
    await user.click(await byId('licences-open'));
    await byId('licences-search');
    return user;
  }

  const entries = () => screen.queryAllByTestId('licences-entry').map((entry) => entry.textContent.replace(/\s+/g, ' '));
  const isAt = (id: string, index = 0) => waitFor(() => expect(document.activeElement).toBe(screen.getAllByTestId(id)[index]));

  test('nothing is read before it is asked for', async () => {
    const user = await about();
    expect((await byId('about-version')).textContent).toMatch(/^\d+\.\d+\.\d+/);
    expect(read).not.toHaveBeenCalled();
    await user.click(await byId('licences-open'));
    expect((await byId('licences-count')).textContent).toContain(`${packages.length} packages`);
    expect(entries().length).toBe(packages.length);
  });

  test('a search takes words of names, licences and what brings a library', async () => {
    const user = await licences();
    await user.type(await byId('licences-search'), 'SSL apache');
    expect(entries()).toContainEqual(expect.stringMatching(/^OpenSSL openssl-src .* Apache-2.0$/));
    expect(entries().every((entry) => /ssl/i.test(entry))).toBe(true);
    await user.clear(await byId('licences-search'));
    await user.type(await byId('licences-search'), 'zebra crossing');
    expect(entries()).toEqual([]);
    expect((await byId('licences-count')).textContent).toContain('No package has these words.');
  });

  test('a package shows its terms in full, and the way back leads to it', async () => {
    const user = await licences();
    await user.type(await byId('licences-search'), 'svelte');
    const index = entries().findIndex((entry) => /^svelte \d/.test(entry));
    await user.click(screen.getAllByTestId('licences-entry')[index] as HTMLElement);
    expect((await byId('licences-name')).textContent).toMatch(/^svelte \d/);
    expect((await byId('licences-licence')).textContent).toBe('MIT');
    expect((await byId('licences-text')).textContent).toContain('Permission is hereby granted, free of charge');
    await isAt('licences-name');
    await user.click(await byId('licences-back'));
    await isAt('licences-entry', index);
    expect(await byId('licences-search')).toHaveProperty('value', 'svelte');
  });

  test('the keyboard alone leads to a text and out again', async () => {
    const user = await licences();
    await isAt('licences-search');
    await user.keyboard('serde_json{ArrowDown}');
    await isAt('licences-entry');
    await user.keyboard('{ArrowDown}{ArrowUp}{ArrowUp}');
    await isAt('licences-search');
    await user.clear(await byId('licences-search'));
    await user.tab();
    await isAt('licences-entry');
    await user.keyboard('{End}');
    await isAt('licences-entry', packages.length - 1);
    await user.keyboard('{PageUp}{Enter}');
    expect((await byId('licences-name')).textContent).toContain(packages.at(-11)?.name);
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByTestId('licences')).toBeNull());
    expect(document.activeElement).toBe(screen.getByTestId('licences-open'));
  });

  test('a list that can’t be read is said, and is tried again', async () => {
    vi.mocked(read).mockRejectedValueOnce(new Error('gone'));
    const user = await about();
    await user.click(await byId('licences-open'));
    const failed = await byId('licences');
    await within(failed).findByText(/The list could not be read/);
    await user.click(await within(failed).findByTestId('error-retry'));
    expect((await byId('licences-count')).textContent).toContain('packages');
  });
});
