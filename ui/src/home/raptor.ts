/** What the Raptor integration is doing, in words. */

import type { IntegrationEvent } from '../bindings/IntegrationEvent';
import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { JobId } from '../bindings/JobId';
import type { RaptorView } from '../bindings/RaptorView';
import type { StatusChangeView } from '../bindings/StatusChangeView';
import type { StatusView } from '../bindings/StatusView';
import { clockIn } from '../setup/raptor/window';
import { clock } from '../text/format';
import { locale } from '../text/locale';
import { say } from '../text/say';
import { isZone, sameClock, upcoming } from '../text/schedule';
import { runsByItself } from './next';

/** What happened, in a few words. */
export const EVENTS: Record<IntegrationEvent, string> = {
  enabled: say('Switched on'),
  disabled: say('Switched off'),
  window_opened: say('The window opened'),
  window_closed: say('The window closed'),
  sync_succeeded: say('Full synchronization succeeded'),
  sync_failed: say('Full synchronization failed'),
  fetch_succeeded: say('Updates were fetched'),
  fetch_failed: say('Fetching updates failed'),
};

/** Why the status moved; nothing where only the engine's own sentence says why it did not. */
export function reasonOf({ event, from, to, run }: StatusChangeView): string | undefined {
  if (from === to) return undefined;
  switch (event) {
    case 'enabled':
      return say('A person switched the integration on.');
    case 'disabled':
      return say('A person switched the integration off.');
    case 'window_opened':
      return run === undefined ? say('The integration window is open.') : say('A person started a full synchronization, as if the window were open.');
    case 'window_closed':
      return say('The window closed, and no attempt in it had succeeded.');
    case 'sync_succeeded':
      return say('A full synchronization succeeded.');
    case 'sync_failed':
      return say('A full synchronization failed.');
    case 'fetch_succeeded':
      return say('PowerSchool was looked at for updates, and something is new.');
    case 'fetch_failed':
      return run === undefined
        ? say('PowerSchool was looked at for updates, and that failed.')
        : say('An update could not be followed.');
  }
}

/** A time to come by the clock of a zone, with that zone's abbreviation: "today, 4:00 PM CST". */
export function byClockOf(zone: string, then: string, now: Date): string {
  const date = new Date(then);
  if (!isZone(zone)) return upcoming(then, now);
  const day = (at: Date) => Date.parse(`${at.toLocaleDateString('en-CA', { timeZone: zone })}T00:00:00Z`);
  const days = Math.round((day(date) - day(now)) / 86_400_000);
  const time = clockIn(zone, date);
  if (days <= 0) return say(`today, ${time}`);
  if (days === 1) return say(`tomorrow, ${time}`);
  return `${date.toLocaleDateString(locale(), { weekday: 'short', month: 'short', day: 'numeric', timeZone: zone })}, ${time}`;
}

/** The same, with this computer's time where its clock shows another one: "today, 4:00 PM CST (5:00 PM here)". */
export function windowTime(zone: string, then: string, now: Date): string {
  const words = byClockOf(zone, then, now);
  if (!isZone(zone) || sameClock(zone, new Date(then))) return words;
  return say(`${words} (${clock(new Date(then))} here)`);
}

/** What the integration does next by itself; nothing where it does nothing. */
export function nextThing(view: RaptorView, status: StatusView, now: Date): string {
  if (view.status === 'disabled') return '';
  if (status.jobs.some((view) => view.job === 'raptor-roster' && !view.enabled)) {
    return say('No students are sent: the exchange is switched off.');
  }
  if (!runsByItself(status)) return say('It synchronizes when you run it.');
  const { next, window } = view;
  if (next === undefined) return status.paused ? say('Nothing happens by itself while scheduled runs are paused.') : '';
  if (next.step === 'look') return say(`Next look for updates ${upcoming(next.at, now)}`);
  const when = windowTime(window.zone, next.at, now);
  if (view.open_until === undefined) return say(`The window opens ${when}`);
  return new Date(next.at) <= now ? say('The window is open: it synchronizes now') : say(`Next attempt ${when}`);
}

const NOT_IN_STEP: IntegrationStatus[] = [
  'pending_initialization',
  'initialization_scheduled',
  'reinitialization_scheduled',
];

/** Whether running these would start, while its window is closed, the full synchronization that waits for it. */
export function startsBeforeWindow(status: StatusView, jobs: JobId[]): boolean {
  return (
    runsByItself(status) &&
    jobs.includes('raptor-roster') &&
    status.raptor.open_until === undefined &&
    NOT_IN_STEP.includes(status.raptor.status)
  );
}
