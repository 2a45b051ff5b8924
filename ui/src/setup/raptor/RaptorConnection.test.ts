import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../../test-window';

describe('the server that files are exchanged over', () => {
  test('shows the host key that was accepted for it, and for no other', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-buildings'));
    await user.click(await byId('raptor-way-sftp'));
    await user.type(await byId('field-raptor-host'), 'sftp.northfield.org');
    await user.type(await byId('field-raptor-username'), 'raptor');
    await user.type(await byId('field-raptor-password'), 'a password');
    await user.type(await byId('field-raptor-confirm'), 'a password');
    await user.click(await byId('test-raptor'));
    await user.click(await byId('accept-host-key'));
    await waitFor(async () => expect((await byId('raptor-stages')).dataset.passed).toBe('true'));
    expect(screen.queryByTestId('accepted-host-key')).toBeNull();

    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    expect((await byId('accepted-host-key')).textContent).toMatch(/since .*: *ssh-ed25519 SHA256:/);
    await user.type(await byId('field-raptor-host'), '.example');
    expect(screen.queryByTestId('accepted-host-key')).toBeNull();
  });

  test('says why its lists could not be read, and the schools can be matched all the same', async () => {
    const user = open('scene=practice&fail=lists');
    await user.click(await byId('step-buildings'));
    expect((await byId('error-code')).textContent).toBe('sftp.unreachable');
    expect(screen.getByText('Raptor’s lists could not be read')).toBeTruthy();
    await byId('building-school-0');
  });
});
