/** Hero's exports and import as a person edits them. */

import type { Destination } from '../../bindings/Destination';
import type { ExportJob } from '../../bindings/ExportJob';
import type { ExportKind } from '../../bindings/ExportKind';
import type { HeroAccount } from '../../bindings/HeroAccount';
import type { HeroSide } from '../../bindings/HeroSide';
import type { ImportField } from '../../bindings/ImportField';
import type { ImportJob } from '../../bindings/ImportJob';
import type { Job } from '../../bindings/Job';
import { sameList } from '../../parts/list';
import { say } from '../../text/say';
import { clockTime, parseTime } from '../../text/schedule';

/** What AutoSend's form calls the data of each export, in the order of Hero's procedure. */
export const EXPORTS: Record<ExportKind, { data: string; job: Job }> = {
  students: { data: 'Students', job: 'hero-students' },
  schedule: { data: 'Students Schedule', job: 'hero-schedule' },
  teachers: { data: 'Teacher', job: 'hero-teachers' },
};

export const EXPORT_KINDS = Object.keys(EXPORTS) as ExportKind[];

const STUDENT_FIELDS =
  'Student_Number First_Name Last_Name Middle_Name DOB Mailing_Street Mailing_City Mailing_State Mailing_Zip GuardianEmail Home_Phone Grade_Level';
const SCHEDULE_FIELDS =
  'Schoolid [01]student_number termid course_number [02]course_name section_number Period Expression [05]last_name [05]first_name [03]room teachernumber';
const TEACHER_FIELDS = 'Schoolid [05]last_name [05]first_name teachernumber email_addr teachernumber status';

/** 'Fields to Export' as Hero's procedure prints them; the teachers' number stands there twice. */
export const USUAL_FIELDS: Record<ExportKind, string[]> = {
  students: STUDENT_FIELDS.split(' '),
  schedule: SCHEDULE_FIELDS.split(' '),
  teachers: TEACHER_FIELDS.split(' '),
};

/** 'PowerSchool fields to import into' as Hero's procedure prints them. */
export const IMPORT_FIELDS: ImportField[] = [
  'SchoolID',
  'Student_Number',
  'Course_Number',
  'Section_Number',
  'Att_Date',
  'Attendance Code',
  'Period Abbreviation',
];

const USUAL: Record<ExportKind, { name: string; path: string }> = {
  students: { name: 'Hero Student Info', path: 'imports/STUDENT.TXT' },
  schedule: { name: 'Hero Schedule Info', path: 'imports/SCHEDULE.TXT' },
  teachers: { name: 'Hero Teacher Info', path: 'imports/TEACHER.txt' },
};

/** 'Attendance-Specific Settings' as Hero's procedure requires it. */
export const ATTENDANCE_SETTING = 'Send any Attendance modified in last 24 Hours';

/** An export as Hero's procedure has a person enter it. */
export function usualExport(kind: ExportKind): ExportJob {
  return {
    ...USUAL[kind],
    owner: 'roster_bridge',
    destination: { kind: 'connection' },
    field_delimiter: 'tab',
    record_delimiter: 'crlf',
    character_set: 'utf8',
    header: false,
    fields: [...USUAL_FIELDS[kind]],
    long_values: 'as_is',
    email: [],
    schools: [],
    only_current_terms: false,
    skip_unchanged: true,
    in_powerschool: {
      sort_order: '',
      upload_type: false,
      attendance: ATTENDANCE_SETTING,
      duplicate: { all_schools: false, district_office: false },
    },
  };
}

/** The import as Hero's procedure has a person enter it. */
export function usualImport(): ImportJob {
  return {
    name: 'Hero Attendance',
    owner: 'roster_bridge',
    path: 'export/ATTENDANCE.txt',
    field_delimiter: 'tab',
    record_delimiter: 'lf',
    character_set: 'windows_ansi',
    header: false,
    update_existing: true,
    fields: [...IMPORT_FIELDS],
    email: [],
    in_powerschool: {
      sort_order: '',
      synchronize: false,
      mark_students: false,
      duplicate: { all_schools: false, district_office: false },
    },
  };
}

/** A further account, over a connection. */
export function newAccount(id: number, name: string, connection: string, zone: string): HeroAccount {
  return {
    id,
    name,
    level: 'school',
    schools: [],
    connection,
    students: usualExport('students'),
    schedule: usualExport('schedule'),
    teachers: usualExport('teachers'),
    attendance: usualImport(),
    ticked: [],
    hero_side: { imports_at: null, exports_at: null, zone },
  };
}

/** A list of fields as it was typed or pasted: names apart by spaces or lines. */
export function fieldNames(text: string): string[] {
  return text.split(/\s+/).filter((name) => name !== '');
}

/** The folders and the name of a path, for a day: `%Y`, `%m` and `%d` are its date. */
export function onDay(path: string, day: string): string {
  const [year = '', month = '', date = ''] = day.split('-');
  const parts: Record<string, string> = { '%Y': year, '%m': month, '%d': date, '%%': '%' };
  return path.replace(/%./g, (token) => parts[token] ?? token);
}

/** Why a path can't be used; said while it is typed, and by the engine again when it is saved. */
export function pathProblem(path: string, imports: boolean): string | undefined {
  if (path === '') return imports ? say('Enter export/ and the name of Hero’s file.') : say('Enter a path, for instance imports/STUDENT.TXT.');
  if (/\s/.test(path)) return say('No spaces: Hero takes no such names. Take them out in Hero’s settings as well.');
  if (path.startsWith('/')) return say('Take the first slash away: imports/STUDENT.TXT.');
  const token = /%(?:[^Ymd%]|$)/.exec(path.replaceAll('%%', ''));
  if (token !== null) return say(`${token[0]} means nothing here: %Y is the year, %m the month, %d the day.`);
  if (/[\\:]/.test(path)) return say('Letters, digits, dots, hyphens and underscores, with / between folder and name.');
  if (path.split('/').some((step) => /^\.*$/.test(step))) return say('Folder and file name with one slash between: imports/STUDENT.TXT.');
  if (imports && !/^export\/[^/]+$/.test(path)) return say('One file in Hero’s folder: export/NAME.txt, capitals as in Hero.');
  return undefined;
}

/** What is worth knowing about an import's path that can be used. */
export function importHint(path: string): string | undefined {
  return path === '' || /\.txt$/i.test(path) ? undefined : say('Hero’s file usually ends in .txt. Check the name in Hero’s export settings.');
}

/** The times of Hero's side as they are typed. */
export interface HeroTimes {
  imports_at: string;
  exports_at: string;
}

export function heroTimes(side: HeroSide): HeroTimes {
  const shown = (time: string | null) => (time === null ? '' : clockTime(time));
  return { imports_at: shown(side.imports_at), exports_at: shown(side.exports_at) };
}

/** Why a time that may be left out can't be read. */
export function timeProblem(typed: string): string | undefined {
  return typed.trim() === '' || parseTime(typed) !== undefined ? undefined : say('A time such as 3:10 AM or 15:10.');
}

/** What is worth knowing about a path that can be used. */
export function pathHint(path: string, destination: Destination): string | undefined {
  if (destination.kind === 'folder') return undefined;
  if (!path.includes('/')) return say('Without a folder the file lies in the root. Hero looks in imports/.');
  return undefined;
}

/** Why a folder of this computer can't be used. */
export function folderProblem(destination: Destination): string | undefined {
  if (destination.kind === 'connection') return undefined;
  const folder = destination.folder.trim();
  if (folder === '') return say('Choose a folder.');
  // `/data`, `C:\data`, `\\server\share`
  return /^(?:\/|[a-z]:[\\/]|\\\\)/i.test(folder) ? undefined : say('The whole path of the folder, from its beginning.');
}

/** What differs from Hero's procedure, in words; nothing where nothing does. */
export function departures(kind: ExportKind, job: ExportJob): string[] {
  const usual = usualExport(kind);
  const said: string[] = [];
  if (job.destination.kind === 'folder') said.push(say('into a folder of this computer'));
  if (job.field_delimiter !== usual.field_delimiter) said.push(say('commas'));
  if (job.record_delimiter !== usual.record_delimiter) said.push(say(`records end in ${job.record_delimiter.toUpperCase()}`));
  if (job.character_set !== usual.character_set) said.push('Windows ANSI');
  if (job.header) said.push(say('with field names'));
  if (!sameList(job.fields, usual.fields)) said.push(say('own fields'));
  if (job.schools.length > 0) said.push(say('some schools'));
  return said;
}

/** The same of the import. */
export function importDepartures(job: ImportJob): string[] {
  const usual = usualImport();
  const said: string[] = [];
  if (job.field_delimiter !== usual.field_delimiter) said.push(say('commas'));
  if (job.record_delimiter !== usual.record_delimiter) said.push(say(`records end in ${job.record_delimiter.toUpperCase()}`));
  if (job.character_set !== usual.character_set) said.push(job.character_set === 'utf8' ? 'UTF-8' : 'Mac Roman');
  if (job.header) said.push(say('with field names'));
  if (!sameList(job.fields, usual.fields)) said.push(say('own order of fields'));
  if (!job.update_existing) said.push(say('existing records stay'));
  if (job.in_powerschool.synchronize) said.push(say('Synchronize Mode ticked'));
  if (job.in_powerschool.mark_students) said.push(say('‘Mark students…’ ticked'));
  return said;
}

/**
 * The schools of an account that is one school's and whose student file takes more than one of those that are known, and has
 * no field that tells them apart. Nothing for an account that is as it should be. As the engine has it.
 */
export function tooManySchools(accounts: HeroAccount[], account: HeroAccount, known: readonly number[]): number[] {
  const students = account.students;
  const namesTheSchool = students.fields.some((line) => /(^|\s)(\[0?1\])?schoolid(\s|$)/i.test(line));
  if (account.level === 'group' || namesTheSchool) return [];
  const others = new Set(accounts.flatMap(({ schools }) => schools));
  const taken = account.schools.length > 0 ? account.schools : known.filter((school) => !others.has(school));
  const sent = taken.filter((school) => students.schools.length === 0 || students.schools.includes(school));
  return sent.length > 1 ? sent : [];
}

/** The schools of an account that another one has as well: each takes part in one only. */
export function sharedSchools(accounts: HeroAccount[], account: HeroAccount): number[] {
  return account.schools.filter((school) =>
    accounts.some((other) => other.id !== account.id && other.schools.includes(school)),
  );
}

/** The first number that no account has or had: `next` is that of the accounts as they are saved. */
export function nextAccount(accounts: HeroAccount[], next: number): number {
  return Math.max(next, ...accounts.map(({ id }) => id + 1));
}
