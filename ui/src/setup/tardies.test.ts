import { expect, test } from 'vitest';
import type { CodeChoice } from '../bindings/CodeChoice';
import { briefly, missingIn, rowChange, rowProblem, unmappedReasons } from './tardies';

const row = { reason: 'Overslept', code: 'T', active: true };

test.each([
  [1, { ...row, reason: ' overslept ' }, /already has a row/],
  [0, { ...row, code: 'TE' }, undefined],
  [1, { ...row, reason: 'Bus late' }, undefined],
  [1, { ...row, reason: ' ' }, /Choose both/],
  [1, { ...row, reason: 'Bus late', code: '' }, /Choose both/],
])('at place %i, %o: %s', (place, changed, problem) => {
  const found = rowProblem([row], place, changed);
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(problem);
});

test('reasons without a row are told once, wherever they were found', () => {
  const found = unmappedReasons(
    [
      { reason: 'Overslept', found_in: 'list' },
      { reason: 'Car trouble', found_in: 'tardy_file' },
    ],
    ['car trouble', 'Dentist'],
    [row],
  );
  expect(found).toEqual([
    { reason: 'Car trouble', found_in: 'tardy_file' },
    { reason: 'Dentist', found_in: 'list' },
  ]);
});

test.each([
  [[], ''],
  [['A'], 'A'],
  [['A', 'B'], 'A and B'],
  [['A', 'B', 'C'], 'A, B, and C'],
  [['A', 'B', 'C', 'D', 'E'], 'A, B, C, and 2 more'],
])('%j are listed as %j', (names, words) => {
  expect(briefly(names)).toBe(words);
});

test('schools without a code are named, also where their name is not known', () => {
  const codes: CodeChoice[] = [{ code: 'TX', description: '', presence: 'Present', schools: 1, missing_in: [1, 2] }];
  expect(missingIn('TX', codes, [{ number: 1, name: 'One', abbreviation: '' }])).toEqual(['One', 'school 2']);
  expect(missingIn('T', codes, [])).toEqual([]);
});

test('a row is flagged as long as it names what is gone', () => {
  const changes = [
    { change: 'code_gone' as const, reason: 'Overslept', code: 'T' },
    { change: 'reason_gone' as const, reason: 'Traffic' },
  ];
  expect(rowChange(row, changes)).toBe('code_gone');
  expect(rowChange({ ...row, code: 'TE' }, changes)).toBeUndefined();
  expect(rowChange({ ...row, reason: 'traffic' }, changes)).toBe('reason_gone');
});
