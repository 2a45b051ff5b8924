/** When things happen on the sample data: always beside now. */

import type { JobSchedule } from '../bindings/JobSchedule';

export function dayFromNow(days: number, hour: number, minute = 0): Date {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour, minute);
}

/** The next full ten minutes at which a clock of the schedule's zone shows its time, whatever the day. */
export function nextAt({ when, zone: timeZone }: JobSchedule): string {
  const step = 600_000;
  if (when.kind === 'every') return new Date(Date.now() + when.minutes * 30_000).toISOString();
  const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone });
  const first = Math.ceil(Date.now() / step) * step;
  for (let time = first; time < first + 86_400_000; time += step) {
    if (clock.format(time) === when.time) return new Date(time).toISOString();
  }
  return new Date(first + 86_400_000).toISOString();
}
