/** What a person enters about one exchange's schedule, and what becomes of it. */

import type { JobId } from '../../bindings/JobId';
import type { JobSchedule } from '../../bindings/JobSchedule';
import type { JobSettings } from '../../bindings/JobSettings';
import { isWhole } from '../../text/number';
import { say } from '../../text/say';
import { clockTime, daysProblem, isZone, orderedDays, parseTime, usualSchedule } from '../../text/schedule';

export interface Draft {
  job: JobId;
  /** Whether it runs by itself. */
  byItself: boolean;
  kind: 'at' | 'every';
  /** Letters, as typed. */
  days: string;
  /** As typed. */
  time: string;
  /** As typed. */
  minutes: string;
  /** Whether its times are read from another clock than the district's. */
  ownZone: boolean;
  zone: string;
  onlyInSession: boolean;
  catchUp: boolean;
}

export interface Problems {
  days?: string;
  time?: string;
  minutes?: string;
  zone?: string;
}

/** The zone most exchanges are in. Raptor's roster has one by procedure and says nothing about the district. */
export function districtZone(jobs: JobSettings[]): string {
  const counts = new Map<string, number>();
  for (const { job, schedule } of jobs) {
    if (schedule === undefined || job === 'raptor-roster') continue;
    counts.set(schedule.zone, (counts.get(schedule.zone) ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? jobs.find(({ schedule }) => schedule !== undefined)?.schedule?.zone ?? 'America/Chicago';
}

export function draftOf(settings: JobSettings, district: string): Draft {
  const schedule = settings.schedule ?? usualSchedule(settings.job, district);
  const usual = usualSchedule(settings.job, district);
  const { when } = schedule;
  return {
    job: settings.job,
    byItself: settings.schedule !== undefined,
    kind: when.kind,
    days: when.kind === 'at' ? when.days : 'MTWHF',
    time: clockTime(when.kind === 'at' ? when.time : usual.when.kind === 'at' ? usual.when.time : '16:00'),
    minutes: String(when.kind === 'every' ? when.minutes : 60),
    ownZone: schedule.zone !== district,
    zone: schedule.zone,
    onlyInSession: schedule.only_in_session,
    catchUp: schedule.missed === 'catch_up',
  };
}

/** What can't be saved as it stands. */
export function problemsOf(draft: Draft): Problems {
  if (!draft.byItself) return {};
  const problems: Problems = {};
  if (draft.kind === 'at') {
    const wrong = daysProblem(draft.days);
    if (wrong !== undefined) problems.days = wrong;
    else if (orderedDays(draft.days) === '') problems.days = say('Choose at least one day, or let it run only when you ask.');
    if (parseTime(draft.time) === undefined) problems.time = say('A time such as 3:10 AM or 15:10.');
  } else if (!isWhole(draft.minutes, 1, 1440)) {
    problems.minutes = say('From 1 to 1440 minutes, which is a day.');
  }
  if (draft.ownZone && !isZone(draft.zone)) problems.zone = say('Choose a time zone of the list.');
  return problems;
}

/** The schedule as it is saved; nothing for an exchange that runs only when asked. */
export function scheduleOf(draft: Draft, district: string): JobSchedule | undefined {
  if (!draft.byItself) return undefined;
  return {
    when:
      draft.kind === 'at'
        ? { kind: 'at', days: orderedDays(draft.days), time: parseTime(draft.time) ?? '' }
        : { kind: 'every', minutes: Number(draft.minutes) },
    zone: draft.ownZone ? draft.zone : district,
    only_in_session: draft.onlyInSession,
    missed: draft.catchUp ? 'catch_up' : 'skip',
  };
}

/** Addresses as they are typed, one after the other. */
export function addresses(text: string): string[] {
  return text.split(/[\s,;]+/).filter((part) => part !== '');
}

/** Why a list of addresses can't be used. */
export function addressProblem(text: string): string | undefined {
  const wrong = addresses(text).find((address) => !/^[^@\s]+@[^@\s]+$/.test(address));
  return wrong === undefined ? undefined : say(`“${wrong}” is no mail address.`);
}
