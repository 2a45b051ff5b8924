import { describe, expect, test } from 'vitest';
import type { Event } from '../bindings/Event';
import { jobReport, syncReport } from '../backend/fixture-data';
import { after, announcement, begin, failed, failedIntegration, jobState, pullFigures, pullState, reported, share, underWay, type Run } from './run';

const JOBS = ['hero-students', 'raptor-tardies'] as const;

function follow(...events: Event[]): Run {
  return events.reduce(after, begin([...JOBS], false));
}

const pulling = (subject: string, done: number, total?: number): Event => ({
  event: 'progress',
  data: { run: 'r', phase: 'pull', subject, done, ...(total === undefined ? {} : { total }) },
});

const uploading = (done: number, total: number): Event => ({
  event: 'progress',
  data: { run: 'r', job: 'hero-students', phase: 'upload', subject: 'STUDENT.TXT', done, total },
});

const finished: Event = { event: 'job_finished', data: jobReport('hero-students', 10) };

describe('following a run', () => {
  test('the engine says which jobs it runs', () => {
    const run = follow({ event: 'run_started', data: { run: 'r', jobs: ['raptor-roster'], dry_run: true } });
    expect(run.jobs).toEqual(['raptor-roster']);
    expect(run.dryRun).toBe(true);
    expect(underWay(run)).toBe(true);
  });

  test('each kind of record of the pull keeps its latest figures, in the order they came', () => {
    const run = follow(pulling('students', 5), pulling('enrollments', 3, 60), pulling('students', 10, 10));
    expect(run.pulled).toEqual([
      { subject: 'students', done: 10, total: 10 },
      { subject: 'enrollments', done: 3, total: 60 },
    ]);
    expect(pullState(run)).toBe('working');
  });

  test('the pull shows what is being read, and afterwards what a person knows a roster by', () => {
    const reading = follow(pulling('students', 1200, 1200), pulling('cycle days', 6, 12));
    expect(pullFigures(reading)).toBe('cycle days 6 of 12');
    expect(pullFigures(after(reading, uploading(0, 9)))).toBe('1,200 students');
  });

  test('a job goes from waiting through working to ended', () => {
    const states = [follow(), follow(uploading(1, 2)), follow(uploading(1, 2), finished)].map(
      (run) => jobState(run, 'hero-students').state,
    );
    expect(states).toEqual(['waiting', 'working', 'ended']);
  });

  test('the end of one job leaves the progress of another', () => {
    const run = follow(
      { event: 'progress', data: { run: 'r', job: 'raptor-tardies', phase: 'attendance', subject: 'x', done: 1 } },
      finished,
    );
    expect(jobState(run, 'raptor-tardies').state).toBe('working');
  });

  test('the bar never goes back and ends full', () => {
    const steps = [
      pulling('students', 1, 10),
      pulling('students', 10, 10),
      uploading(0, 10),
      uploading(9, 10),
      uploading(10, 10),
      finished,
      { event: 'run_finished', data: syncReport([...JOBS], false, 10) },
    ] satisfies Event[];
    const shares = steps.map((_, index) => share(follow(...steps.slice(0, index + 1))));
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  test('a report or a fault ends it', () => {
    const report = syncReport([...JOBS], false, 10);
    const fault = { code: 'profile.busy', message: 'Another run is under way.', remedy: 'Wait for it.' };
    for (const run of [reported(follow(uploading(1, 2)), report), failed(follow(uploading(1, 2)), fault)]) {
      expect(underWay(run)).toBe(false);
      expect(run.current).toBeUndefined();
    }
    expect(announcement(failed(follow(), fault))).toBe('Another run is under way.');
  });

  test('what is read out changes with the phase and not with every row', () => {
    expect(announcement(follow(uploading(1, 9)))).toBe(announcement(follow(uploading(2, 9))));
    expect(announcement(follow(pulling('students', 1), pulling('sections', 1)))).toBe(announcement(follow(pulling('students', 1))));
    expect(announcement(follow(pulling('students', 1)))).not.toBe(announcement(follow(uploading(1, 9))));
  });
});

describe('which integration a run failed with', () => {
  const cause = { code: 'sftp.unreachable', message: 'The server did not answer.', remedy: '' };
  const ended = (...jobs: ReturnType<typeof jobReport>[]) => jobs.reduce((run, data) => after(run, { event: 'job_finished', data }), begin([...JOBS], false));

  test('that of the exchange that failed', () => {
    const run = ended(jobReport('hero-students', 10), { ...jobReport('raptor-tardies', 0), outcome: 'failed', cause });
    expect(failedIntegration(run, cause)).toBe('raptor');
  });

  test('that of all of its exchanges', () => {
    expect(failedIntegration(begin(['raptor-roster', 'raptor-tardies'], false), cause)).toBe('raptor');
    expect(failedIntegration(begin(['hero-students'], false), cause)).toBe('hero');
  });

  test('otherwise neither', () => {
    expect(failedIntegration(begin([...JOBS], false), cause)).toBeUndefined();
  });
});
