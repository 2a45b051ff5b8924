/** What was run, what came of it, and a run under way. */

import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { JobId } from '../bindings/JobId';
import type { JobReport } from '../bindings/JobReport';
import type { Phase } from '../bindings/Phase';
import type { RunView } from '../bindings/RunView';
import type { SyncReport } from '../bindings/SyncReport';
import type { UndoReport } from '../bindings/UndoReport';
import { JOB_ORDER } from '../text/names';
import type { SampleHeld } from './fixture-held';
import { jobReport, pastRuns, syncReport, withPlans } from './fixture-data';
import { undoReport } from './fixture-undo';

/** What a pull reads, in order. */
const PULL = (students: number): [subject: string, total: number][] => [
  ['schools', 5],
  ['terms', 30],
  ['students', students],
  ['sections', 222],
  ['teachers', 47],
  ['enrolments', students * 6],
  ['attendance codes', 31],
  ['calendar days', 1460],
  ['bell schedules', 48],
];

const MAINTENANCE = {
  code: 'powerschool.maintenance',
  message: 'PowerSchool went down for maintenance while the roster was being read.',
  remedy: 'Nothing was changed. Run again when PowerSchool is back.',
};

export class SampleRuns {
  /** The latest first. */
  all: RunView[] = [];
  /** The last report of each exchange. */
  last = new Map<JobId, JobReport>();
  readonly held: SampleHeld;
  readonly #students: number;
  readonly #wait: () => Promise<unknown>;
  #cancelled = false;

  /** `history`: something was run before. */
  constructor({ history, students, held, wait }: { history: boolean; students: number; held: SampleHeld; wait: () => Promise<unknown> }) {
    this.#students = students;
    this.held = held;
    this.#wait = wait;
    if (!history) return;
    this.all = pastRuns(students);
    this.last = new Map(JOB_ORDER.map((job) => [job, jobReport(job, students)] as const));
    held.arrive();
  }

  forget(): void {
    this.all = [];
    this.last = new Map();
    this.held.forget();
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** `fails`: PowerSchool goes down while it is read. */
  async sync(chosen: JobId[], dryRun: boolean, fails: boolean, onEvent: (event: Event) => void): Promise<SyncReport> {
    this.#cancelled = false;
    const students = this.#students;
    onEvent({ event: 'run_started', data: { run: 'r9', jobs: chosen, dry_run: dryRun } });
    const done: JobReport[] = [];
    const progress = async (job: JobId | undefined, phase: Phase, subject: string, total: number) => {
      for (let part = 1; part <= 4 && !this.#cancelled; part += 1) {
        onEvent({
          event: 'progress',
          data: { run: 'r9', ...(job === undefined ? {} : { job }), phase, subject, done: Math.round((total * part) / 4), total },
        });
        await this.#wait();
      }
    };
    for (const [subject, total] of PULL(students)) {
      await progress(undefined, 'pull', subject, total);
    }
    if (fails) {
      return this.#finish({ run: 'r9', dry_run: dryRun, outcome: 'failed', jobs: [], cause: MAINTENANCE, seconds: [{ phase: 'pull', millis: 2120 }] });
    }
    for (const job of chosen) {
      if (this.#cancelled) break;
      const report = jobReport(job, students);
      const phase: Phase = job.endsWith('attendance') || job.endsWith('tardies') ? 'attendance' : 'upload';
      await progress(job, dryRun ? 'plan' : phase, report.files[0]?.name ?? job, report.rows.read);
      if (this.#cancelled) break;
      done.push(report);
      onEvent({ event: 'job_finished', data: report });
    }
    const report = syncReport(chosen, dryRun, students);
    if (this.#cancelled) return this.#finish({ ...report, outcome: 'cancelled', jobs: done });
    const ended = this.#finish(report);
    return dryRun ? withPlans(ended) : ended;
  }

  /** `fails`: PowerSchool goes down meanwhile. */
  async undo(undone: string, dryRun: boolean, { fails, long }: { fails: boolean; long: boolean }, onEvent: (event: Event) => void): Promise<UndoReport> {
    this.#cancelled = false;
    const run = this.all.find((known) => known.run === undone);
    if (run === undefined) throw { code: 'run.unknown', message: `There is no run ${undone}.`, remedy: 'See the runs and their ids.' } satisfies Fault;
    const answer = undoReport(run, dryRun, long, fails ? MAINTENANCE : undefined);
    onEvent({ event: 'run_started', data: { run: 'u1', jobs: answer.report.jobs.map(({ job }) => job), dry_run: dryRun } });
    const total = answer.report.jobs.reduce((sum, { rows }) => sum + rows.written, 0);
    for (let part = 1; part <= 4 && !this.#cancelled; part += 1) {
      const done = Math.round((total * part) / 4);
      onEvent(
        dryRun
          ? { event: 'progress', data: { run: 'u1', phase: 'pull', subject: 'students', done: this.#students, total: this.#students } }
          : { event: 'progress', data: { run: 'u1', job: 'raptor-tardies', phase: 'attendance', subject: 'attendance', done, total } },
      );
      await this.#wait();
    }
    const report: SyncReport = this.#cancelled ? { ...answer.report, outcome: 'cancelled', jobs: [] } : answer.report;
    this.#finish(report, !dryRun);
    return { ...answer, report, left: this.#cancelled ? [] : answer.left };
  }

  /** The latest run is one of the schedule. */
  wasScheduled(): void {
    this.all = this.all.map((run, index) => (index === 0 ? { ...run, scheduled: true } : run));
  }

  #finish(report: SyncReport, undo = false): SyncReport {
    this.all = [
      {
        run: report.run + String(this.all.length),
        started_at: new Date(Date.now() - 4000).toISOString(),
        finished_at: new Date().toISOString(),
        dry_run: report.dry_run,
        undo,
        scheduled: false,
        outcome: report.outcome,
        jobs: report.jobs,
        seconds: report.seconds,
        ...(report.cause === undefined ? {} : { cause: report.cause }),
      },
      ...this.all,
    ];
    if (!report.dry_run && !undo && report.outcome !== 'failed') {
      this.last = new Map([...this.last, ...report.jobs.map((job) => [job.job, job] as const)]);
      if (report.jobs.some((job) => job.newly_held > 0)) this.held.decideAgain();
    }
    return report;
  }
}
