import { screen, waitFor, within } from '@testing-library/svelte';
import { expect, test } from 'vitest';
import { byId, open } from '../test-window';

/** As it is read, without the gaps of the layout. */
const text = (element: Element | undefined) => element?.textContent?.replace(/\s+/g, ' ').trim();

test('the card says since when, and what comes next', async () => {
  open('scene=home&own');
  expect((await byId('raptor-since')).textContent).toContain('Since yesterday, ');
  expect((await byId('raptor-next')).textContent).toMatch(/^Next look for updates (today|tomorrow), /);
});

test('the history is paged, latest first, and leads to a run', async () => {
  const user = open('scene=home&own');
  await user.click(await byId('status-history'));
  const first = await screen.findAllByTestId('status-change');
  expect(first).toHaveLength(20);
  expect(text(first[0])).toMatch(/^Reinitialization Scheduled Synchronizing .* A full synchronization succeeded\. Show the run/);
  expect(text(first[2])).toContain('powerschool.unreachable');
  // What changed nothing says so.
  expect(text(first[1])).toMatch(/^The window opened · stays Reinitialization Scheduled/);
  await user.click(await byId('history-earlier'));
  await waitFor(() => expect(screen.getAllByTestId('status-change')).toHaveLength(40));
  await user.click(await byId('history-earlier'));
  await waitFor(() => expect(screen.getAllByTestId('status-change')).toHaveLength(50));
  expect(screen.queryByTestId('history-earlier')).toBeNull();
  await user.click(screen.getAllByTestId('change-run')[0] as HTMLElement);
  await waitFor(() => expect(screen.queryByTestId('raptor-history')).toBeNull());
  const runs = await byId('day-runs');
  await waitFor(() => expect(within(runs).getAllByRole('button', { expanded: true }).map(text)).toEqual([expect.stringContaining('4 minutes ago')]));
});

test('a run that is not kept any more is told to be gone', async () => {
  const user = open('scene=home&own');
  await user.click(await byId('status-history'));
  await user.click((await screen.findAllByTestId('change-run'))[1] as HTMLElement);
  expect((await byId('run-lost')).textContent).toContain('not in the history any more');
});

test('a history without an entry is no error', async () => {
  const user = open('scene=quiet&own');
  await user.click(await byId('status-history'));
  await byId('no-history');
});

test('a history that can’t be read says why', async () => {
  const user = open('scene=home&own&fail=history');
  await user.click(await byId('status-history'));
  expect((await byId('error-code')).textContent).toBe('store.busy');
});

test.each(['run-now-raptor', 'run-now'])('%s asks before the window opens', async (button) => {
  const user = open('scene=quiet&own&status=initialization_scheduled');
  await user.click(await byId(button));
  await byId('before-window');
  expect(screen.getByText(/^The window opens (today|tomorrow), 4:00 PM C[SD]T/, { selector: '.modal-about' })).toBeTruthy();
  await user.click(await byId('before-window-wait'));
  await waitFor(() => expect(screen.queryByTestId('before-window')).toBeNull());
  expect(screen.queryByTestId('run-panel')).toBeNull();
  await user.click(await byId(button));
  await user.click(await byId('before-window-start'));
  expect((await byId('run-outcome')).dataset.outcome).toBe('succeeded_with_held_rows');
});

test.each([
  ['a dry run', 'dry-run-raptor', ''],
  ['Hero', 'run-now-hero', ''],
  ['an open window', 'run-now-raptor', '&open'],
])('%s needs no question', async (_, button, more) => {
  const user = open(`scene=quiet&own&status=pending_initialization${more}`);
  await user.click(await byId(button));
  await byId('run-outcome');
  expect(screen.queryByTestId('before-window')).toBeNull();
});

test('in the practice district a person starts every run, and is not asked', async () => {
  const user = open('scene=quiet');
  await user.click(await byId('run-now'));
  await byId('run-outcome');
});
