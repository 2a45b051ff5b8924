/** A day's rows as an equation. */

import type { ReconciledRows } from '../bindings/ReconciledRows';
import { plural, say } from '../text/say';

export interface Term {
  part: keyof ReconciledRows;
  title: string;
  rows: number;
  /** The number and what it is of. */
  words: string;
}

const PARTS: Record<Exclude<keyof ReconciledRows, 'rows'>, { title: string; words: (rows: number) => string }> = {
  written: { title: say('written'), words: (rows) => plural(rows, ['# written', '# written']) },
  noop: { title: say('nothing to write'), words: (rows) => plural(rows, ['# with nothing to write', '# with nothing to write']) },
  held: { title: say('held'), words: (rows) => plural(rows, ['# held', '# held']) },
  rejected: { title: say('unreadable'), words: (rows) => plural(rows, ['# unreadable', '# unreadable']) },
  open: { title: say('on their way'), words: (rows) => plural(rows, ['# on its way', '# on their way']) },
};

const SETTLED = ['written', 'noop', 'held', 'rejected'] as const;

/** What became of the rows, part by part. Those on their way are a part only while there are some. */
export function terms(rows: ReconciledRows): Term[] {
  const parts = rows.open > 0 ? [...SETTLED, 'open' as const] : SETTLED;
  return parts.map((part) => ({ part, title: PARTS[part].title, rows: rows[part], words: PARTS[part].words(rows[part]) }));
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
