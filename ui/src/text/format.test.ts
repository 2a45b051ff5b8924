import { expect, test } from 'vitest';
import { ago, calendarDate, duration, listed, size } from './format';
import { plural } from './say';

test.each([
  [0, '0 rows'],
  [1, '1 row'],
  [60_000, '60,000 rows'],
])('%d rows', (value, expected) => {
  expect(plural(value, ['# row', '# rows'])).toBe(expected);
});

test.each([
  [[], ''],
  [['roster'], 'roster'],
  [['roster', 'tardies'], 'roster and tardies'],
  [['roster', 'tardies', 'teachers'], 'roster, tardies, and teachers'],
])('%j in a sentence', (parts, expected) => {
  expect(listed(parts)).toBe(expected);
});

test.each([
  [1, '1 byte'],
  [999, '999 bytes'],
  [3310, '3.3 kB'],
  [69_148, '69 kB'],
  [2_449_000, '2.4 MB'],
  [999_900, '1.0 MB'],
])('%d bytes', (bytes, expected) => {
  expect(size(bytes)).toBe(expected);
});

test.each([
  [40, '0.0 s'],
  [4360, '4.4 s'],
  [9960, '10 s'],
  [59_400, '59 s'],
  [120_000, '2 min'],
  [185_000, '3 min 5 s'],
])('%d milliseconds', (millis, expected) => {
  expect(duration(millis)).toBe(expected);
});

test.each([
  [new Date(2026, 10, 20, 14, 59, 40), 'just now'],
  [new Date(2026, 10, 20, 14, 59), '1 minute ago'],
  [new Date(2026, 10, 20, 14, 1), '59 minutes ago'],
  [new Date(2026, 10, 20, 3, 10), 'today, 3:10 AM'],
  [new Date(2026, 10, 19, 23, 59), 'yesterday, 11:59 PM'],
  [new Date(2026, 10, 3, 16, 0), 'Nov 3, 4:00 PM'],
  [new Date(2025, 11, 31, 16, 0), 'Dec 31, 2025, 4:00 PM'],
])('%s, seen at three in the afternoon', (then, expected) => {
  expect(ago(then.toISOString(), new Date(2026, 10, 20, 15, 0))).toBe(expected);
});

test('a calendar date stays on its day in every time zone', () => {
  expect(calendarDate('2026-11-20')).toBe('Fri, Nov 20, 2026');
});
