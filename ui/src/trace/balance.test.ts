import { expect, test } from 'vitest';
import { dayBeside, terms, unaccounted } from './balance';

const rows = { rows: 31, written: 22, noop: 4, held: 3, rejected: 1, open: 1 };

test('every row is in one part', () => {
  expect(terms(rows).map(({ part, rows: number }) => [part, number])).toEqual([
    ['written', 22],
    ['noop', 4],
    ['held', 3],
    ['rejected', 1],
    ['open', 1],
  ]);
  expect(unaccounted(rows)).toBe(0);
});

test('nothing on its way is no part', () => {
  expect(terms({ ...rows, rows: 30, open: 0 }).map(({ part }) => part)).not.toContain('open');
  expect(unaccounted({ ...rows, rows: 30, open: 0 })).toBe(0);
});

test.each([
  [33, 2],
  [30, -1],
])('%i rows in leave %i', (number, left) => {
  expect(unaccounted({ ...rows, rows: number })).toBe(left);
});

test.each([
  ['2026-11-20', 1, '2026-11-21'],
  ['2026-11-01', -1, '2026-10-31'],
  ['2026-12-31', 1, '2027-01-01'],
  ['2028-02-28', 1, '2028-02-29'],
] as const)('the day beside %s by %i', (day, by, expected) => {
  expect(dayBeside(day, by)).toBe(expected);
});
