import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { saved } from '../../backend/fixture';
import { byId, open, type User } from '../../test-window';

async function heroStep(query: string): Promise<User> {
  const user = open(query);
  await user.click(await byId('step-hero'));
  await byId('hero-job-hero-students');
  return user;
}

const names = async (id: string) => [...(await byId(id)).querySelectorAll('.name')].map((name) => name.textContent);
const pressed = async (id: string) => (await byId(id)).getAttribute('aria-checked') ?? (await byId(id)).dataset.state;

describe('who carries an exchange out', () => {
  test('RosterBridge takes over only once ‘Turn Execution Off’ is confirmed', async () => {
    const user = await heroStep('scene=practice&sends=powerschool');
    await user.click(await byId('hero-schedule-owner-roster_bridge'));
    const confirm = await byId('hand-over-do');
    expect(confirm.hasAttribute('disabled')).toBe(true);
    await user.clear(await byId('hand-over-record'));
    await user.type(await byId('hand-over-record'), 'Classes to Hero');
    await user.click(await byId('hand-over-confirm'));
    expect(screen.getByText('‘Turn Execution Off’ is ticked on ‘Classes to Hero’')).toBeTruthy();
    await user.click(confirm);
    await waitFor(() => expect(screen.queryByTestId('hand-over-do')).toBeNull());
    expect(await pressed('hero-schedule-owner-roster_bridge')).toBe('true');
    expect(await pressed('hero-students-owner-power_school')).toBe('true');
  });

  test('a cancelled question changes nothing', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-teachers-owner-power_school'));
    await byId('hand-over-do');
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    await waitFor(() => expect(screen.queryByTestId('hand-over-do')).toBeNull());
    expect(await pressed('hero-teachers-owner-roster_bridge')).toBe('true');
  });

  test('what is given to PowerSchool says so on Home', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-attendance-owner-power_school'));
    await user.click(await byId('hand-over-do'));
    await waitFor(() => expect(screen.queryByTestId('hand-over-do')).toBeNull());
    await user.click(await byId('setup-close'));
    expect((await byId('row-hero-attendance')).textContent).toContain('Imported by PowerSchool');
    expect((await byId('watch-hero-attendance')).textContent).toContain('Waited for');
  });
});

describe('the form of an export', () => {
  test('fields are moved by their buttons, and Hero’s list comes back', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    await user.click(await byId('hero-students-fields-down-0'));
    expect((await names('hero-students-fields')).slice(0, 2)).toEqual(['First_Name', 'Student_Number']);
    await user.click(await byId('hero-students-fields-remove-1'));
    expect(await names('hero-students-fields')).toHaveLength(11);
    expect((await byId('hero-students-words')).textContent).toContain('own fields');
    await user.type(await byId('hero-students-fields-add'), 'Enroll_Status');
    await user.keyboard('{Escape}');
    expect((await names('hero-students-fields')).at(-1)).toBe('Enroll_Status');
    await user.click(await byId('hero-students-fields-usual'));
    expect((await names('hero-students-fields'))[0]).toBe('Student_Number');
    expect((await byId('hero-students-words')).textContent).not.toContain('own fields');
  });

  test('a field that does not exist is told as it is typed', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    await user.click(await byId('hero-students-fields-text-toggle'));
    const text = await byId('hero-students-fields-text');
    await user.clear(text);
    await user.type(text, 'Student_Number{Enter}First_Nam');
    expect((await byId('hero-students-fields-problems')).textContent).toContain('First_Nam');
    expect(await byId('hero-students-preview-none')).toBeTruthy();
  });

  test('the name with the day is shown, and a wrong one keeps the step', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-teachers-change'));
    const path = await byId('hero-teachers-path');
    await user.clear(path);
    await user.type(path, 'imports/T_%Y%m%d.TXT');
    expect(screen.getByText('Today: imports/T_20261120.TXT')).toBeTruthy();
    await user.type(path, ' 2');
    await user.click(await byId('step-next'));
    expect(await byId('hero-teachers-path')).toBeTruthy();
    expect(screen.getByText(/No spaces/)).toBeTruthy();
  });

  test('what is entered is saved with the step', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    const time = await byId('hero-students-time');
    await user.clear(time);
    await user.type(time, '2:47 am');
    await user.click(await byId('hero-students-day-S'));
    await user.type(await byId('hero-students-email'), 'office@example.org, help@example.org');
    await user.click(await byId('hero-students-to-folder'));
    await user.click(await byId('hero-students-choose-folder'));
    await user.click(await byId('step-next'));
    expect((await byId('schedule-hero-students-words')).textContent).toContain('Monday to Saturday at 2:47 AM');
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-students-change'));
    expect((await byId('hero-students-email') as HTMLInputElement).value).toBe('office@example.org, help@example.org');
    expect((await byId('hero-students-folder') as HTMLInputElement).value).toBe('/home/office/hero');
  });

  test('rows to look at are listed and saved as CSV', async () => {
    const user = await heroStep('scene=practice');
    saved.length = 0;
    await user.click(await byId('hero-students-change'));
    await user.click(await byId('hero-students-problems'));
    expect(within(await byId('hero-students-problems-table')).getAllByRole('row')).toHaveLength(4);
    await user.click(await byId('hero-students-problems-csv'));
    await waitFor(() => expect(saved).toHaveLength(1));
    expect(saved[0]?.name).toBe('hero-students-problems.csv');
    expect(saved[0]?.content).toHaveProperty('text', expect.stringMatching(/^row,number,field,kind,message\r\n17,100201,Grade_Level/));
  });

  test('‘Turn Execution Off’ stays as it is when the set-up is opened and left again', async () => {
    const user = open('scene=home');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-teachers-change'));
    await user.click(await byId('hero-teachers-off'));
    await user.click(await byId('setup-close'));
    expect((await byId('row-hero-teachers')).textContent).toContain('Off');
    await user.click(await byId('open-setup'));
    await user.click(await byId('setup-close'));
    expect((await byId('row-hero-teachers')).textContent).toContain('Off');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('hero-teachers-change'));
    await user.click(await byId('hero-teachers-off'));
    await user.click(await byId('setup-close'));
    expect((await byId('row-hero-teachers')).textContent).not.toContain('Off');
  });
});

test('the import’s fields can be put in another order, none can be left out', async () => {
  const user = await heroStep('scene=practice');
  await user.click(await byId('hero-attendance-change'));
  await user.click(await byId('hero-attendance-fields-up-1'));
  expect((await names('hero-attendance-fields')).slice(0, 2)).toEqual(['Student_Number', 'SchoolID']);
  expect(screen.queryByTestId('hero-attendance-fields-remove-0')).toBeNull();
  expect((await byId('hero-attendance-words')).textContent).toContain('own order of fields');
});

describe('accounts', () => {
  test('a school in two accounts keeps the step', async () => {
    const user = await heroStep('scene=practice&accounts');
    await user.click(await byId('account-2'));
    await user.click(await byId('account-schools-add'));
    await user.type(await byId('account-schools-add'), '110');
    await user.keyboard('{Escape}');
    await user.click(await byId('step-next'));
    expect((await byId('account-shared')).textContent).toContain('110');
  });

  test('‘Only these’ without a school does not become ‘every school’', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('account-schools-some'));
    await user.click(await byId('step-next'));
    expect(screen.getByText('Choose at least one school.')).toBeTruthy();
    await user.click(await byId('account-schools-all'));
    await user.click(await byId('step-next'));
    expect(await byId('schedule-hero-students')).toBeTruthy();
  });

  test('a new account has its own exchanges and can be removed', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('account-add'));
    expect(await byId('hero-job-hero-students-2')).toBeTruthy();
    // Two that take every school can't be saved.
    await user.click(await byId('step-next'));
    expect(await byId('account-shared')).toBeTruthy();
    await user.click(await byId('account-2'));
    await user.click(await byId('account-remove'));
    await user.click(await byId('account-remove-do'));
    await waitFor(() => expect(screen.queryByTestId('hero-job-hero-students-2')).toBeNull());
    await user.click(await byId('step-next'));
    expect(await byId('schedule-hero-students')).toBeTruthy();
  });

  test('an unreadable time of Hero keeps the step, whichever account is shown', async () => {
    const user = await heroStep('scene=practice&accounts');
    await user.type(await byId('hero-imports-at'), 'soon');
    await user.click(await byId('account-2'));
    await user.click(await byId('step-next'));
    expect(((await byId('hero-imports-at')) as HTMLInputElement).value).toContain('soon');
    expect(screen.getByText('A time such as 3:10 AM or 15:10.')).toBeTruthy();
  });

  test('a new account does not begin with what was entered for one that was removed', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('account-add'));
    await user.click(await byId('hero-students-2-change'));
    await user.clear(await byId('hero-students-2-time'));
    await user.type(await byId('hero-students-2-time'), '1:23 am');
    await user.click(await byId('account-schools-some'));
    await user.click(await byId('account-remove'));
    await user.click(await byId('account-remove-do'));
    await waitFor(() => expect(screen.queryByTestId('hero-job-hero-students-2')).toBeNull());
    await user.click(await byId('account-add'));
    expect(((await byId('account-schools-all')) as HTMLInputElement).checked).toBe(true);
    await user.click(await byId('hero-students-2-change'));
    expect(((await byId('hero-students-2-time')) as HTMLInputElement).value).toBe('3:10 AM');
  });

  test('Home and the schedule name the account of each exchange', async () => {
    const user = open('scene=home&accounts');
    expect(within(await byId('card-hero')).getByText('Harborview')).toBeTruthy();
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-schedule'));
    expect((await byId('schedule-hero-students-2')).textContent).toContain('Student demographics · Harborview');
  });
});

describe('the pages for PowerSchool', () => {
  test('ticks are kept, and the field list is copied one field a line', async () => {
    const user = await heroStep('scene=practice&sends=powerschool');
    const copied = vi.spyOn(navigator.clipboard, 'writeText');
    await user.click(await byId('sheet-open'));
    await user.click(await byId('screen-teachers'));
    await user.click(await byId('copy-teachers.fields'));
    expect(copied).toHaveBeenCalledWith('Schoolid\n[05]last_name\n[05]first_name\nteachernumber\nemail_addr\nteachernumber\nstatus');
    await user.click(await byId('tick-teachers.fields'));
    await waitFor(async () => expect(await pressed('tick-teachers.fields')).toBe('true'));
    await user.keyboard('{Escape}');
    await user.click(await byId('step-next'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('sheet-open'));
    await user.click(await byId('screen-teachers'));
    expect(await pressed('tick-teachers.fields')).toBe('true');
  });

  test('every screen is on the paper', async () => {
    const print = vi.fn();
    vi.stubGlobal('print', print);
    const user = await heroStep('scene=practice&sends=powerschool');
    await user.click(await byId('sheet-open'));
    await user.click(await byId('sheet-print'));
    await waitFor(() => expect(print).toHaveBeenCalledOnce());
    expect((await byId('printed-sheet')).querySelectorAll('section')).toHaveLength(6);
    vi.unstubAllGlobals();
  });
});

test('the order of the day warns of what comes too late', async () => {
  const user = await heroStep('scene=practice');
  await user.type(await byId('hero-imports-at'), '3 am');
  await user.type(await byId('hero-exports-at'), '3:30 pm');
  await user.click(await byId('day-look'));
  expect(await screen.findAllByTestId('day-warning-export_after_hero')).toHaveLength(3);
  expect((await byId('day')).textContent).toContain('Hero writes its attendance export');
});

test('another sender is told on Home with what to switch off', async () => {
  open('scene=home&other-sender');
  expect((await byId('home-headline')).textContent).toBe('Two send the same');
  expect((await byId('other-sender')).textContent).toContain('Turn Execution Off');
});

test('what PowerSchool sent is looked at from outside', async () => {
  const user = await heroStep('scene=practice&sends=powerschool');
  await user.click(await byId('files-look'));
  expect((await byId('watched-hero-schedule')).textContent).toContain('where Hero does not look');
  expect((await byId('remote-files')).textContent).toContain('Left alone');
});
