/** What happened to a row, in the window's language where its code says all of it. */

import type { NotUndone } from '../bindings/NotUndone';
import type { TraceStep } from '../bindings/TraceStep';
import type { TracedRow } from '../bindings/TracedRow';
import { REASONS } from '../held/reasons';
import { count } from '../text/format';
import { say } from '../text/say';

/** Why nothing is to be written, by the engine's code. */
const NOTHING: Record<string, string> = {
  already_stated: say('Nothing is to be written. The same code was stated for this record before. What was done about it in PowerSchool since stands.'),
  already_recorded: say('Nothing is to be written. PowerSchool holds this code already.'),
  already_delivered: say('Nothing is to be written. The very same row was decided before.'),
  superseded: say('Nothing is to be written. A later sign-in or row states this record again.'),
  not_tardy: say('Nothing is to be written. The student signed in before the first bell.'),
};

/** Why a write is not taken back, and what to do. */
export const NOT_UNDONE: Record<NotUndone, string> = {
  written_again: say('A later run has written this record again. Undo that one first.'),
  already_undone: say('This was undone already: what stood before stands again.'),
  under_way: say('Another write of this record is under way. Run the exchange, then undo again.'),
  changed: say('Somebody has changed this record in PowerSchool since. The change stands.'),
  taken_over: say(
    'The ledger was restored from a backup after this was written, and what stood before is not known any more. Change the record in PowerSchool by hand.',
  ),
  several_records: REASONS['held.several_records'],
  no_such_code: say('The school has no such code any more, or no blank code for present. Change the record in PowerSchool by hand.'),
  refused: say('PowerSchool refused to change this record. Change it there by hand.'),
};

const isNotUndone = (code: string): code is NotUndone => code in NOT_UNDONE;

/** What a step is, in a sentence; nothing where only the engine's own sentence tells all. */
export function stepWords(row: TracedRow, index: number): string | undefined {
  const step = row.steps[index];
  if (step === undefined) return undefined;
  const { what, code, record } = step;
  switch (what) {
    case 'read':
      // A row that repeats another one was read in two places.
      return row.steps.filter((other) => other.what === 'read').length === 1 ? say(`Read in ${row.file}, line ${count(row.line)}.`) : undefined;
    case 'decided_write':
      if (record === undefined) return say('It is to be written to PowerSchool.');
      return record.previous_code === undefined
        ? say(`${record.code} is to be written to PowerSchool.`)
        : say(`${record.code} is to be written to PowerSchool in place of ${record.previous_code}.`);
    case 'noop':
      return NOTHING[code];
    case 'put_off':
      return say('It waits: whether PowerSchool has an earlier write of the same record is not known yet.');
    case 'sent':
      return say('It was sent to PowerSchool.');
    case 'undo_sent':
      return say('Taking it back was sent to PowerSchool.');
    case 'unknown':
    case 'undo_unknown':
      if (code === 'not_seen') return say('PowerSchool was read back and did not show it. It is looked up once more.');
      if (code === 'restored') return say('The ledger was restored from a backup. Whether PowerSchool has it is looked up.');
      return say(`No clear answer came (${code}). Whether PowerSchool has it is looked up.`);
    case 'decided_again':
    case 'undo_decided_again':
      return say('PowerSchool certainly does not have it. It is sent again.');
    case 'confirmed':
      if (code === 'taken_over') return say('The ledger was restored from a backup, and PowerSchool was found to have it.');
      if (code === 'found_changed') {
        return say(
          'The ledger was restored from a backup. The row had been decided before, and PowerSchool has something else now: that is not written over.',
        );
      }
      return isAnswer(row.steps, index) ? say('PowerSchool took it.') : say('PowerSchool was read back and has it.');
    case 'already_recorded':
      return say('It was not sent: somebody else recorded the same code in PowerSchool first.');
    case 'retried':
      return say('A person asked for it to be decided again.');
    case 'discarded':
      return say('A person closed it. It is never written.');
    case 'resolved':
      return say('It is settled otherwise, and held no more.');
    case 'undo_decided':
      return record === undefined || record.code === ''
        ? say('It is to be taken back: the record is to be without a code again.')
        : say(`It is to be taken back: ${record.code} is to stand again.`);
    case 'undone':
      return isAnswer(row.steps, index) ? say('PowerSchool took it back.') : say('PowerSchool was read back: it is taken back.');
    case 'already_undone':
      return say('It needed not be taken back: what stood before stands again.');
    case 'not_undone':
      return say(`It was not taken back. ${NOT_UNDONE[isNotUndone(code) ? code : 'changed']}`);
    default:
      return undefined;
  }
}

/** Whether it is PowerSchool's answer to what was sent just before, and was not found out by looking. */
function isAnswer(steps: TraceStep[], index: number): boolean {
  const before = steps[index - 1];
  return before !== undefined && (before.what === 'sent' || before.what === 'undo_sent') && before.run === steps[index]?.run;
}
