/** What the sample data answers about Hero's accounts: the sheet, the order of the day, files and previews. */

import type { Cause } from '../bindings/Cause';
import type { ExportField } from '../bindings/ExportField';
import type { ExportKind } from '../bindings/ExportKind';
import type { ExportPreview } from '../bindings/ExportPreview';
import type { ExportProblems } from '../bindings/ExportProblems';
import type { FacultyFileView } from '../bindings/FacultyFileView';
import type { Fault } from '../bindings/Fault';
import type { HeroAccount } from '../bindings/HeroAccount';
import type { JobId } from '../bindings/JobId';
import type { OtherSenderView } from '../bindings/OtherSenderView';
import type { Owner } from '../bindings/Owner';
import type { RemoteFiles } from '../bindings/RemoteFiles';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { Setup } from '../bindings/Setup';
import type { Sheet } from '../bindings/Sheet';
import type { SheetEntry } from '../bindings/SheetEntry';
import type { SheetRow } from '../bindings/SheetRow';
import type { SheetScreen } from '../bindings/SheetScreen';
import type { Timeline } from '../bindings/Timeline';
import type { TimelineEntry } from '../bindings/TimelineEntry';
import type { WatchView } from '../bindings/WatchView';
import { EXPORTS, EXPORT_KINDS, USUAL_FIELDS, newAccount, onDay, pathProblem } from '../setup/hero/exports';
import { accountName, jobOf } from '../text/jobs';
import { accountOf, kindOf } from '../text/names';
import { clockTime, usualSchedule } from '../text/schedule';

export interface Sample {
  long: boolean;
  students: number;
  /** Whether PowerSchool was read. */
  rosterRead: boolean;
  now: Date;
}

type Asked = Extract<
  Request,
  { op: 'hand_over' | 'take_back' | 'confirm_one_sender' | 'sheet' | 'tick_sheet' | 'timeline' | 'export_preview' | 'export_problems' | 'remote_files' | 'watch' | 'faculty_file' }
>;

const DAY = '2026-11-20';

/** The set-up with a second account at Hero, for a group of schools. */
export function secondAccount(setup: Setup, long: boolean): Setup {
  const [first] = setup.hero.accounts;
  const [connection] = setup.connections;
  if (first === undefined || connection === undefined) return setup;
  const second: HeroAccount = {
    ...newAccount(2, long ? 'Washington County Regional Career and Technical Education High School at Mount Pleasant' : 'Harborview', 'hero-2', 'America/Chicago'),
    level: 'group',
    schools: [300, 310],
  };
  second.schedule.path = 'imports/%Y/SCHEDULE-%Y%m%d.TXT';
  second.schedule.field_delimiter = 'comma';
  const jobs = ([...EXPORT_KINDS, 'attendance'] as const).map((kind) => {
    const job = jobOf(kind === 'attendance' ? 'hero-attendance' : EXPORTS[kind].job, 2);
    return { job, enabled: true, schedule: usualSchedule(job, 'America/Chicago') };
  });
  return {
    ...setup,
    connections: [...setup.connections, { ...connection, id: 'hero-2', name: 'Hero SFTP Connection of the high schools' }],
    hero: { ...setup.hero, accounts: [{ ...first, schools: [100, 110, 200] }, second] },
    jobs: [...setup.jobs, ...jobs],
  };
}

/** Names as long as they come, with words that are long themselves. */
export function withLongNames(setup: Setup): Setup {
  const [first, ...others] = setup.hero.accounts;
  if (first === undefined) return setup;
  const account: HeroAccount = { ...first, name: 'Verwaltungsgemeinschaft der Berufsbildungszentren Oberallgäu-Nordwürttemberg' };
  for (const kind of [...EXPORT_KINDS, 'attendance'] as const) {
    account[kind].name = `${account[kind].name} der Schulverwaltungsgemeinschaft Oberallgäu`;
    account[kind].path = account[kind].path.replace(/\.(\w+)$/, '_SCHULVERWALTUNGSGEMEINSCHAFT_OBERALLGAEU_%Y%m%d.$1');
    account[kind].email = Array.from({ length: 4 }, (_, number) => `schulverwaltung-${number}@verwaltungsgemeinschaft-oberallgaeu.example.org`);
  }
  return {
    ...setup,
    hero: { ...setup.hero, accounts: [account, ...others] },
    connections: setup.connections.map((connection) =>
      connection.id === account.connection ? { ...connection, name: 'SFTP-Verbindung der Schulverwaltungsgemeinschaft Oberallgäu-Nordwürttemberg zu SchoolMint Hero' } : connection,
    ),
  };
}

/** Answers a request about an account; some change the set-up. */
export function answerHero(request: Asked, setup: Setup, sample: Sample): Response {
  const account = setup.hero.accounts.find(({ id }) => id === ('job' in request && typeof request.job === 'string' ? accountOf(request.job) : 'account' in request ? request.account : 1));
  if (account === undefined) {
    throw { code: 'hero.no_account', message: 'There is no such account.', remedy: 'Open the set-up again.' } satisfies Fault;
  }
  switch (request.op) {
    case 'hand_over':
    case 'take_back':
      return ownerChanged(account, request.job, request.op === 'hand_over' ? request.record : undefined, sample.now);
    case 'confirm_one_sender':
      return ownerChanged(account, request.job, otherSender(sample.long).record, sample.now);
    case 'sheet':
      return { kind: 'sheet', data: sheetOf(account, setup) };
    case 'tick_sheet':
      account.ticked = account.ticked.filter((key) => key !== request.row);
      if (request.on) account.ticked.push(request.row);
      return { kind: 'sheet', data: sheetOf(account, setup) };
    case 'timeline':
      return { kind: 'timeline', data: timelineOf(account, setup) };
    case 'export_preview':
      return { kind: 'export_preview', data: previewOf(request.kind, request.job, request.rows && sample.rosterRead, account.level === 'group', sample) };
    case 'export_problems':
      return { kind: 'export_problems', data: problemsOf(request.job, request.skip, sample.long) };
    case 'remote_files':
      return { kind: 'remote_files', data: remoteFiles(account, sample) };
    case 'faculty_file':
      return { kind: 'faculty_file', data: facultyFile(request, sample) };
    case 'watch':
      return { kind: 'watch', data: watchOf(account, sample) };
  }
}

function ownerChanged(account: HeroAccount, job: JobId, record: string | undefined, now: Date): Response {
  const kind = kindOf(job);
  const settings = kind === 'hero-attendance' ? account.attendance : account[exportOf(kind)];
  const owner: Owner = record === undefined ? 'power_school' : 'roster_bridge';
  settings.owner = owner;
  if (record === undefined) delete settings.hand_over;
  else settings.hand_over = { record, confirmed_at: now.toISOString(), confirmed_by: 'office' };
  return {
    kind: 'owner_changed',
    data: {
      job,
      owner,
      record: record ?? settings.name,
      at: now.toISOString(),
      by: 'office',
      in_powerschool: owner === 'power_school' ? `‘Turn Execution Off’ has no tick on ‘${settings.name}’.` : `‘Turn Execution Off’ is ticked on ‘${record ?? ''}’.`,
      warnings: [],
    },
  };
}

function exportOf(job: string): ExportKind {
  return EXPORT_KINDS.find((kind) => EXPORTS[kind].job === job) ?? 'students';
}

const text = (value: string): SheetEntry => ({ kind: 'text', value });
const pick = (value: string): SheetEntry => ({ kind: 'choose', value });
const BLANK: SheetEntry = { kind: 'leave_blank' };
const UNCHECKED: SheetEntry = { kind: 'leave_unchecked' };
const CHECK: SheetEntry = { kind: 'check' };

const SCREENS: Record<ExportKind, string> = {
  students: 'Student Demographics',
  schedule: 'Schedule Information',
  teachers: 'Teacher Information',
};

function sheetOf(account: HeroAccount, setup: Setup): Sheet {
  const connection = setup.connections.find(({ id }) => id === account.connection);
  const name = connection?.name ?? 'Hero SFTP Connection';
  const screens: SheetScreen[] = [
    screen(account, 'connection', 'Create Connection', ['Setup > System > System Settings > Plugin Management Configuration', 'Click Remote Connection Manager', 'Click Manage Remote Connection', 'Click Create Connection'], [
      ['name', 'Name', text(name), ''],
      ['description', 'Description', BLANK, ''],
      ['protocol', 'Protocol', pick('SFTP'), ''],
      ['host', 'Host', text(`sftp://${connection?.host ?? ''}`), ''],
      ['port', 'Port', text(String(connection?.port ?? 2022)), ''],
      ['username', 'Username', text(connection?.username ?? ''), 'Created in SchoolMint Hero by a system administrator.'],
      ['password', 'Password', { kind: 'own', what: 'The password of that account' }, ''],
      ['confirm', 'Confirm Password', { kind: 'own', what: 'The same once more' }, ''],
      ['download', 'Allow Download', CHECK, ''],
      ['upload', 'Allow Upload', CHECK, ''],
    ]),
    ...EXPORT_KINDS.map((kind) => {
      const job = account[kind];
      const { time, days } = timeOf(setup, jobOf(EXPORTS[kind].job, account.id));
      return {
        ...screen(account, kind, `${SCREENS[kind]} AutoSend Export`, ['Setup > System > System Administrator main menu', 'Select AutoSend Setup', 'Select New on the AutoSend Setup screen'], [
          ['name', 'Name', text(job.name), 'REQUIRED: Title for the AutoSend'],
          ['data', 'Data to Send', pick(EXPORTS[kind].data), 'REQUIRED: Select from dropdown list'],
          ['when', 'When to Execute', text(clockTime(time)), time.endsWith(':00') ? 'Better some minutes past the hour.' : 'REQUIRED'],
          ['days', 'Days to Execute', text(days), 'REQUIRED: The AutoSend should run every day'],
          ['off', 'Turn Execution Off', UNCHECKED, ''],
          ['to', 'Send Output to', pick(`Managed connection: ${name}`), ''],
          ['path', 'Path', text(job.path), 'REQUIRED: folder and file name'],
          ['delimiter', 'Field Delimiter', pick(job.field_delimiter === 'tab' ? 'Tab' : 'Comma'), 'REQUIRED: TAB is preferable'],
          ['record', 'Record Delimiter', pick(job.record_delimiter.toUpperCase()), 'REQUIRED'],
          ['sort', 'Sort Order', job.in_powerschool.sort_order === '' ? BLANK : text(job.in_powerschool.sort_order), ''],
          ['first', 'First record…', UNCHECKED, ''],
          ['upload_type', 'Include “upload_type”', UNCHECKED, ''],
          ['attendance', 'Attendance-Specific Settings', pick(job.in_powerschool.attendance), 'REQUIRED: Select from a bullet list'],
          ['email', 'Email completion report…', job.email.length > 0 ? text(job.email.join(', ')) : { kind: 'own', what: 'An administrator’s address' }, ''],
          ['fields', 'Fields to Export', { kind: 'lines', lines: job.fields }, 'REQUIRED: Enter fields exactly as shown'],
          ['all', 'Duplicate this… all schools', UNCHECKED, ''],
          ['district', 'Duplicate this… district office', UNCHECKED, ''],
        ]),
        job: jobOf(EXPORTS[kind].job, account.id),
        owner: job.owner,
      };
    }),
    {
      ...screen(account, 'attendance', 'AutoComm Import', ['Setup > System > System Administrator main menu', 'Select AutoComm Setup', 'Select New'], [
        ['name', 'Name', text(account.attendance.name), 'REQUIRED'],
        ['table', 'Table to Import', pick('Attendance'), 'REQUIRED: Select from dropdown list'],
        ['path', 'Path', text(account.attendance.path), 'REQUIRED: capitals as in Hero'],
        ['set', 'Character Set', pick('Windows ANSI'), 'REQUIRED'],
        ['update', 'Update existing records…', CHECK, 'REQUIRED: Check this box'],
        ['fields', 'Attendance Field', { kind: 'lines', lines: account.attendance.fields }, 'REQUIRED'],
      ]),
      job: jobOf('hero-attendance', account.id),
      owner: account.attendance.owner,
    },
    {
      ...screen(account, 'hero', 'At Hero', ['System Administration > Imports'], [
        ['file', 'File name', text(account.students.path.split('/').at(-1) ?? ''), 'Exactly, capitals too'],
        ['header', 'Has Header', UNCHECKED, ''],
      ]),
      at: 'hero',
      needed: true,
      notes: ['The External Reference Code of every behavior equals a code of PowerSchool’s, capitals too.'],
    },
  ];
  const rows = screens.flatMap((one) => one.rows);
  return {
    account: account.id,
    account_name: accountName(account),
    screens,
    rows: rows.length,
    ticked: rows.filter((row) => row.ticked).length,
  };
}

function screen(account: HeroAccount, key: string, title: string, way: string[], rows: [string, string, SheetEntry, string][]): SheetScreen {
  return {
    key,
    title,
    at: 'power_school',
    needed: [...EXPORT_KINDS, 'attendance' as const].some((kind) => (kind === key || key === 'connection' || key === 'hero') && account[kind].owner === 'power_school'),
    way,
    rows: rows.map(([row, label, entry, comment]): SheetRow => {
      const own = `${key}.${row}`;
      return { key: own, label, entry, comment, note: '', ticked: account.ticked.includes(own), changed: false };
    }),
    then: ['Click “Submit” to save the settings'],
    notes: key === 'connection' ? ['A managed connection appears in AutoSend only when download is allowed.'] : [],
  };
}

function timeOf(setup: Setup, job: JobId): { time: string; days: string } {
  const when = setup.jobs.find((settings) => settings.job === job)?.schedule?.when;
  return when?.kind === 'at' ? when : { time: '03:05', days: 'MTWHF' };
}

function timelineOf(account: HeroAccount, setup: Setup): Timeline {
  const { imports_at, exports_at } = account.hero_side;
  const jobs: TimelineEntry[] = [...EXPORT_KINDS, 'attendance' as const].map((kind) => {
    const settings = account[kind];
    const job = jobOf(kind === 'attendance' ? 'hero-attendance' : EXPORTS[kind].job, account.id);
    const { time, days } = timeOf(setup, job);
    const who = settings.owner === 'power_school' ? 'PowerSchool' : 'RosterBridge';
    return {
      step: { kind: 'job', job, owner: settings.owner },
      title: `${settings.name} (${kind === 'attendance' ? 'imported' : 'sent'} by ${who})`,
      time,
      days,
      on: setup.jobs.find((known) => known.job === job)?.enabled ?? false,
    };
  });
  const hero: TimelineEntry[] = [
    ...(imports_at === null ? [] : [{ step: { kind: 'hero_imports' as const }, title: 'Hero takes in the files', time: imports_at, days: 'MTWHFSU', on: true }]),
    ...(exports_at === null ? [] : [{ step: { kind: 'hero_exports' as const }, title: 'Hero writes its attendance export', time: exports_at, days: 'MTWHFSU', on: true }]),
  ];
  const entries = [...jobs, ...hero].sort((one, other) => (one.time ?? '').localeCompare(other.time ?? ''));
  const late = imports_at === null ? [] : jobs.slice(0, 3).filter(({ time }) => (time ?? '') >= imports_at);
  const early = exports_at !== null && (jobs[3]?.time ?? '') <= exports_at;
  return {
    account: account.id,
    account_name: accountName(account),
    zone: 'America/Chicago',
    zone_known: true,
    day: DAY,
    entries,
    without_time: [],
    warnings: [
      ...late.map(({ title, step }) => ({
        kind: 'export_after_hero' as const,
        jobs: step.kind === 'job' ? [step.job] : [],
        message: `${title} comes after Hero has taken in the day’s files.`,
        remedy: `Choose a time before ${clockTime(imports_at ?? '')}, with some minutes between.`,
      })),
      ...(early
        ? [{ kind: 'import_before_hero' as const, jobs: [jobOf('hero-attendance', account.id)], message: 'The import comes before Hero has written the day’s attendance.', remedy: 'Choose a later time.' }]
        : []),
      ...(imports_at === null || exports_at === null
        ? [{ kind: 'hero_time_unknown' as const, jobs: [], message: 'Not all of Hero’s times are known, so the order can’t be checked.', remedy: 'Look them up in Hero’s settings and enter them above.' }]
        : []),
    ],
  };
}

const MEANINGS: Record<string, string> = {
  Student_Number: 'The number people know the student by',
  First_Name: 'First name',
  Last_Name: 'Last name',
  Middle_Name: 'Middle name',
  DOB: 'Date of birth, MM/DD/YYYY',
  GuardianEmail: 'E-mail addresses of the guardians, separated by commas',
  Grade_Level: 'Grade; 0 is kindergarten, negative is before it',
  SchoolID: 'Number of the student’s school',
  Schoolid: 'Number of the school',
  teachernumber: 'Number of the teacher',
};

const VALUES = ['100234', 'Sample', 'Student', '', '04/12/2014', '12 Example Street', 'Northfield', 'IL', '60000', 'family@example.org', '555-0100', '6'];

function known(kind: ExportKind): ExportField[] {
  const names = [...new Set([...USUAL_FIELDS[kind], ...(kind === 'students' ? ['SchoolID', 'Enroll_Status'] : kind === 'schedule' ? ['[03]external_expression', 'dateenrolled'] : ['ID'])])];
  return names.map((name) => ({
    name,
    column: `${kind.toUpperCase()}.${name.replace(/^\[\d+\]/, '').toUpperCase()}`,
    meaning: MEANINGS[name] ?? name.replace(/^\[\d+\]/, '').replaceAll('_', ' '),
    limit: name === 'First_Name' ? 20 : null,
    required: kind === 'students' && ['Student_Number', 'First_Name', 'Last_Name', 'Grade_Level'].includes(name),
  }));
}

function previewOf(kind: ExportKind, job: HeroAccount['students'], rows: boolean, group: boolean, { students, now }: Sample): ExportPreview {
  const all = known(kind);
  const find = (name: string) => all.find((field) => field.name.toLowerCase() === name.toLowerCase());
  const unknown: Cause[] = job.fields.flatMap((name, index) =>
    find(name) === undefined
      ? [{ code: 'hero.field_unknown', message: `Line ${index + 1} of the field list: there is no field ‘${name}’.`, remedy: 'Correct the name, or choose the field from the list.' }]
      : [],
  );
  const wrongPath = pathProblem(job.path, false);
  const problems: Cause[] = [...unknown, ...(wrongPath === undefined ? [] : [{ code: 'hero.path_space', message: wrongPath, remedy: '' }])];
  const fields = group && kind === 'students' ? ['SchoolID', ...job.fields] : job.fields;
  const columns = problems.length > 0 ? [] : fields.flatMap((name) => find(name) ?? []);
  return {
    ...(wrongPath === undefined ? { path: onDay(job.path, DAY) } : {}),
    day: DAY,
    problems,
    notes: group && kind === 'students' ? ['SchoolID was put in front: this is a group-level account.'] : [],
    columns,
    known: all,
    ...(rows && problems.length === 0
      ? {
          rows: {
            first: [0, 1, 2].map((row) => columns.map((_, place) => (place === 0 ? String(100234 + row) : (VALUES[place % VALUES.length] ?? '')))),
            total: students,
            bytes: students * 110,
            problems: kind === 'students' ? [{ kind: 'empty', meaning: 'without a value that Hero requires', count: 2 }] : [],
            read_at: new Date(now.getTime() - 47 * 60_000).toISOString(),
          },
        }
      : {}),
  };
}

function problemsOf(job: JobId, skip: number, long: boolean): ExportProblems {
  if (kindOf(job) !== 'hero-students') return { job, total: 0, more_than_kept: false, counts: [], rows: [] };
  const total = long ? 10_000 : 3;
  const count = Math.min(long ? 500 : 3, total - skip);
  const rows = Array.from({ length: count }, (_, index) => {
    const row = skip + index + 1;
    return row % 3 === 0
      ? { row: row * 17, number: String(100200 + row), field: 'Mailing_Street', kind: 'too_long', message: 'Mailing_Street has 61 characters and Hero accepts 50: it was sent whole.', length: 61, limit: 50 }
      : { row: row * 17, number: String(100200 + row), field: 'Grade_Level', kind: 'empty', message: 'Hero requires a value, and PowerSchool has none.' };
  });
  return {
    job,
    total,
    more_than_kept: long,
    counts: [
      { kind: 'empty', meaning: 'without a value that Hero requires', count: long ? 8412 : 2 },
      { kind: 'too_long', meaning: 'longer than Hero takes', count: long ? 4011 : 1 },
    ],
    rows,
  };
}

function remoteFiles(account: HeroAccount, { now, long }: Sample): RemoteFiles {
  const at = (minutes: number) => new Date(now.getTime() - minutes * 60_000).toISOString();
  const name = (path: string) => path.split('/').at(-1) ?? path;
  return {
    account: account.id,
    seen_at: now.toISOString(),
    folders: [
      {
        folder: 'imports',
        files: EXPORT_KINDS.map((kind, index) => ({ name: name(account[kind].path), bytes: 64_200 * (index + 1), modified: at(300 - index), is: 'export' as const, job: jobOf(EXPORTS[kind].job, account.id) })),
      },
      {
        folder: 'export',
        files: [
          { name: name(account.attendance.path), bytes: 8_140, modified: at(95), is: 'import' as const, job: jobOf('hero-attendance', account.id) },
          { name: long ? 'REFERRALS-OF-THE-WASHINGTON-COUNTY-REGIONAL-COOPERATIVE-2026-11-20.txt' : 'REFERRALS.txt', bytes: 2_210, modified: null, is: 'other' as const },
        ],
      },
      { folder: '', files: [{ name: 'STUDENT.TXT', bytes: 61_020, modified: at(2900), is: 'wrong_folder' as const }] },
    ],
  };
}

function facultyFile({ file, role, account_type }: Extract<Request, { op: 'faculty_file' }>, { rosterRead, long }: Sample): FacultyFileView {
  if (!rosterRead) {
    throw { code: 'setup.incomplete', message: 'PowerSchool’s roster has not been read yet.', remedy: 'Complete that step of the set-up, then try again.' } satisfies Fault;
  }
  const rows = long ? 4_812 : 47;
  return {
    file,
    rows,
    bytes: rows * 92,
    notes: [
      '3 who are no longer there by PowerSchool were left out.',
      ...(role.trim() === '' || account_type.trim() === '' ? ['The columns Role or Type are empty: fill them in before importing the file.'] : []),
    ],
  };
}

/** What the latest look showed of the files that are PowerSchool's to send or take in. */
export function watchOf(account: HeroAccount, { now, students }: Sample): WatchView {
  const due = new Date(now.getTime() - 5 * 3_600_000).toISOString();
  const mine = EXPORT_KINDS.filter((kind) => account[kind].owner === 'power_school');
  return {
    account: account.id,
    looked_at: new Date(now.getTime() - 12 * 60_000).toISOString(),
    files: [
      ...mine.map((kind, index) => {
        const settings = account[kind];
        const base = { job: jobOf(EXPORTS[kind].job, account.id), record: settings.name, path: settings.path, due_at: due, expected_columns: settings.fields.length };
        if (index === 1) {
          return {
            ...base,
            state: 'alert' as const,
            found: settings.path.split('/').at(-1) ?? '',
            bytes: 118_000,
            modified: due,
            cause: { code: 'hero.watch_wrong_folder', message: 'The file lies in the first folder, where Hero does not look.', remedy: `Enter ${settings.path} as Path of the AutoSend record.` },
          };
        }
        return { ...base, state: index === 2 ? ('taken' as const) : ('fine' as const), bytes: 64_200, modified: due, columns: settings.fields.length, rows: students - 3, expected_rows: students };
      }),
      ...(account.attendance.owner === 'power_school'
        ? [{ job: jobOf('hero-attendance', account.id), record: account.attendance.name, path: account.attendance.path, state: 'waiting' as const, due_at: due, expected_columns: 7 }]
        : []),
    ],
  };
}

/** PowerSchool still sends what is RosterBridge's to send. */
export function otherSender(long: boolean): OtherSenderView {
  const record = long ? 'Hero Student Info of the Washington County Regional Career and Technical Education Cooperative' : 'Hero Student Info';
  return {
    job: 'hero-students',
    record,
    path: 'imports/STUDENT.TXT',
    since: new Date(Date.now() - 26 * 3_600_000).toISOString(),
    cause: {
      code: 'hero.other_sender',
      message: 'Another sender is active, so hero-students is paused: imports/STUDENT.TXT at Hero is another file than RosterBridge sent last.',
      remedy: `Nothing is sent until a person says so. In PowerSchool open AutoSend Setup, then the record '${record}', tick 'Turn Execution Off' and submit; and see that no second RosterBridge does it. Then confirm it on Home, or with: rosterbridge hero only-sender hero-students --yes. Or give the exchange back to PowerSchool.`,
    },
  };
}
