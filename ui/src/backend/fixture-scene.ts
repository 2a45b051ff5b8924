/**
 * The scenes a page address can ask for with `?scene=`:
 * `new` (nothing configured), `practice` (filled in, host key not accepted), `quiet` (finished, nothing run yet),
 * `home` (finished, with a history).
 * Further switches: `long` (long names), `pace` (milliseconds of a step of work), `fail` (`test`, `replaced`, `dns`,
 * `authority`, `access`, `queries`, `maintenance`: PowerSchool's test; `status` (after the first time), `history`, `trace`, `preview`: what can't be
 * read, `roster`: none was read yet; `sync`, `practice`, `handover` or `keychain`), `changed-key`, `old-server` (one that lacks what a newer one has), `second` (a second managed connection, with a private key), `connections` (so many managed connections), `schools` (so many
 * schools to choose from, with a building for each), `changes` (what is mapped has changed on either side;
 * `fail=choices`: PowerSchool can't be read, `fail=lists`: Raptor's server can't), `guarded` (a file was stopped), `elsewhere` (a run started by another
 * process), `tested` (PowerSchool was tested two days ago), `status` (of the Raptor integration), `open` (its window
 * is open), `waiting` (a test waits for the server, and runs after that many milliseconds), `written` (a plugin was
 * saved for Raptor alone), `paused` (`resumed`, `tomorrow` or `hour`: how long), `mail` (mail does not go out; with
 * `fail=mail` the test mail fails), `schedule` (a scheduled run begins after that many milliseconds), `trouble` (the
 * exchanges with Hero failed and are tried again; `raptor`: those with Raptor), `login` (the system refuses to change what starts at login), `own` (a district
 * of one's own, not the practice district), `accounts` (a second account at Hero), `several` (a roster with several schools was read), `sends=powerschool` (PowerSchool
 * carries out everything of Hero's accounts), `unseen` (what PowerSchool sends could not be looked at), `other-sender` (another sender has paused an exchange), `fail=hero` (Hero's
 * pages and folders can't be read), `fail=reread` (the set-up can't be read once an exchange was handed over), `fail=backups`, `backup`, `restore`, `recovery`, `bundle`, `profile` or `erase` (the care of
 * the data fails), `undo` or `undone` (what taking a run back would come to can't be told, or it breaks off), `key` or `no-backup` (the profile does not open), `left` (erasing leaves something), `records` (so many rows have come in, and a month of runs with them).
 */

import type { GuardedView } from '../bindings/GuardedView';
import type { Pause } from '../bindings/Pause';
import type { Setup } from '../bindings/Setup';
import { EXPORT_KINDS } from '../setup/hero/exports';
import { secondAccount, withLongNames } from './fixture-accounts';
import { manyConnections, secondConnection } from './fixture-connections';
import { emptySetup, practiceSetup } from './fixture-data';
import { LONG_URL } from './fixture-powerschool';
import { dayFromNow } from './fixture-times';

/** The set-up a scene begins with. */
export function setupOf(query: URLSearchParams): Setup {
  const long = query.has('long');
  let setup = (query.get('scene') ?? 'new') === 'new' ? emptySetup() : practiceSetup(long);
  if (query.has('accounts')) setup = secondAccount(setup, long);
  if (query.get('sends') === 'powerschool') {
    for (const account of setup.hero.accounts) {
      for (const kind of [...EXPORT_KINDS, 'attendance'] as const) account[kind].owner = 'power_school';
    }
  }
  if (long && query.has('own')) setup.powerschool.url = LONG_URL;
  if (long) setup = withLongNames(setup);
  setup.connections = manyConnections(setup, Number(query.get('connections') ?? 0), long);
  if (query.has('second')) setup.connections = [...setup.connections, secondConnection(long)];
  if (query.has('written')) setup.powerschool.plugin = { jobs: ['raptor-roster'], revision: 2 };
  return setup;
}

/** How many students the district has. */
export function studentsOf(query: URLSearchParams): number {
  return query.has('long') ? 128_400 : 586;
}

export function pauseOf(query: URLSearchParams): Pause {
  switch (query.get('paused')) {
    case 'resumed':
      return { kind: 'until_resumed' };
    case 'tomorrow':
      return { kind: 'until', until: dayFromNow(1, 0).toISOString() };
    case 'hour':
      return { kind: 'until', until: new Date(Date.now() + 3_600_000).toISOString() };
    default:
      return { kind: 'no' };
  }
}

/** The file that was stopped. */
export function guardedFile(students: number): GuardedView {
  return {
    id: 'g1',
    job: 'hero-students',
    name: 'imports/STUDENT.TXT',
    before: students,
    now: Math.round(students / 3),
    reason: 'rows_lost',
    schools: [{ school: 100, before: Math.round(students * 0.7), now: Math.round(students * 0.05) }],
    sample: [10_422, 10_431, 10_587],
    stopped_at: new Date(Date.now() - 4 * 60_000).toISOString(),
  };
}
