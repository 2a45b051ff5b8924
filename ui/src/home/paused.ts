import type { JobId } from '../bindings/JobId';
import type { JobView } from '../bindings/JobView';
import type { StatusView } from '../bindings/StatusView';
import { say } from '../text/say';

/** What is said of a paused exchange where its settings are. */
export const PAUSED = say('Paused: another sender is active. Home says what to do.');

/** Whether another sender has paused an exchange. */
export function isPaused(status: StatusView | undefined, job: JobId): boolean {
  return status?.other_sender.some((sender) => sender.job === job) ?? false;
}

/** What is said of one that goes on and has not run since: its file was not sent. */
export const GOES_ON = say('It was paused and has not run since. It goes on at its next time, or when you run it.');

/** Whether an exchange's last run ended at once because another sender was active, and it goes on since. */
export function goesOn({ last, paused_since }: JobView): boolean {
  return paused_since === undefined && last?.cause?.code === 'hero.other_sender';
}
