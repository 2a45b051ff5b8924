import { expect, test } from 'vitest';
import type { GuardedView } from '../bindings/GuardedView';
import { changeOf, linesOf } from './guarded';

const FILE: GuardedView = {
  id: 'g',
  job: 'hero-students',
  name: 'STUDENT.TXT',
  before: 600,
  now: 209,
  reason: 'rows_lost',
  schools: [],
  sample: [],
  stopped_at: '2026-11-18T12:00:00Z',
};
const nobody = () => undefined;

test('a file without schools is told as a whole', () => {
  expect(linesOf(FILE, nobody)).toEqual([{ name: 'The whole file', before: 600, now: 209, all: true }]);
});

test('the schools are named where they are known, and what is left of the file is one line', () => {
  const lines = linesOf({ ...FILE, schools: [{ school: 3, before: 400, now: 20 }] }, (number) => (number === 3 ? 'Oak' : undefined));
  expect(lines.map(({ name, before, now }) => [name, before, now])).toEqual([
    ['The whole file', 600, 209],
    ['Oak (3)', 400, 20],
    ['All other schools', 200, 189],
  ]);
});

test('where the schools are all there is, there are no others', () => {
  const lines = linesOf({ ...FILE, schools: [{ school: 3, before: 600, now: 209 }] }, nobody);
  expect(lines.map(({ name }) => name)).toEqual(['The whole file', 'School 3']);
});

test.each([
  [600, 209, '−391 (65 %)'],
  [20, 80, '+60 (300 %)'],
  [0, 5, '+5'],
  [1000, 999, '−1 (<1 %)'],
  [5000, 0, '−5,000 (100 %)'],
  [7, 7, '–'],
])('from %i to %i is %s', (before, now, words) => {
  expect(changeOf({ before, now })).toBe(words);
});
