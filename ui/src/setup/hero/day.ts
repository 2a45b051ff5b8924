/** What happens in the day of an account, in words. */

import type { AccountId } from '../../bindings/AccountId';
import type { Job } from '../../bindings/Job';
import type { Owner } from '../../bindings/Owner';
import type { Setup } from '../../bindings/Setup';
import type { Step } from '../../bindings/Step';
import { accountName } from '../../text/jobs';
import { accountOf, kindOf } from '../../text/names';
import { say } from '../../text/say';

const OWNERS: Record<Owner, string> = { power_school: 'PowerSchool', roster_bridge: 'RosterBridge' };

/** "Hero Student Info (students, sent by PowerSchool)": a record by its name in PowerSchool, and what it does. */
export function stepWords(step: Step, setup: Setup | undefined, own: AccountId): string {
  switch (step.kind) {
    case 'hero_imports':
      return say('Hero takes in the files');
    case 'hero_exports':
      return say('Hero writes its attendance export');
    case 'job': {
      const kind = kindOf(step.job);
      const account = setup?.hero.accounts.find(({ id }) => id === accountOf(step.job));
      const name = account === undefined ? step.job : account[PART[kind] ?? 'attendance'].name;
      const named = account === undefined || account.id === own ? name : say(`${name} of ${accountName(account)}`);
      return jobWords(kind, named, OWNERS[step.owner]);
    }
  }
}

const PART: Partial<Record<Job, 'students' | 'schedule' | 'teachers'>> = {
  'hero-students': 'students',
  'hero-schedule': 'schedule',
  'hero-teachers': 'teachers',
};

function jobWords(kind: Job, name: string, who: string): string {
  switch (kind) {
    case 'hero-students':
      return say(`${name} (students, sent by ${who})`);
    case 'hero-schedule':
      return say(`${name} (schedules, sent by ${who})`);
    case 'hero-teachers':
      return say(`${name} (teachers, sent by ${who})`);
    default:
      return say(`${name} (attendance, imported by ${who})`);
  }
}
