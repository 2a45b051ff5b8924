/** What the sample data says of the state of things. */

import type { Fault } from '../bindings/Fault';
import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { JobId } from '../bindings/JobId';
import type { JobReport } from '../bindings/JobReport';
import type { OtherSenderView } from '../bindings/OtherSenderView';
import type { Owner } from '../bindings/Owner';
import type { Pause } from '../bindings/Pause';
import type { Setup } from '../bindings/Setup';
import type { StatusView } from '../bindings/StatusView';
import { EXPORT_KINDS } from '../setup/hero/exports';
import { jobOf } from '../text/jobs';
import { JOB_ORDER, accountOf, kindOf } from '../text/names';
import { watchOf } from './fixture-accounts';
import { jobReport } from './fixture-data';
import { raptorView } from './fixture-raptor';
import type { SampleRuns } from './fixture-runs';
import { studentsOf } from './fixture-scene';
import { nextAt } from './fixture-times';

/** What a status is told from. */
export interface SampleState {
  setup: Setup;
  profile: string;
  pause: Pause;
  /** The run under way. */
  running: string | undefined;
  otherSenders: OtherSenderView[];
  runs: SampleRuns;
}

/** Why what PowerSchool sends could not be looked at. */
const UNSEEN = {
  code: 'sftp.bad_password',
  message: 'The server does not know this user name with this password.',
  remedy: 'Enter the password again in the connection’s settings, then test the connection.',
};

export const MAIL_REFUSED: Fault = {
  code: 'mail.refused',
  message: 'The mail server refused the user name or password.',
  remedy: 'Type the password again. Some servers want one made for programs.',
};

export const OUT_OF_REACH: Fault = {
  code: 'sftp.unreachable',
  message: 'The SFTP server did not answer.',
  remedy: 'Nothing was changed. Check the network if it stays so.',
};

/** An exchange that could not reach its server. */
const TROUBLE: Pick<JobReport, 'outcome' | 'cause'> = { outcome: 'failed', cause: OUT_OF_REACH };

export function raptorStatusOf(query: URLSearchParams, setup: Setup, runs: SampleRuns): IntegrationStatus {
  const asked = query.get('status') as IntegrationStatus | null;
  if (asked !== null) return asked;
  if (!setup.raptor.enabled) return 'disabled';
  return runs.last.size > 0 ? 'synchronizing' : 'pending_initialization';
}

/** What a scene's profile is doing and how each exchange stands. */
export function statusOf(query: URLSearchParams, state: SampleState): StatusView {
  const { setup, profile, pause, running, otherSenders, runs } = state;
  const long = query.has('long');
  const students = studentsOf(query);
  const lastRun = runs.all.find((run) => !run.dry_run);
  const raptor = raptorView(raptorStatusOf(query, setup, runs), setup.raptor.window, pause.kind !== 'no', query.has('open'));
  return {
    profile,
    practice: profile === 'practice',
    server: setup.powerschool.url.replace(/^https?:\/\//, ''),
    paused: pause.kind !== 'no',
    pause,
    ...(running === undefined ? {} : { running }),
    raptor_status: raptorStatusOf(query, setup, runs),
    raptor,
    school_year: { schools: [], changes: [], tardy_code_faults: [] },
    today: setup.powerschool.url === '' ? null : '2026-11-20',
    jobs: possibleJobs(setup).map((job) => {
      const trouble = query.has('trouble') && job.startsWith(query.get('trouble') || 'hero');
      const sender = otherSenders.find((paused) => paused.job === job);
      const stopped = sender === undefined ? undefined : { ...jobReport(job, 0), outcome: 'failed' as const, cause: sender.cause };
      const report = trouble ? { ...jobReport(job, 0), ...TROUBLE } : (stopped ?? runs.last.get(job));
      const settings = setup.jobs.find((candidate) => candidate.job === job);
      // The roster goes out when the window of the Raptor integration is open, and with the updates that follow.
      const { schedule } = job === 'raptor-roster' ? {} : (settings ?? {});
      const ours = settings?.enabled === true && ownerOf(job, setup) === 'roster_bridge';
      const planned = ours && pause.kind !== 'until_resumed';
      const roster = job === 'raptor-roster' ? raptor.next?.at : undefined;
      const next = trouble ? new Date(Date.now() + 7 * 60_000).toISOString() : (roster ?? (schedule && nextAt(schedule)));
      return {
        job,
        owner: ownerOf(job, setup),
        enabled: ours,
        ...(schedule === undefined ? {} : { schedule }),
        ...(planned && next !== undefined && sender === undefined ? { next_at: next } : {}),
        ...(sender === undefined ? {} : { paused_since: sender.since }),
        ...(report === undefined ? {} : { last: report }),
        last_at: report === undefined ? null : (lastRun?.finished_at ?? null),
      };
    }),
    held: runs.held.rows.length,
    students: runs.last.size > 0 ? students : 0,
    roster_pulled_at: lastRun?.finished_at ?? null,
    watch: setup.hero.accounts
      .map((account) => watchOf(account, { long, students, rosterRead: true, now: new Date() }))
      .filter(({ files }) => files.length > 0)
      .map((view) => (query.has('unseen') ? { ...view, cause: UNSEEN } : view)),
    other_sender: otherSenders,
    ...(query.has('mail')
      ? {
          mail: {
            cause: MAIL_REFUSED,
            since: new Date(Date.now() - 47 * 60_000).toISOString(),
            waiting: 3,
            dropped: long ? 12_400 : 0,
          },
        }
      : {}),
  };
}

/** Those of every account, in running order. */
function possibleJobs(setup: Setup): JobId[] {
  return JOB_ORDER.flatMap((kind) =>
    kind.startsWith('hero-') ? setup.hero.accounts.map(({ id }) => jobOf(kind, id)) : [kind],
  );
}

function ownerOf(job: JobId, setup: Setup): Owner {
  const account = setup.hero.accounts.find(({ id }) => id === accountOf(job));
  if (account === undefined || !job.startsWith('hero-')) return 'roster_bridge';
  return EXPORT_KINDS.map((kind) => account[kind]).find((_, index) => kindOf(job) === JOB_ORDER[index])?.owner ?? account.attendance.owner;
}
