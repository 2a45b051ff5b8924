import type { JobView } from '../bindings/JobView';
import type { StatusView } from '../bindings/StatusView';
import { isZone, sameClock, scheduleWords, upcomingIn, zoneName } from '../text/schedule';

/** Whether the window runs this profile's exchanges when they are due: in the practice district a person starts every run. */
export function runsByItself(status: StatusView): boolean {
  return status.profile !== 'practice';
}

/** Whether anything runs by itself: where nothing does, nothing can be paused or resumed. */
export function anythingScheduled(status: StatusView): boolean {
  return runsByItself(status) && status.jobs.some((view) => view.enabled && view.schedule !== undefined);
}

/** When an integration runs next: "Next run today, 4:00 PM (5:00 PM Eastern time)". */
export function nextRun(jobs: JobView[], status: StatusView, now: Date): string {
  if (!runsByItself(status)) return 'Runs when you ask';
  const enabled = jobs.filter((view) => view.enabled);
  if (enabled.length === 0) return '';
  const planned = enabled
    .filter((view) => view.next_at !== undefined)
    .sort((a, b) => new Date(a.next_at ?? 0).getTime() - new Date(b.next_at ?? 0).getTime());
  const [first] = planned;
  if (first?.next_at !== undefined) return `Next run ${upcomingIn(first.next_at, zoneOf(first), now)}`;
  if (status.paused) return 'Paused';
  return enabled.some((view) => view.schedule !== undefined) ? 'No run is planned' : 'Runs when you ask';
}

/** When an exchange runs by itself: "Every day at 4:00 PM, Central time". */
export function ownTimes(view: JobView, now: Date): string {
  if (view.schedule === undefined) return 'Only when you run it';
  const words = scheduleWords(view.schedule);
  const zone = zoneOf(view);
  const elsewhere = zone !== undefined && isZone(zone) && !sameClock(zone, now);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${elsewhere ? `, ${zoneName(zone)}` : ''}`;
}

/** The clock an exchange follows; one that runs again and again follows none in particular. */
function zoneOf(view: JobView): string | undefined {
  return view.schedule?.when.kind === 'at' ? view.schedule.zone : undefined;
}
