import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import { byId, open } from '../test-window';

const fates = async () => (await screen.findAllByTestId('trace-row')).map((row) => row.dataset.fate);

/** Waits for a list with so many rows. */
const rows = (words: string) => waitFor(async () => expect((await byId('rows-total')).textContent).toContain(words));

describe('the runs', () => {
  test('are counted day by day, and a day is chosen with the arrow keys', async () => {
    const user = open('scene=home&own&records=100000');
    await user.click(await byId('nav-activity'));
    const days = await byId('chart-days');
    const options = await screen.findAllByTestId('chart-day');
    expect(options).toHaveLength(30);
    // Today is the last one, and has runs.
    expect(options.at(-1)?.getAttribute('aria-label')).toMatch(/^Wed, Nov 18, 2026; \d+ runs: /);
    const chosen = () => days.querySelector<HTMLElement>('[aria-selected="true"]')?.dataset.day;
    expect(chosen()).toBe('2026-11-18');
    days.focus();
    await user.keyboard('{ArrowLeft}');
    expect(chosen()).toBe('2026-11-17');
    await user.keyboard('{PageUp}{Home}{ArrowLeft}');
    expect(chosen()).toBe('2026-10-20');
    await user.keyboard('{End}');
    expect(chosen()).toBe('2026-11-18');
    expect(await screen.findByText('Wed, Nov 18, 2026', { selector: 'h2' })).toBeTruthy();
  });

  test('of a day are listed with their detail, and a mark on its line opens one', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('nav-activity'));
    const list = await byId('day-runs');
    expect(within(list).queryAllByRole('button', { expanded: true })).toHaveLength(0);
    await user.click((await screen.findAllByTestId('day-mark'))[0] as HTMLElement);
    expect(within(list).getAllByRole('button', { expanded: true })).toHaveLength(1);
    expect(await screen.findAllByTestId('trace-file')).toHaveLength(2);
  });

  test('are in a table for who can’t use the chart, with the same numbers', async () => {
    const user = open('scene=home&own&records=100000');
    await user.click(await byId('nav-activity'));
    const label = (await screen.findAllByTestId('chart-day')).at(-2)?.getAttribute('aria-label') ?? '';
    const table = [...(await byId('chart-table')).querySelectorAll('tr')];
    expect(table).toHaveLength(31);
    expect(table[2]?.textContent).toContain('Tue, Nov 17, 2026');
    expect(label).toContain(`${table[2]?.querySelector('td')?.textContent} runs`);
  });

  test('of earlier days are a click away, and none is no error', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('nav-activity'));
    await user.click(await byId('days-before'));
    await waitFor(async () => expect((await byId('chart-sum')).textContent).toBe('No run in these 30 days.'));
    expect(await screen.findByText('Nothing was run on that day.')).toBeTruthy();
    await user.click(await byId('days-after'));
    await waitFor(async () => expect((await byId('chart-sum')).textContent).toMatch(/^\d runs in 30 days/));
  });

  test('where nothing was run yet', async () => {
    const user = open('scene=quiet&own');
    await user.click(await byId('nav-activity'));
    expect((await byId('no-runs')).textContent).toContain('Nothing was run');
  });

  test('that can’t be read say why, and are asked for again', async () => {
    const user = open('scene=home&own&fail=trace');
    await user.click(await byId('nav-activity'));
    expect((await byId('error-code')).textContent).toContain('store.busy');
  });
});

describe('rows', () => {
  test('are listed latest first, and by student only that one’s, opened', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    expect(await fates()).toEqual(['written', 'open', 'noop', 'held', 'rejected', 'noop']);
    await user.type(await byId('field-trace-student'), '10422');
    await user.click(await byId('trace-find'));
    const steps = await byId('row-steps');
    expect(await fates()).toEqual(['written']);
    expect((await byId('row-raw')).textContent).toContain('Car trouble');
    const told = [...steps.querySelectorAll('.sentence')].map((sentence) => sentence.textContent);
    expect(told[0]).toBe('Raptor: tardies.csv, line 7');
    expect(told.at(-1)).toBe('PowerSchool took it.');
    // The record is shown once, with the code that stood there before.
    expect(steps.querySelectorAll('.record')).toHaveLength(1);
    expect(steps.querySelector('.code-change')?.textContent?.replace(/\s+/g, ' ').trim()).toBe('A T');
  });

  test('a hundred thousand are counted, and only those in view are in the page', async () => {
    const user = open('scene=home&own&records=100000');
    await user.click(await byId('find-row'));
    await rows('100,006 rows in all');
    const grid = await byId('trace-rows');
    expect(grid.getAttribute('aria-rowcount')).toBe('100007');
    expect(grid.querySelectorAll('[role="row"]').length).toBeLessThan(60);
    expect((await screen.findAllByTestId('trace-row'))[0]?.getAttribute('aria-rowindex')).toBe('2');
  });

  test('are restricted by outcome, exchange and building, and put in order by a column', async () => {
    const user = open('scene=home&own&records=3000');
    await user.click(await byId('find-row'));
    await rows('3,006 rows in all');
    await user.selectOptions(await byId('field-trace-fate'), 'held');
    await waitFor(async () => expect(new Set(await fates())).toEqual(new Set(['held'])));
    await user.selectOptions(await byId('field-trace-fate'), 'written');
    await user.selectOptions(await byId('field-trace-source'), 'hero');
    await user.selectOptions(await byId('field-trace-school'), '200');
    const of = async (column: string) =>
      (await screen.findAllByTestId('trace-row')).map((row) => row.querySelector(`.${column}`)?.textContent);
    await waitFor(async () => expect(new Set(await of('school')).size).toBe(1));
    await user.click(await byId('sort-student'));
    const ascending = (numbers: (string | null | undefined)[]) => [...numbers].sort((a, b) => Number(a) - Number(b));
    await waitFor(async () => {
      const students = await of('student');
      expect(students.length).toBeGreaterThan(2);
      expect(students).toEqual(ascending(students));
    });
    expect((await byId('sort-student')).parentElement?.getAttribute('aria-sort')).toBe('ascending');
    await user.click(await byId('sort-student'));
    await waitFor(async () => expect(await of('student')).toEqual(ascending(await of('student')).reverse()));
  });

  test('are gone through, marked, copied and opened by the keyboard', async () => {
    const user = open('scene=home&own');
    const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    await user.click(await byId('find-row'));
    await fates();
    const grid = await byId('trace-rows');
    grid.focus();
    const at = () => document.getElementById(grid.getAttribute('aria-activedescendant') ?? '')?.getAttribute('aria-rowindex');
    expect(at()).toBe('2');
    await user.keyboard('{ArrowDown} {Shift>}{ArrowDown}{ArrowDown}{/Shift}');
    await rows('6 rows in all, 3 marked');
    expect(at()).toBe('5');
    await user.keyboard('{Control>}c{/Control}');
    await waitFor(() => expect(write).toHaveBeenCalledOnce());
    const lines = String(write.mock.calls[0]?.[0]).split('\n').map((line) => line.split('\t'));
    expect(lines.map((line) => [line[1], line[3], line[6]])).toEqual([
      ['10877', 'On its way', '8'],
      ['10203', 'Nothing to write', '12'],
      ['99120', 'Held', '19'],
    ]);
    await user.keyboard('{Escape}');
    await waitFor(async () => expect((await byId('rows-total')).textContent).toBe('6 rows in all'));
    await user.keyboard('{Enter}');
    expect(await screen.findByRole('dialog', { name: 'Line 19 of tardies.csv' })).toBeTruthy();
    await byId('row-steps');
  });

  test('are exported as CSV, all of the list', async () => {
    const user = open('scene=home&own&records=3000');
    await user.click(await byId('find-row'));
    await rows('3,006 rows in all');
    await user.selectOptions(await byId('field-trace-fate'), 'rejected');
    await waitFor(async () => expect((await byId('rows-total')).textContent).not.toContain('in all'));
    const found = parseInt((await byId('rows-total')).textContent ?? '', 10);
    await user.click(await byId('rows-export'));
    expect((await byId('rows-written')).textContent).toContain(`${found} rows`);
    expect((await byId('rows-written')).textContent).toContain('/home/office/Downloads/rows.csv');
  });

  test('what can’t be searched for is told, and nothing is asked', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await fates();
    await user.type(await byId('field-trace-student'), 'Kim');
    await user.click(await byId('trace-find'));
    expect(screen.getByText('A student number has digits only.')).toBeTruthy();
    expect(await fates()).toHaveLength(6);
  });

  test('none is no error', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await fates();
    await user.type(await byId('field-trace-student'), '1');
    await user.click(await byId('trace-find'));
    expect((await byId('trace-none')).textContent).toContain('No row was found.');
  });

  test('that can’t be read say why', async () => {
    const user = open('scene=home&own&fail=trace');
    await user.click(await byId('find-row'));
    expect((await byId('error-code')).textContent).toContain('store.busy');
  });

  test('are reached from a run’s file, and lead back to the run of a step', async () => {
    const user = open('scene=home&own');
    await user.click(within(await byId('recent-runs')).getAllByRole('button')[0] as HTMLElement);
    const files = await screen.findAllByTestId('trace-file');
    // Only what came in was decided on.
    expect(files).toHaveLength(2);
    await user.click(files[1] as HTMLElement);
    expect(await byId('field-trace-file')).toHaveProperty('value', 'tardies.csv');
    expect(screen.getByText(/Only the file as it was in that run/)).toBeTruthy();
    await user.click((await screen.findAllByTestId('trace-row'))[0] as HTMLElement);
    await user.click((await screen.findAllByTestId('step-run'))[0] as HTMLElement);
    // In Activity itself, on its day.
    const runs = await byId('day-runs');
    await waitFor(() => expect(within(runs).getAllByRole('button', { expanded: true })).toHaveLength(1));
    const opened = within(runs).getAllByRole('button', { expanded: true });
    expect(opened.map((button) => button.textContent)).toEqual([expect.stringContaining('52 minutes ago')]);
  });

  test('a decision of a person about one that is settled is taken back, once that is confirmed', async () => {
    const take = vi.spyOn(Backend.prototype, 'takeBackHeldFix');
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await user.click((await screen.findAllByTestId('trace-row'))[5] as HTMLElement);
    expect((await byId('row-steps')).textContent).toContain('office decided about it: student 10204');
    await user.click(await byId('step-take-back'));
    await user.click(await screen.findByRole('button', { name: 'Keep it' }));
    expect(take).not.toHaveBeenCalled();
    await user.click(await byId('step-take-back'));
    await user.click(await byId('step-take-back-confirm'));
    await waitFor(async () => expect((await byId('row-steps')).textContent).toContain('took back what was decided'));
    expect(take).toHaveBeenCalledWith([71]);
    expect(screen.queryByTestId('step-take-back')).toBeNull();
    take.mockRestore();
  });

  test('one is copied with everything that happened to it', async () => {
    const user = open('scene=home&own');
    const write = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    await user.click(await byId('find-row'));
    await user.click((await screen.findAllByTestId('trace-row'))[3] as HTMLElement);
    await user.click(await byId('copy-row'));
    await waitFor(() => expect(write).toHaveBeenCalledWith(expect.stringMatching(/^tardies\.csv, line 19: Held\n[\s\S]*held\.unknown_student/)));
  });
});

describe('all rows of a day', () => {
  test('add up, file by file', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await user.click(await byId('tab-day'));
    expect((await byId('balance')).textContent?.replace(/\s+/g, ' ').trim()).toBe(
      'Fri, Nov 20, 2026: 95 rows in, 80 written, 6 with nothing to write, 6 held, 2 unreadable, 1 on its way.',
    );
    expect(screen.getByText('Every row is accounted for.')).toBeTruthy();
    expect(await byId('field-day')).toHaveProperty('value', '2026-11-20');
    await user.click((await screen.findAllByTestId('day-file'))[0] as HTMLElement);
    expect(await byId('field-trace-file')).toHaveProperty('value', 'tardies.csv');
    expect(await byId('field-trace-day')).toHaveProperty('value', '2026-11-20');
    expect(await fates()).toHaveLength(6);
  });

  test('another day is asked for by its date or the arrows', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await user.click(await byId('tab-day'));
    await byId('balance');
    await user.click(await byId('day-after'));
    await waitFor(async () => expect((await byId('balance')).textContent).toContain('Sat, Nov 21, 2026: 0 rows in'));
    expect(screen.getByText('No row was read first on Sat, Nov 21, 2026.')).toBeTruthy();
    await user.click(await byId('day-before'));
    await waitFor(async () => expect((await byId('balance')).textContent).toContain('95 rows in'));
  });
});
