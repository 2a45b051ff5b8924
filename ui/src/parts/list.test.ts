import { expect, test } from 'vitest';
import { moved, sameList } from './list';

test.each([
  [0, 1, 'bac'],
  [2, 0, 'cab'],
  [1, 1, 'abc'],
  [0, -1, 'abc'],
  [2, 3, 'abc'],
  [7, 0, 'abc'],
])('moved from %i to %i', (from, to, expected) => {
  expect(moved([...'abc'], from, to).join('')).toBe(expected);
});

test('a list that nothing is moved in stays the same one', () => {
  const list = ['a', 'b'];
  expect(moved(list, 0, 2)).toBe(list);
  expect(moved(list, 1, 1)).toBe(list);
});

test.each([
  [['a', 'b'], ['a', 'b'], true],
  [['a', 'b'], ['b', 'a'], false],
  [['a'], ['a', 'b'], false],
])('%j is %j: %s', (one, other, same) => {
  expect(sameList(one, other)).toBe(same);
});
