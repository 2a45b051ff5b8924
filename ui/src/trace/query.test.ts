import { describe, expect, test } from 'vitest';
import type { TracedRow } from '../bindings/TracedRow';
import { codeFacts, fieldFaults, fieldsOf, listOf, recordFacts, rowText, rowsText, type Fields } from './query';

const empty: Fields = { student: '', file: '', line: '', day: '', sha256: '', source: '', fate: '', school: '' };

describe('a search', () => {
  test.each([
    [empty, {}],
    [{ ...empty, student: ' 10422 ' }, { student: 10_422 }],
    [{ ...empty, file: ' tardies.csv ', line: '7' }, { file: 'tardies.csv', line: 7 }],
    [{ ...empty, day: '2026-11-20' }, { day: '2026-11-20' }],
    [{ ...empty, source: 'hero', fate: 'held', school: '200' } as const, { source: 'hero', fate: 'held', school: 200 }],
    // What can't be read is complained about and never sent as something else.
    [{ ...empty, student: '10-422', line: 'x' }, {}],
  ])('%j', (fields, query) => {
    expect(listOf(fields, 'student', true)).toEqual({ ...query, sort: 'student', descending: true });
  });

  test.each([
    [empty, []],
    [{ ...empty, student: '10422', line: '1' }, []],
    [{ ...empty, student: '10-422' }, ['student']],
    [{ ...empty, student: '1e3' }, ['student']],
    [{ ...empty, line: '0' }, ['line']],
    [{ ...empty, line: '-1', student: 'Kim' }, ['student', 'line']],
  ])('what is wrong with %j', (fields, wrong) => {
    expect(Object.keys(fieldFaults(fields))).toEqual(wrong);
  });

  test('of rows asked for elsewhere', () => {
    expect(listOf(fieldsOf({ file: 'tardies.csv', sha256: 'ef', line: 7 }), 'read', true)).toEqual({
      file: 'tardies.csv',
      sha256: 'ef',
      line: 7,
      sort: 'read',
      descending: true,
    });
    expect(fieldsOf({})).toEqual(empty);
  });
});

const record = { school: 200, date: '2026-11-20', mode: 'ATT_ModeMeeting', cc: 48_211, period: 903, code: 'T', previous_code: 'A' };

test('rows are copied as lines of a table', () => {
  const row = {
    cursor: { key: 0, row: { file: 1, line: 7 } },
    source: 'raptor',
    file: 'tardies.csv',
    line: 7,
    read_at: '2026-11-20T14:00:00Z',
    fate: 'held',
    at: '2026-11-20T14:00:04Z',
    code: '',
    sentence: 'It is held.',
  } as const;
  const text = rowsText([row, { ...row, line: 8, student_number: 10_422, school: 200 }], () => 'Cedar Ridge');
  expect(text).toBe(
    '2026-11-20T14:00:00Z\t\t\tHeld\tIt is held.\ttardies.csv\t7\n' +
      '2026-11-20T14:00:00Z\t10422\tCedar Ridge\tHeld\tIt is held.\ttardies.csv\t8',
  );
});

describe('a record of PowerSchool’s', () => {
  test('of a meeting', () => {
    const facts = [...recordFacts(record, 'Cedar Ridge Middle School'), ...codeFacts(record)];
    expect(facts.map(({ name, value }) => [name, value])).toEqual([
      ['School', 'Cedar Ridge Middle School (200)'],
      ['Day', 'Fri, Nov 20, 2026'],
      ['Recorded', 'Meeting'],
      ['Enrolment', 'CC 48211'],
      ['Period', 'ID 903'],
      ['Code', 'T'],
      ['Before', 'A'],
    ]);
  });

  test('of a day has neither class nor period, and an empty code is none', () => {
    const { previous_code: _, ...day } = { ...record, mode: 'ATT_ModeDaily', cc: 0, period: 0, code: '' };
    expect([...recordFacts(day, undefined), ...codeFacts(day)].map(({ name, value }) => [name, value])).toEqual([
      ['School', '200'],
      ['Day', 'Fri, Nov 20, 2026'],
      ['Recorded', 'Daily'],
      ['Code', 'none'],
    ]);
  });
});

test('a row is copied with everything that happened to it', () => {
  const row: TracedRow = {
    source: 'raptor',
    file: 'tardies.csv',
    file_sha256: 'ab12',
    line: 7,
    raw: 'Cedar Ridge MS,10422,2026-11-20T08:52:00,Car trouble,',
    student_number: 10_422,
    fate: 'written',
    steps: [
      { at: '2026-11-20T15:00:00Z', run: 'r4', what: 'held', code: 'held.reason_not_mapped', sentence: 'Held.' },
      { at: '2026-11-20T15:30:00Z', what: 'retried', code: '', sentence: 'A person asked again.' },
      { at: '2026-11-20T15:31:00Z', run: 'r5', what: 'confirmed', code: '', sentence: 'There.', record },
    ],
  };
  expect(rowText(row, () => 'Cedar Ridge Middle School').split('\n')).toEqual([
    'tardies.csv, line 7: Written',
    'SHA-256 of the file: ab12',
    'Student number: 10422',
    'As it came: Cedar Ridge MS,10422,2026-11-20T08:52:00,Car trouble,',
    '2026-11-20T15:00:00Z  Held. [held.reason_not_mapped] (run r4)',
    '2026-11-20T15:30:00Z  A person asked again.',
    '2026-11-20T15:31:00Z  There. (run r5)',
    '    School: Cedar Ridge Middle School (200), Day: Fri, Nov 20, 2026, Recorded: Meeting, Enrolment: CC 48211, Period: ID 903, Code: T, Before: A',
  ]);
});
