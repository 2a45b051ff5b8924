import { screen, waitFor } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';

describe('schedule and notifications', () => {
  /** What the set-up says of an exchange, once it was saved and read again. */
  async function words(job: string) {
    return (await byId(`schedule-${job}-words`)).textContent;
  }

  test('what is entered about an exchange is kept', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    expect(await words('hero-students')).toBe('Monday to Friday at 3:05 AM');
    await user.click(await byId('schedule-hero-students-day-F'));
    const time = await byId('schedule-hero-students-time');
    await user.clear(time);
    await user.type(time, '16:45');
    await user.click(await byId('schedule-hero-students-session'));
    await user.click(await byId('schedule-hero-teachers-on'));
    await user.click(await byId('schedule-hero-schedule-kind-every'));
    await user.click(await byId('summer-send_pre_registered'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('step-schedule'));
    expect(await words('hero-students')).toBe('Monday to Thursday at 4:45 PM, when school is in session');
    expect(await words('hero-teachers')).toBe('Only when you run it');
    expect(await words('hero-schedule')).toBe('Every hour');
    expect(await byId('summer-send_pre_registered')).toHaveProperty('checked', true);
    // Finishing the set-up leaves the schedules alone.
    await user.click(await byId('finish-setup'));
    expect((await byId('times-hero-students')).textContent).toContain('Monday to Thursday at 4:45 PM');
    expect((await byId('times-hero-teachers')).textContent).toBe('Only when you run it');
  });

  test('a step with a time that is none is not left', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    await user.clear(await byId('schedule-hero-students-time'));
    await user.click(await byId('step-hero'));
    expect(await byId('schedule-hero-students-words')).toHaveProperty('textContent', 'Not complete');
    expect(screen.queryByTestId('field-hero-host')).toBeNull();
  });

  test('the mail server is saved before a test mail is sent, with its password in the keychain', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.click(await byId('mail-security-tls'));
    expect(await byId('field-mail-port')).toHaveProperty('value', '465');
    await user.type(await byId('field-mail-username'), 'office');
    await user.type(await byId('field-mail-password'), 'a password');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.click(await byId('test-mail'));
    // Nobody to send it to.
    expect(screen.getByText('Mail needs somebody to go to.')).toBeTruthy();
    await user.type(await byId('field-mail-to'), 'a@northfield.org, b@northfield.org');
    await user.click(await byId('test-mail'));
    await waitFor(async () => expect((await byId('mail-stages')).dataset.passed).toBe('true'));
    expect(await byId('field-mail-password-stored')).toBeTruthy();
    expect(screen.getByText('To 2 addresses.')).toBeTruthy();
  });

  test('a test mail that fails says why', async () => {
    const user = open('scene=home&own&fail=mail');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.type(await byId('field-mail-to'), 'a@northfield.org');
    await user.click(await byId('test-mail'));
    expect((await byId('error-code')).textContent).toBe('mail.refused');
  });

  test('starting at login is off until it is wanted, and a refusal puts the switch back', async () => {
    const user = open('scene=home&own&login');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    const change = await byId('start-at-login');
    expect(change.getAttribute('aria-checked')).toBe('false');
    await user.click(change);
    expect((await byId('error-code')).textContent).toBe('window.start_at_login');
    expect((await byId('start-at-login')).getAttribute('aria-checked')).toBe('false');
  });
});
