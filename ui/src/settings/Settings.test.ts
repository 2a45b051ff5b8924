import { screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import { saved } from '../backend/fixture';
import { opened } from '../backend/fixture-care';
import { setupOf } from '../backend/fixture-scene';
import { byId, open, type User } from '../test-window';

async function settings(query: string, section: string): Promise<User> {
  const user = open(query);
  await user.click(await byId('nav-settings'));
  await user.click(await byId(`settings-${section}`));
  return user;
}

/** Waits until a place says this. */
const says = (id: string, text: string) =>
  waitFor(() => expect(screen.getByTestId(id).textContent.replace(/\s+/g, ' ')).toContain(text));

const isDisabled = (button: HTMLElement) => (button as HTMLButtonElement).disabled;

const valueOf = (input: HTMLElement) => (input as HTMLInputElement).value;

const gone = (id: string) => waitFor(() => expect(screen.queryByTestId(id)).toBeNull());

describe('settings', () => {
  test('each section says what is set, and one is shown', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('nav-settings'));
    const connections = await byId('settings-connections');
    expect(connections.getAttribute('aria-current')).toBe('page');
    await says('settings-connections', '127.0.0.1');
    await says('settings-notifications', 'No mail');
    await says('settings-appearance', 'As the system');
    await user.click(await byId('settings-appearance'));
    await user.click(await byId('appearance-dark'));
    await says('settings-appearance', 'Dark');
    expect(document.documentElement.dataset.theme).toBe('dark');
    expect(screen.queryByTestId('connections')).toBeNull();
  });

  test('what was entered is saved before another section is shown', async () => {
    const save = vi.spyOn(Backend.prototype, 'saveSetup');
    const user = await settings('scene=home&own', 'notifications');
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.type(await byId('field-mail-from'), 'rosterbridge@northfield.org');
    await user.click(await byId('settings-schedules'));
    // Mail without anybody to go to is not saved, and not lost.
    await screen.findByText(/Not saved/);
    expect(save).not.toHaveBeenCalled();
    await user.type(await byId('field-mail-to'), 'office@northfield.org');
    await user.click(await byId('settings-schedules'));
    await gone('field-mail-host');
    await says('settings-notifications', 'Mail to 1 address');
    expect(save).toHaveBeenCalledTimes(1);
    save.mockRestore();
  });

  test('what was entered can be given up', async () => {
    const save = vi.spyOn(Backend.prototype, 'saveSetup');
    const user = await settings('scene=home&own', 'notifications');
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.click(await byId('settings-discard'));
    expect(valueOf(await byId('field-mail-host'))).toBe('');
    await user.click(await byId('nav-home'));
    await gone('settings-section');
    expect(save).not.toHaveBeenCalled();
    save.mockRestore();
  });

  test('leaving for another page saves as well', async () => {
    const user = await settings('scene=home&own', 'network');
    await user.click(await byId('proxy'));
    await user.click(await byId('proxy-none'));
    await user.click(await byId('nav-home'));
    await gone('settings-section');
    await user.click(await byId('nav-settings'));
    await says('settings-network', 'No proxy');
  });

  test('a managed connection is changed where it is listed', async () => {
    const user = await settings('scene=home&own', 'connections');
    await user.click(await byId('connection-hero'));
    const name = await byId('field-hero-name');
    await user.clear(name);
    await user.type(name, 'Hero production');
    await user.click(await byId('settings-save'));
    await screen.findByText('Saved.');
    await user.click(await byId('settings-mappings'));
    await user.click(await byId('settings-connections'));
    await says('connection-hero', 'Hero production');
  });

  test('a mapping leads to its step', async () => {
    const user = await settings('scene=home&own', 'mappings');
    await user.click(within(await byId('settings-section')).getByTestId('settings-to-tardies'));
    expect((await screen.findByRole('button', { current: 'step' })).dataset.testid).toBe('step-tardies');
  });
});

describe('the language', () => {
  const reload = vi.spyOn(window.location, 'reload').mockImplementation(() => undefined);
  beforeEach(() => void reload.mockClear());
  const kept = () => localStorage.getItem('rosterbridge.language');

  test('is kept, and the window is shown anew', async () => {
    const user = await settings('scene=home&own', 'appearance');
    expect(screen.getByText('As the system (English)')).toBeTruthy();
    expect(screen.getByText('Español').getAttribute('lang')).toBe('es');
    await user.click(await byId('language-es'));
    expect(kept()).toBe('es');
    expect(reload).toHaveBeenCalledOnce();
  });

  test('is the system’s again where that is chosen', async () => {
    localStorage.setItem('rosterbridge.language', 'es');
    const user = await settings('scene=home&own', 'appearance');
    await user.click(await byId('language-system'));
    expect(kept()).toBeNull();
    expect(reload).toHaveBeenCalledOnce();
  });

  test('asks first where something was chosen that would be lost', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('section-exchanges'));
    await user.click(await byId('exchange-raptor-tardies'));
    await user.click(await byId('nav-settings'));
    await user.click(await byId('settings-appearance'));
    await user.click(await byId('language-es'));
    await user.click(await byId('language-keep'));
    await gone('language-keep');
    expect([kept(), reload.mock.calls.length]).toEqual([null, 0]);
    expect(await byId('language-system')).toHaveProperty('checked', true);
    await user.click(await byId('language-es'));
    await user.click(await byId('language-turn'));
    expect([kept(), reload.mock.calls.length]).toEqual(['es', 1]);
  });

  test('is offered where a person begins', async () => {
    const user = open('scene=new');
    expect((await byId('language-en')).getAttribute('aria-pressed')).toBe('true');
    await user.click(await byId('language-en'));
    expect(reload).not.toHaveBeenCalled();
    await user.click(await byId('language-es'));
    expect(kept()).toBe('es');
  });
});

describe('limits and history', () => {
  async function type(user: User, id: string, text: string) {
    const field = await byId(id);
    await user.clear(field);
    if (text !== '') await user.type(field, text);
    return field;
  }
  /** What is said under a field. */
  const about = (field: HTMLElement) => document.getElementById(field.getAttribute('aria-describedby') ?? '')?.textContent;

  test('say what they come to, and are saved with nothing else changed', async () => {
    const save = vi.spyOn(Backend.prototype, 'saveSetup');
    const user = await settings('scene=home&own', 'limits');
    await says('settings-limits', '10%');
    await says('guard-example', 'if it would lose 51 rows or more');
    await type(user, 'field-guard-percent', '2');
    await says('guard-example', 'if it would lose 20 rows or more');
    await type(user, 'field-guard-percent', '100');
    await says('guard-example', 'only if it would lose all of them');
    await type(user, 'field-guard-percent', '15');
    await type(user, 'field-guard-rows', '30');
    await type(user, 'field-oldest', '5');
    await type(user, 'field-retention', '90');
    await user.click(await byId('settings-save'));
    await screen.findByText('Saved.');
    const before = setupOf(new URLSearchParams('scene=home&own'));
    const entered = save.mock.calls[0]?.[0];
    expect(entered).toEqual({ ...before, guard: { percent: 15, rows: 30 }, attendance: { ...before.attendance, oldest: 5 }, retention_days: 90 });
    await says('settings-limits', '15%');
    save.mockRestore();
  });

  test.each([
    ['field-guard-percent', '101', 'At most 100.'],
    ['field-guard-percent', '7.5', 'A whole number is needed, in digits.'],
    ['field-guard-rows', '-1', 'A whole number is needed, in digits.'],
    ['field-oldest', '0', 'At least 1.'],
    ['field-oldest', '61', 'At most 60.'],
    ['field-retention', '59', 'At least 60.'],
    ['field-retention', '', 'A whole number is needed, in digits.'],
  ])('refuse %s of “%s” as it is typed', async (id, text, problem) => {
    const save = vi.spyOn(Backend.prototype, 'saveSetup');
    const user = await settings('scene=home&own', 'limits');
    const field = await type(user, id, text);
    expect([about(field), field.getAttribute('aria-invalid')]).toEqual([problem, 'true']);
    await user.click(await byId('settings-save'));
    await screen.findByText(/Not saved/);
    expect(save).not.toHaveBeenCalled();
    save.mockRestore();
  });
});

describe('backups', () => {
  test('one is made and listed first', async () => {
    const user = await settings('scene=quiet&own', 'backups');
    await byId('no-backups');
    await user.click(await byId('backup-now'));
    await says('backups', 'just now');
    await says('backup-said', 'The backup was made');
  });

  test('the newest is restored once a person has read what that means', async () => {
    const user = await settings('scene=home&own', 'backups');
    await user.click(await byId('restore'));
    await user.click(await byId('restore-confirm'));
    await screen.findByText('The backup was restored');
    await screen.findByText(/ledger-damaged-20261118/);
  });

  test.each([
    ['backups', 'store.io', undefined],
    ['backup', 'store.disk_full', 'backup-now'],
    ['restore', 'profile.in_use', 'restore'],
  ])('what can’t be done is told: %s', async (fail, code, button) => {
    const user = await settings(`scene=home&own&fail=${fail}`, 'backups');
    if (button !== undefined) await user.click(await byId(button));
    if (button === 'restore') await user.click(await byId('restore-confirm'));
    await says('error-code', code);
  });

  test('a recovery file needs a passphrase that is long enough, twice', async () => {
    const user = await settings('scene=home&own', 'backups');
    const button = await byId('recovery-save');
    await user.type(await byId('field-recovery-passphrase'), 'correct horse');
    await user.type(await byId('field-recovery-again'), 'correct house');
    expect(isDisabled(button)).toBe(true);
    await user.clear(await byId('field-recovery-again'));
    await user.type(await byId('field-recovery-again'), 'correct horse');
    await user.click(button);
    await says('recovery-said', 'rosterbridge-default-recovery.age');
    expect(saved.at(-1)?.content).toEqual({ text: '-----BEGIN AGE ENCRYPTED FILE-----\n' });
    // Not for whoever sits down here next.
    expect(valueOf(await byId('field-recovery-passphrase'))).toBe('');
  });
});

describe('the support bundle', () => {
  test('is written where the person says', async () => {
    const user = await settings('scene=home&own', 'support');
    await says('support-parts', 'held-rows.json');
    await user.click(await byId('support-save'));
    await says('support-said', '/home/office/Downloads/rosterbridge-support-2026-11-18.zip');
  });

  test('says why there is none', async () => {
    const user = await settings('scene=home&own&fail=bundle', 'support');
    await user.click(await byId('support-save'));
    await says('error-code', 'file.exists');
  });
});

describe('updates', () => {
  test('are off until a server is configured', async () => {
    await settings('scene=home&own', 'updates');
    await says('updates-server', 'None is configured');
    expect(screen.queryByTestId('update-look')).toBeNull();
  });

  test('are looked for and installed when a person says so', async () => {
    const user = await settings('scene=home&own&updates=on', 'updates');
    await user.click(await byId('update-look'));
    await says('updates-said', '0.2.0');
    await user.click(await byId('update-install'));
    await user.click(await byId('update-confirm'));
    await byId('update-restart');
  });

  test('with a wrong signature are not installed', async () => {
    const user = await settings('scene=home&own&updates=signature', 'updates');
    await user.click(await byId('update-look'));
    await user.click(await byId('update-install'));
    await user.click(await byId('update-confirm'));
    await says('error-code', 'updates.signature');
    expect(screen.queryByTestId('update-restart')).toBeNull();
  });
});

describe('districts', () => {
  test('are listed with what works on them, and open in windows of their own', async () => {
    const user = await settings('scene=home&own', 'districts');
    await says('district-default', 'This window');
    await says('district-cedar-county', 'ps.cedarcounty.k12.us, paused');
    await says('district-harbor', 'nothing is exchanged');
    expect(screen.queryByTestId('district-practice')).toBeNull();
    await user.click(await byId('district-open-harbor'));
    await says('district-said', 'harbor opens');
    expect(opened.at(-1)).toBe('harbor');
  });

  test.each([
    ['two words', /without spaces/],
    ['Default', /There is a district of this name/],
    ['practice', /The practice district has this name/],
  ])('a name that can’t be one is refused as it is typed: %s', async (name, why) => {
    const user = await settings('scene=home&own', 'districts');
    await byId('districts');
    await user.type(await byId('field-district'), name);
    await screen.findByText(why);
    expect(isDisabled(await byId('district-new'))).toBe(true);
  });

  test('a new one is set up in a window of its own', async () => {
    const user = await settings('scene=home&own', 'districts');
    await byId('districts');
    await user.type(await byId('field-district'), 'lake-shore{Enter}');
    await says('district-said', 'lake-shore opens');
    expect(opened.at(-1)).toBe('lake-shore');
  });
});

describe('erasing', () => {
  test('needs the district’s name, and nothing is asked of it afterwards', async () => {
    const user = await settings('scene=home&own', 'erase');
    await user.click(await byId('erase'));
    const confirm = await byId('erase-confirm');
    await user.type(await byId('field-erase'), 'Default');
    expect(isDisabled(confirm)).toBe(true);
    await user.clear(await byId('field-erase'));
    await user.type(await byId('field-erase'), 'default');
    const status = vi.spyOn(Backend.prototype, 'status');
    await user.click(confirm);
    await byId('erased');
    expect(screen.queryByTestId('nav-home')).toBeNull();
    expect(status).not.toHaveBeenCalled();
    status.mockRestore();
    await user.click(await byId('erased-begin'));
    await byId('welcome-district');
  });

  test('tells what is left', async () => {
    const user = await settings('scene=home&own&left', 'erase');
    await user.click(await byId('erase'));
    await user.type(await byId('field-erase'), 'default{Enter}');
    await says('erase-left', 'permission denied');
  });

  test('is refused while another process works on it', async () => {
    const user = await settings('scene=home&own&fail=erase', 'erase');
    await user.click(await byId('erase'));
    await user.type(await byId('field-erase'), 'default{Enter}');
    await says('error-code', 'profile.in_use');
    await user.keyboard('{Escape}');
    await user.click(await byId('nav-home'));
    await byId('run-now');
  });

  test('the practice district leads back out of it', async () => {
    const user = await settings('scene=home', 'erase');
    await user.click(await byId('erase'));
    await user.type(await byId('field-erase'), 'practice{Enter}');
    await byId('welcome-district');
  });
});

describe('a profile that does not open', () => {
  test('gets its key back from a recovery file', async () => {
    const user = open('scene=home&own&fail=key');
    const file = new File(['-----BEGIN AGE ENCRYPTED FILE-----\n'], 'recovery.age');
    await user.upload(await byId('field-recovery-file'), file);
    await user.type(await byId('field-recover-passphrase'), 'wrong horse{Enter}');
    await screen.findByText('vault.wrong_passphrase');
    await user.clear(await byId('field-recover-passphrase'));
    await user.type(await byId('field-recover-passphrase'), 'correct horse{Enter}');
    await byId('run-now');
  });

  test('without a backup begins with an empty ledger, once that was read', async () => {
    const user = open('scene=home&own&fail=no-backup');
    await user.click(await byId('begin-anew'));
    await user.click(await byId('begin-anew-confirm'));
    await byId('welcome-district');
  });
});
