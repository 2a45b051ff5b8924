/** What taking a run back comes to: what it wrote, less what has become something else since. */

import type { Cause } from '../bindings/Cause';
import type { JobReport } from '../bindings/JobReport';
import type { LeftAlone } from '../bindings/LeftAlone';
import type { RunView } from '../bindings/RunView';
import type { UndoReport } from '../bindings/UndoReport';
import { JOBS, kindOf } from '../text/names';

const CHANGED = 'Somebody has changed this record in PowerSchool since. It stays as it is: change it there if that is wrong.';
const AGAIN = 'A later run has written this record again. Take that run back first.';

/** What is not taken back of a run's records. */
function leftOf(long: boolean): LeftAlone[] {
  const left = (student_number: number, reason: LeftAlone['reason'], message: string): LeftAlone => ({
    source: 'raptor',
    student_number,
    school: 200,
    date: '2026-11-20',
    code: 'T',
    reason,
    message,
  });
  const few = [left(10_422, 'changed', CHANGED), left(10_655, 'changed', CHANGED), left(10_877, 'written_again', AGAIN)];
  return long ? [...few, ...Array.from({ length: 60 }, (_, index) => left(11_000 + index, 'written_again', AGAIN))] : few;
}

/** `cause`: it broke off before it had changed anything. */
export function undoReport(run: RunView, dryRun: boolean, long: boolean, cause?: Cause): UndoReport {
  const left = leftOf(long);
  const jobs = run.jobs
    .filter(({ job, rows }) => JOBS[kindOf(job)].direction === 'in' && rows.written > 0)
    .map((job, index): JobReport => {
      const stays = index === 0 ? left.length : 0;
      const written = Math.max(0, job.rows.written - stays);
      return {
        job: job.job,
        outcome: cause === undefined ? 'succeeded' : 'failed',
        rows: { read: written + stays, written: cause === undefined ? written : 0, noop: stays, held: 0, rejected: 0 },
        newly_held: 0,
        files: [],
        notes: [`This takes back what run ${run.run} wrote.`],
        ...(cause === undefined ? {} : { cause }),
      };
    });
  return {
    undoes: run.run,
    report: { run: 'u1', dry_run: dryRun, outcome: cause === undefined ? 'succeeded' : 'failed', jobs, seconds: [{ phase: 'pull', millis: 1_900 }], ...(cause === undefined ? {} : { cause }) },
    left,
  };
}
