import type { Choices } from '../bindings/Choices';
import type { JobId } from '../bindings/JobId';
import type { JobReport } from '../bindings/JobReport';
import type { RunView } from '../bindings/RunView';
import type { Setup } from '../bindings/Setup';
import type { SyncReport } from '../bindings/SyncReport';
import { JOB_ORDER, kindOf } from '../text/names';
import { ownZone, usualSchedule } from '../text/schedule';
import { heroAccount, managedConnection } from './fixture-hero';

export const FINGERPRINT = 'SHA256:hYk3Wq0mJ5tqv8n1RZ4cXo2sVb7eLgT9uPfDyAiNwQc';
export const OTHER_FINGERPRINT = 'SHA256:p1TtzrQ6mE0sJd8uWvXbK2nYc4aHg7oLf9RiMx5eVZA';
export const MD5 = 'MD5:5f:3a:c1:90:7e:22:d8:4b:61:0c:fe:93:a4:18:7d:b2';

export function emptySetup(): Setup {
  return {
    version: 2,
    powerschool: {
      url: '',
      client_id: '',
      extra_roots: [],
      answer_seconds: 30,
      plugin: { jobs: [...JOB_ORDER], revision: 0 },
      proxy: { mode: 'system', url: '', username: '' },
    },
    connections: [managedConnection('hero')],
    hero: { accounts: [heroAccount(1, 'hero')] },
    raptor: {
      prerequisites: { client_configured: false, plugin_installed: false, credentials_entered: false },
      enabled: false,
      student_tardy: false,
      folder: '',
      notify: [],
      window: { zone: 'America/Chicago', opens: '16:00', minutes: 120, retry_minutes: 10 },
      follow_minutes: 5,
      roster: { content: 'full', layout: '', layouts: [] },
      before_first_bell: 'not_tardy',
    },
    mail: { host: '', port: 587, security: 'starttls', username: '', from: '', to: [] },
    mappings: { buildings: [], tardy_codes: [], replaceable_codes: [] },
    jobs: JOB_ORDER.map((job) => ({ job, enabled: false, schedule: usualSchedule(job, 'America/Chicago') })),
    summer: 'pause',
    retention_days: 400,
    attendance: { oldest: 10 },
    guard: { percent: 10, rows: 20 },
  };
}

const SCHOOLS: [number, string, string][] = [
  [100, 'Apple Grove Elementary School', 'Apple Grove Elem'],
  [110, 'Juniper Elementary School', 'Juniper ES'],
  [200, 'Cedar Ridge Middle School', 'Cedar Ridge MS'],
  [300, 'Harborview High School', 'Harborview HS'],
  [310, 'St. Brendan Academy', 'Saint Brendan Academy'],
];

const LONG_SCHOOLS: [number, string, string][] = [
  [100, "Nuestra Señora de Guadalupe–O'Shaughnessy Dual-Language Immersion Elementary School", 'Guadalupe–O’Shaughnessy Dual-Language Immersion Elementary (North Campus, Building B)'],
  [110, 'Bartholomew-Featherstonehaugh Memorial Elementary School', 'Bartholomew-Featherstonehaugh'],
  [200, 'Chargoggagoggmanchauggagoggchaubunagungamaugg Middle School', 'Chargoggagoggmanchauggagoggchaubunagungamaugg MS'],
  [300, 'Q', 'Q'],
  [310, 'Washington County Regional Career and Technical Education High School at Mount Pleasant', 'WCRCTE HS'],
];

export function practiceSetup(long: boolean): Setup {
  const setup = emptySetup();
  const schools = long ? LONG_SCHOOLS : SCHOOLS;
  return {
    ...setup,
    powerschool: {
      ...setup.powerschool,
      url: 'https://127.0.0.1:43017',
      client_id: '6c1f4a0e-53f2-4b9d-8f6e-2c2a7d9be110',
      extra_roots: ['-----BEGIN CERTIFICATE-----'],
    },
    connections: [
      {
        ...managedConnection('hero'),
        description: 'Practice district',
        host: '127.0.0.1',
        port: 43018,
        username: 'hero-practice',
      },
    ],
    raptor: {
      ...setup.raptor,
      prerequisites: { client_configured: true, plugin_installed: true, credentials_entered: true },
      enabled: true,
      student_tardy: true,
      folder: '/home/office/.local/share/rosterbridge/practice/raptor',
    },
    mappings: {
      buildings: schools.map(([school, name, building], index) => ({
        building,
        school,
        school_name: name,
        method: index < 2 ? ('daily' as const) : ('meeting' as const),
        bridge_period: '',
        between_classes: 'hold' as const,
        enabled: true,
      })),
      tardy_codes: [
        { reason: 'Overslept', code: 'T', active: true },
        { reason: 'Bus late', code: 'TE', active: true },
        { reason: long ? 'Medical or dental appointment with a signed note from the physician’s office' : 'Appointment', code: 'TX', active: true },
        { reason: 'Traffic', code: 'T', active: false },
      ],
      replaceable_codes: ['A'],
    },
    // As a district would have it that is where this computer is.
    jobs: setup.jobs.map(({ job }) => ({ job, enabled: true, schedule: usualSchedule(job, ownZone()) })),
  };
}

export function choices(long: boolean): Choices {
  const schools = long ? LONG_SCHOOLS : SCHOOLS;
  return {
    schools: schools.map(([number, name, abbreviation], index) => ({
      number,
      name,
      abbreviation,
      method: {
        method: index < 2 ? ('daily' as const) : index === 3 ? ('both' as const) : ('meeting' as const),
        bridge_period: index === 3 ? 'HR' : '',
        by: index === 4 ? ('sections' as const) : ('preferences' as const),
      },
    })),
    buildings: [
      ...schools.map(([number, , building]) => ({ building, suggested_school: number, found_in: 'list' as const })),
      { building: 'District Office', suggested_school: null, found_in: 'tardy_file' },
    ],
    reasons: [
      ...['Appointment', 'Bus late', 'Family matter', 'Overslept', 'Traffic'].map((reason) => ({ reason, found_in: 'list' as const })),
      { reason: 'Car trouble', found_in: 'tardy_file' },
    ],
    codes: [
      { code: null, description: 'Present', presence: 'Present', schools: 5, missing_in: [] },
      { code: 'A', description: 'Absent', presence: 'Absent', schools: 5, missing_in: [] },
      { code: 'T', description: 'Tardy', presence: 'Present', schools: 5, missing_in: [] },
      { code: 'TE', description: 'Tardy Excused', presence: 'Present', schools: 5, missing_in: [] },
      { code: 'TX', description: 'Tardy, medical appointment', presence: 'Present', schools: 3, missing_in: [100, 110] },
      { code: 'E', description: 'Excused', presence: 'Absent', schools: 5, missing_in: [] },
    ],
    changes: [],
  };
}

const SHA = '9b1d6f2a4c8e03b57a61d9f0e2c4b8a7365f1e0d9c8b7a6f5e4d3c2b1a098765';

export function jobReport(job: JobId, students: number): JobReport {
  const rows = { read: 0, written: 0, noop: 0, held: 0, rejected: 0 };
  const base: JobReport = { job, outcome: 'succeeded', rows, newly_held: 0, files: [], notes: [] };
  const file = (name: string, count: number, bytes: number) => [{ name, rows: count, bytes, sha256: SHA }];
  switch (kindOf(job)) {
    case 'hero-students':
      return {
        ...base,
        rows: { ...rows, read: students, written: students },
        files: file('imports/STUDENT.TXT', students, students * 118),
      };
    case 'hero-schedule':
      return {
        ...base,
        rows: { ...rows, read: students * 6, written: students * 6 },
        files: file('imports/SCHEDULE.TXT', students * 6, students * 6 * 84),
        notes: ['3 course names are longer than Hero keeps. They were sent as they are.'],
      };
    case 'hero-teachers':
      return {
        ...base,
        rows: { ...rows, read: 47, written: 47 },
        files: file('imports/TEACHER.txt', 47, 3310),
      };
    case 'hero-attendance':
      return {
        ...base,
        outcome: 'succeeded_with_held_rows',
        rows: { read: 64, written: 58, noop: 2, held: 3, rejected: 1 },
        newly_held: 3,
        files: file('export/ATTENDANCE.txt', 64, 3108),
      };
    case 'raptor-roster':
      return {
        ...base,
        rows: { ...rows, read: students, written: students },
        files: ['Apple Grove Elem', 'Juniper ES', 'Cedar Ridge MS', 'Harborview HS', 'Saint Brendan Academy'].map(
          (name, index) => ({
            name: `roster/${name}.csv`,
            rows: Math.round(students / 5) + index,
            bytes: Math.round(students / 5) * 96,
            sha256: SHA,
          }),
        ),
      };
    case 'raptor-tardies':
      return {
        ...base,
        outcome: 'succeeded_with_held_rows',
        rows: { read: 31, written: 24, noop: 4, held: 3, rejected: 0 },
        newly_held: 3,
        files: file('tardies.csv', 31, 1892),
      };
  }
}

export function syncReport(jobs: JobId[], dryRun: boolean, students: number): SyncReport {
  const reports = jobs.map((job) => jobReport(job, students));
  return {
    run: '0193-run',
    dry_run: dryRun,
    outcome: reports.some((report) => report.newly_held > 0) ? 'succeeded_with_held_rows' : 'succeeded',
    jobs: reports,
    seconds: [
      { phase: 'pull', millis: 1840 },
      ...jobs.map((job) => ({ phase: job, millis: 420 })),
    ],
  };
}

/** The answer to a dry run: it shows what it would write, which the history does not keep. */
export function withPlans(report: SyncReport): SyncReport {
  const plan = (job: JobReport): JobReport => {
    if (job.job === 'hero-students') {
      const columns = ['Student_Number', 'First_Name', 'Last_Name', 'Grade_Level'];
      const rows = [1, 2, 3, 4, 5].map((number) => [String(10_400 + number), `First ${number}`, `Last ${number}`, '4']);
      return { ...job, plan: { id: '5d1f0c7a9b3e2468', sample: [], files: [{ name: 'imports/STUDENT.TXT', columns, rows }] } };
    }
    if (job.job === 'raptor-tardies') {
      const sample = [{ student_number: 10_422, school: 100, date: '2026-11-20', code: 'T', previous_code: null }];
      return { ...job, plan: { id: '8c2b6d4e0f1a3957', sample } };
    }
    return job;
  };
  return { ...report, jobs: report.jobs.map(plan) };
}

export function pastRuns(students: number): RunView[] {
  const started = (minutesAgo: number) => new Date(Date.now() - minutesAgo * 60_000).toISOString();
  const run = (id: string, minutesAgo: number, jobs: JobId[], dryRun: boolean): RunView => {
    const report = syncReport(jobs, dryRun, students);
    return {
      run: id,
      started_at: started(minutesAgo),
      finished_at: new Date(Date.now() - minutesAgo * 60_000 + 4300).toISOString(),
      dry_run: dryRun,
      undo: false,
      scheduled: !dryRun && id !== 'r5',
      outcome: report.outcome,
      jobs: report.jobs,
      seconds: report.seconds,
    };
  };
  return [
    run('r5', 4, JOB_ORDER, false),
    run('r4', 52, ['raptor-tardies'], false),
    run('r3', 1180, ['hero-students', 'hero-schedule', 'hero-teachers'], false),
    {
      ...run('r2', 1500, JOB_ORDER, false),
      outcome: 'failed',
      jobs: JOB_ORDER.map((job) => ({ ...jobReport(job, 0), outcome: 'skipped' as const, files: [], notes: [], newly_held: 0, rows: { read: 0, written: 0, noop: 0, held: 0, rejected: 0 } })),
      cause: {
        code: 'powerschool.maintenance',
        message: 'PowerSchool is down for maintenance.',
        remedy: 'Nothing was changed. Run again when PowerSchool is back.',
      },
    },
    run('r1', 4400, JOB_ORDER, true),
  ];
}
