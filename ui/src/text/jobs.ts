/** Exchanges of an account: `hero-students` is the first account's, `hero-students-2` the second one's. */

import type { AccountId } from '../bindings/AccountId';
import type { HeroAccount } from '../bindings/HeroAccount';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { Setup } from '../bindings/Setup';
import { JOBS, accountOf, kindOf } from './names';
import { say } from './say';

/** The exchange of an account. */
export function jobOf(kind: Job, account: AccountId): JobId {
  return (account === 1 ? kind : `${kind}-${account}`) as JobId;
}

/** What an account is called. */
export function accountName(account: HeroAccount): string {
  const name = account.name.trim();
  return name === '' ? say(`Account ${account.id}`) : name;
}

/** The name of the account an exchange belongs to, where there are several to tell apart. */
export function accountWords(job: JobId, setup: Setup | undefined): string | undefined {
  if (setup === undefined || setup.hero.accounts.length < 2 || !job.startsWith('hero-')) return undefined;
  const account = setup.hero.accounts.find(({ id }) => id === accountOf(job));
  return account === undefined ? say(`Account ${accountOf(job)}`) : accountName(account);
}

/** "Student demographics", with the account where there are several: "Student demographics · Cedar Ridge". */
export function jobTitle(job: JobId, setup: Setup | undefined): string {
  const account = accountWords(job, setup);
  return `${JOBS[kindOf(job)].title}${account === undefined ? '' : ` · ${account}`}`;
}

/** What an exchange moves, with the name its file has in this set-up. */
export function jobAbout(job: JobId, setup: Setup | undefined): string {
  const { about } = JOBS[kindOf(job)];
  const account = setup?.hero.accounts.find(({ id }) => id === accountOf(job));
  const kind = KINDS[kindOf(job)];
  if (account === undefined || kind === undefined) return about;
  const { path, destination } = account[kind];
  const file = path.split('/').at(-1) ?? path;
  return destination.kind === 'folder' ? say(`${file} to a folder`) : say(`${file} to Hero`);
}

const KINDS: Partial<Record<Job, 'students' | 'schedule' | 'teachers'>> = {
  'hero-students': 'students',
  'hero-schedule': 'schedule',
  'hero-teachers': 'teachers',
};
