import { render, screen, waitFor, within } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { beforeEach, describe, expect, test } from 'vitest';
import App from './App.svelte';
import { notices, saved } from './backend/fixture';

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
    await user.click(await byId('step-next'));
    await byId('schedule-hero-students');
    await user.click(await byId('finish-setup'));

    await user.click(await byId('run-now'));
    expect((await byId('run-outcome')).dataset.outcome).toBe('succeeded_with_held_rows');
    expect((await byId('job-hero-students-written')).dataset.value).toBe('586');
    expect((await byId('held-count')).textContent).toBe('6');
  });

  test('the host key is asked for when it was never accepted, and set-up does not end on a refusal', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    const question = await byId('host-key-question');
    await user.click(within(question).getByText('Cancel'));
    expect(screen.queryByTestId('run-now')).toBeNull();
  });
});

describe('set-up', () => {
  test('a district that exchanges nothing with Hero ends its set-up without a host key', async () => {
    const user = open('scene=practice');
    await user.click(await byId('section-exchanges'));
    for (const job of ['hero-students', 'hero-schedule', 'hero-teachers', 'hero-attendance']) {
      await user.click(await byId(`exchange-${job}`));
    }
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    await byId('run-now');
    expect(screen.queryByTestId('host-key-question')).toBeNull();

    // What was chosen is kept, and only that runs.
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-powerschool'));
    await user.click(await byId('section-exchanges'));
    expect((await byId('exchange-hero-students')).getAttribute('aria-checked')).toBe('false');
    expect((await byId('exchange-raptor-roster')).getAttribute('aria-checked')).toBe('true');
  });

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

describe('the integration with Raptor', () => {
  /** A new district at its buildings, once their names were read. */
  async function buildings(query = '') {
    const user = open(`scene=new&own${query}`);
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-buildings'));
    await byId('use-suggestions');
    return user;
  }

  type User = Awaited<ReturnType<typeof buildings>>;

  async function map(user: User) {
    for (const name of ['client', 'plugin', 'credentials']) await user.click(await byId(`prerequisite-${name}`));
    await user.type(await byId('field-raptor-folder'), '/srv/raptor');
    await user.click(await byId('use-suggestions'));
  }

  const checked = async (id: string) => (await byId(id)).getAttribute('aria-checked') ?? String((await byId(id) as HTMLInputElement).checked);

  test('is submitted, confirmed and switched on, and only then', async () => {
    const user = await buildings();
    expect(await checked('raptor-enabled-no')).toBe('true');
    expect(screen.queryByTestId('raptor-submit')).toBeNull();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    expect((await byId('integration-status')).textContent).toBe('Disabled');
    // What is said is kept from step to step, and switches nothing on.
    await user.click(await byId('step-tardies'));
    await user.click(await byId('step-buildings'));
    expect(await checked('raptor-enabled-yes')).toBe('true');
    expect((await byId('integration-status')).textContent).toBe('Disabled');

    await user.click(await byId('raptor-submit'));
    const dialog = await byId('confirmation');
    expect(dialog.textContent).toMatch(/Your synchronization request will be processed at 4:00 PM C[SD]T/);
    expect(dialog.textContent).toContain('5 buildings for 5 schools');
    expect(dialog.textContent).toContain('Not taken in');
    await user.click(await byId('confirmation-back'));
    expect((await byId('integration-status')).textContent).toBe('Disabled');
    await user.click(await byId('raptor-submit'));
    await user.click(await byId('confirmation-confirm'));
    expect((await byId('raptor-confirmed')).textContent).toMatch(/^Pending Initialization Your synchronization request/);
    expect((await byId('integration-status')).textContent).toBe('Pending Initialization');
  });

  test('what keeps it from being confirmed is told, with the way there', async () => {
    const user = await buildings();
    await user.click(await byId('raptor-enabled-yes'));
    await user.click(await byId('raptor-submit'));
    const obstacles = await byId('confirmation-obstacles');
    expect(obstacles.textContent).toContain('raptor.prerequisites');
    expect(await byId('confirmation-confirm')).toHaveProperty('disabled', true);
    await user.click(within(obstacles).getByText('See what is open'));
    await waitFor(() => expect(document.activeElement?.id).toBe('prerequisites'));
    await waitFor(() => expect(screen.queryByTestId('confirmation')).toBeNull());
  });

  test('a Yes that was never submitted is asked about at the end', async () => {
    const user = await buildings();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    await user.click(await byId('step-powerschool'));
    for (const job of ['hero-students', 'hero-schedule', 'hero-teachers', 'hero-attendance']) {
      await user.click(await byId(`exchange-${job}`));
    }
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    await user.click(await byId('confirmation-back'));
    expect(screen.queryByTestId('run-now')).toBeNull();
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    await user.click(await byId('confirmation-confirm'));
    await byId('run-now');
    expect((await byId('status-raptor')).textContent).toBe('Pending Initialization');
  });

  test('is switched off only after a question', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('raptor-enabled-no'));
    await user.click(await byId('disable-keep'));
    await waitFor(async () => expect(await checked('raptor-enabled-yes')).toBe('true'));
    await user.click(await byId('raptor-enabled-no'));
    await user.click(await byId('disable-confirm'));
    await waitFor(async () => expect((await byId('integration-status')).textContent).toBe('Disabled'));
    expect(await checked('raptor-enabled-no')).toBe('true');
    expect(screen.queryByTestId('raptor-submit')).toBeNull();
  });

  test('how a school records attendance is suggested and never assumed', async () => {
    const user = await buildings();
    await user.click(await byId('use-suggestions'));
    const methods = (row: number) => ['daily', 'meeting', 'both'].map((method) => screen.getByTestId(`building-method-${row}-${method}`).getAttribute('aria-checked'));
    expect(methods(3)).toEqual(['false', 'false', 'false']);
    await user.click(await byId('building-preset-3'));
    expect(methods(3)).toEqual(['false', 'false', 'true']);
    expect((await byId('building-row-3')).textContent).toContain('Bridge period HR');
    await user.click(await byId('building-more-3'));
    await user.click(await byId('building-between-3-next_meeting'));
    await user.click(await byId('use-presets'));
    expect(methods(0)).toEqual(['true', 'false', 'false']);
    expect(screen.queryByTestId('use-presets')).toBeNull();
    await user.click(await byId('step-tardies'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('building-more-3'));
    expect(await byId('building-between-3-next_meeting')).toHaveProperty('checked', true);
  });

  test('buildings are typed and pasted, and none is added twice', async () => {
    const user = await buildings();
    await user.type(await byId('field-building'), ' juniper es ');
    await user.click(await byId('building-add'));
    expect(screen.queryByTestId('building-row-6')).toBeNull();
    await user.click(await byId('buildings-several'));
    await user.click(await byId('field-names'));
    await user.paste('Building\nJuniper ES\nNorth Annex\nSouth Annex\n');
    await waitFor(async () => expect((await byId('names-found')).textContent).toBe('2 new, 1 already in the table'));
    await user.click(await byId('names-add'));
    expect((await byId('building-row-7')).textContent).toContain('South Annex');
    await user.click(await byId('building-remove-7'));
    expect(screen.queryByTestId('building-row-7')).toBeNull();
  });

  test('a list is read from a file', async () => {
    const user = await buildings();
    await user.click(await byId('buildings-several'));
    await user.upload(await byId('names-file'), new File(['Name\r\nEast Annex\r\n'], 'buildings.csv', { type: 'text/csv' }));
    await waitFor(async () => expect((await byId('names-add')).textContent?.trim()).toBe('Add 1 building'));
  });

  test('of many buildings those are found that need a hand', async () => {
    const user = await buildings('&schools=120');
    expect(screen.queryByTestId('building-row-50')).toBeNull();
    await user.click(await byId('buildings-further'));
    await byId('building-row-50');
    await user.click(await byId('use-suggestions'));
    await user.click(await byId('building-show-no_school'));
    expect(within(await byId('buildings')).getAllByRole('row')).toHaveLength(1 + 13);
    await user.type(await byId('building-search'), 'academy ivy');
    expect(within(await byId('buildings')).getAllByRole('row')).toHaveLength(1 + 1);
    await user.keyboard('{ArrowDown}');
    expect(document.activeElement?.getAttribute('data-testid')).toMatch(/^building-school-/);
  });

  test('schools without a building are listed, and made one', async () => {
    const user = await buildings();
    await user.click(await byId('use-suggestions'));
    expect(screen.queryByTestId('left-out')).toBeNull();
    await user.click(await byId('building-remove-4'));
    expect((await byId('left-out')).textContent).toContain('1 school without a building');
    await user.click(await byId('left-out-add-310'));
    expect(await byId('building-school-5')).toHaveProperty('value', 'St. Brendan Academy');
  });

  test('changes on either side are told until they are answered', async () => {
    const user = open('scene=practice&changes');
    await user.click(await byId('step-buildings'));
    const told = await byId('mapping-changes');
    expect(within(told).getAllByRole('listitem')).toHaveLength(3);
    await user.click(await byId('change-take'));
    await user.click(await byId('change-again'));
    await user.click(await byId('change-remove'));
    expect(screen.queryByTestId('mapping-changes')).toBeNull();
    expect(await byId('building-school-1')).toHaveProperty('value', '');
    // The answers are saved.
    await user.click(await byId('step-tardies'));
    expect((await byId('tardy-change-0')).textContent).toContain('No mapped school has this code');
    await user.click(await byId('step-buildings'));
    await byId('building-row-1');
    expect(screen.queryByTestId('mapping-changes')).toBeNull();
  });

  test('those who are notified are added one by one, and checked', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    const field = await byId('field-notify');
    await user.type(field, 'office{Enter}');
    expect(screen.getByText('“office” is no mail address.')).toBeTruthy();
    await user.type(field, '@northfield.org{Enter}');
    await user.type(field, 'OFFICE@northfield.org{Enter}');
    expect(screen.getByText('OFFICE@northfield.org is in the list.')).toBeTruthy();
    await user.clear(field);
    // What is only typed is taken along.
    await user.type(field, 'help@northfield.org');
    await user.click(await byId('step-tardies'));
    await user.click(await byId('step-buildings'));
    expect(within(await byId('notified')).getAllByRole('listitem').map((item) => item.textContent?.trim())).toEqual([
      'office@northfield.org',
      'help@northfield.org',
    ]);
  });

  test('a test mail goes to those who are notified', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    await user.type(await byId('field-notify'), 'a@northfield.org, b@northfield.org{Enter}');
    await user.click(await byId('notify-mail-server'));
    await user.type(await byId('field-mail-host'), 'smtp.northfield.org');
    await user.type(await byId('field-mail-from'), 'office@northfield.org');
    await user.type(await byId('field-mail-to'), 'help@northfield.org');
    await user.click(await byId('step-buildings'));
    await user.click(await byId('notify-test'));
    await waitFor(async () => expect((await byId('notify-stages')).dataset.passed).toBe('true'));
    expect(screen.getByText('To 2 addresses.')).toBeTruthy();
    await user.click(screen.getByLabelText('Remove a@northfield.org'));
    await user.click(await byId('notify-test'));
    await waitFor(() => expect(screen.getByText('To 1 address.')).toBeTruthy());
  });

  test('two buildings may go to one school, and both say so', async () => {
    const user = await buildings();
    await user.click(await byId('use-suggestions'));
    await user.type(await byId('building-school-5'), 'school juniper');
    await user.click(await screen.findByRole('option', { name: /Juniper Elementary School/ }));
    expect((await byId('building-shared-5')).textContent).toBe('Juniper ES goes to this school, too.');
    expect((await byId('building-shared-1')).textContent).toBe('District Office goes to this school, too.');
  });

  test('the window is a setting, and the roster follows it', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('window-show'));
    await user.clear(await byId('window-opens'));
    await user.click(await byId('step-schedule'));
    expect(screen.queryByTestId('schedule-raptor-roster')).toBeNull();
    await user.type(await byId('window-opens'), '5:30 pm');
    await user.clear(await byId('window-follow'));
    await user.type(await byId('window-follow'), '15');
    await user.click(await byId('step-schedule'));
    expect((await byId('schedule-raptor-roster-words')).textContent).toContain('Every day at 5:30 PM Central time, for 2 hours; then every 15 minutes');
    await user.click(await byId('schedule-raptor-roster-change'));
    await waitFor(() => expect(document.activeElement?.id).toBe('enable'));
  });

  test('without Student Tardy there is no table, and it can be submitted', async () => {
    const user = await buildings();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    await user.click(await byId('step-tardies'));
    expect(await checked('student-tardy-no')).toBe('true');
    expect(screen.queryByTestId('tardy-new')).toBeNull();
    await user.click(await byId('student-tardy-yes'));
    await byId('tardy-new');
    await user.click(await byId('student-tardy-no'));
    await user.click(await byId('raptor-submit'));
    expect((await byId('confirmation')).textContent).toContain('Not taken in');
  });

  test('a reason is mapped once', async () => {
    const user = await buildings();
    await user.click(await byId('step-tardies'));
    await user.click(await byId('student-tardy-yes'));
    await user.click(await screen.findByText('Car trouble'));
    expect(await byId('tardy-reason')).toHaveProperty('value', 'Car trouble');
    await user.click(await byId('tardy-update'));
    expect(screen.getByText(/Choose both/)).toBeTruthy();
    await user.type(await byId('tardy-code'), 'TX');
    await user.click(await screen.findByRole('option', { name: /TX/ }));
    await user.click(await byId('tardy-update'));
    expect((await byId('tardy-missing-0')).textContent).toContain('Apple Grove Elementary School and Juniper Elementary School');
    await user.click(await byId('tardy-new'));
    await user.type(await byId('tardy-reason'), 'car  TROUBLE{Tab}');
    await user.type(await byId('tardy-code'), 'TE');
    await user.click(await screen.findByRole('option', { name: /TE/ }));
    await user.click(await byId('tardy-update'));
    expect(screen.getByText(/already has a row/)).toBeTruthy();
    await user.click(await byId('before-first-bell-hold'));
    // A row that can't stand keeps the step.
    await user.click(await byId('step-buildings'));
    await user.click(screen.getByText('Cancel'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('step-tardies'));
    expect(await byId('before-first-bell-hold')).toHaveProperty('checked', true);
    expect((await byId('tardy-row-0')).textContent).toContain('Car trouble');
  });

  test('without PowerSchool what is mapped is kept', async () => {
    const user = open('scene=home&own&fail=choices');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-buildings'));
    expect((await byId('error-code')).textContent).toBe('powerschool.unreachable');
    expect(await byId('building-school-0')).toHaveProperty('value', 'Apple Grove Elementary School');
    await user.click(await byId('step-tardies'));
    await byId('tardy-row-0');
  });
});

describe('PowerSchool', () => {
  const stage = (name: string) => document.querySelector<HTMLElement>(`[data-testid=powerschool-stages] [data-stage="${name}"]`);

  test('what is exchanged decides what the plugin asks for', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    expect((await byId('plugin-asks')).textContent).toContain('98 fields in 12 tables and to write attendance');
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
    window.history.replaceState(null, '', '/?scene=practice&pace=30');
    render(App);
    const user = userEvent.setup();
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

  test('a dry run shows the first rows of what it would write', async () => {
    const user = open('scene=quiet');
    await user.click(await byId('dry-run'));
    await byId('run-outcome');
    const shown = await screen.findAllByTestId('planned-rows');
    expect(shown.map((rows) => rows.querySelector('summary')?.textContent)).toEqual([
      'imports/STUDENT.TXT: the first 5 rows',
      'Attendance: the first 1 row',
    ]);
    const texts = (table: Element | undefined, cells: string) =>
      [...(table?.querySelectorAll(cells) ?? [])].map((cell) => cell.textContent);
    expect(texts(shown[0], 'th')).toEqual(['Student_Number', 'First_Name', 'Last_Name', 'Grade_Level']);
    expect(texts(shown[0], 'tr:first-child td')).toEqual(['10401', 'First 1', 'Last 1', '4']);
    expect(texts(shown[1], 'td')).toEqual(['10422', '100', '2026-11-20', 'T', '']);
  });

  test('a real run shows no rows', async () => {
    const user = open('scene=quiet');
    await user.click(await byId('run-now'));
    await byId('run-outcome');
    expect(screen.queryByTestId('planned-rows')).toBeNull();
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

describe('schedule and notifications', () => {
  /** What the set-up says of an exchange, once it was saved and read again. */
  async function words(job: string) {
    return (await byId(`schedule-${job}-words`)).textContent;
  }

  test('what is entered about an exchange is kept', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    expect(await words('hero-students')).toBe('Monday to Friday at 3:10 AM');
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

  test('runs are paused until a date and resumed', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('pause-open'));
    await user.click(await byId('pause-date'));
    await user.type(await byId('field-pause-date'), 'soon');
    await user.click(await byId('pause-confirm'));
    expect(screen.getByText(/A date to come/)).toBeTruthy();
    await user.clear(await byId('field-pause-date'));
    await user.type(await byId('field-pause-date'), '1/15/2999');
    await user.click(await byId('pause-confirm'));
    expect((await byId('paused')).textContent).toContain('until Tue, Jan 15, 2999');
    expect(screen.queryByTestId('pause-open')).toBeNull();
    await user.click(await byId('resume'));
    await byId('pause-open');
    expect(screen.queryByTestId('paused')).toBeNull();
  });

  test('a pause without an end plans no run', async () => {
    const user = open('scene=home&own');
    expect((await byId('next-raptor')).textContent).toMatch(/^Next run /);
    await user.click(await byId('pause-open'));
    await user.click(await byId('pause-resumed'));
    await user.click(await byId('pause-confirm'));
    await byId('paused');
    expect((await byId('next-raptor')).textContent).toBe('Paused');
  });

  test('mail that does not go out is told where it can be put right', async () => {
    const user = open('scene=home&own&mail');
    expect((await byId('mail-problem')).textContent).toContain('mail.refused');
    await user.click(await byId('open-mail-settings'));
    expect(await byId('field-mail-host')).toBeTruthy();
  });

  test('a run of the schedule is followed, and leaves its entry in the history', async () => {
    open('scene=home&own&schedule=10');
    await waitFor(() => expect(screen.getByText('This run was not started in this window.')).toBeTruthy());
    await waitFor(() => expect(screen.queryByText('This run was not started in this window.')).toBeNull());
    const runs = await byId('recent-runs');
    await waitFor(() => expect(within(runs).getAllByRole('button')[0]?.textContent).toContain('Scheduled run of 1 exchange'));
  });
});
