import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import { byId, open } from '../test-window';

const heading = (name: string) => screen.findByRole('heading', { level: 1, name });
const current = () => within(screen.getByRole('navigation', { name: 'Main' })).getByRole('button', { current: 'page' }).textContent;
/** What the palette offers: the menu of appearances has options, too. */
const offered = () => within(screen.getByRole('dialog')).queryAllByRole('option');
const options = () => offered().map((option) => option.querySelector('.name')?.textContent);
const gone = (id: string) => waitFor(() => expect(screen.queryByTestId(id)).toBeNull());

describe('the navigation', () => {
  test('leads from page to page, says where one is, and each begins with its heading', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    expect(current()).toBe('Home');
    await user.click(await byId('nav-activity'));
    await waitFor(async () => expect(document.activeElement).toBe(await heading('Activity')));
    expect(current()).toBe('Activity');
    await user.click(await byId('nav-settings'));
    await waitFor(async () => expect(document.activeElement).toBe(await heading('Settings')));
    await user.click(await byId('nav-home'));
    await byId('run-now');
    expect(current()).toBe('Home');
  });

  test('is not there before the set-up is done', async () => {
    open('scene=new');
    await byId('welcome-district');
    expect(screen.queryByRole('navigation', { name: 'Main' })).toBeNull();
  });

  test('is not there in a set-up under way', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await byId('step-next');
    expect(screen.queryByRole('navigation', { name: 'Main' })).toBeNull();
  });

  test('saves a step of the set-up before it leads out of it, and stays where that is refused', async () => {
    const user = open('scene=home&own&fail=keychain');
    await user.click(await byId('open-setup'));
    await user.click(await byId('field-client-secret-replace'));
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    await user.click(await byId('nav-home'));
    await byId('error-code');
    expect(screen.queryByTestId('run-now')).toBeNull();
    await user.click(screen.getByText('Keep the old one'));
    await user.clear(await byId('field-url'));
    await user.type(await byId('field-url'), 'https://other.powerschool.com');
    await user.click(await byId('nav-activity'));
    await heading('Activity');
    await user.click(await byId('open-setup'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://other.powerschool.com');
  });

  test('goes to Home also when its state can’t be read, and says so', async () => {
    const user = open('scene=home&own&fail=status');
    await user.click(await byId('nav-activity'));
    await heading('Activity');
    await user.click(await byId('nav-home'));
    await byId('run-now');
    expect((await byId('error-code')).textContent).toBe('store.busy');
  });
});

describe('the shortcuts', () => {
  test('lead to the pages and to the set-up', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('{Control>}2{/Control}');
    await heading('Activity');
    await user.keyboard('{Control>},{/Control}');
    await heading('Settings');
    await user.keyboard('{Control>}f{/Control}');
    await byId('field-trace-student');
    await user.keyboard('{Control>}4{/Control}');
    await byId('step-powerschool');
    await user.keyboard('{Control>}1{/Control}');
    await byId('run-now');
  });

  test('start a dry run and a run, shown on Home', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('nav-settings'));
    await heading('Settings');
    await user.keyboard('{Control>}{Shift>}{Enter}{/Shift}{/Control}');
    expect(await screen.findByRole('region', { name: 'Dry run' })).toBeTruthy();
    await byId('close-run');
    await user.keyboard('{Control>}{Enter}{/Control}');
    expect(await screen.findByRole('region', { name: 'Run' })).toBeTruthy();
    await byId('run-outcome');
  });

  test('ask before they synchronize Raptor in full ahead of its window', async () => {
    const user = open('scene=home&own&status=pending_initialization');
    await byId('run-now');
    await user.keyboard('{Control>}{Enter}{/Control}');
    await byId('before-window');
    expect(screen.queryByTestId('run-panel')).toBeNull();
  });

  test('start no run from the set-up, whose step would be saved half-way', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await byId('field-url');
    (document.activeElement as HTMLElement | null)?.blur();
    await user.keyboard('{Control>}{Enter}{/Control}');
    await user.keyboard('{Control>}k{/Control}');
    await byId('palette-input');
    expect(screen.queryByTestId('run-panel')).toBeNull();
    expect(await byId('field-url')).toBeTruthy();
  });

  test('do nothing while one writes in a field', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await user.type(await byId('field-trace-student'), '?{Control>}1k{/Control}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(await byId('field-trace-student')).toBeTruthy();
  });

  test('do nothing while a question is open', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('pause-open'));
    await byId('pause-dialog');
    await user.keyboard('{Control>}2{/Control}?');
    expect(screen.getAllByRole('dialog')).toHaveLength(1);
    expect(current()).toBe('Home');
  });

  test('are listed on ?, unless that is switched off', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('?');
    const sheet = await byId('shortcut-sheet');
    expect(within(sheet).getAllByText('Ctrl').length).toBeGreaterThan(5);
    expect(within(screen.getByTestId('shortcuts-within')).getByText('Esc')).toBeTruthy();
    await user.click(await byId('single-keys'));
    await user.keyboard('{Escape}');
    await gone('shortcut-sheet');
    await user.keyboard('?');
    expect(screen.queryByTestId('shortcut-sheet')).toBeNull();
    await user.keyboard('{Control>}/{/Control}');
    await byId('shortcut-sheet');
  });
});

describe('the palette', () => {
  test('finds by the beginnings of words, best first, and does what Enter chooses', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('{Control>}k{/Control}');
    const input = await byId('palette-input');
    await waitFor(() => expect(document.activeElement).toBe(input));
    await user.type(input, 'ru');
    expect(options().slice(0, 2)).toEqual(['Run now', 'Run student demographics to Hero']);
    await user.clear(input);
    await user.type(input, 'TARDY cod');
    expect(options()).toEqual(['Tardy codes']);
    await user.keyboard('{Enter}');
    await gone('palette');
    expect((await byId('step-tardies')).getAttribute('aria-current')).toBe('step');
  });

  test('is worked by the arrow keys, which its field follows', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.click(await byId('palette-open'));
    const input = await byId('palette-input');
    const active = () => document.getElementById(input.getAttribute('aria-activedescendant') ?? '');
    await waitFor(() => expect(active()?.getAttribute('aria-selected')).toBe('true'));
    expect(active()).toBe(offered()[0]);
    await user.type(input, '{ArrowDown}');
    expect(active()).toBe(offered()[1]);
    await user.type(input, '{ArrowUp}{ArrowUp}');
    expect(active()).toBe(offered().at(-1));
    await user.keyboard('{Escape}');
    await gone('palette');
  });

  test('has what was chosen lately first', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'dark{Enter}');
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe('dark'));
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'settings{Enter}');
    await heading('Settings');
    await user.keyboard('{Control>}k{/Control}');
    await byId('palette-input');
    expect(options()[0]).toBe('Settings');
  });

  test('runs one exchange alone', async () => {
    const sync = vi.spyOn(Backend.prototype, 'sync');
    const user = open('scene=home&own');
    await user.click(await byId('nav-activity'));
    await heading('Activity');
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'schedules hero run{Enter}');
    await byId('run-outcome');
    expect(sync.mock.calls.map(([jobs, dryRun]) => [jobs, dryRun])).toEqual([[['hero-schedule'], false]]);
    sync.mockRestore();
  });

  test('asks before one exchange synchronizes Raptor in full, and runs that one alone then', async () => {
    const sync = vi.spyOn(Backend.prototype, 'sync');
    const user = open('scene=home&own&status=pending_initialization');
    await byId('run-now');
    await user.keyboard('{Control>}k{/Control}');
    await user.click(await byId('command-run-raptor-roster'));
    await byId('before-window');
    expect(sync).not.toHaveBeenCalled();
    await user.click(await byId('before-window-start'));
    await waitFor(() => expect(sync.mock.calls[0]?.[0]).toEqual(['raptor-roster']));
    sync.mockRestore();
  });

  test('leads to a section of the settings, also from another one, which is saved', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'limits{Enter}');
    const percent = await byId('field-guard-percent');
    await user.clear(percent);
    await user.type(percent, '15');
    percent.blur();
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'backups{Enter}');
    await byId('backup-now');
    expect(screen.getByTestId('settings-backups').getAttribute('aria-current')).toBe('page');
    expect(screen.getByTestId('settings-limits').textContent).toContain('15%');
  });

  test('says when nothing matches', async () => {
    const user = open('scene=home&own');
    await byId('run-now');
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await byId('palette-input'), 'zebra{Enter}');
    expect((await byId('palette-none')).textContent).toContain('No command matches');
    expect(offered()).toEqual([]);
  });

  test('offers what makes sense: the set-up not during a run, resuming only what is paused', async () => {
    const user = open('scene=home&own&paused=tomorrow');
    await byId('resume');
    await user.keyboard('{Control>}k{/Control}');
    await byId('palette-input');
    expect(screen.getByTestId('command-resume')).toBeTruthy();
    expect(screen.queryByTestId('command-pause')).toBeNull();
    await user.click(screen.getByTestId('command-resume'));
    await gone('palette');
    await waitFor(() => expect(screen.queryByTestId('resume')).toBeNull());
    await user.keyboard('{Control>}k{/Control}');
    await byId('palette-input');
    expect(screen.queryByTestId('command-resume')).toBeNull();
    await user.click(screen.getByTestId('command-pause'));
    await byId('pause-dialog');
  });
});

test('the appearance is chosen from a menu and kept', async () => {
  const user = open('scene=home&own');
  await user.selectOptions(await byId('theme'), 'contrast');
  expect(document.documentElement.dataset.contrast).toBe('more');
  expect(localStorage.getItem('rosterbridge.theme')).toBe('contrast');
  await user.selectOptions(await byId('theme'), 'light');
  expect(document.documentElement.dataset.contrast).toBeUndefined();
  expect(document.documentElement.dataset.theme).toBe('light');
});
