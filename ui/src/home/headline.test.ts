import { expect, test } from 'vitest';
import type { StatusView } from '../bindings/StatusView';
import { jobReport } from '../backend/fixture-data';
import { headline } from './headline';
import { begin } from './run';

const quiet: StatusView = {
  profile: 'default',
  practice: false,
  server: 'ps.example.org',
  paused: false,
  pause: { kind: 'no' },
  raptor_status: 'synchronizing',
  raptor: { status: 'synchronizing', window: { zone: 'America/Chicago', opens: '16:00', minutes: 120, retry_minutes: 10 } },
  school_year: { schools: [], changes: [], tardy_code_faults: [] },
  today: '2026-11-20',
  jobs: [{ job: 'hero-students', enabled: true, last_at: null }],
  held: 0,
  students: 0,
  roster_pulled_at: null,
};
const ran: StatusView = {
  ...quiet,
  jobs: [{ job: 'hero-students', enabled: true, last: jobReport('hero-students', 9), last_at: '2026-11-20T10:00:00Z' }],
};
const broken: StatusView = {
  ...ran,
  jobs: ran.jobs.map((view) => ({ ...view, last: { ...jobReport('hero-students', 9), outcome: 'failed' as const } })),
};

test.each([
  ['nothing is enabled', { ...quiet, jobs: [] }, 'Nothing is switched on'],
  ['nothing has run', quiet, 'Ready for the first run'],
  ['all went well', ran, 'Everything is up to date'],
  ['rows are held', { ...ran, held: 2 }, 'Everything ran'],
  ['a job failed', broken, '1 exchange needs attention'],
  ['another process runs', { ...ran, running: 'r1' }, 'Running'],
])('%s', (_, status, title) => {
  expect(headline(status, undefined, undefined).title).toBe(title);
});

test('a failed run is said before anything older, with its reason', () => {
  const cause = { code: 'powerschool.maintenance', message: 'PowerSchool is down.', remedy: 'Run again later.' };
  const latest = { run: 'r', started_at: '', finished_at: '', dry_run: false, undo: false, scheduled: false, outcome: 'failed' as const, jobs: [], cause, seconds: [] };
  expect(headline(ran, undefined, latest)).toEqual({ title: 'The last run failed', about: 'PowerSchool is down.' });
});

test('a run under way comes first', () => {
  expect(headline(broken, begin(['hero-students'], true), undefined).title).toBe('Trying it out');
});
