import { isOwn } from '../backend/own';
import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { JobId } from '../bindings/JobId';
import type { JobReport } from '../bindings/JobReport';
import type { Progress } from '../bindings/Progress';
import type { SyncReport } from '../bindings/SyncReport';
import { count } from '../text/format';
import { plural, say } from '../text/say';
import { JOBS, OUTCOMES, PHASES, kindOf, type Integration } from '../text/names';

/** A run as the window follows it, from the click to the report. */
export interface Run {
  dryRun: boolean;
  /** Whether this window did not start it. */
  byItself: boolean;
  /** Its jobs in running order; those asked for until the engine has said which. */
  jobs: JobId[];
  /** Rows read so far of each kind of record, in the order in which they came. */
  pulled: { subject: string; done: number; total?: number }[];
  /** What is under way now. */
  current?: Progress;
  /** The jobs that have ended. */
  finished: JobReport[];
  cancelling: boolean;
  report?: SyncReport;
  fault?: Fault;
}

export function begin(jobs: JobId[], dryRun: boolean, byItself = false): Run {
  return { dryRun, byItself, jobs, pulled: [], finished: [], cancelling: false };
}

/** Whether it has neither reported nor failed. */
export function underWay(run: Run | undefined): boolean {
  return run !== undefined && run.report === undefined && run.fault === undefined;
}

/** The run after an event. */
export function after(run: Run, event: Event): Run {
  switch (event.event) {
    case 'run_started':
      return { ...run, jobs: event.data.jobs, dryRun: event.data.dry_run };
    case 'progress':
      return { ...run, current: event.data, pulled: event.data.phase === 'pull' ? pulled(run, event.data) : run.pulled };
    case 'job_finished': {
      const { current, ...rest } = run;
      const others = run.finished.filter((report) => report.job !== event.data.job);
      return {
        ...rest,
        ...(current !== undefined && current.job !== event.data.job ? { current } : {}),
        finished: [...others, event.data],
      };
    }
    case 'run_finished':
      return reported(run, event.data);
    case 'stage':
    case 'notice':
      return run;
  }
}

/** The run with its report: nothing is under way any more. */
export function reported(run: Run, report: SyncReport): Run {
  const { current: _, ...rest } = run;
  return { ...rest, cancelling: false, finished: report.jobs, report };
}

/** The run after it could not be carried out at all. */
export function failed(run: Run, fault: Fault): Run {
  const { current: _, ...rest } = run;
  return { ...rest, cancelling: false, fault };
}

/** Which integration's exchanges a run failed with: that of the job it failed with, or that all of its jobs belong to. */
export function failedIntegration(run: Run, failure: Fault): Integration | undefined {
  const job = run.finished.find(({ cause }) => cause?.code === failure.code && cause.message === failure.message);
  const integrations = new Set((job === undefined ? run.jobs : [job.job]).map((of) => JOBS[kindOf(of)].integration));
  const [first] = integrations;
  return integrations.size === 1 ? first : undefined;
}

function pulled(run: Run, progress: Progress): Run['pulled'] {
  const entry = {
    subject: progress.subject,
    done: progress.done,
    ...(progress.total === undefined ? {} : { total: progress.total }),
  };
  const known = run.pulled.some((part) => part.subject === progress.subject);
  return known ? run.pulled.map((part) => (part.subject === entry.subject ? entry : part)) : [...run.pulled, entry];
}

/** What a person knows a roster by; the other records of a pull are PowerSchool's inner workings. */
const FAMILIAR: Record<string, (number: number) => string> = {
  schools: (number) => plural(number, ['# school', '# schools']),
  students: (number) => plural(number, ['# student', '# students']),
  enrolments: (number) => plural(number, ['# enrolment', '# enrolments']),
  teachers: (number) => plural(number, ['# teacher', '# teachers']),
};

/** What the engine counts, as it calls it. */
const SUBJECTS: Record<string, string> = {
  schools: say('schools'),
  students: say('students'),
  enrolments: say('enrolments'),
  'earlier enrolments': say('earlier enrolments'),
  sections: say('sections'),
  courses: say('courses'),
  teachers: say('teachers'),
  terms: say('terms'),
  'attendance codes': say('attendance codes'),
  periods: say('periods'),
  'cycle days': say('cycle days'),
  'calendar days': say('calendar days'),
  'bell schedules': say('bell schedules'),
  meetings: say('meetings'),
  attendance: say('attendance'),
  rows: say('rows'),
  buildings: say('buildings'),
  'tardy files': say('tardy files'),
  'what happened since the backup': say('what happened since the backup'),
};

/** What is counted, in the person's language; a file's name stays as it is. */
export function subjectWords(subject: string): string {
  return SUBJECTS[subject] ?? subject;
}

/** The pull in figures: what is being read now, and once it is over how much of what a person knows. */
export function pullFigures(run: Run): string {
  if (pullState(run) === 'ended') {
    const familiar = Object.entries(FAMILIAR).flatMap(([subject, words]) => run.pulled.filter((part) => part.subject === subject).map((part) => words(part.done)));
    return familiar.join(' · ');
  }
  const now = run.pulled.at(-1);
  return now === undefined ? '' : `${subjectWords(now.subject)} ${figures(now)}`.trim();
}

/** How a job stands within the run. */
export type JobState =
  | { state: 'waiting' }
  | { state: 'working'; progress: Progress }
  | { state: 'ended'; report: JobReport };

export function jobState(run: Run, job: JobId): JobState {
  const report = run.finished.find((candidate) => candidate.job === job);
  if (report !== undefined) return { state: 'ended', report };
  if (run.current?.job === job) return { state: 'working', progress: run.current };
  return { state: 'waiting' };
}

/** Whether the roster pull is under way, over, or still to come. */
export function pullState(run: Run): 'waiting' | 'working' | 'ended' {
  if (run.finished.length > 0 || (run.current !== undefined && run.current.phase !== 'pull')) return 'ended';
  return run.pulled.length > 0 || run.current?.phase === 'pull' ? 'working' : 'waiting';
}

/**
 * How much of the run is done, between 0 and 1: the pull counts as much as a job. Only whole parts and known totals
 * count, so that it never runs ahead of the work.
 */
export function share(run: Run): number {
  if (!underWay(run)) return 1;
  const parts = run.jobs.length + 1;
  const whole = run.finished.length + (pullState(run) === 'ended' ? 1 : 0);
  const { current } = run;
  const within =
    current?.total === undefined || current.total === 0 || current.phase === 'pull'
      ? 0
      : Math.min(current.done / current.total, 1);
  return Math.min((whole + within * 0.9) / parts, 1);
}

/** What is under way now, in figures: "Writing attendance: attendance, 3 of 12". */
export function currentWords({ current, finished }: Run): string {
  if (current === undefined) return finished.length === 0 ? say('Starting…') : say('Continuing…');
  return [`${PHASES[current.phase]}: ${subjectWords(current.subject)}`, figures(current)].filter((part) => part !== '').join(', ');
}

/** The language of what a screen reader says, where it is not the window's. */
export function languageOf({ fault }: Run): 'en' | undefined {
  return fault === undefined || isOwn(fault) ? undefined : 'en';
}

/** What a screen reader says while it runs: changes with the phase, not with every row. */
export function announcement(run: Run): string {
  if (run.fault !== undefined) return run.fault.message;
  if (run.report !== undefined) {
    const { title } = OUTCOMES[run.report.outcome];
    return run.dryRun ? say(`Dry run: ${title}.`) : say(`Run: ${title}.`);
  }
  if (run.cancelling) return say('Cancelling.');
  const { current } = run;
  if (current === undefined) return run.finished.length === 0 ? say('Starting.') : say('Continuing.');
  // Several tables are read at the same time.
  if (current.phase === 'pull') return `${PHASES.pull}.`;
  const subject = current.job === undefined ? subjectWords(current.subject) : JOBS[kindOf(current.job)].title;
  return `${PHASES[current.phase]}: ${subject}.`;
}

/** Progress in figures: "1,200 of 2,400" or "1,200"; nothing before the first row of an unknown number. */
export function figures(progress: { done: number; total?: number }): string {
  if (progress.done === 0 && progress.total === undefined) return '';
  return progress.total === undefined ? count(progress.done) : say(`${count(progress.done)} of ${count(progress.total)}`);
}
