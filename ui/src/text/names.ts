/** What things are called in front of a person. */

import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { Outcome } from '../bindings/Outcome';
import type { Phase } from '../bindings/Phase';
import type { WatchState } from '../bindings/WatchState';
import { plural, say } from './say';

/** How something looks at a glance. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'busy';

export type Integration = 'hero' | 'raptor';

export interface JobName {
  title: string;
  /** What it moves, in half a sentence. */
  about: string;
  integration: Integration;
  /** The rows written, with their number: "1 student" for a file, "12 records" for attendance. */
  unit: (rows: number) => string;
  direction: 'out' | 'in';
}

export const JOBS: Record<Job, JobName> = {
  'hero-students': {
    title: say('Student demographics'),
    about: say('STUDENT.TXT to Hero'),
    integration: 'hero',
    unit: (rows) => plural(rows, ['# student', '# students']),
    direction: 'out',
  },
  'hero-schedule': {
    title: say('Student schedules'),
    about: say('SCHEDULE.TXT to Hero'),
    integration: 'hero',
    unit: (rows) => plural(rows, ['# class', '# classes']),
    direction: 'out',
  },
  'hero-teachers': {
    title: say('Teachers'),
    about: say('TEACHER.txt to Hero'),
    integration: 'hero',
    unit: (rows) => plural(rows, ['# teacher', '# teachers']),
    direction: 'out',
  },
  'hero-attendance': {
    title: say('Attendance'),
    about: say('from Hero to PowerSchool'),
    integration: 'hero',
    unit: (rows) => plural(rows, ['# record', '# records']),
    direction: 'in',
  },
  'raptor-roster': {
    title: say('Student roster'),
    about: say('a file per building to Raptor'),
    integration: 'raptor',
    unit: (rows) => plural(rows, ['# student', '# students']),
    direction: 'out',
  },
  'raptor-tardies': {
    title: say('Tardies'),
    about: say('from Raptor to PowerSchool'),
    integration: 'raptor',
    unit: (rows) => plural(rows, ['# record', '# records']),
    direction: 'in',
  },
};

export const JOB_ORDER = Object.keys(JOBS) as Job[];

/** What an exchange moves, whichever account it belongs to: "hero-students-2" → "hero-students". */
export function kindOf(job: JobId): Job {
  return JOB_ORDER.find((kind) => job === kind || job.startsWith(`${kind}-`)) ?? 'hero-students';
}

/** The number of the account an exchange belongs to: "hero-students-2" → 2. */
export function accountOf(job: JobId): number {
  return Number(/-(\d+)$/.exec(job)?.[1] ?? 1);
}

export const INTEGRATIONS: Record<Integration, { title: string; about: string }> = {
  raptor: { title: 'Raptor', about: say('Visitor management') },
  hero: { title: 'SchoolMint Hero', about: say('Behavior tracking') },
};

/** What can be exchanged, as a person chooses it. */
export const EXCHANGES: Record<Job, { title: string; about: string }> = {
  'raptor-roster': { title: say('Students'), about: say('so that Raptor knows who belongs to which building') },
  'raptor-tardies': { title: say('Tardies'), about: say('back from Raptor into PowerSchool’s attendance') },
  'hero-students': { title: say('Students'), about: say('with their guardians’ addresses') },
  'hero-schedule': { title: say('Schedules'), about: say('who sits in which class') },
  'hero-teachers': { title: say('Teachers'), about: say('who teaches at which school') },
  'hero-attendance': { title: say('Attendance'), about: say('back from Hero into PowerSchool’s attendance') },
};

/** The stages of PowerSchool's connection test by the engine's names, in their order, to be listed before they have come. */
export const POWERSCHOOL_STAGES = [
  'Input',
  'Keychain',
  'Name',
  'Connection',
  'Certificate',
  'Server clock',
  'Version',
  'Credentials',
  'Plugin',
  'Access',
  'Queries',
  'Sample read',
];

/** The stages of an SFTP server's test, likewise. */
export const SFTP_STAGES = [
  'Host name',
  'Connection',
  'SSH',
  'Host key',
  'Sign-in',
  'Folders',
  'Upload',
  'Download',
  'Free space',
];

const STAGE_TITLES: Record<string, string> = {
  Input: say('Input'),
  Keychain: say('Keychain'),
  Name: say('Name'),
  Connection: say('Connection'),
  Certificate: say('Certificate'),
  'Server clock': say('Server clock'),
  Version: say('Version'),
  Credentials: say('Credentials'),
  Plugin: say('Plugin'),
  Access: say('Access'),
  Queries: say('Queries'),
  'Sample read': say('Sample read'),
  'Host name': say('Host name'),
  'Host key': say('Host key'),
  'Sign-in': say('Sign-in'),
  Folders: say('Folders'),
  Upload: say('Upload'),
  Download: say('Download'),
  'Free space': say('Free space'),
  'Exchange folder': say('Exchange folder'),
  'Test mail': say('Test mail'),
};

/** What a stage of a connection test is called, by the engine's name for it: one that is not known here keeps that. */
export function stageTitle(name: string): string {
  return STAGE_TITLES[name] ?? name;
}

export const OUTCOMES: Record<Outcome, { title: string; tone: Tone }> = {
  running: { title: say('Running'), tone: 'busy' },
  succeeded: { title: say('Done'), tone: 'good' },
  succeeded_with_held_rows: { title: say('Done, with held rows'), tone: 'warn' },
  failed: { title: say('Failed'), tone: 'bad' },
  cancelled: { title: say('Cancelled'), tone: 'quiet' },
  interrupted: { title: say('Interrupted'), tone: 'bad' },
  skipped: { title: say('Not started'), tone: 'quiet' },
};

/** What a file is like that PowerSchool sends or takes in, as seen from outside. */
export const WATCH_STATES: Record<WatchState, { title: string; tone: Tone }> = {
  not_due: { title: say('Not due yet'), tone: 'quiet' },
  waiting: { title: say('Waited for'), tone: 'busy' },
  // @wc-context: a file is where it is looked for
  fine: { title: say('There'), tone: 'good' },
  taken: { title: say('Taken by Hero'), tone: 'good' },
  not_seen: { title: say('Not seen'), tone: 'quiet' },
  alert: { title: say('Needs attention'), tone: 'bad' },
};

export const STATUSES: Record<IntegrationStatus, { title: string; tone: Tone; about: string }> = {
  disabled: { title: say('Disabled'), tone: 'quiet', about: say('The integration is switched off.') },
  pending_initialization: {
    title: say('Pending Initialization'),
    tone: 'quiet',
    about: say('Switched on; the first full synchronization is still to come.'),
  },
  initializing: { title: say('Initializing'), tone: 'busy', about: say('The first full synchronization is under way.') },
  reinitializing: {
    title: say('Reinitializing'),
    tone: 'warn',
    about: say('The first attempt failed. It is tried again while the window is open.'),
  },
  synchronizing: { title: say('Synchronizing'), tone: 'good', about: say('The roster is in step with PowerSchool.') },
  reinitialization_scheduled: {
    title: say('Reinitialization Scheduled'),
    tone: 'warn',
    about: say('An update could not be fetched. The last roster stands.'),
  },
  initialization_scheduled: {
    title: say('Initialization Scheduled'),
    tone: 'warn',
    about: say('Every attempt failed. It is tried again when the window opens.'),
  },
};

/** What a phase is doing, to stand before its subject and a colon. */
export const PHASES: Record<Phase, string> = {
  pull: say('Reading from PowerSchool'),
  plan: say('Working out changes'),
  upload: say('Sending'),
  download: say('Fetching'),
  attendance: say('Writing attendance'),
};

/** The steps of the set-up, in order. */
export const SETUP_STEPS = ['powerschool', 'buildings', 'tardies', 'hero', 'schedule'] as const;
export type SetupStep = (typeof SETUP_STEPS)[number];

export const STEP_NAMES: Record<SetupStep, { title: string; about: string }> = {
  powerschool: { title: 'PowerSchool', about: say('Plugin and credentials') },
  buildings: { title: say('Buildings'), about: say('Which is which') },
  tardies: { title: say('Tardy codes'), about: say('Reasons to codes') },
  hero: { title: say('Hero connection'), about: say('SFTP server and files') },
  schedule: { title: say('Schedule'), about: say('When it runs, who is told') },
};
