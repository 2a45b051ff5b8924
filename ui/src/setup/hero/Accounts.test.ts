import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { Backend } from '../../backend';
import { saved } from '../../backend/fixture';
import type { ExportProblems } from '../../bindings/ExportProblems';
import type { OwnerChange } from '../../bindings/OwnerChange';
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

  test('where only the reading fails it is said to be handed over, and read again when asked', async () => {
    const user = await heroStep('scene=practice&sends=powerschool&fail=reread');
    await user.click(await byId('hero-schedule-owner-roster_bridge'));
    await user.click(await byId('hand-over-confirm'));
    await user.click(await byId('hand-over-do'));
    const told = await screen.findByRole('dialog', { name: 'RosterBridge sends it now' });
    expect(told.textContent).toContain('It was handed over, but this page could not be read again');
    expect(screen.queryByText('Nothing was handed over')).toBeNull();
    expect(screen.queryByTestId('hand-over-do')).toBeNull();
    await user.click(within(told).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(screen.queryByTestId('hand-over-close')).toBeNull());
    expect(await pressed('hero-schedule-owner-roster_bridge')).toBe('true');
  });

  test('what is to be looked at before it runs is told once it is handed over', async () => {
    const handOver = vi.spyOn(Backend.prototype, 'handOver').mockResolvedValueOnce({ warnings: ['It takes in 5 schools.'] } as OwnerChange);
    const user = await heroStep('scene=practice&sends=powerschool');
    await user.click(await byId('hero-students-owner-roster_bridge'));
    await user.click(await byId('hand-over-confirm'));
    await user.click(await byId('hand-over-do'));
    const told = await screen.findByRole('dialog', { name: 'RosterBridge sends it now' });
    expect(told.textContent).toContain('It takes in 5 schools.');
    expect(screen.queryByTestId('hand-over-do')).toBeNull();
    await user.click(await byId('hand-over-close'));
    await waitFor(() => expect(screen.queryByTestId('hand-over-close')).toBeNull());
    handOver.mockRestore();
  });

  test('a refused hand-over says that nothing was handed over', async () => {
    const refused = vi
      .spyOn(Backend.prototype, 'takeBack')
      .mockRejectedValueOnce({ code: 'store.busy', message: 'The records are in use.', remedy: 'Try again.' });
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-teachers-owner-power_school'));
    await user.click(await byId('hand-over-do'));
    expect(await screen.findByText('Nothing was handed over')).toBeTruthy();
    expect(await byId('hand-over-do')).toBeTruthy();
    refused.mockRestore();
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

  test('days are typed or pressed, and both say the same', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    const days = (await byId('hero-students-days')) as HTMLInputElement;
    const pressedDays = () => [...'MTWHFSU'].filter((letter) => screen.getByTestId(`hero-students-day-${letter}`).getAttribute('aria-pressed') === 'true').join('');
    expect([days.value, pressedDays()]).toEqual(['MTWHF', 'MTWHF']);
    await user.clear(days);
    await user.type(days, 'fwm');
    expect(pressedDays()).toBe('MWF');
    await user.tab();
    expect(days.value).toBe('MWF');
    await user.click(await byId('hero-students-day-U'));
    expect(days.value).toBe('MWFU');
    await user.type(days, 'rx');
    expect(screen.getByText(/“R” and “X” are no days/)).toBeTruthy();
    expect(days.getAttribute('aria-invalid')).toBe('true');
    await user.click(await byId('step-next'));
    expect(await byId('hero-students-days')).toBeTruthy();
    await user.clear(days);
    await user.type(days, 'TH');
    await user.click(await byId('step-next'));
    expect((await byId('schedule-hero-students-words')).textContent).toContain('Tuesday and Thursday');
  });

  test('the form’s other fields are kept, and ticks that harm are told', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-teachers-change'));
    const setting = (await byId('hero-teachers-others-attendance')) as HTMLInputElement;
    expect(setting.value).toBe('Send any Attendance modified in last 24 Hours');
    await user.type(await byId('hero-teachers-others-sort'), 'Last_Name');
    await user.click(await byId('hero-attendance-change'));
    expect(screen.queryByTestId('hero-attendance-others-warning')).toBeNull();
    await user.click(await byId('hero-attendance-others-synchronize'));
    await user.click(await byId('hero-attendance-others-mark-students'));
    const warning = (await byId('hero-attendance-others-warning')).textContent;
    expect(warning).toContain('Synchronize Mode');
    expect(warning).toContain('Mark students…');
    await user.click(await byId('step-next'));
    await user.click(await byId('step-hero'));
    expect((await byId('hero-attendance-words')).textContent).toContain('Synchronize Mode ticked');
    await user.click(await byId('hero-teachers-change'));
    expect(((await byId('hero-teachers-others-sort')) as HTMLInputElement).value).toBe('Last_Name');
  });

  test('one school’s account that takes several schools is told so, also before it is handed over and on Home', async () => {
    const user = await heroStep('scene=practice&several&sends=powerschool');
    const warnings = () => screen.queryAllByTestId('account-schools-warning').length;
    expect(warnings()).toBe(1);
    await user.click(await byId('hero-teachers-owner-roster_bridge'));
    await byId('hand-over-do');
    expect(warnings()).toBe(1);
    await user.click(screen.getByRole('button', { name: 'Cancel' }));
    await user.click(await byId('hero-students-owner-roster_bridge'));
    await user.click(await byId('hand-over-confirm'));
    expect(warnings()).toBe(2);
    await user.click(await byId('hand-over-do'));
    await waitFor(() => expect(screen.queryByTestId('hand-over-do')).toBeNull());
    await user.click(await byId('account-level-group'));
    await waitFor(() => expect(warnings()).toBe(0));
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
    expect(saved[0]?.content).toHaveProperty('text', expect.stringMatching(/^row,number,field,kind,message,length,limit,first_row\r\n17,100201,Grade_Level/));
  });

  test('rows of another run’s file are not put after those of the one before', async () => {
    const row = (number: string) => ({ row: 1, number, field: 'DOB', kind: 'empty', message: '' });
    const page = (total: number, numbers: string[]): ExportProblems => ({ job: 'hero-students', total, more_than_kept: false, counts: [], rows: numbers.map(row) });
    const asked = vi
      .spyOn(Backend.prototype, 'exportProblems')
      .mockResolvedValueOnce(page(3, ['1', '2']))
      .mockResolvedValueOnce(page(4, ['13']))
      .mockResolvedValueOnce(page(4, ['11', '12']));
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    await user.click(await byId('hero-students-problems'));
    await user.click(await byId('hero-students-problems-more'));
    const table = await byId('hero-students-problems-table');
    await waitFor(() => expect([...table.querySelectorAll('td:nth-child(2)')].map((cell) => cell.textContent)).toEqual(['11', '12']));
    expect(asked.mock.calls.map(([, skip]) => skip)).toEqual([0, 2, 0]);
    asked.mockRestore();
  });

  test('an exchange of PowerSchool’s is watched or not, and stays so', async () => {
    const user = open('scene=home');
    const enter = async () => {
      await user.click(await byId('open-setup'));
      await user.click(await byId('step-hero'));
      await user.click(await byId('hero-teachers-change'));
    };
    await enter();
    await user.click(await byId('hero-teachers-owner-power_school'));
    await user.click(await byId('hand-over-do'));
    await waitFor(() => expect(screen.queryByTestId('hand-over-do')).toBeNull());
    expect(await pressed('hero-teachers-watched')).toBe('true');
    await user.click(await byId('hero-teachers-watched'));
    expect((await byId('hero-teachers-words')).textContent).toContain('Not watched');
    await user.click(await byId('setup-close'));
    await enter();
    expect(await pressed('hero-teachers-watched')).toBe('false');
    await user.click(await byId('hero-teachers-watched'));
    await user.click(await byId('setup-close'));
    await enter();
    expect(await pressed('hero-teachers-watched')).toBe('true');
    expect((await byId('hero-teachers-words')).textContent).not.toContain('Not watched');
  });

  test('the preview is that of the saved account', async () => {
    const user = await heroStep('scene=practice');
    await user.click(await byId('hero-students-change'));
    await screen.findByText(/, from what PowerSchool had|PowerSchool was not read yet/);
    await user.click(await byId('account-level-group'));
    expect(screen.queryByText(/SchoolID was put in front/)).toBeNull();
    await user.click(await byId('day-look'));
    expect(await screen.findByText(/SchoolID was put in front/)).toBeTruthy();
    await user.click(await byId('account-add'));
    await user.click(await byId('hero-students-2-change'));
    expect(await byId('hero-students-2-preview-unsaved')).toBeTruthy();
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
    expect(((await byId('hero-students-2-time')) as HTMLInputElement).value).toBe('3:05 AM');
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

  test('what is to be chosen is copied as well', async () => {
    const user = await heroStep('scene=practice&sends=powerschool');
    const copied = vi.spyOn(navigator.clipboard, 'writeText');
    await user.click(await byId('sheet-open'));
    await user.click(await byId('screen-students'));
    await user.click(await byId('copy-students.to'));
    expect(copied).toHaveBeenLastCalledWith('Managed connection: Hero SFTP Connection');
    expect(screen.queryByTestId('copy-students.off')).toBeNull();
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
  // One notice for the three, which names them all.
  const late = (await byId('day-warning-export_after_hero')).textContent;
  expect(late).toContain('Files go out after Hero has taken in those of the day');
  for (const file of ['Student', 'Schedule', 'Teacher']) expect(late).toMatch(new RegExp(`${file}.* comes after Hero`));
  expect(late?.split('Choose a time before')).toHaveLength(2);
  expect((await byId('day')).textContent).toContain('Hero writes its attendance export');
});

describe('the staff’s file', () => {
  test.each([
    ['under the files at Hero', ['staff-file'], 'staff'],
    ['on the page of Hero’s side', ['sheet-open', 'screen-hero'], 'sheet-staff'],
  ])('is saved %s, with the role and the type', async (_, way, id) => {
    const user = await heroStep('scene=practice');
    for (const step of way) await user.click(await byId(step));
    await user.type(await byId(`${id}-role`), 'Teacher');
    await user.click(await byId(`${id}-save`));
    const written = await byId(`${id}-written`);
    expect(written.textContent).toContain('/home/office/Downloads/FACULTY.CSV');
    expect(written.textContent).toContain('The columns Role or Type are empty');
    await user.type(await byId(`${id}-type`), 'Staff');
    await user.click(await byId(`${id}-save`));
    expect((await byId(`${id}-written`)).textContent).not.toContain('Role or Type');
  });

  test('waits until PowerSchool was read', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('staff-file'));
    await user.click(await byId('staff-save'));
    expect(await screen.findByText('There is nobody to write yet')).toBeTruthy();
    expect(screen.queryByTestId('staff-written')).toBeNull();
  });
});

test('another sender is told on Home with what to switch off', async () => {
  open('scene=home&other-sender');
  expect((await byId('home-headline')).textContent).toBe('Another sender is active');
  expect((await byId('other-sender')).textContent).toContain('turn off the record ‘Hero Student Info’');
});

test('what PowerSchool sent is looked at from outside', async () => {
  const user = await heroStep('scene=practice&sends=powerschool');
  await user.click(await byId('files-look'));
  expect((await byId('watched-hero-schedule')).textContent).toContain('where Hero does not look');
  expect((await byId('remote-files')).textContent).toContain('Left alone');
});
