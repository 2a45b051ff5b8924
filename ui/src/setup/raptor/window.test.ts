import { expect, test } from 'vitest';
import { processedWords, windowDraft, windowProblems, windowSettings, windowWords } from './window';

const usual = { window: { zone: 'America/Chicago', opens: '16:00', minutes: 120, retry_minutes: 10 }, follow_minutes: 5 };

test('a window is saved as it was when nothing is changed', () => {
  expect(windowSettings(windowDraft(usual))).toEqual(usual);
  expect(windowProblems(windowDraft(usual))).toEqual({});
});

test.each([
  [{ opens: 'four' }, 'opens'],
  [{ zone: 'Here' }, 'zone'],
  [{ minutes: '0' }, 'minutes'],
  [{ retry: '1441' }, 'retry'],
  [{ follow: '2.5' }, 'follow'],
  [{ follow: '' }, 'follow'],
])('%o is refused', (change, field) => {
  expect(Object.keys(windowProblems({ ...windowDraft(usual), ...change }))).toEqual([field]);
});

test.each([
  [usual, 'Every day at 4:00 PM Central time, for 2 hours; then every 5 minutes'],
  [{ window: { ...usual.window, opens: '06:30', minutes: 90 }, follow_minutes: 60 }, 'Every day at 6:30 AM Central time, for 90 minutes; then every hour'],
  [{ window: { ...usual.window, minutes: 60 }, follow_minutes: 1 }, 'Every day at 4:00 PM Central time, for 1 hour; then every minute'],
])('%# in words', (settings, words) => {
  expect(windowWords(settings)).toBe(words);
});

test.each([
  ['2026-11-22T22:00:00Z', '2026-11-22T15:00:00Z', 'Your synchronization request will be processed at 4:00 PM CST.'],
  ['2026-07-22T21:00:00Z', '2026-07-22T15:00:00Z', 'Your synchronization request will be processed at 4:00 PM CDT.'],
  // Past midnight in UTC, and still the same day in Chicago.
  ['2026-11-23T22:00:00Z', '2026-11-23T02:00:00Z', 'Your synchronization request will be processed at 4:00 PM CST on Monday, November 23.'],
  ['2026-11-22T22:30:00Z', '2026-11-22T22:30:01Z', 'Your synchronization request will be processed now: the integration window is open.'],
])('a request processed at %s, made at %s', (at, now, words) => {
  expect(processedWords(usual.window, at, new Date(now))).toBe(words);
});
