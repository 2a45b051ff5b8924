import { render, screen, waitFor, within } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { beforeEach, describe, expect, test } from 'vitest';
import App from './App.svelte';

/** The whole window on the sample data; `query` as in the fixture's description. */
function open(query: string) {
  window.history.replaceState(null, '', `/?${query}&pace=0`);
  render(App);
  return userEvent.setup();
}

const byId = (id: string) => screen.findByTestId(id);

beforeEach(() => localStorage.clear());

describe('from Welcome to a finished run', () => {
  test('on the practice district', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-practice'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://127.0.0.1:43017');
    expect(await byId('field-client-secret-stored')).toBeTruthy();

    await user.click(await byId('test-powerschool'));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
    await user.click(await byId('step-next'));
    await byId('building-row-0');
    await user.click(await byId('step-next'));
    await byId('tardy-row-0');
    await user.click(await byId('step-next'));

    await user.click(await byId('test-hero'));
    expect((await byId('host-key-sha256')).textContent).toContain('SHA256:');
    await user.click(await byId('accept-host-key'));
    await waitFor(async () => expect((await byId('hero-stages')).dataset.passed).toBe('true'));
    await user.click(await byId('finish-setup'));

    await user.click(await byId('run-now'));
    expect((await byId('run-outcome')).dataset.outcome).toBe('succeeded_with_held_rows');
    expect((await byId('job-hero-students-written')).dataset.value).toBe('586');
    expect((await byId('held-count')).textContent).toBe('6');
  });

  test('the host key is asked for when it was never accepted, and set-up does not end on a refusal', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-hero'));
    await user.click(await byId('finish-setup'));
    const question = await byId('host-key-question');
    await user.click(within(question).getByText('Cancel'));
    expect(screen.queryByTestId('run-now')).toBeNull();
  });
});

describe('set-up', () => {
  test('a changed host key stops everything and offers no way past it', async () => {
    const user = open('scene=practice&changed-key');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('test-hero'));
    const stop = await byId('host-key-changed');
    expect(within(stop).queryAllByRole('button')).toEqual([]);
    expect(stop.textContent?.match(/SHA256:/g)).toHaveLength(2);
    expect(screen.queryByTestId('accept-host-key')).toBeNull();
  });

  test('a failed stage shows its reason, its remedy and its code', async () => {
    const user = open('scene=practice&fail=test');
    await user.click(await byId('test-powerschool'));
    expect((await byId('error-code')).textContent).toBe('powerschool.bad_credentials');
    expect(screen.getByText(/check that the plugin is enabled/)).toBeTruthy();
  });

  test('a new district is typed in, saved as one goes, and found again', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.type(await byId('field-url'), 'https://ps.northfield.k12.us');
    await user.type(await byId('field-client-id'), '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us');
    expect(await byId('field-client-secret-stored')).toBeTruthy();
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

  test('a tardy code is edited and deleted', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-tardies'));
    const row = await byId('tardy-row-0');
    await user.click(within(row).getByLabelText('Edit Overslept'));
    await user.click(within(await byId('tardy-row-0')).getByRole('checkbox'));
    await user.click(await byId('tardy-update'));
    expect((await byId('tardy-row-0')).textContent).toContain('Inactive');
    await user.click(within(await byId('tardy-row-3')).getByLabelText('Delete Traffic'));
    expect(screen.queryByTestId('tardy-row-3')).toBeNull();
  });

  test('suggested schools are used only after a click', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-buildings'));
    expect(await byId('building-school-0')).toHaveProperty('value', '');
    await user.click(await byId('use-suggestions'));
    expect(await byId('building-school-0')).toHaveProperty('value', 'Apple Grove Elementary School');
    expect(await byId('building-school-5')).toHaveProperty('value', '');
  });
});

describe('home', () => {
  test('a run is cancelled', async () => {
    window.history.replaceState(null, '', '/?scene=quiet&pace=30');
    render(App);
    const user = userEvent.setup();
    await user.click(await byId('run-now'));
    await user.click(await byId('cancel-run'));
    expect((await byId('run-outcome')).dataset.outcome).toBe('cancelled');
  });

  test('a dry run changes nothing on the cards', async () => {
    const user = open('scene=quiet');
    await user.click(await byId('dry-run'));
    await byId('run-outcome');
    expect(screen.queryByTestId('job-hero-students-written')).toBeNull();
  });

  test('a run that stops says why, what to do, and where', async () => {
    const user = open('scene=quiet&fail=sync');
    await user.click(await byId('run-now'));
    expect((await byId('run-outcome')).dataset.outcome).toBe('failed');
    expect((await byId('error-code')).textContent).toBe('powerschool.maintenance');
    await user.click(screen.getByText('Open its settings'));
    expect(await byId('field-url')).toBeTruthy();
  });

  test('held rows are listed by reason', async () => {
    const user = open('scene=home');
    await user.click(await byId('show-held'));
    const list = await byId('held-rows');
    expect(within(list).getAllByText(/no active row in the tardy code table/)).toHaveLength(1);
    expect(within(list).getAllByText('Car trouble')).toHaveLength(2);
  });

  test('a file that would lose too many rows waits for a person', async () => {
    const user = open('scene=home&guarded');
    expect((await byId('guarded')).textContent).toContain('it would lose 391 rows');
    await user.click(await byId('guard-accept'));
    await waitFor(() => expect(screen.queryByTestId('guarded')).toBeNull());
  });

  test('a run started elsewhere can be cancelled but not doubled', async () => {
    open('scene=home&elsewhere');
    expect(await byId('cancel-run')).toBeTruthy();
    expect(screen.queryByTestId('run-now')).toBeNull();
  });

  test('the practice district is left for the district of one’s own', async () => {
    const user = open('scene=home');
    await user.click(await byId('leave-practice'));
    expect(await byId('welcome-district')).toBeTruthy();
  });
});
