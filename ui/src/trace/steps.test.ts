import { expect, test } from 'vitest';
import type { TraceStep } from '../bindings/TraceStep';
import type { TracedRow } from '../bindings/TracedRow';
import { stepWords } from './steps';

const record = { school: 100, date: '2026-11-20', mode: 'ATT_ModeDaily', cc: 0, period: 0, code: 'T' };
const step = (what: string, more: Partial<TraceStep> = {}): TraceStep => ({ at: '2026-11-20T15:00:00Z', run: 'r4', what, code: '', sentence: 'As the engine says.', ...more });

function row(...steps: TraceStep[]): TracedRow {
  return { source: 'raptor', file: 'tardies.csv', file_sha256: '', line: 1007, raw: '', fate: 'written', steps };
}

test.each<[TraceStep, string | undefined]>([
  [step('decided_write'), 'It is to be written to PowerSchool.'],
  [step('decided_write', { record }), 'T is to be written to PowerSchool.'],
  [step('decided_write', { record: { ...record, previous_code: 'A' } }), 'T is to be written to PowerSchool in place of A.'],
  [step('noop', { code: 'not_tardy' }), 'Nothing is to be written. The student signed in before the first bell.'],
  [step('unknown', { code: 'powerschool.timeout' }), 'No clear answer came (powerschool.timeout). Whether PowerSchool has it is looked up.'],
  [step('undo_decided', { record: { ...record, code: '' } }), 'It is to be taken back: the record is to be without a code again.'],
  [step('undo_decided', { record }), 'It is to be taken back: T is to stand again.'],
  [step('not_undone', { code: 'refused' }), 'It was not taken back. PowerSchool refused to change this record. Change it there by hand.'],
  [step('not_undone', { code: 'unheard_of' }), 'It was not taken back. Somebody has changed this record in PowerSchool since. The change stands.'],
])('what its code says is told by the window: %o', (only, told) => {
  expect(stepWords(row(only), 0)).toBe(told);
});

// What is wrong with it, who decided what, and what comes later stand in the engine's sentence alone.
test.each(['held', 'rejected', 'fixed', 'fix_taken_back', 'repeated', 'unheard_of'])('%s is told by the engine', (what) => {
  expect(stepWords(row(step(what)), 0)).toBeUndefined();
});

test('a reason that is not known here is left to the engine', () => {
  expect(stepWords(row(step('noop', { code: 'unheard_of' })), 0)).toBeUndefined();
});

test('an answer is told from a record that was looked up', () => {
  expect(stepWords(row(step('sent'), step('confirmed')), 1)).toBe('PowerSchool took it.');
  expect(stepWords(row(step('sent'), step('confirmed', { run: 'r5' })), 1)).toBe('PowerSchool was read back and has it.');
  expect(stepWords(row(step('undo_sent'), step('undone')), 1)).toBe('PowerSchool took it back.');
  expect(stepWords(row(step('undone')), 0)).toBe('PowerSchool was read back: it is taken back.');
});

test('a row that was read in two places is told by the engine', () => {
  expect(stepWords(row(step('read')), 0)).toBe('Read in tardies.csv, line 1,007.');
  expect(stepWords(row(step('read'), step('read')), 0)).toBeUndefined();
});
