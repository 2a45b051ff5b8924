/** When full synchronizations are made, as a person types it and in words. */

import type { IntegrationWindow } from '../../bindings/IntegrationWindow';
import type { RaptorSettings } from '../../bindings/RaptorSettings';
import { HOUR } from '../../text/format';
import { locale } from '../../text/locale';
import { isWhole } from '../../text/number';
import { plural, say } from '../../text/say';
import { clockTime, isZone, parseTime, sameClock, zoneName } from '../../text/schedule';

export interface WindowDraft {
  zone: string;
  /** As typed, like the three below. */
  opens: string;
  minutes: string;
  retry: string;
  follow: string;
}

export type WindowProblems = Partial<Record<keyof WindowDraft, string>>;

export function windowDraft({ window, follow_minutes }: Pick<RaptorSettings, 'window' | 'follow_minutes'>): WindowDraft {
  return {
    zone: window.zone,
    opens: clockTime(window.opens),
    minutes: String(window.minutes),
    retry: String(window.retry_minutes),
    follow: String(follow_minutes),
  };
}

const MINUTES = say('From 1 to 1440 minutes, which is a day.');

/** What can't be saved as it stands. */
export function windowProblems(draft: WindowDraft): WindowProblems {
  const problems: WindowProblems = {};
  if (parseTime(draft.opens) === undefined) problems.opens = say('A time such as 4:00 PM or 16:00.');
  if (!isZone(draft.zone)) problems.zone = say('Choose a time zone of the list.');
  for (const field of ['minutes', 'retry', 'follow'] as const) {
    if (!isWhole(draft[field], 1, 1440)) problems[field] = MINUTES;
  }
  return problems;
}

/** The settings of a draft without problems. */
export function windowSettings(draft: WindowDraft): Pick<RaptorSettings, 'window' | 'follow_minutes'> {
  return {
    window: {
      zone: draft.zone,
      opens: parseTime(draft.opens) ?? '',
      minutes: Number(draft.minutes),
      retry_minutes: Number(draft.retry),
    },
    follow_minutes: Number(draft.follow),
  };
}

function span(minutes: number): string {
  return minutes % 60 === 0 ? plural(minutes / 60, ['# hour', '# hours']) : plural(minutes, ['# minute', '# minutes']);
}

function every(minutes: number): string {
  return minutes % 60 === 0
    ? plural(minutes / 60, ['every hour', 'every # hours'])
    : plural(minutes, ['every minute', 'every # minutes']);
}

/** "Every day at 4:00 PM Central time, for 2 hours; then every 5 minutes". */
export function windowWords({ window, follow_minutes }: Pick<RaptorSettings, 'window' | 'follow_minutes'>): string {
  return say(
    `Every day at ${clockTime(window.opens)} ${zoneName(window.zone)}, for ${span(window.minutes)}; then ${every(follow_minutes)}`,
  );
}

/** A moment on the clocks of a zone, with what they are called then: "4:00 PM CST". */
export function clockIn(zone: string, at: Date): string {
  return at
    .toLocaleTimeString(locale(), { ...HOUR, timeZone: zone, timeZoneName: 'short' })
    .replace('\u202f', ' ');
}

/** The day and time here, where the clocks of the zone show another time than this computer's: "Sun, Nov 22, 2:00 PM". */
export function hereInstead(zone: string, at: Date): string | undefined {
  if (sameClock(zone, at)) return undefined;
  return at
    .toLocaleString(locale(), { weekday: 'short', month: 'short', day: 'numeric', ...HOUR })
    .replace('\u202f', ' ');
}

function dayIn(zone: string, at: Date): string {
  return at.toLocaleDateString(locale(), { weekday: 'long', month: 'long', day: 'numeric', timeZone: zone });
}

/**
 * When a request is processed, in the words of Raptor's own dialog. The day is named unless it is today's in the
 * window's zone; a request that comes while the window is open does not wait.
 */
export function processedWords(window: IntegrationWindow, processedAt: string, now: Date): string {
  const at = new Date(processedAt);
  // A minute of grace: the answer has been on its way.
  if (at.getTime() - now.getTime() < 60_000) {
    return say('Your synchronization request will be processed now: the integration window is open.');
  }
  const time = clockIn(window.zone, at);
  const day = dayIn(window.zone, at);
  return day === dayIn(window.zone, now)
    ? say(`Your synchronization request will be processed at ${time}.`)
    : say(`Your synchronization request will be processed at ${time} on ${day}.`);
}
