import type { GuardedView } from '../bindings/GuardedView';
import { count } from '../text/format';
import { say } from '../text/say';

/** The rows of a file, or of one school in it, before and now. */
export interface Line {
  name: string;
  before: number;
  now: number;
  /** Whether it is the whole file. */
  all: boolean;
}

/** The whole file first, then the schools for which it was stopped, then what is left of it. */
export function linesOf(file: GuardedView, schoolName: (school: number) => string | undefined): Line[] {
  const whole: Line = { name: say('The whole file'), before: file.before, now: file.now, all: true };
  if (file.schools.length === 0) return [whole];
  const schools = file.schools.map(({ school, before, now }) => {
    const name = schoolName(school);
    return { name: name === undefined ? say(`School ${school}`) : `${name} (${school})`, before, now, all: false };
  });
  const others = {
    name: say('All other schools'),
    before: file.before - schools.reduce((sum, { before }) => sum + before, 0),
    now: file.now - schools.reduce((sum, { now }) => sum + now, 0),
    all: false,
  };
  const sound = others.before >= 0 && others.now >= 0 && others.before + others.now > 0;
  return [whole, ...schools, ...(sound ? [others] : [])];
}

/** How much it lost, or gained, with the part of what there was: "−391 (65 %)". */
export function changeOf({ before, now }: { before: number; now: number }): string {
  if (before === now) return '–';
  const by = `${now < before ? '−' : '+'}${count(Math.abs(now - before))}`;
  if (before === 0) return by;
  const part = (100 * Math.abs(now - before)) / before;
  return `${by} (${part < 1 ? '<1' : Math.round(part)} %)`;
}
