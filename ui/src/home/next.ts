import type { JobView } from '../bindings/JobView';
import type { StatusView } from '../bindings/StatusView';
import { locale } from '../text/locale';
import { say } from '../text/say';
import { isZone, sameClock, scheduleWords, upcomingIn, zoneName } from '../text/schedule';

/** Whether the window runs this profile's exchanges when they are due: in the practice district a person starts every run. */
export function runsByItself(status: StatusView): boolean {
  return status.profile !== 'practice';
}

/** Whether anything runs by itself: where nothing does, nothing can be paused or resumed. */
export function anythingScheduled(status: StatusView): boolean {
  return runsByItself(status) && status.jobs.some((view) => view.enabled && isPlanned(view));
}

/** When an integration runs next: "Next run today, 4:00 PM (5:00 PM Eastern time)". */
export function nextRun(jobs: JobView[], status: StatusView, now: Date): string {
  if (!runsByItself(status)) return say('Runs when you ask');
  // A look for updates is no run: it becomes one only where there are some.
  const looks = status.raptor.next?.step === 'look';
  const enabled = jobs.filter((view) => view.enabled && !(looks && view.job === 'raptor-roster'));
  if (enabled.length === 0) return '';
  const planned = enabled
    .filter((view) => view.next_at !== undefined)
    .sort((a, b) => new Date(a.next_at ?? 0).getTime() - new Date(b.next_at ?? 0).getTime());
  const [first] = planned;
  if (first?.next_at !== undefined) return say(`Next run ${upcomingIn(first.next_at, zoneOf(first, status), now)}`);
  if (status.paused) return say('Paused');
  return enabled.some(isPlanned) ? say('No run is planned') : say('Runs when you ask');
}

/** When an exchange runs by itself: "Every day at 4:00 PM, Central time". */
export function ownTimes(view: JobView, now: Date): string {
  if (view.schedule === undefined) return say('Only when you run it');
  const words = scheduleWords(view.schedule);
  const zone = clockOf(view);
  const elsewhere = zone !== undefined && isZone(zone) && !sameClock(zone, now);
  // It stands by itself here, and in the middle of a sentence elsewhere.
  const sentence = `${words.charAt(0).toLocaleUpperCase(locale())}${words.slice(1)}`;
  return elsewhere ? `${sentence}, ${zoneName(zone)}` : sentence;
}

/** Whether an exchange runs by itself: by its schedule, or with the window of the Raptor integration. */
function isPlanned(view: JobView): boolean {
  return view.schedule !== undefined || view.job === 'raptor-roster';
}

function zoneOf(view: JobView, status: StatusView): string | undefined {
  return view.job === 'raptor-roster' ? status.raptor.window.zone : clockOf(view);
}

/** The clock an exchange follows; one that runs again and again follows none in particular. */
function clockOf(view: JobView): string | undefined {
  return view.schedule?.when.kind === 'at' ? view.schedule.zone : undefined;
}
