/** Taking back what a run wrote: which runs can be, and what stays as it is. */

import type { Cause } from '../bindings/Cause';
import type { LeftAlone } from '../bindings/LeftAlone';
import type { NotUndone } from '../bindings/NotUndone';
import type { RunView } from '../bindings/RunView';
import type { SyncReport } from '../bindings/SyncReport';
import { JOBS, kindOf } from '../text/names';

/** Whether it has written attendance, which is what can be taken back. */
export function wroteAttendance({ dry_run, undo, finished_at, jobs }: RunView): boolean {
  if (dry_run || undo || finished_at === null) return false;
  return jobs.some(({ job, rows }) => JOBS[kindOf(job)].direction === 'in' && rows.written > 0);
}

/** How many records it takes back, or would. */
export function takenBack({ jobs }: Pick<SyncReport, 'jobs'>): number {
  return jobs.reduce((sum, { rows }) => sum + rows.written, 0);
}

/** Why it broke off, as a whole or in one of its exchanges. */
export function whyBrokenOff({ cause, jobs }: Pick<SyncReport, 'cause' | 'jobs'>): Cause | undefined {
  return cause ?? jobs.find((job) => job.cause !== undefined)?.cause;
}

/** The records that stay as they are, by why they do, most first. */
export function leftByReason(left: LeftAlone[]): { reason: NotUndone; records: LeftAlone[] }[] {
  const groups = new Map<NotUndone, LeftAlone[]>();
  for (const record of left) groups.set(record.reason, [...(groups.get(record.reason) ?? []), record]);
  return [...groups].map(([reason, records]) => ({ reason, records })).sort((a, b) => b.records.length - a.records.length);
}
