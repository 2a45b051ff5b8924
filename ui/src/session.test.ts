import { screen } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { Backend } from './backend';
import { changeElsewhere } from './backend/fixture-elsewhere';
import { fixtureHost } from './backend/fixture';
import type { Happened, Host } from './backend/host';
import { begin } from './opening';
import { Session } from './session.svelte';
import { byId, open } from './test-window';

const OTHER = { code: 'window.other_profile' };

/** The sample data, where turning the window to a profile is held up after the shell has turned and before the page has. */
function held(query: string) {
  const host = fixtureHost(new URLSearchParams(query));
  let letGo = () => {};
  const open = new Promise<void>((resolve) => (letGo = resolve));
  const turned: string[] = [];
  const slow: Host = {
    ...host,
    async practiceStart() {
      turned.push(await host.practiceStart());
      return 'practice';
    },
    async call(profile, request, onEvent) {
      if (turned.length > 0 && request.op === 'setup') await open;
      return host.call(profile, request, onEvent);
    },
  };
  return { session: new Session(new Backend(slow)), letGo, turned };
}

/** The sample data behind a shell that has opened the profile or not; what is asked of the profile, and when it answers. */
function beginning(opened: boolean, answer: () => Promise<unknown>) {
  const host = fixtureHost(new URLSearchParams('scene=home&own&pace=0'));
  const asked: string[] = [];
  let listeners = 0;
  let tell: (happened: Happened) => void = () => {};
  const watched: Host = {
    ...host,
    environment: async () => ({ ...(await host.environment()), opened }),
    async onHappened(listener) {
      listeners += 1;
      tell = listener;
      await host.onHappened(listener);
    },
    async call(profile, request, onEvent) {
      asked.push(request.op);
      await answer();
      return host.call(profile, request, onEvent);
    },
  };
  return { host: watched, session: new Session(new Backend(watched)), asked, listeners: () => listeners, tell: (happened: Happened) => tell(happened) };
}

describe('at its start the window', () => {
  test('asks for everything at once where the profile is open', async () => {
    let letGo = () => {};
    const answers = new Promise<void>((resolve) => (letGo = resolve));
    const { session, asked } = beginning(true, () => answers);
    const opening = session.open();
    await expect.poll(() => asked).toEqual(['setup', 'status', 'runs', 'guarded']);
    letGo();
    await opening;
    expect(session.screen).toBe('home');
  });

  test('takes what was asked before it, once', async () => {
    const { host, session, asked } = beginning(true, () => Promise.resolve());
    const opening = begin(host);
    await opening.first;
    expect(asked).toEqual(['setup', 'status', 'runs', 'guarded']);
    await session.open(opening);
    expect(session.screen).toBe('home');
    expect(asked).toHaveLength(4);
    await session.refresh();
    expect(asked.slice(4)).toEqual(['status', 'runs', 'guarded']);
  });

  test('shows a run that began between the first questions and the page', async () => {
    const { host, session, listeners, tell } = beginning(true, () => Promise.resolve());
    const opening = begin(host);
    await Promise.all([opening.first, opening.listening]);
    const run = { run: 'r', jobs: ['raptor-roster' as const], dry_run: false };
    tell({ profile: 'default', event: { event: 'run_started', data: run } });
    await session.open(opening);
    expect(session.running).toBe(true);
    const progress = { run: 'r', phase: 'pull' as const, subject: 'students', done: 7 };
    tell({ profile: 'default', event: { event: 'progress', data: progress } });
    expect(session.run?.pulled).toEqual([{ subject: 'students', done: 7 }]);
    expect(listeners()).toBe(1);
  });

  test('asks nothing before it of a profile that is not open: one question opens that', async () => {
    const { host, session, asked } = beginning(false, () => Promise.resolve());
    const opening = begin(host);
    await opening.first;
    expect(asked).toEqual([]);
    await session.open(opening);
    expect(session.screen).toBe('home');
    expect(asked).toEqual(['setup', 'status', 'runs', 'guarded']);
  });

  test('tells a failure of what was asked before it, and tries anew', async () => {
    const fault = { code: 'store.broken', message: 'It is broken.', remedy: 'Restore it.' };
    let broken = true;
    const { host, session } = beginning(true, () => (broken ? Promise.reject(fault) : Promise.resolve()));
    await session.open(begin(host));
    expect(session.fault).toEqual(fault);
    broken = false;
    await session.open();
    expect(session.screen).toBe('home');
  });

  test('asks once where the profile does not open, and once more when it is tried again', async () => {
    const fault = { code: 'keychain.locked', message: 'It is locked.', remedy: 'Unlock it.' };
    const { session, asked, listeners } = beginning(false, () => Promise.reject(fault));
    await session.open();
    expect(session.fault).toEqual(fault);
    expect(asked).toEqual(['setup']);
    await session.open();
    expect(asked).toEqual(['setup', 'setup']);
    expect(session.screen).toBe('starting');
    expect(listeners()).toBe(1);
  });
});

describe('while the window turns to another district', () => {
  test('what is clicked is meant for the one the page shows, and reaches no other', async () => {
    const { session, letGo, turned } = held('scene=home&own&pace=0');
    await session.open();
    expect(session.status?.profile).toBe('default');
    const practising = session.enterPractice();
    await expect.poll(() => turned).toEqual(['practice']);
    expect(session.status?.profile).toBe('default');
    await expect(session.pause({ kind: 'until_resumed' })).rejects.toMatchObject(OTHER);
    await expect(session.backend.cancel()).rejects.toMatchObject(OTHER);
    letGo();
    await practising;
    expect(session.status?.profile).toBe('practice');
    await session.pause({ kind: 'until_resumed' });
    expect(session.status?.paused).toBe(true);
  });

  test('what was asked of the district before is not shown as the other’s', async () => {
    const { session, letGo } = held('scene=home&own&pace=0');
    await session.open();
    const { backend } = session;
    const practising = session.enterPractice();
    letGo();
    await practising;
    await expect(backend.status()).rejects.toMatchObject(OTHER);
    expect(session.backend.profile).toBe('practice');
  });
});

describe('a set-up that somebody else changes meanwhile', () => {
  test('keeps both changes where they touch different things', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('nav-settings'));
    await user.click(await byId('settings-notifications'));
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.type(await byId('field-mail-from'), 'rosterbridge@northfield.org');
    await user.type(await byId('field-mail-to'), 'office@northfield.org');
    changeElsewhere((setup) => ({ ...setup, powerschool: { ...setup.powerschool, proxy: { ...setup.powerschool.proxy, mode: 'none' } } }));
    await user.click(await byId('settings-network'));
    expect((await byId('settings-notifications')).textContent).toContain('Mail to 1 address');
    expect((await byId('settings-network')).textContent).toContain('No proxy');
    expect(screen.queryByTestId('setup-clash')).toBeNull();
  });

  test.each([
    ['clash-mine', 'smtp.mine.org'],
    ['clash-theirs', 'smtp.northfield.org'],
  ])('asks whose value counts: %s', async (answer, host) => {
    const user = open('scene=home&own&clash');
    await user.click(await byId('nav-settings'));
    await user.click(await byId('settings-notifications'));
    await user.type(await byId('field-mail-host'), 'smtp.mine.org');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.type(await byId('field-mail-to'), 'office@northfield.org');
    await user.click(await byId('settings-save'));
    const asked = await byId('setup-clash');
    expect(asked.textContent).toContain('smtp.mine.org');
    expect(asked.textContent).toContain('smtp.northfield.org');
    await user.click(await byId(answer));
    await expect.poll(() => screen.queryByTestId('setup-clash')).toBeNull();
    await expect.poll(() => (screen.queryByTestId('field-mail-host') as HTMLInputElement | null)?.value).toBe(host);
  });

  test('is not saved over without an answer', async () => {
    const user = open('scene=home&own&clash');
    await user.click(await byId('nav-settings'));
    await user.click(await byId('settings-notifications'));
    await user.type(await byId('field-mail-host'), 'smtp.mine.org');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.type(await byId('field-mail-to'), 'office@northfield.org');
    await user.click(await byId('settings-save'));
    await user.click(await byId('clash-cancel'));
    expect((await byId('error-code')).textContent).toContain('setup.changed_elsewhere');
    expect((await byId('field-mail-host')) as HTMLInputElement).toHaveProperty('value', 'smtp.mine.org');
  });
});
