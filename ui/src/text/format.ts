import { locale } from './locale';
import { plural, say } from './say';

const whole = new Intl.NumberFormat(locale());
const list = new Intl.ListFormat(locale(), { type: 'conjunction' });
const figures = new Intl.ListFormat(locale(), { type: 'unit', style: 'short' });
const tenths = new Intl.NumberFormat(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** What a time of day shows. */
export const HOUR: Intl.DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit' };

/** 1234 → "1,234". */
export function count(value: number): string {
  return whole.format(value);
}

/** Parts of a sentence, as the language in use lists them: "roster, tardies, and teachers". */
export function listed(parts: string[]): string {
  return list.format(parts);
}

/** Figures side by side, as the language strings them together: "2 unchanged, 3 held". */
export function sideBySide(parts: string[]): string {
  return figures.format(parts);
}

/** A file's size: "812 bytes", "14 kB", "2.4 MB". Decimal units, as file managers show them. */
export function size(bytes: number): string {
  if (bytes < 1000) return plural(bytes, ['# byte', '# bytes']);
  const kilobytes = bytes / 1000;
  if (kilobytes < 999.5) return `${kilobytes < 10 ? tenths.format(kilobytes) : count(Math.round(kilobytes))} kB`;
  const megabytes = kilobytes / 1000;
  return `${megabytes < 100 ? tenths.format(megabytes) : count(Math.round(megabytes))} MB`;
}

/** How long something took: "0.4 s", "12 s", "3 min 5 s". */
export function duration(millis: number): string {
  if (millis < 9950) return `${tenths.format(millis / 1000)} s`;
  const seconds = Math.round(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  const rest = seconds % 60;
  return rest === 0 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 60)} min ${rest} s`;
}

/** How long ago `then` was, for a glance: "just now", "5 minutes ago", "yesterday, 4:10 PM", "Nov 3, 4:10 PM". */
export function ago(then: string, now: Date): string {
  const date = new Date(then);
  const minutes = Math.floor((now.getTime() - date.getTime()) / 60_000);
  if (minutes < 1) return say('just now');
  if (minutes < 60) return plural(minutes, ['# minute ago', '# minutes ago']);
  const today = startOfDay(now);
  const day = startOfDay(date);
  const days = Math.round((today.getTime() - day.getTime()) / 86_400_000);
  if (days === 0) return say(`today, ${clock(date)}`);
  if (days === 1) return say(`yesterday, ${clock(date)}`);
  return moment(then, now);
}

/** A date and time: "Nov 3, 4:10 PM", with the year when it is not this one. */
export function moment(then: string, now: Date): string {
  const date = new Date(then);
  return inWords(date, {
    month: 'short',
    day: 'numeric',
    ...(date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
    ...HOUR,
  });
}

/** A calendar date as PowerSchool gives it ("2026-11-20") in words: "Fri, Nov 20, 2026". */
export function calendarDate(date: string): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  return inWords(new Date(year, month - 1, day), {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    year: 'numeric',
  });
}

/** A time of day: "4:10 PM". */
export function clock(date: Date): string {
  return inWords(date, HOUR);
}

/** A date, a time or both as the language in use writes them. */
export function inWords(date: Date, options: Intl.DateTimeFormatOptions): string {
  return writer(date, options).format(date).replace('\u202f', ' ');
}

/** Making one takes a third of a millisecond, and a page asks for dozens. */
const writers = new Map<string, Intl.DateTimeFormat>();

/** What writes a date in a form. One for each distance from UTC: a computer's zone may change while the window is open. */
export function writer(date: Date, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()} ${date.getTimezoneOffset()} ${JSON.stringify(options)}`;
  const known = writers.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat(locale(), options);
  writers.set(key, made);
  return made;
}

function startOfDay(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}
