import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { Backend } from '../backend';
import { byId, open } from '../test-window';

describe('home', () => {
  test('a run is cancelled', async () => {
    const user = open('scene=quiet', 30);
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
    await user.click(screen.getByTestId('error-place'));
    expect(await byId('field-url')).toBeTruthy();
  });

  test('an exchange that another sender paused goes on once a person says so', async () => {
    const user = open('scene=home&other-sender');
    expect((await byId('paused-hero-students')).textContent).toBe('Paused');
    expect((await byId('status-hero')).textContent).toBe('Paused');
    await user.click(await byId('other-sender-go-on'));
    const confirm = (await byId('other-sender-confirm')) as HTMLButtonElement;
    await user.click(await byId('other-sender-off'));
    expect(confirm.disabled).toBe(true);
    await user.click(await byId('other-sender-alone'));
    await user.click(confirm);
    await waitFor(() => expect(screen.queryByTestId('other-sender')).toBeNull());
    expect(screen.queryByTestId('paused-hero-students')).toBeNull();
    expect((await byId('status-hero')).textContent).toBe('Goes on');
  });

  test('it goes on where somebody has said so already', async () => {
    const confirm = vi.spyOn(Backend.prototype, 'confirmOneSender').mockRejectedValueOnce({ code: 'hero.no_other_sender', message: 'No.', remedy: '' });
    const user = open('scene=home&other-sender');
    await user.click(await byId('other-sender-go-on'));
    await user.click(await byId('other-sender-off'));
    await user.click(await byId('other-sender-alone'));
    await user.click(await byId('other-sender-confirm'));
    await waitFor(() => expect(screen.queryByTestId('other-sender-confirm')).toBeNull());
    expect(screen.queryByText('It stays paused')).toBeNull();
    confirm.mockRestore();
  });

  test('it goes on with a run where that is wanted', async () => {
    const user = open('scene=home&other-sender');
    await user.click(await byId('other-sender-go-on'));
    await user.click(await byId('other-sender-off'));
    await user.click(await byId('other-sender-alone'));
    await user.click(await byId('other-sender-confirm-run'));
    expect((await byId('run-outcome')).dataset.outcome).not.toBe('failed');
    expect(screen.queryByTestId('other-sender')).toBeNull();
  });

  test('or PowerSchool gets it back', async () => {
    const user = open('scene=home&other-sender');
    await user.click(await byId('other-sender-give-back'));
    await user.click(await byId('hand-over-do'));
    await waitFor(() => expect(screen.queryByTestId('other-sender')).toBeNull());
  });

  test('held rows are counted, and lead to where they are dealt with', async () => {
    const user = open('scene=home');
    expect((await byId('held-count')).dataset.value).toBe('6');
    await user.click(await byId('show-held'));
    expect(await byId('held-rows')).toBeTruthy();
  });

  test('a file that would lose too many rows waits for a person', async () => {
    const user = open('scene=home&guarded');
    expect((await byId('guarded')).textContent).toContain('it would lose');
    expect((await byId('home-headline')).textContent).toBe('1 file was stopped');
    const rows = within(await byId('before-after')).getAllByRole('row').map((row) => row.textContent);
    expect(rows.some((row) => row.includes('The whole file') && row.includes('−391 (67 %)'))).toBe(true);
    await user.click(await byId('guard-accept'));
    const confirm = (await byId('guard-confirm')) as HTMLButtonElement;
    expect(confirm.disabled).toBe(true);
    await user.click(await byId('guard-looked'));
    await user.click(confirm);
    await waitFor(() => expect(screen.queryByTestId('guarded')).toBeNull());
    expect((await byId('home-headline')).textContent).toBe('Everything ran');
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

  test('runs are paused until a date and resumed', async () => {
    const user = open('scene=home&own');
    await user.click(await byId('pause-open'));
    await user.click(await byId('pause-date'));
    await user.type(await byId('field-pause-date'), 'soon');
    await user.click(await byId('pause-confirm'));
    expect(screen.getByText(/A date to come/)).toBeTruthy();
    await user.clear(await byId('field-pause-date'));
    await user.type(await byId('field-pause-date'), '2999-01-15');
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
    await user.click(within(await byId('mail-problem')).getByTestId('cause-place'));
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
