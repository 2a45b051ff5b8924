import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { FINGERPRINT, MD5, OTHER_FINGERPRINT } from '../backend/fixture-data';
import { byId, open, type User } from '../test-window';

const OPENSSH_KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n';

async function stages(id: string, passed: boolean) {
  await waitFor(async () => expect((await byId(id)).dataset.passed).toBe(String(passed)));
}

async function paste(user: User, id: string, text: string) {
  await user.click(await byId(id));
  await user.paste(text);
}

describe('connecting Hero', () => {
  test('a changed host key stops everything, and tells both keys, since when and by whom', async () => {
    const user = open('scene=practice&changed-key');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('test-hero'));
    const stop = await byId('host-key-changed');
    expect(within(stop).queryAllByRole('button')).toEqual([]);
    expect(stop.textContent?.match(/SHA256:/g)).toHaveLength(2);
    expect(stop.textContent).toMatch(/accepted .+ by office/);
    expect(screen.queryByTestId('accept-host-key')).toBeNull();
  });

  test('the accepted key is replaced only by who asked, and types what the new fingerprint begins with', async () => {
    const user = open('scene=practice&changed-key');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('test-hero'));
    await user.click(await byId('replace-host-key'));
    const confirm = (await byId('replace-confirm')) as HTMLButtonElement;
    expect(confirm.disabled).toBe(true);
    await user.type(await byId('field-replace-typed'), FINGERPRINT.slice(7, 15).toLowerCase());
    await user.click(await byId('replace-asked'));
    expect(confirm.disabled).toBe(true);
    await user.clear(await byId('field-replace-typed'));
    await user.type(await byId('field-replace-typed'), FINGERPRINT.slice(7, 15));
    await user.click(confirm);
    await stages('hero-stages', true);
    expect(screen.queryByTestId('host-key-changed')).toBeNull();
    // The old one is not forgotten.
    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    await user.click(await byId('earlier-keys-hero'));
    expect((await byId('earlier-key')).textContent).toContain(OTHER_FINGERPRINT);
  });

  test.each([
    ['as SHA256', FINGERPRINT, true],
    ['as MD5', MD5, true],
    ['of another key', OTHER_FINGERPRINT, false],
  ])('a fingerprint that was given, %s, is compared and nothing is asked', async (_, given, right) => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await paste(user, 'field-hero-fingerprint', given);
    await user.click(await byId('test-hero'));
    await stages('hero-stages', right);
    expect(screen.queryByTestId('accept-host-key')).toBeNull();
    if (right) return;
    expect((await byId('error-code')).textContent).toBe('sftp.host_key_mismatch');
    // One that was pasted wrongly can be put right.
    await user.clear(await byId('field-hero-fingerprint'));
    await paste(user, 'field-hero-fingerprint', FINGERPRINT);
    await user.click(await byId('test-hero'));
    await stages('hero-stages', true);
  });

  test('a host key is taken over from a known_hosts file, and only one that can be', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('known-hosts-hero'));
    await paste(user, 'field-known-hosts', '[127.0.0.1]:43018 ssh-ed25519 AAAA');
    await user.click(await byId('known-host-2'));
    expect(screen.queryByTestId('known-host-7')).toBeNull();
    await user.click(await byId('known-hosts-accept'));
    expect((await byId('accepted-host-key')).textContent).toContain(FINGERPRINT);
  });

  test('two different passwords keep the step', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-hero'));
    await user.type(await byId('field-hero-password'), 'correct horse');
    await user.type(await byId('field-hero-confirm'), 'correct hose');
    await user.click(await byId('step-back'));
    expect(screen.getByText('The two passwords differ.')).toBeTruthy();
    expect(await byId('field-hero-password')).toBeTruthy();
  });

  test('‘Keep the old one’ forgets the confirmation as well, and a test that can’t be made says so', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('field-hero-password-replace'));
    await user.type(await byId('field-hero-password'), 'correct horse');
    await user.type(await byId('field-hero-confirm'), 'correct hose');
    await user.click(await byId('test-hero'));
    expect(screen.getByText(/First put right what is marked on this page/)).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Keep the old one' }));
    await user.click(await byId('step-next'));
    expect(await byId('schedule-hero-students')).toBeTruthy();
  });

  test('a private key is checked when it is entered, and its passphrase is asked for', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-sign-in-private_key'));
    await paste(user, 'field-hero-key', OPENSSH_KEY.replace('OPENSSH', 'ENCRYPTED'));
    await user.tab();
    await screen.findByText('This key has a passphrase.');
    await user.type(await byId('field-hero-passphrase'), 'over the hills');
    await user.tab();
    expect((await byId('hero-key-facts')).textContent).toMatch(/ssh-ed25519.*with a passphrase.*SHA256:/s);
    await user.click(await byId('test-hero'));
    await byId('field-hero-key-stored');
    expect(screen.queryByDisplayValue(/PRIVATE KEY/)).toBeNull();
  });

  test('something that is no key keeps the step', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-sign-in-private_key'));
    await paste(user, 'field-hero-key', 'ssh-ed25519 AAAA');
    await user.click(await byId('step-next'));
    expect((await byId('error-code')).textContent).toBe('sftp.bad_private_key');
    expect(await byId('field-hero-key')).toBeTruthy();
  });

  test('a generated key shows only its public line; another one is asked about', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-sign-in-private_key'));
    await user.click(await byId('generate-hero-key'));
    expect((await byId('hero-public-key')).textContent).toMatch(/^ssh-ed25519 AAAA/);
    // The server does not know it yet: the password goes on signing in.
    expect((await byId('hero-sign-in-password')).getAttribute('aria-checked') ?? (await byId('hero-sign-in-password')).dataset.state).toMatch(/true|on|checked/);
    await byId('hero-key-first');
    await user.click(await byId('field-hero-key-replace'));
    await user.click(await byId('generate-hero-key'));
    await user.click(await byId('generate-confirm'));
    await byId('field-hero-key-stored');
  });

  test('what old ciphers weaken is said when they are allowed, and what is folded away is opened when it is wrong', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-advanced'));
    await user.click(await byId('hero-allow-legacy'));
    expect((await byId('hero-legacy')).textContent).toMatch(/CBC.*aes256-cbc/s);
    await user.clear(await byId('field-hero-transfers'));
    await user.type(await byId('field-hero-transfers'), '9');
    await user.click(await byId('hero-advanced'));
    await user.click(await byId('step-next'));
    expect(((await byId('hero-advanced')).parentElement as HTMLDetailsElement).open).toBe(true);
    expect(screen.getByText('From 1 to 8.')).toBeTruthy();
    await waitFor(async () => expect(document.activeElement).toBe(await byId('field-hero-transfers')));
  });
});

describe('several connections', () => {
  test('one is created, kept and deleted again; one in use can’t be', async () => {
    const user = open('scene=home');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    expect(screen.queryByTestId('connection-delete')).toBeNull();
    await user.click(await byId('connection-create'));
    await user.clear(await byId('field-raptor-host'));
    await user.type(await byId('field-raptor-host'), 'sftp://files.northfield.org');
    await user.type(await byId('field-raptor-username'), 'office');
    await user.type(await byId('field-raptor-password'), 'a password');
    await user.type(await byId('field-raptor-confirm'), 'a password');
    await user.click(await byId('connection-hero'));
    await byId('field-hero-host');
    expect((await byId('connection-raptor')).textContent).toMatch(/files\.northfield\.org, port 2022.*not used/s);
    await user.click(await byId('connection-raptor'));
    await byId('field-raptor-password-stored');
    await user.click(await byId('connection-delete'));
    await user.click(await byId('connection-delete-confirm'));
    await waitFor(() => expect(screen.queryByTestId('connection-raptor')).toBeNull());
  });

  test('a new one is not left half done, unless it is not created at all', async () => {
    const user = open('scene=home');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('connection-create'));
    await user.click(await byId('step-next'));
    expect(screen.getByText('The user name you were given for this server.')).toBeTruthy();
    await user.click(await byId('connection-discard'));
    await user.click(await byId('step-next'));
    await byId('field-zone');
    expect(screen.queryByTestId('connection-raptor')).toBeNull();
  });

  test('Raptor can use Hero’s, and says so', async () => {
    const user = open('scene=home');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('raptor-way-sftp'));
    await user.click(await byId('raptor-connection'));
    await user.click(await screen.findByRole('option', { name: /Hero SFTP Connection/ }));
    expect(screen.getByText(/Also used by Hero/)).toBeTruthy();
    await user.click(await byId('test-raptor'));
    await stages('raptor-stages', true);
    await user.click(await byId('step-hero'));
    expect((await byId('connection-hero')).textContent).toContain('used by Hero and Raptor');
  });
});
