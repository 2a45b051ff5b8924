import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Preview } from './preview.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const FAULT = { code: 'store.busy', message: 'Busy.', remedy: 'Try again.' };

test('an answer to settings that have changed since is dropped', async () => {
  const preview = new Preview();
  const taken: string[] = [];
  const answers: ((answer: string) => void)[] = [];
  const ask = () =>
    preview.ask(async (tell) => {
      const answer = await new Promise<string>((resolve) => answers.push(resolve));
      expect(tell(() => taken.push(answer))).toBe(answer === 'new');
    });
  const stop = ask();
  await vi.advanceTimersByTimeAsync(300);
  stop();
  ask();
  await vi.advanceTimersByTimeAsync(300);
  expect(answers).toHaveLength(2);
  answers[1]?.('new');
  answers[0]?.('old');
  await vi.advanceTimersByTimeAsync(0);
  expect(taken).toEqual(['new']);
});

test('nothing is asked while somebody types', async () => {
  const preview = new Preview();
  const asked = vi.fn(() => Promise.resolve());
  for (let letter = 0; letter < 5; letter += 1) {
    const stop = preview.ask(asked);
    await vi.advanceTimersByTimeAsync(200);
    stop();
  }
  expect(asked).not.toHaveBeenCalled();
});

test('what takes long says so, and what fails says why until the next answer', async () => {
  const preview = new Preview();
  let fail: (fault: unknown) => void = () => {};
  preview.ask(() => new Promise((_, reject) => (fail = reject)));
  await vi.advanceTimersByTimeAsync(699);
  expect(preview.slow).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(preview.slow).toBe(true);
  fail(FAULT);
  await vi.advanceTimersByTimeAsync(0);
  expect([preview.slow, preview.fault]).toEqual([false, FAULT]);
  preview.ask((tell) => Promise.resolve(void tell(() => {})));
  await vi.advanceTimersByTimeAsync(300);
  expect(preview.fault).toBeUndefined();
});
