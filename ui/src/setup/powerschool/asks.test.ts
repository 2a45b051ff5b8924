import { expect, test } from 'vitest';
import type { FieldView } from '../../bindings/FieldView';
import { asksSentence, byTable, exchangesInWords } from './asks';

const read = (table: string, field: string): FieldView => ({ table, field, access: 'ViewOnly' });
const write = (table: string, field: string): FieldView => ({ table, field, access: 'FullAccess' });

test('fields are gathered by table, what is written apart', () => {
  expect(byTable([read('STUDENTS', 'ID'), write('ATTENDANCE', 'ATT_DATE'), read('STUDENTS', 'DCID'), read('ATTENDANCE', 'DCID')])).toEqual([
    { table: 'STUDENTS', reads: ['ID', 'DCID'], writes: [] },
    { table: 'ATTENDANCE', reads: ['DCID'], writes: ['ATT_DATE'] },
  ]);
});

test('what is asked for is said in a sentence', () => {
  expect(asksSentence([read('STUDENTS', 'ID')])).toBe('The plugin asks to read 1 field in 1 table. It writes nothing.');
  expect(asksSentence([read('STUDENTS', 'ID'), write('ATTENDANCE', 'ATT_DATE')])).toBe(
    'The plugin asks to read 2 fields in 2 tables, and to write to ATTENDANCE.',
  );
});

test('exchanges are named by the system they are with', () => {
  expect(exchangesInWords(['hero-students', 'raptor-roster', 'raptor-tardies'])).toBe(
    'Raptor: Students, Tardies · SchoolMint Hero: Students',
  );
});
