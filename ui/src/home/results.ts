import type { JobReport } from '../bindings/JobReport';
import type { RowCounts } from '../bindings/RowCounts';
import { sideBySide } from '../text/format';
import { plural } from '../text/say';

/** The rows that were not written, by what became of them: "2 unchanged, 3 held". */
export function leftovers(rows: RowCounts): string {
  const parts: string[] = [];
  if (rows.noop > 0) parts.push(plural(rows.noop, ['# unchanged', '# unchanged']));
  if (rows.held > 0) parts.push(plural(rows.held, ['# held', '# held']));
  if (rows.rejected > 0) parts.push(plural(rows.rejected, ['# unreadable', '# unreadable']));
  return sideBySide(parts);
}

/** The rows the other side has after a run: those of a file that had not changed are there from the run before. */
export function delivered(direction: 'out' | 'in', rows: RowCounts): number {
  return direction === 'out' ? rows.written + rows.noop : rows.written;
}

/** The rows of all jobs together. */
export function totals(jobs: JobReport[]): RowCounts {
  const sum: RowCounts = { read: 0, written: 0, noop: 0, held: 0, rejected: 0 };
  for (const { rows } of jobs) {
    sum.read += rows.read;
    sum.written += rows.written;
    sum.noop += rows.noop;
    sum.held += rows.held;
    sum.rejected += rows.rejected;
  }
  return sum;
}
