import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { byId, open } from '../test-window';

const fates = async () => (await screen.findAllByTestId('trace-row')).map((row) => row.dataset.fate);

describe('a search for rows', () => {
  test('shows the latest rows first, and by student only that one’s, opened', async () => {
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

  test('what can’t be searched for is told, and nothing is asked', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await fates();
    await user.type(await byId('field-trace-student'), 'Kim');
    await user.click(await byId('trace-find'));
    expect(screen.getByText('A student number has digits only.')).toBeTruthy();
    expect(await fates()).toHaveLength(6);
  });

  test('no row is no error', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('find-row'));
    await fates();
    await user.type(await byId('field-trace-student'), '1');
    await user.click(await byId('trace-find'));
    expect((await byId('trace-none')).textContent).toContain('No row was found.');
    await user.click(await byId('trace-home'));
    await byId('run-now');
  });

  test('rows that can’t be read say why', async () => {
    const user = open('scene=home&own&fail=trace');
    await user.click(await byId('find-row'));
    expect((await byId('error-code')).textContent).toBe('store.busy');
  });

  test('is reached from a held row, for its file and line', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('show-held'));
    const [first] = await screen.findAllByTestId('trace-held');
    await user.click(first as HTMLElement);
    expect(await byId('field-trace-file')).toHaveProperty('value', 'tardies.csv');
    expect(await byId('field-trace-line')).toHaveProperty('value', '7');
    await byId('row-steps');
    expect(await fates()).toEqual(['written']);
  });

  test('is reached from a run’s file, and leads back to the run of a step', async () => {
    const user = open('scene=home&own');
    await user.click(within(await byId('recent-runs')).getAllByRole('button')[0] as HTMLElement);
    const files = await screen.findAllByTestId('trace-file');
    // Only what came in was decided on.
    expect(files).toHaveLength(2);
    await user.click(files[1] as HTMLElement);
    expect(await byId('field-trace-file')).toHaveProperty('value', 'tardies.csv');
    await user.click((await screen.findAllByTestId('trace-row'))[0] as HTMLElement);
    await user.click((await screen.findAllByTestId('step-run'))[0] as HTMLElement);
    const runs = await byId('recent-runs');
    const opened = within(runs).getAllByRole('button', { expanded: true });
    expect(opened.map((button) => button.textContent)).toEqual([expect.stringContaining('52 minutes ago')]);
  });

  test('a row is copied with everything that happened to it', async () => {
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
      'Fri, Nov 20, 2026: 95 rows in, 80 written, 6 nothing to write, 6 held, 2 unreadable, 1 on their way.',
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
