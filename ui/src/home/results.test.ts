import { describe, expect, test } from 'vitest';
import { delivered, leftovers } from './results';

describe('what a run came to', () => {
  const unchanged = { read: 600, written: 0, noop: 600, held: 0, rejected: 0 };

  test.each([
    ['a file that was sent', 'out', { read: 586, written: 586, noop: 0, held: 0, rejected: 0 }, 586, ''],
    ['a file the other side has already', 'out', unchanged, 600, '600 unchanged'],
    ['attendance', 'in', { read: 64, written: 58, noop: 2, held: 3, rejected: 1 }, 58, '2 unchanged, 3 held, 1 unreadable'],
    ['attendance without news', 'in', unchanged, 0, '600 unchanged'],
  ] as const)('%s', (_, direction, rows, there, left) => {
    expect(delivered(direction, rows)).toBe(there);
    expect(leftovers(rows)).toBe(left);
  });
});
