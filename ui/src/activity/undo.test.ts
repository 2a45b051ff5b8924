import { screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import type { UndoReport } from '../bindings/UndoReport';
import { byId, open } from '../test-window';

afterEach(() => vi.restoreAllMocks());

/** Activity, with the run of the list that is told as `which` open. */
async function opened(which: RegExp, query = '', pace = 0) {
  const undo = vi.spyOn(Backend.prototype, 'undo');
  const user = open(`scene=home&own${query}`, pace);
  await user.click(await byId('nav-activity'));
  const list = await byId('day-runs');
  await user.click(within(list).getByRole('button', { name: which }));
  return { user, undo, list };
}

const LATEST = /4 minutes ago/;

describe('taking back what a run wrote', () => {
  test('is told first, and without a confirmation nothing is taken back', async () => {
    const { user, undo, list } = await opened(LATEST);
    await user.click(await byId('undo-run'));
    const outcome = await byId('undo-outcome');
    expect(outcome.textContent).toMatch(/^\d+ records would be taken back/);
    // What stays is told by its reason, the larger part first.
    const left = screen.getAllByTestId('undo-left').map((part) => part.textContent);
    expect(left[0]).toContain('2 records stay as they are');
    expect(left[0]).toContain('Somebody has changed this record');
    expect(left[1]).toContain('1 record stays as it is');
    await user.click(await byId('undo-close'));
    await waitFor(() => expect(screen.queryByTestId('undo-dialog')).toBeNull());
    expect(undo.mock.calls.map(([, dryRun]) => dryRun)).toEqual([true]);
    expect(within(list).queryByRole('button', { name: /Undo of/ })).toBeNull();
  });

  test('is done by a person’s word, and a run of the history', async () => {
    const { user, undo, list } = await opened(LATEST);
    await user.click(await byId('undo-run'));
    const planned = (await byId('undo-outcome')).dataset.records;
    const confirm = await byId('undo-confirm');
    expect(confirm.textContent).toContain(`Take ${planned} records back`);
    await user.click(confirm);
    await waitFor(async () => expect((await byId('undo-outcome')).textContent).toBe(`${planned} records were taken back.`));
    expect(screen.queryByTestId('undo-confirm')).toBeNull();
    expect(undo.mock.calls.map(([, dryRun]) => dryRun)).toEqual([true, false]);
    await user.click(await byId('undo-close'));
    await waitFor(() => expect(within(list).getByRole('button', { name: /Undo of 2 exchanges/ })).toBeTruthy());
  });

  test('is followed, and a look at it can be broken off', async () => {
    const { user, undo } = await opened(LATEST, '', 40);
    await user.click(await byId('undo-run'));
    expect((await byId('undo-going')).textContent).toContain('Looking at what it would come to');
    await user.click(await byId('undo-cancel'));
    await waitFor(async () => expect((await byId('undo-outcome')).textContent).toBe('The look was cancelled. Nothing was changed.'));
    expect(screen.queryByTestId('undo-confirm')).toBeNull();
    expect(undo).toHaveBeenCalledTimes(1);
  });

  test('shows nothing of a look that was closed before it came to its end', async () => {
    const report = (outcome: string) => ({ report: { outcome, jobs: [{ job: 'raptor-tardies', rows: { written: 3 } }] }, left: [] }) as unknown as UndoReport;
    const ends: ((report: UndoReport) => void)[] = [];
    const { user, undo } = await opened(LATEST);
    undo.mockImplementation(() => new Promise((end) => ends.push(end)));
    const cancel = vi.spyOn(Backend.prototype, 'cancel');
    await user.click(await byId('undo-run'));
    await byId('undo-going');
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByTestId('undo-dialog')).toBeNull());
    expect(cancel).toHaveBeenCalledTimes(1);
    await user.click(await byId('undo-run'));
    await byId('undo-going');
    // The second waits until the first has ended.
    expect(undo).toHaveBeenCalledTimes(1);
    ends[0]?.(report('cancelled'));
    await waitFor(() => expect(undo).toHaveBeenCalledTimes(2));
    expect(screen.queryByTestId('undo-outcome')).toBeNull();
    await byId('undo-going');
    ends[1]?.(report('succeeded'));
    expect((await byId('undo-outcome')).textContent).toMatch(/^3 records would be taken back/);
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  test('that can’t be looked at says why, and is not offered', async () => {
    const { user } = await opened(LATEST, '&fail=undo');
    await user.click(await byId('undo-run'));
    expect((await byId('error-code')).textContent).toContain('store.busy');
    expect(screen.queryByTestId('undo-confirm')).toBeNull();
  });

  test('that breaks off says why', async () => {
    const { user } = await opened(LATEST, '&fail=undone');
    await user.click(await byId('undo-run'));
    await user.click(await byId('undo-confirm'));
    expect((await byId('error-code')).textContent).toContain('powerschool.maintenance');
    expect(screen.getByText('Not everything was taken back')).toBeTruthy();
    expect((await byId('undo-outcome')).textContent).toBe('0 records were taken back.');
  });

  test('is not offered where nothing was written to PowerSchool', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('dry-run'));
    await byId('run-outcome');
    const runs = await byId('recent-runs');
    const [dry] = within(runs).getAllByRole('button', { name: /Dry run/ });
    await user.click(dry as HTMLElement);
    expect(within(runs).queryByTestId('undo-run')).toBeNull();
    // Three files were sent, and nothing came in.
    await user.click(within(runs).getByRole('button', { name: /of 3 exchanges/ }));
    expect(within(runs).queryByTestId('undo-run')).toBeNull();
  });
});
