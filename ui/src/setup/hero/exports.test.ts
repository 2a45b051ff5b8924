import { describe, expect, test } from 'vitest';
import type { HeroAccount } from '../../bindings/HeroAccount';
import {
  EXPORT_KINDS,
  USUAL_FIELDS,
  departures,
  fieldNames,
  folderProblem,
  importDepartures,
  newAccount,
  nextAccount,
  onDay,
  pathProblem,
  sharedSchools,
  tooManySchools,
  usualExport,
  usualImport,
} from './exports';
import { problemsTable } from './problems';

describe('what a person edits of Hero’s exports', () => {
  test('the usual settings are those of Hero’s procedure', () => {
    expect(EXPORT_KINDS.map((kind) => departures(kind, usualExport(kind)))).toEqual([[], [], []]);
    expect(importDepartures(usualImport())).toEqual([]);
    expect(USUAL_FIELDS.schedule).toHaveLength(12);
    expect(USUAL_FIELDS.teachers.filter((name) => name === 'teachernumber')).toHaveLength(2);
  });

  test('what differs from it is told in words', () => {
    const job = { ...usualExport('teachers'), header: true, fields: ['Schoolid'], schools: [100], record_delimiter: 'lf' as const };
    expect(departures('teachers', job)).toEqual(['records end in LF', 'with field names', 'own fields', 'some schools']);
    const { in_powerschool } = usualImport();
    expect(importDepartures({ ...usualImport(), in_powerschool: { ...in_powerschool, synchronize: true, mark_students: true } })).toEqual([
      'Synchronize Mode ticked',
      '‘Mark students…’ ticked',
    ]);
    expect(importDepartures({ ...usualImport(), update_existing: false, character_set: 'mac_roman' })).toEqual([
      'Mac Roman',
      'existing records stay',
    ]);
  });

  test.each([
    ['imports/STUDENT.TXT', false, undefined],
    ['STUDENT.TXT', false, undefined],
    ['imports/%Y/S-%m%d.TXT', false, undefined],
    ['imports/100%%.TXT', false, undefined],
    ['', false, /Enter a path/],
    ['imports/STUDENT INFO.TXT', false, /No spaces/],
    ['/imports/STUDENT.TXT', false, /first slash/],
    ['imports/%q.TXT', false, /%q means nothing/],
    ['imports/50%', false, /% means nothing/],
    ['imports//STUDENT.TXT', false, /one slash/],
    ['../STUDENT.TXT', false, /one slash/],
    ['imports/', false, /one slash/],
    ['C:\\imports', false, /Letters/],
    ['export/ATTENDANCE.txt', true, undefined],
    ['export/ATT_%Y%m%d.TXT', true, undefined],
    ['imports/ATTENDANCE.txt', true, /export\/NAME/],
    ['export/a/ATTENDANCE.txt', true, /export\/NAME/],
    ['export/ATTENDANCE.csv', true, undefined],
    ['export/ATTENDANCE', true, undefined],
    ['Export/ATTENDANCE.txt', true, /export\/NAME/],
    ['', true, /export\//],
  ] as const)('the path %j (import: %s)', (path, imports, told) => {
    const problem = pathProblem(path, imports);
    if (told === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(told);
  });

  test.each([
    ['imports/S_%Y-%m-%d.TXT', 'imports/S_2026-09-07.TXT'],
    ['imports/100%%d.TXT', 'imports/100%d.TXT'],
    ['imports/STUDENT.TXT', 'imports/STUDENT.TXT'],
  ])('%s on a day', (path, expected) => {
    expect(onDay(path, '2026-09-07')).toBe(expected);
  });

  test.each([
    ['/srv/hero', true],
    ['D:\\exchange', true],
    ['\\\\files\\hero', true],
    ['hero', false],
    ['  ', false],
  ])('the folder %j can be used: %s', (folder, good) => {
    expect(folderProblem({ kind: 'folder', folder }) === undefined).toBe(good);
  });

  test('a field list is read however it was pasted', () => {
    expect(fieldNames(' Schoolid\r\n[05]last_name   Period Expression\n\n')).toEqual(['Schoolid', '[05]last_name', 'Period', 'Expression']);
  });

  test('accounts share no school, and their numbers are not used twice', () => {
    const one: HeroAccount = { ...newAccount(1, 'One', 'hero', 'UTC'), schools: [100, 200] };
    const three: HeroAccount = { ...newAccount(3, 'Three', 'hero', 'UTC'), schools: [200, 300] };
    expect(sharedSchools([one, three], one)).toEqual([200]);
    expect(nextAccount([one, three], 2)).toBe(4);
    expect(nextAccount([one], 5)).toBe(5);
  });
});

test.each([
  ['every school of several', {}, [100, 200], [100, 200]],
  ['every school of one', {}, [100], []],
  ['one that was chosen', { schools: [100] }, [100, 200], []],
  ['several that were chosen, before any is known', { schools: [100, 200] }, [], [100, 200]],
  ['a group', { level: 'group' as const }, [100, 200], []],
  ['schools of another account', {}, [100, 300], []],
])('one school’s account that takes %s', (_, change, known, told) => {
  const one: HeroAccount = { ...newAccount(1, 'One', 'hero', 'UTC'), ...change };
  const other: HeroAccount = { ...newAccount(2, 'Other', 'hero', 'UTC'), schools: [300] };
  expect(tooManySchools([one, other], one, known)).toEqual(told);
  for (const students of [{ schools: [100] }, { fields: ['DOB', '[01]schoolid'] }]) {
    expect(tooManySchools([one, other], { ...one, students: { ...one.students, ...students } }, known)).toEqual([]);
  }
});

test('the rows to look at, as a table no spreadsheet takes for formulas', () => {
  const table = problemsTable([
    { row: 7, number: '=1+1', field: 'Mailing_Street', kind: 'too_long', message: 'It has 61 characters, "as it is".', length: 61, limit: 50 },
    { number: '1002', field: '', kind: 'no_schedule', message: 'A student, without classes' },
  ]);
  expect(table.split('\r\n')).toEqual([
    'row,number,field,kind,message,length,limit,first_row',
    `7,'=1+1,Mailing_Street,too_long,"It has 61 characters, ""as it is"".",61,50,`,
    ',1002,,no_schedule,"A student, without classes",,,',
    '',
  ]);
});
