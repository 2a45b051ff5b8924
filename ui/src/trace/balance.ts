/** A day's rows as an equation. */

import type { ReconciledRows } from '../bindings/ReconciledRows';

export interface Term {
  part: keyof ReconciledRows;
  title: string;
  rows: number;
}

const TITLES: [keyof ReconciledRows, string][] = [
  ['written', 'written'],
  ['noop', 'nothing to write'],
  ['held', 'held'],
  ['rejected', 'unreadable'],
];

/** What became of the rows, part by part. Those on their way are a part only while there are some. */
export function terms(rows: ReconciledRows): Term[] {
  const parts: [keyof ReconciledRows, string][] = rows.open > 0 ? [...TITLES, ['open', 'on their way']] : TITLES;
  return parts.map(([part, title]) => ({ part, title, rows: rows[part] }));
}

/** How many rows nothing is known of: 0, or the records contradict themselves. */
export function unaccounted(rows: ReconciledRows): number {
  return rows.rows - terms(rows).reduce((sum, term) => sum + term.rows, 0);
}

/** The day before or after: "2026-11-20" → "2026-11-21". */
export function dayBeside(day: string, by: 1 | -1): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + by);
  return date.toISOString().slice(0, 10);
}
