/** The numbers beyond which RosterBridge asks a person, or forgets. */

import type { Setup } from '../bindings/Setup';
import { count } from '../text/format';
import { locale } from '../text/locale';
import { say } from '../text/say';

export type Limit = 'percent' | 'rows' | 'oldest' | 'days';

/** What each may be, and what it is in a new set-up. */
export const LIMITS: Readonly<Record<Limit, { least: number; most: number; usual: number }>> = {
  percent: { least: 0, most: 100, usual: 10 },
  rows: { least: 0, most: 1_000_000, usual: 20 },
  oldest: { least: 1, most: 60, usual: 10 },
  days: { least: 60, most: 36_500, usual: 400 },
};

/** As they are typed. */
export type Typed = Record<Limit, string>;

/** What is set now. Fewer days than the least count as that. */
export function typedOf({ guard, attendance, retention_days }: Setup): Typed {
  return {
    percent: String(guard.percent),
    rows: String(guard.rows),
    oldest: String(attendance.oldest),
    days: String(Math.max(LIMITS.days.least, retention_days)),
  };
}

/** Why it can't be that number. */
export function problemOf(limit: Limit, text: string): string | undefined {
  const { least, most } = LIMITS[limit];
  const typed = text.trim();
  if (!/^\d+$/.test(typed)) return say('A whole number is needed, in digits.');
  const value = Number(typed);
  if (value < least) return say(`At least ${count(least)}.`);
  return value > most ? say(`At most ${count(most)}.`) : undefined;
}

/** The set-up with what was typed, in which nothing is wrong. */
export function withLimits(setup: Setup, typed: Typed): Setup {
  return {
    ...setup,
    guard: { ...setup.guard, percent: Number(typed.percent), rows: Number(typed.rows) },
    attendance: { ...setup.attendance, oldest: Number(typed.oldest) },
    retention_days: Number(typed.days),
  };
}

/** The fewest rows whose loss stops a file of `rows`, as the engine has it. */
export function stopsAt(rows: number, percent: number, few: number): number {
  return Math.min(rows, Math.max(few, Math.floor((rows * percent) / 100) + 1));
}

/** 10 → "10%". */
export function percentWords(percent: number): string {
  return new Intl.NumberFormat(locale(), { style: 'percent' }).format(percent / 100);
}
