/** When exchanges run by themselves, in words and from words. */

import type { JobId } from '../bindings/JobId';
import type { JobSchedule } from '../bindings/JobSchedule';
import type { Pause } from '../bindings/Pause';
import { HOUR, inWords, listed } from './format';
import { kindOf } from './names';
import { plural, say } from './say';

/** PowerSchool's letters for the days of the week, in its order. */
const LETTERS = 'MTWHFSU';

/** The letters, each with its day, and with that in short. The fifth of January 1970 was a Monday. */
export const DAYS = [...LETTERS].map((letter, index) => {
  const date = new Date(1970, 0, 5 + index);
  const name = (weekday: 'long' | 'short') => inWords(date, { weekday });
  return { letter, day: name('long'), short: name('short') };
});

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
    const named = listed(wrong.map((letter) => `“${letter}”`));
    return wrong.length === 1
      ? say(`${named} is no day: MTWHFSU are Monday to Sunday, H is Thursday and U is Sunday.`)
      : say(`${named} are no days: MTWHFSU are Monday to Sunday, H is Thursday and U is Sunday.`);
  }
  // 'TuTh' would be Tuesday, Sunday and Thursday.
  const twice = letters.find((letter, index) => letters.indexOf(letter) !== index);
  return twice === undefined ? undefined : say(`“${twice}” stands there twice: one letter is one day.`);
}

/** "3:10 AM", "3:10 a. m.", "15:10", "4 pm" or "0410" as the engine writes it: "03:10". Nothing where it is no time. */
export function parseTime(text: string): string | undefined {
  const found = /^\s*(\d{1,2})(?::?(\d{2}))?\s*([ap])?\.?\s*(?:m\.?)?\s*$/i.exec(text);
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
  return inWords(new Date(1970, 0, 1, hour, minute), HOUR);
}

/** "MTWHF" → "Monday to Friday". */
export function dayWords(days: string): string {
  const ordered = orderedDays(days);
  const names = namesOf(ordered);
  if (ordered === LETTERS) return say('every day');
  if (names.length === 0) return say('on no day');
  if (names.length === 1) return say(`every ${names[0]}`);
  // @wc-context: from one day of the week to another
  if (isSpan(ordered)) return say(`${names[0]} to ${names.at(-1)}`);
  return listed(names);
}

/** A schedule as a line of its own: "Monday to Friday at 3:10 AM". */
export function scheduleWords({ when, only_in_session }: JobSchedule): string {
  const words = when.kind === 'at' ? atWords(when.days, when.time) : everyWords(when.minutes);
  return only_in_session ? say(`${words}, when school is in session`) : words;
}

function atWords(days: string, time: string): string {
  const ordered = orderedDays(days);
  const names = namesOf(ordered);
  const at = clockTime(time);
  if (ordered === LETTERS) return say(`Every day at ${at}`);
  if (names.length === 0) return say('On no day');
  if (names.length === 1) return say(`Every ${names[0]} at ${at}`);
  // @wc-context: from one day of the week to another, at a time of day
  if (isSpan(ordered)) return say(`${names[0]} to ${names.at(-1)} at ${at}`);
  // @wc-context: a list of days of the week, and a time of day
  return say(`${listed(names)} at ${at}`);
}

function everyWords(minutes: number): string {
  return minutes % 60 === 0
    ? plural(minutes / 60, ['Every hour', 'Every # hours'])
    : plural(minutes, ['Every minute', 'Every # minutes']);
}

function namesOf(ordered: string): string[] {
  return [...ordered].flatMap((letter) => DAYS.find((known) => known.letter === letter)?.day ?? []);
}

/** Whether days follow each other, more than two of them. */
function isSpan(ordered: string): boolean {
  return ordered.length > 2 && LETTERS.includes(ordered);
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
const FAMILIAR: { zone: string; name: string; about: string }[] = [
  { zone: 'America/New_York', name: say('Eastern time'), about: say('Eastern') },
  { zone: 'America/Chicago', name: say('Central time'), about: say('Central') },
  { zone: 'America/Denver', name: say('Mountain time'), about: say('Mountain') },
  { zone: 'America/Phoenix', name: say('Mountain time'), about: say('Mountain, no daylight saving') },
  { zone: 'America/Los_Angeles', name: say('Pacific time'), about: say('Pacific') },
  { zone: 'America/Anchorage', name: say('Alaska time'), about: say('Alaska') },
  { zone: 'Pacific/Honolulu', name: say('Hawaii time'), about: say('Hawaii') },
];

/** "America/Chicago" → "Central time", "America/Boise" → "Boise time", "UTC" → "UTC". */
export function zoneName(zone: string): string {
  if (!zone.includes('/')) return zone;
  const city = (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ');
  return FAMILIAR.find((known) => known.zone === zone)?.name ?? say(`${city} time`);
}

/** The zones to choose from: those of the United States first. */
export function zoneOptions(): { value: string; label: string; about?: string }[] {
  const others = Intl.supportedValuesOf('timeZone').filter((zone) => !FAMILIAR.some((known) => known.zone === zone));
  return [
    ...FAMILIAR.map(({ zone, about }) => ({ value: zone, label: zone, about })),
    ...others.map((value) => ({ value, label: value })),
  ];
}

/** Whether this computer knows the zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: zone });
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
  if (days <= 0) return say(`today, ${timeIn(date, undefined)}`);
  if (days === 1) return say(`tomorrow, ${timeIn(date, undefined)}`);
  return inWords(date, { ...dayOptions(date, now), ...HOUR });
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
  return inWords(date, dayOptions(date, now));
}

function dayOptions(date: Date, now: Date): Intl.DateTimeFormatOptions {
  return {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
  };
}

function timeIn(date: Date, timeZone: string | undefined): string {
  return inWords(date, { ...HOUR, ...(timeZone === undefined ? {} : { timeZone }) });
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** That scheduled runs are paused, and until when: "Scheduled runs are paused until tomorrow". */
export function pauseWords(pause: Pause, now: Date): string {
  if (pause.kind !== 'until') return say('Scheduled runs are paused');
  const end = new Date(pause.until);
  // A pause that ends with a day is told by the day.
  if (end.getTime() === startOfDay(end)) {
    const days = Math.round((end.getTime() - startOfDay(now)) / 86_400_000);
    return days === 1 ? say('Scheduled runs are paused until tomorrow') : say(`Scheduled runs are paused until ${dateWords(end, now)}`);
  }
  return say(`Scheduled runs are paused until ${upcoming(pause.until, now)}`);
}

/** "2026-11-30", as a date field has it: the beginning of that day here. Nothing where it is no date to come. */
export function parseDate(text: string, now: Date): Date | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  const date = new Date(Number(year), Number(month) - 1, Number(day));
  return date.getMonth() === Number(month) - 1 && date > now ? date : undefined;
}
