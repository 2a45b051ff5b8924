import { screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import { changeElsewhere } from '../backend/fixture-elsewhere';
import type { Setup } from '../bindings/Setup';
import { byId, open, type User } from '../test-window';
import { buildings, map } from './test-buildings';

afterEach(() => vi.restoreAllMocks());

/** Another window or a command saves this, right before the next save here. */
function elsewhere(change: (setup: Setup) => void): void {
  changeElsewhere((setup) => {
    const now = structuredClone(setup);
    change(now);
    return now;
  });
}

async function step(name: string): Promise<User> {
  const user = open('scene=home&own');
  await user.click(await byId('open-setup'));
  await user.click(await byId(`step-${name}`));
  return user;
}

async function replace(user: User, id: string, text: string) {
  await user.clear(await byId(id));
  await user.type(await byId(id), text);
}

const value = async (id: string) => ((await byId(id)) as HTMLInputElement).value;

describe('while somebody else changes the set-up', () => {
  test('‘Finish’ goes on to its end', async () => {
    const user = await step('schedule');
    elsewhere((setup) => (setup.retention_days = 300));
    await user.click(await byId('finish-setup'));
    await byId('run-now');
  });

  test('‘Finish’ asks about what was never submitted', async () => {
    const user = await buildings();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    await user.click(await byId('step-schedule'));
    elsewhere((setup) => (setup.retention_days = 300));
    await user.click(await byId('finish-setup'));
    await user.click(await byId('confirmation-back'));
    expect(screen.getByRole('heading', { name: 'Match the buildings' })).toBeTruthy();
  });

  test('‘Submit’ asks for its confirmation, and is confirmed', async () => {
    const user = await buildings();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    elsewhere((setup) => (setup.raptor.follow_minutes = 7));
    await user.click(await byId('raptor-submit'));
    await user.click(await byId('confirmation-confirm'));
    expect((await byId('raptor-confirmed')).textContent).toMatch(/^Pending Initialization/);
    expect(await value('field-raptor-folder')).toBe('/srv/raptor');
    expect(await value('window-follow')).toBe('7');
  });

  test('a connection’s test is made, with the password that was typed', async () => {
    const keep = vi.spyOn(Backend.prototype, 'setSecret');
    const user = await step('hero');
    await user.click(await byId('field-hero-password-replace'));
    await user.type(await byId('field-hero-password'), 'correct horse');
    await user.type(await byId('field-hero-confirm'), 'correct horse');
    elsewhere(({ connections: [hero] }) => (hero!.description = 'Of the district'));
    await user.click(await byId('test-hero'));
    await waitFor(async () => expect((await byId('hero-stages')).dataset.passed).toBe('true'));
    expect(keep.mock.calls).toEqual([['hero.password', 'correct horse']]);
    expect(await value('field-hero-description')).toBe('Of the district');
  });

  test('PowerSchool is tested', async () => {
    const user = await step('powerschool');
    elsewhere((setup) => (setup.powerschool.proxy = { mode: 'explicit', url: 'http://proxy:3128', username: '' }));
    await user.click(await byId('test-powerschool'));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
  });

  test.each([
    {
      in: 'tardies',
      enter: (user: User) => byId('replaceable-A').then((box) => user.click(box)),
      change: (setup: Setup) => (setup.raptor.before_first_bell = 'hold'),
      shows: async () => (await byId('before-first-bell-hold') as HTMLInputElement).checked,
    },
    {
      in: 'hero',
      enter: (user: User) => replace(user, 'hero-exports-at', '16:20'),
      change: (setup: Setup) => (setup.hero.accounts[0]!.name = 'Northfield'),
      shows: async () => (await value('account-name')) === 'Northfield' && (await value('hero-exports-at')).startsWith('4:20'),
    },
    {
      in: 'hero',
      enter: (user: User) => replace(user, 'hero-exports-at', '16:20'),
      change: ({ jobs }: Setup) => {
        jobs.find(({ job }) => job === 'hero-students')!.schedule!.only_in_session = true;
        jobs.find(({ job }) => job === 'hero-teachers')!.enabled = false;
      },
      shows: async () => (await value('hero-exports-at')).startsWith('4:20'),
    },
    {
      in: 'schedule',
      enter: (user: User) => replace(user, 'schedule-hero-students-time', '4:45 AM'),
      change: (setup: Setup) => {
        setup.summer = 'send_pre_registered';
        setup.mail = { ...setup.mail, host: 'smtp.northfield.org', from: 'a@northfield.org', to: ['b@northfield.org'] };
      },
      shows: async () =>
        (await value('field-mail-to')) === 'b@northfield.org' &&
        (await value('schedule-hero-students-time')) === '4:45 AM' &&
        ((await byId('summer-send_pre_registered')) as HTMLInputElement).checked,
    },
  ])('a step shows what both have made of it: $in', async ({ in: name, enter, change, shows }) => {
    const user = await step(name);
    await enter(user);
    const saving = vi.spyOn(Backend.prototype, 'saveSetup');
    // The step is saved and goes on being shown: what comes after fails.
    vi.spyOn(Backend.prototype, 'runs').mockRejectedValue({ code: 'store.busy', message: 'Busy.', remedy: '' });
    elsewhere(change);
    await user.click(await byId('setup-close'));
    await byId('error-code');
    expect(saving.mock.calls.length).toBeGreaterThan(1);
    await expect.poll(shows).toBe(true);
  });

  test('a secret is not kept without the set-up it belongs to', async () => {
    const keep = vi.spyOn(Backend.prototype, 'setSecret');
    const user = await step('powerschool');
    await replace(user, 'field-client-id', '11111111-1111-4111-8111-111111111111');
    await user.click(await byId('field-client-secret-replace'));
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    elsewhere((setup) => (setup.powerschool.client_id = '22222222-2222-4222-8222-222222222222'));
    await user.click(await byId('step-next'));
    await user.click(await byId('clash-cancel'));
    expect((await byId('error-code')).textContent).toBe('setup.changed_elsewhere');
    expect(keep).not.toHaveBeenCalled();
    expect(await value('field-client-secret')).toBe('a1b2c3d4-0000-4000-8000-1234567890ab');

    // Asked again, and kept with what is saved then.
    await user.click(await byId('step-next'));
    await user.click(await byId('clash-mine'));
    await waitFor(() => expect(keep).toHaveBeenCalledTimes(1));
  });

  test('a mail server’s password is not kept without it', async () => {
    const keep = vi.spyOn(Backend.prototype, 'setSecret');
    const user = await step('schedule');
    await user.type(await byId('field-mail-host'), 'smtp.mine.org');
    await user.type(await byId('field-mail-username'), 'office');
    await user.type(await byId('field-mail-password'), 'a password');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.type(await byId('field-mail-to'), 'office@northfield.org');
    elsewhere((setup) => (setup.mail.host = 'smtp.theirs.org'));
    await user.click(await byId('test-mail'));
    await user.click(await byId('clash-cancel'));
    expect((await byId('error-code')).textContent).toBe('setup.changed_elsewhere');
    expect(keep).not.toHaveBeenCalled();
    expect(await value('field-mail-password')).toBe('a password');
  });

  test.each([
    ['the other user is kept', true],
    ['only the other has changed the user', false],
  ])('a secret does not go to a place it was not typed for: %s', async (_, clash) => {
    const keep = vi.spyOn(Backend.prototype, 'setSecret');
    const user = await step('powerschool');
    if (clash) await replace(user, 'field-client-id', '11111111-1111-4111-8111-111111111111');
    await user.click(await byId('field-client-secret-replace'));
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    elsewhere((setup) => (setup.powerschool.client_id = '22222222-2222-4222-8222-222222222222'));
    await user.click(await byId('step-next'));
    if (clash) await user.click(await byId('clash-theirs'));
    expect((await byId('error-code')).textContent).toBe('window.secret_of_other_place');
    expect(keep).not.toHaveBeenCalled();
    expect(await value('field-client-secret')).toBe('a1b2c3d4-0000-4000-8000-1234567890ab');
    expect(await value('field-client-id')).toBe('22222222-2222-4222-8222-222222222222');

    // It was looked at.
    await user.click(await byId('step-next'));
    await waitFor(() => expect(keep).toHaveBeenCalledTimes(1));
  });
});
