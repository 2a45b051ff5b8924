/** When exchanges run by themselves, in words and from words. */

import type { JobId } from '../bindings/JobId';
import type { JobSchedule } from '../bindings/JobSchedule';
import type { Pause } from '../bindings/Pause';
import { counted } from './format';
import { kindOf } from './names';

/** PowerSchool's letters for the days of the week, in its order. */
export const DAYS: [letter: string, name: string][] = [
  ['M', 'Monday'],
  ['T', 'Tuesday'],
  ['W', 'Wednesday'],
  ['H', 'Thursday'],
  ['F', 'Friday'],
  ['S', 'Saturday'],
  ['U', 'Sunday'],
];

const LETTERS = DAYS.map(([letter]) => letter).join('');

/** The days of letters as they were typed, in PowerSchool's order, each once. */
export function orderedDays(days: string): string {
  const typed = days.toUpperCase();
  return [...LETTERS].filter((letter) => typed.includes(letter)).join('');
}

/** Why letters that were typed are no days. That none is chosen is another matter. */
export function daysProblem(typed: string): string | undefined {
  const letters = [...typed.toUpperCase().replace(/[\s,;]+/g, '')];
  const wrong = [...new Set(letters.filter((letter) => !LETTERS.includes(letter)))];
  if (wrong.length > 0) {
    const named = wrong.map((letter) => `“${letter}”`).join(' and ');
    return `${named} ${wrong.length === 1 ? 'is no day' : 'are no days'}: ${LETTERS} are Monday to Sunday, H is Thursday and U is Sunday.`;
  }
  // 'TuTh' would be Tuesday, Sunday and Thursday.
  const twice = letters.find((letter, index) => letters.indexOf(letter) !== index);
  return twice === undefined ? undefined : `“${twice}” stands there twice: one letter is one day.`;
}

/** "3:10 AM", "15:10", "4 pm" or "0410" as the engine writes it: "03:10". Nothing where it is no time. */
export function parseTime(text: string): string | undefined {
  const found = /^\s*(\d{1,2})(?::?(\d{2}))?\s*([ap])?\.?(?:m\.?)?\s*$/i.exec(text);
  if (found === null) return undefined;
  const [, hours = '', minutes, half] = found;
  // "16" alone could be minutes or days as well.
  if (minutes === undefined && half === undefined) return undefined;
  let hour = Number(hours);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  }
  const minute = Number(minutes ?? 0);
  if (hour > 23 || minute > 59) return undefined;
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

/** "03:10" → "3:10 AM". */
export function clockTime(time: string): string {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return `${hour % 12 === 0 ? 12 : hour % 12}:${String(minute).padStart(2, '0')} ${hour < 12 ? 'AM' : 'PM'}`;
}

/** "MTWHF" → "Monday to Friday". */
export function dayWords(days: string): string {
  const ordered = orderedDays(days);
  if (ordered === LETTERS) return 'every day';
  const names = [...ordered].map((letter) => DAYS.find(([known]) => known === letter)?.[1] ?? '');
  if (names.length === 0) return 'on no day';
  if (names.length === 1) return `${names[0]}s`;
  if (names.length > 2 && LETTERS.includes(ordered)) return `${names[0]} to ${names.at(-1)}`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A schedule in half a sentence: "Monday to Friday at 3:10 AM". */
export function scheduleWords(schedule: JobSchedule): string {
  const { when } = schedule;
  const words =
    when.kind === 'at'
      ? `${dayWords(when.days)} at ${clockTime(when.time)}`
      : when.minutes === 1
        ? 'every minute'
        : when.minutes % 60 === 0
          ? when.minutes === 60
            ? 'every hour'
            : `every ${counted(when.minutes / 60, 'hour')}`
          : `every ${counted(when.minutes, 'minute')}`;
  return schedule.only_in_session ? `${words}, when school is in session` : words;
}

/** The schedule an exchange starts with, as the engine has it. */
export function usualSchedule(job: JobId, zone: string): JobSchedule {
  const weekdays = (time: string): JobSchedule['when'] => ({ kind: 'at', days: 'MTWHF', time });
  const base = { zone, only_in_session: false, missed: 'catch_up' as const };
  switch (kindOf(job)) {
    case 'hero-students':
      return { ...base, when: weekdays('03:05') };
    case 'hero-schedule':
      return { ...base, when: weekdays('03:15') };
    case 'hero-teachers':
      return { ...base, when: weekdays('03:25') };
    case 'hero-attendance':
      return { ...base, when: weekdays('04:10') };
    case 'raptor-roster':
      return { ...base, when: { kind: 'at', days: LETTERS, time: '16:00' }, zone: RAPTOR_ZONE };
    case 'raptor-tardies':
      return { ...base, when: { kind: 'every', minutes: 5 }, only_in_session: true };
  }
}

/** Raptor's procedure names Central time, wherever the district is. */
export const RAPTOR_ZONE = 'America/Chicago';

/** What people call the zones of the United States. */
const FAMILIAR: [zone: string, name: string][] = [
  ['America/New_York', 'Eastern'],
  ['America/Chicago', 'Central'],
  ['America/Denver', 'Mountain'],
  ['America/Phoenix', 'Mountain, no daylight saving'],
  ['America/Los_Angeles', 'Pacific'],
  ['America/Anchorage', 'Alaska'],
  ['Pacific/Honolulu', 'Hawaii'],
];

/** "America/Chicago" → "Central time", "America/Boise" → "Boise time", "UTC" → "UTC". */
export function zoneName(zone: string): string {
  if (!zone.includes('/')) return zone;
  const familiar = FAMILIAR.find(([known]) => known === zone)?.[1];
  return `${familiar?.split(',')[0] ?? (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ')} time`;
}

/** The zones to choose from: those of the United States first. */
export function zoneOptions(): { value: string; label: string; about?: string }[] {
  const others = Intl.supportedValuesOf('timeZone').filter((zone) => !FAMILIAR.some(([known]) => known === zone));
  return [
    ...FAMILIAR.map(([value, about]) => ({ value, label: value, about })),
    ...others.map((value) => ({ value, label: value })),
  ];
}

/** Whether this computer knows the zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return zone !== '';
  } catch {
    return false;
  }
}

/** The zone this computer is set to. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** A time to come, by this computer's clock: "today, 4:00 PM", "tomorrow, 3:10 AM", "Mon, Nov 23, 3:10 AM". */
export function upcoming(then: string, now: Date): string {
  const date = new Date(then);
  const days = Math.round((startOfDay(date) - startOfDay(now)) / 86_400_000);
  const clock = timeIn(date, undefined);
  if (days <= 0) return `today, ${clock}`;
  if (days === 1) return `tomorrow, ${clock}`;
  return `${dateWords(date, now)}, ${clock}`;
}

/** The same, with the time where the schedule's clock hangs when that shows another one. */
export function upcomingIn(then: string, zone: string | undefined, now: Date): string {
  const words = upcoming(then, now);
  if (zone === undefined || !isZone(zone)) return words;
  const date = new Date(then);
  return sameClock(zone, date) ? words : `${words} (${timeIn(date, zone)} ${zoneName(zone)})`;
}

/** Whether the clocks of a zone show what this computer's does. */
export function sameClock(zone: string, at: Date): boolean {
  return timeIn(at, zone) === timeIn(at, undefined);
}

/** "Mon, Nov 30", with the year when it is not this one. */
export function dateWords(date: Date, now: Date): string {
  return date.toLocaleDateString('en-US', {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
  });
}

function timeIn(date: Date, timeZone: string | undefined): string {
  return date
    .toLocaleTimeString('en-US', { hour: 'numeric', minute: '2-digit', ...(timeZone === undefined ? {} : { timeZone }) })
    .replace('\u202f', ' ');
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Until when a pause lasts, in words to follow "paused": " until tomorrow, 12:00 AM". */
export function pauseWords(pause: Pause, now: Date): string {
  if (pause.kind !== 'until') return '';
  const end = new Date(pause.until);
  // A pause that ends with a day is told by the day.
  if (end.getTime() === startOfDay(end)) {
    const days = Math.round((end.getTime() - startOfDay(now)) / 86_400_000);
    return days === 1 ? ' until tomorrow' : ` until ${dateWords(end, now)}`;
  }
  return ` until ${upcoming(pause.until, now)}`;
}

/** "11/30/2026", "11/30" or "2026-11-30": the beginning of that day here. Nothing where it is no date to come. */
export function parseDate(text: string, now: Date): Date | undefined {
  const american = /^\s*(\d{1,2})\/(\d{1,2})(?:\/(\d{4}))?\s*$/.exec(text);
  const iso = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*$/.exec(text);
  const [year, month, day] =
    american !== null ? [american[3], american[1], american[2]] : iso !== null ? [iso[1], iso[2], iso[3]] : [];
  if (month === undefined || day === undefined) return undefined;
  const at = (wanted: number) => new Date(wanted, Number(month) - 1, Number(day));
  let date = at(year === undefined ? now.getFullYear() : Number(year));
  if (year === undefined && date <= now) date = at(now.getFullYear() + 1);
  const real = date.getMonth() === Number(month) - 1 && date.getDate() === Number(day);
  return real && date > now ? date : undefined;
}
