import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { notices, saved } from '../backend/fixture';
import { byId, open } from '../test-window';

describe('connecting PowerSchool', () => {
  const stage = (name: string) => document.querySelector<HTMLElement>(`[data-testid=powerschool-stages] [data-stage="${name}"]`);

  test('a failed stage shows its reason, its remedy and its code', async () => {
    const user = open('scene=practice&fail=test');
    await user.click(await byId('test-powerschool'));
    expect((await byId('error-code')).textContent).toBe('powerschool.bad_credentials');
    expect(screen.getByText(/check that the plugin is enabled/)).toBeTruthy();
  });

  test('without a keychain the secret is not lost and the step is not left', async () => {
    const user = open('scene=new&fail=keychain');
    await user.click(await byId('welcome-district'));
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    await user.click(await byId('step-next'));
    expect((await byId('error-code')).textContent).toBe('vault.no_keychain');
    expect(await byId('field-client-secret')).toHaveProperty('value', 'a1b2c3d4-0000-4000-8000-1234567890ab');
  });

  test('all three credentials pasted at once are offered and filled in', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('field-client-id'));
    await user.paste(
      'Client ID: 3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10 Client Secret: a1b2c3d4-0000-4000-8000-1234567890ab https://ps.northfield.k12.us',
    );
    await user.click(await byId('fill-in'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us');
    expect(await byId('field-client-id')).toHaveProperty('value', '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
    expect(await byId('field-client-secret')).toHaveProperty('value', 'a1b2c3d4-0000-4000-8000-1234567890ab');
  });

  test('what is exchanged decides what the plugin asks for', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    expect((await byId('plugin-asks')).textContent).toContain('98 fields in 12 tables, and to write to ATTENDANCE');
    for (const job of ['raptor-tardies', 'hero-attendance', 'hero-schedule', 'hero-teachers', 'hero-students']) {
      await user.click(await byId(`exchange-${job}`));
    }
    await waitFor(async () => expect((await byId('plugin-asks')).textContent).toBe('The plugin asks to read 26 fields in 3 tables. It writes nothing.'));
    await user.click(await byId('plugin-fields'));
    expect((await byId('field-list')).textContent).toContain('STUDENTS');
    await user.click(await byId('exchange-raptor-roster'));
    expect(screen.getByText(/Choose at least one exchange/)).toBeTruthy();
  });

  test('the plugin is saved, and installed step by step', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('exchanges-continue'));
    expect((await byId('plugin-version')).textContent).toBe('Version 1.1.0');
    await user.click(await byId('plugin-save'));
    await screen.findByText(/rosterbridge-plugin-1.1.0.zip/);
    expect(saved.at(-1)).toMatchObject({ name: 'rosterbridge-plugin-1.1.0.zip', content: { base64: expect.stringMatching(/^UEs/) } });

    const heard: string[] = [];
    for (let page = 0; page < 7; page += 1) {
      heard.push(within(await byId('walk-through')).getByRole('img').getAttribute('aria-label') ?? '');
      await user.click(await byId('walk-next'));
    }
    expect(new Set(heard).size).toBe(7);
    expect((await byId('walk-text')).textContent).toContain('Client Secret');
    await user.click(await byId('walk-enable'));
    expect((await byId('walk-text')).textContent).toContain('Until it is enabled');
    await user.click(await byId('walk-plugin'));
    expect((await byId('walk-text')).textContent).toContain('Data Provider Configuration');
    await user.click(await byId('menus-older'));
    expect((await byId('walk-text')).textContent).toContain('OAuth Configuration');
    await user.click(await byId('walk-credentials'));
    await user.click(await byId('walk-finish'));
    expect(document.activeElement).toBe(await byId('field-url'));
  });

  test('a changed choice is told as sentences, and the new version is saved', async () => {
    const user = open('scene=practice&written');
    await user.click(await byId('section-exchanges'));
    await user.click(await byId('exchange-raptor-tardies'));
    await user.click(await byId('exchanges-continue'));
    expect((await byId('plugin-changes')).textContent).toContain('Adds FullAccess to ATTENDANCE');
    expect((await byId('plugin-version')).textContent).toBe('Version 1.1.3');
    await user.click(await byId('plugin-save'));
    await waitFor(() => expect(screen.queryByTestId('plugin-changes')).toBeNull());
    expect(saved.at(-1)?.name).toBe('rosterbridge-plugin-1.1.3.zip');
  });

  test('a plugin that was only saved does not count as installed, also after another step', async () => {
    const user = open('scene=practice&written&tested');
    expect((await byId('powerschool-stages')).dataset.passed).toBe('true');
    await user.click(await byId('section-exchanges'));
    await user.click(await byId('exchange-raptor-tardies'));
    await user.click(await byId('exchanges-continue'));
    await user.click(await byId('plugin-save'));
    await waitFor(() => expect(screen.queryByTestId('powerschool-stages')).toBeNull());
    await user.click(await byId('walk-dashboard'));
    expect((await byId('walk-text')).textContent).toContain('Do not delete the old one');
    await user.click(await byId('step-hero'));
    await user.click(await byId('step-powerschool'));
    expect((await byId('section-plugin')).textContent).not.toContain('Installed, enabled');
    expect(screen.queryByTestId('powerschool-stages')).toBeNull();
    await user.click(await byId('test-powerschool'));
    await waitFor(async () => expect((await byId('section-plugin')).textContent).toContain('Installed, enabled'));
  });

  test('without any exchange there is no plugin to repair with', async () => {
    const user = open('scene=practice&fail=access');
    await user.click(await byId('test-powerschool'));
    expect(await byId('repair-plugin')).toHaveProperty('disabled', false);
    await user.click(await byId('section-exchanges'));
    for (const job of ['raptor-roster', 'raptor-tardies', 'hero-attendance', 'hero-schedule', 'hero-teachers', 'hero-students']) {
      await user.click(await byId(`exchange-${job}`));
    }
    expect(await byId('repair-plugin')).toHaveProperty('disabled', true);
  });

  test.each([
    ['Plugin.xml', 'true', /Writes nothing/],
    ['broken.zip', 'false', /line 11, column 44/],
    ['hostile.xml', 'false', /declares entities/],
  ])('a vendor’s file %s is judged', async (name, valid, said) => {
    const user = open('scene=practice');
    await user.click(await byId('section-plugin'));
    await user.click(await byId('vendor-open'));
    await user.upload(await byId('field-plugin-file'), new File(['<plugin/>'], name, { type: 'text/xml' }));
    const check = await byId('plugin-check');
    expect(check.dataset.valid).toBe(valid);
    expect(check.textContent).toMatch(said);
    expect(screen.queryByTestId('vendor-continue') !== null).toBe(valid === 'true');
  });

  test('a file too large is not opened', async () => {
    const user = open('scene=practice');
    await user.click(await byId('section-plugin'));
    await user.click(await byId('vendor-open'));
    const file = new File(['x'], 'plugin.zip');
    Object.defineProperty(file, 'size', { value: 30_000_000 });
    await user.upload(await byId('field-plugin-file'), file);
    expect((await byId('error-code')).textContent).toBe('window.file_too_large');
  });

  test('mistyped values are put right', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.type(await byId('field-url'), 'http://ps.northfield.k12.us');
    await user.click(await byId('repair-url'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us');
    await user.type(await byId('field-client-id'), '"3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10" ');
    await user.click(await byId('repair-client-id'));
    expect(await byId('field-client-id')).toHaveProperty('value', '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
  });

  test('address and Client ID in each other’s field are swapped', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.type(await byId('field-url'), '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
    await user.type(await byId('field-client-id'), 'https://ps.northfield.k12.us');
    await user.click(await byId('swap'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us');
    expect(await byId('field-client-id')).toHaveProperty('value', '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
  });

  test('all stages are listed from the start, and a test is cancelled', async () => {
    const user = open('scene=practice', 30);
    await user.click(await byId('test-powerschool'));
    await waitFor(() => expect(stage('Input')?.dataset.result).toBe('running'));
    expect((await byId('powerschool-stages')).textContent).toContain('Sample read');
    await user.click(await byId('cancel-test'));
    await byId('test-cancelled');
    expect(screen.queryByTestId('error-code')).toBeNull();
    expect(stage('Sample read')).toBeNull();
  });

  test('an unknown authority is trusted only after the fingerprint was compared', async () => {
    const user = open('scene=practice&fail=authority');
    await user.click(await byId('test-powerschool'));
    await user.click(await byId('view-certificate'));
    expect((await byId('certificate-sha256')).textContent).toMatch(/^B8:02/);
    expect(await byId('certificate-trust')).toHaveProperty('disabled', true);
    // Each look is a comparison of its own.
    await user.click(await byId('certificate-compared'));
    await user.click(await byId('certificate-refuse'));
    await user.click(await byId('view-certificate'));
    expect(await byId('certificate-trust')).toHaveProperty('disabled', true);
    await user.click(await byId('certificate-compared'));
    await user.click(await byId('certificate-trust'));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
    expect((await byId('certificates')).textContent).toContain('2 certificate authorities');
  });

  test('missing access is listed, and repaired with a higher version', async () => {
    const user = open('scene=practice&fail=access');
    await user.click(await byId('test-powerschool'));
    expect((await byId('access')).textContent).toContain('8 fields missing');
    expect((await byId('access-BELL_SCHEDULE_ITEMS')).textContent).toContain('START_TIME');
    await user.click(await byId('repair-plugin'));
    await waitFor(() => expect(saved.at(-1)?.name).toMatch(/^rosterbridge-plugin/));
    await user.click(await byId('repair-test'));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
    expect((await byId('access')).textContent).toContain('12 tables');
  });

  test('replaced credentials lead to their fields, and to where a plugin is enabled', async () => {
    const user = open('scene=practice&fail=replaced');
    await user.click(await byId('test-powerschool'));
    await user.click(await byId('show-enable'));
    expect((await byId('walk-text')).textContent).toContain('Enable/Disable');
    await user.click(await byId('credentials-again'));
    expect(await byId('field-client-secret')).toHaveProperty('value', '');
  });

  test('without network the rest waits, and can be stopped', async () => {
    const user = open('scene=practice&fail=dns');
    await user.click(await byId('test-powerschool'));
    await user.click(await byId('test-wait'));
    await byId('test-waiting');
    expect(stage('Keychain')?.dataset.result).toBe('passed');
    expect(stage('Sample read')?.dataset.result).toBe('waiting');
    await user.click(await byId('test-stop'));
    await waitFor(() => expect(screen.queryByTestId('test-waiting')).toBeNull());
  });

  test('a waiting test runs by itself and is notified', async () => {
    notices.length = 0;
    open('scene=practice&waiting=20');
    await waitFor(() => expect(notices).toEqual(['PowerSchool is connected']));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
    await waitFor(() => expect(screen.queryByTestId('test-waiting')).toBeNull());
  });

  test('the last result is shown again, copied and saved', async () => {
    const user = open('scene=practice&tested');
    expect((await byId('powerschool-stages')).dataset.passed).toBe('true');
    await user.click(await byId('copy-report'));
    expect(await navigator.clipboard.readText()).toContain('RosterBridge 0.1.0: test of PowerSchool');
    await user.click(await byId('save-report'));
    await waitFor(() => expect(saved.at(-1)?.name).toBe('rosterbridge-powerschool-test.txt'));
  });

  test('credentials are handed over in a file, with a mail that carries none', async () => {
    const user = open('scene=practice');
    await user.click(await byId('handover-write'));
    await user.type(await byId('field-handover-new-passphrase'), 'correct horse');
    await user.type(await byId('field-handover-again'), 'correct hose');
    expect(await byId('handover-save')).toHaveProperty('disabled', true);
    await user.clear(await byId('field-handover-again'));
    await user.type(await byId('field-handover-again'), 'correct horse');
    await user.click(await byId('handover-save'));
    expect((await byId('handover-mail')).textContent).not.toContain('correct horse');
    expect(saved.at(-1)?.content).toEqual({ text: expect.stringContaining('BEGIN AGE ENCRYPTED FILE') });
  });

  test('a handover file fills the fields in', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('handover-open'));
    await user.upload(await byId('field-handover-file'), new File(['-----BEGIN AGE'], 'rosterbridge-handover.age'));
    await user.type(await byId('field-handover-passphrase'), 'correct horse');
    await user.click(await byId('handover-take'));
    await waitFor(async () => expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us'));
    expect(await byId('field-client-secret-stored')).toBeTruthy();
  });

  test('an explicit proxy is kept, its password in the keychain', async () => {
    const user = open('scene=practice');
    await user.click(await byId('proxy'));
    await user.click(await byId('proxy-explicit'));
    await user.type(await byId('field-proxy-url'), 'http://proxy.northfield.k12.us:8080');
    await user.type(await byId('field-proxy-username'), 'office');
    await user.type(await byId('field-proxy-password'), 'correct horse');
    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    expect((await byId('proxy')).textContent).toContain('proxy.northfield.k12.us');
    expect(await byId('field-proxy-password-stored')).toBeTruthy();
  });
});
