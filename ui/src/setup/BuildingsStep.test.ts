import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';
import { buildings, checked, map } from './test-buildings';

describe('the integration with Raptor', () => {
  test('suggested schools are used only after a click', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-buildings'));
    expect(await byId('building-school-0')).toHaveProperty('value', '');
    await user.click(await byId('use-suggestions'));
    expect(await byId('building-school-0')).toHaveProperty('value', 'Apple Grove Elementary School');
    expect(await byId('building-school-5')).toHaveProperty('value', '');
  });

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
