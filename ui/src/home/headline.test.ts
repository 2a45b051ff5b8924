import { expect, test } from 'vitest';
import type { StatusView } from '../bindings/StatusView';
import { jobReport } from '../backend/fixture-data';
import { guardedFile } from '../backend/fixture-scene';
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
  jobs: [{ job: 'hero-students', owner: 'roster_bridge', enabled: true, last_at: null }],
  held: 0,
  students: 0,
  roster_pulled_at: null,
  watch: [],
  other_sender: [],
};
const ran: StatusView = {
  ...quiet,
  jobs: [{ job: 'hero-students', owner: 'roster_bridge', enabled: true, last: jobReport('hero-students', 9), last_at: '2026-11-20T10:00:00Z' }],
};
const broken: StatusView = {
  ...ran,
  jobs: ran.jobs.map((view) => ({ ...view, last: { ...jobReport('hero-students', 9), outcome: 'failed' as const } })),
};

const theirs: StatusView = { ...quiet, jobs: [{ job: 'hero-students', owner: 'power_school', enabled: false, last_at: null }] };
const watched = (state: 'fine' | 'alert'): StatusView['watch'] => [
  {
    account: 1,
    looked_at: '2026-11-20T10:00:00Z',
    files: [{ job: 'hero-students', record: 'Hero Student Info', path: 'imports/STUDENT.TXT', state, expected_columns: 12 }],
  },
];
const sender: StatusView['other_sender'] = [
  {
    job: 'hero-students',
    record: 'Hero Student Info',
    path: 'imports/STUDENT.TXT',
    since: '2026-11-19T10:00:00Z',
    cause: { code: 'hero.other_sender', message: 'AutoSend is still running.', remedy: 'Turn it off.' },
  },
];

const settled: StatusView = {
  ...broken,
  jobs: broken.jobs.map((view) => ({ ...view, last: { ...jobReport('hero-students', 9), outcome: 'failed' as const, cause: sender[0]!.cause } })),
};

test.each([
  ['PowerSchool sends everything', { ...theirs, watch: watched('fine') }, 'PowerSchool sends'],
  ['a file of PowerSchool’s is wrong', { ...theirs, watch: watched('alert') }, '1 file needs attention'],
  ['nothing could be seen', { ...theirs, watch: watched('fine').map((view) => ({ ...view, cause: sender[0]!.cause })) }, 'Hero could not be looked at'],
  ['the same beside our own', { ...ran, watch: watched('alert') }, '1 file needs attention'],
  ['somebody else sends as well', { ...broken, other_sender: sender }, 'Another sender is active'],
  ['a person let it go on', settled, '1 exchange goes on at its next time'],
  ['the same before our own first run', { ...quiet, watch: watched('alert') }, '1 file needs attention'],
  ['somebody else sends before our first run', { ...quiet, other_sender: sender }, 'Another sender is active'],
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
  expect(headline(ran, undefined, latest)).toEqual({ title: 'The last run failed', about: 'PowerSchool is down.', lang: 'en' });
});

test('a file that was stopped is said before anything that went well or wrong', () => {
  const stopped = guardedFile(600);
  expect(headline({ ...ran, held: 2 }, undefined, undefined, [stopped]).title).toBe('1 file was stopped');
  expect(headline(broken, undefined, undefined, [stopped, { ...stopped, id: 'g2' }]).title).toBe('2 files were stopped');
  expect(headline({ ...ran, other_sender: sender }, undefined, undefined, [stopped]).title).toBe('Another sender is active');
});

test('a run under way comes first', () => {
  expect(headline(broken, begin(['hero-students'], true), undefined).title).toBe('Trying it out');
});
