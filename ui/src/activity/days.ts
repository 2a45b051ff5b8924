/** A day's runs in words and parts: for the chart of many days and the line of one. */

import type { Outcome } from '../bindings/Outcome';
import type { RunDay } from '../bindings/RunDay';
import { calendarDate, duration, sideBySide } from '../text/format';
import { plural, say } from '../text/say';

/** How a run ended, as far as a glance tells it apart. */
export type Ending = 'done' | 'held' | 'failed' | 'stopped' | 'running';

/** From the bottom of a bar to its top: what wants a person is at the top. */
export const ENDINGS: { ending: Ending; title: string; words: (runs: number) => string }[] = [
  { ending: 'done', title: say('Done'), words: (runs) => plural(runs, ['# done', '# done']) },
  { ending: 'running', title: say('Running'), words: (runs) => plural(runs, ['# running', '# running']) },
  {
    ending: 'stopped',
    title: say('Cancelled or not started'),
    words: (runs) => plural(runs, ['# cancelled or not started', '# cancelled or not started']),
  },
  { ending: 'held', title: say('Done, with held rows'), words: (runs) => plural(runs, ['# with held rows', '# with held rows']) },
  {
    ending: 'failed',
    title: say('Failed or interrupted'),
    words: (runs) => plural(runs, ['# failed or interrupted', '# failed or interrupted']),
  },
];

export const ENDING_OF: Record<Outcome, Ending> = {
  running: 'running',
  succeeded: 'done',
  succeeded_with_held_rows: 'held',
  failed: 'failed',
  interrupted: 'failed',
  cancelled: 'stopped',
  skipped: 'stopped',
};

export interface Part {
  ending: Ending;
  runs: number;
  millis: number;
}

/** A day's runs by how they ended, in the order of `ENDINGS`; what there was none of is left out. */
export function parts({ outcomes }: Pick<RunDay, 'outcomes'>): Part[] {
  return ENDINGS.map(({ ending }) => {
    const of = outcomes.filter(({ outcome }) => ENDING_OF[outcome] === ending);
    return {
      ending,
      runs: of.reduce((sum, { runs }) => sum + runs, 0),
      millis: of.reduce((sum, { millis }) => sum + millis, 0),
    };
  }).filter(({ runs }) => runs > 0);
}

export function runsOf(day: Pick<RunDay, 'outcomes'>): number {
  return day.outcomes.reduce((sum, { runs }) => sum + runs, 0);
}

export function millisOf(day: Pick<RunDay, 'outcomes'>): number {
  return day.outcomes.reduce((sum, { millis }) => sum + millis, 0);
}

/** "12 runs: 11 done, 1 failed or interrupted" */
export function partsWords(day: Pick<RunDay, 'outcomes'>): string {
  const runs = runsOf(day);
  if (runs === 0) return say('no run');
  const found = parts(day);
  const endings = found.map((part) => {
    const named = ENDINGS.find(({ ending }) => ending === part.ending);
    return (runs === 1 ? named?.title : named?.words(part.runs)) ?? '';
  });
  return `${plural(runs, ['# run', '# runs'])}: ${sideBySide(endings)}`;
}

/** A day for who can't see its bar. */
export function dayWords(day: RunDay): string {
  const took = millisOf(day);
  return [
    calendarDate(day.day),
    partsWords(day),
    ...(took > 0 ? [say(`${duration(took)} in all`)] : []),
    ...(day.dry_runs > 0 ? [plural(day.dry_runs, ['# dry run', '# dry runs'])] : []),
  ].join('; ');
}

/** The scale of an axis: a round number at or above the largest value, and the step of its lines. */
export function scale(largest: number, steps = 4): { top: number; step: number } {
  if (largest <= 0) return { top: 1, step: 1 };
  const rough = largest / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= rough) ?? rough;
  const whole = Math.max(1, step);
  return { top: Math.ceil(largest / whole) * whole, step: whole };
}
