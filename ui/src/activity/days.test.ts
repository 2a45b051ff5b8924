import { describe, expect, test } from 'vitest';
import { dayWords, parts, scale } from './days';

describe('a day’s runs', () => {
  test('in words', () => {
    const day = {
      day: '2026-11-20',
      outcomes: [
        { outcome: 'failed', runs: 1, millis: 2_000 },
        { outcome: 'succeeded', runs: 11, millis: 60_000 },
        { outcome: 'interrupted', runs: 1, millis: 0 },
      ],
      dry_runs: 2,
    } as const;
    expect(dayWords({ ...day, outcomes: [...day.outcomes] })).toBe(
      'Fri, Nov 20, 2026; 13 runs: 11 done, 2 failed or interrupted; 1 min 2 s in all; 2 dry runs',
    );
    expect(dayWords({ day: '2026-11-21', outcomes: [], dry_runs: 0 })).toBe('Sat, Nov 21, 2026; no run');
    expect(dayWords({ day: '2026-11-21', outcomes: [{ outcome: 'failed', runs: 1, millis: 0 }], dry_runs: 0 })).toBe(
      'Sat, Nov 21, 2026; 1 run: Failed or interrupted',
    );
  });

  test('what wants a person is at the top', () => {
    const outcomes = (['failed', 'succeeded', 'cancelled', 'succeeded_with_held_rows', 'running', 'skipped'] as const).map(
      (outcome) => ({ outcome, runs: 1, millis: 5 }),
    );
    expect(parts({ outcomes }).map(({ ending, runs }) => [ending, runs])).toEqual([
      ['done', 1],
      ['running', 1],
      ['stopped', 2],
      ['held', 1],
      ['failed', 1],
    ]);
  });
});

test.each([
  [0, 1, 1],
  [1, 1, 1],
  [3, 3, 1],
  [7, 8, 2],
  [13, 15, 5],
  [96, 100, 50],
  [120, 150, 50],
])('an axis up to %i ends at %i in steps of %i', (largest, top, step) => {
  expect(scale(largest)).toEqual({ top, step });
});
