import type { Setup } from '../bindings/Setup';
import type { Clash } from '../setup-save';
import { say } from '../text/say';

/** What the parts of a set-up are called in the window. */
function parts(): Record<keyof Setup, string> {
  return {
    version: say('Set-up'),
    powerschool: 'PowerSchool',
    connections: say('Managed connections'),
    hero: say('Hero’s accounts'),
    raptor: 'Raptor',
    mail: say('Notifications'),
    mappings: say('Buildings and tardy codes'),
    jobs: say('Schedules'),
    summer: say('Summer pause'),
    retention_days: say('How long the history is kept'),
    attendance: say('Attendance'),
    guard: say('Large-change guard'),
  };
}

/** A value short enough to be shown; undefined for one that is not, or that is none. */
function shown(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? say('on') : say('off');
  return typeof value === 'string' && value !== '' && value.length <= 200 ? value : undefined;
}

/** A clash as the person reads it. */
export interface ClashLine {
  title: string;
  mine: string | undefined;
  theirs: string | undefined;
}

export function clashLines(clashes: Clash[]): ClashLine[] {
  const names: Record<string, string> = parts();
  return clashes.map(({ path, mine, theirs }) => {
    const part = names[path[0] ?? ''] ?? say('Set-up');
    const values = [shown(mine), shown(theirs)];
    const both = values.every((value) => value !== undefined);
    return { title: part, mine: both ? values[0] : undefined, theirs: both ? values[1] : undefined };
  });
}
