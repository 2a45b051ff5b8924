/** What things are called in front of a person. */

import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { Outcome } from '../bindings/Outcome';
import type { Phase } from '../bindings/Phase';
import type { WatchState } from '../bindings/WatchState';

/** How something looks at a glance. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'busy';

export type Integration = 'hero' | 'raptor';

export interface JobName {
  title: string;
  /** What it moves, in half a sentence. */
  about: string;
  integration: Integration;
  /** What a written row is: "students" for a file, "records" for attendance. */
  unit: [one: string, many: string];
  direction: 'out' | 'in';
}

export const JOBS: Record<Job, JobName> = {
  'hero-students': {
    title: 'Student demographics',
    about: 'STUDENT.TXT to Hero',
    integration: 'hero',
    unit: ['student', 'students'],
    direction: 'out',
  },
  'hero-schedule': {
    title: 'Student schedules',
    about: 'SCHEDULE.TXT to Hero',
    integration: 'hero',
    unit: ['class', 'classes'],
    direction: 'out',
  },
  'hero-teachers': {
    title: 'Teachers',
    about: 'TEACHER.txt to Hero',
    integration: 'hero',
    unit: ['teacher', 'teachers'],
    direction: 'out',
  },
  'hero-attendance': {
    title: 'Attendance',
    about: 'from Hero to PowerSchool',
    integration: 'hero',
    unit: ['record', 'records'],
    direction: 'in',
  },
  'raptor-roster': {
    title: 'Student roster',
    about: 'a file per building to Raptor',
    integration: 'raptor',
    unit: ['student', 'students'],
    direction: 'out',
  },
  'raptor-tardies': {
    title: 'Tardies',
    about: 'from Raptor to PowerSchool',
    integration: 'raptor',
    unit: ['record', 'records'],
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
  raptor: { title: 'Raptor', about: 'Visitor management' },
  hero: { title: 'SchoolMint Hero', about: 'Behavior tracking' },
};

/** What can be exchanged, as a person chooses it. */
export const EXCHANGES: Record<Job, { title: string; about: string }> = {
  'raptor-roster': { title: 'Students', about: 'so that Raptor knows who belongs to which building' },
  'raptor-tardies': { title: 'Tardies', about: 'back from Raptor into PowerSchool’s attendance' },
  'hero-students': { title: 'Students', about: 'with their guardians’ addresses' },
  'hero-schedule': { title: 'Schedules', about: 'who sits in which class' },
  'hero-teachers': { title: 'Teachers', about: 'who teaches at which school' },
  'hero-attendance': { title: 'Attendance', about: 'back from Hero into PowerSchool’s attendance' },
};

/** The stages of PowerSchool's connection test in their order, to be listed before they have come. */
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

export const OUTCOMES: Record<Outcome, { title: string; tone: Tone }> = {
  running: { title: 'Running', tone: 'busy' },
  succeeded: { title: 'Done', tone: 'good' },
  succeeded_with_held_rows: { title: 'Done, with held rows', tone: 'warn' },
  failed: { title: 'Failed', tone: 'bad' },
  cancelled: { title: 'Cancelled', tone: 'quiet' },
  interrupted: { title: 'Interrupted', tone: 'bad' },
  skipped: { title: 'Not started', tone: 'quiet' },
};

/** What a file is like that PowerSchool sends or takes in, as seen from outside. */
export const WATCH_STATES: Record<WatchState, { title: string; tone: Tone }> = {
  not_due: { title: 'Not due yet', tone: 'quiet' },
  waiting: { title: 'Waited for', tone: 'busy' },
  fine: { title: 'There', tone: 'good' },
  taken: { title: 'Taken by Hero', tone: 'good' },
  not_seen: { title: 'Not seen', tone: 'quiet' },
  alert: { title: 'Needs attention', tone: 'bad' },
};

export const STATUSES: Record<IntegrationStatus, { title: string; tone: Tone; about: string }> = {
  disabled: { title: 'Disabled', tone: 'quiet', about: 'The integration is switched off.' },
  pending_initialization: {
    title: 'Pending Initialization',
    tone: 'quiet',
    about: 'Switched on; the first full synchronization is still to come.',
  },
  initializing: { title: 'Initializing', tone: 'busy', about: 'The first full synchronization is under way.' },
  reinitializing: {
    title: 'Reinitializing',
    tone: 'warn',
    about: 'The first attempt failed. It is tried again while the window is open.',
  },
  synchronizing: { title: 'Synchronizing', tone: 'good', about: 'The roster is in step with PowerSchool.' },
  reinitialization_scheduled: {
    title: 'Reinitialization Scheduled',
    tone: 'warn',
    about: 'An update could not be fetched. The last roster stands.',
  },
  initialization_scheduled: {
    title: 'Initialization Scheduled',
    tone: 'warn',
    about: 'Every attempt failed. It is tried again when the window opens.',
  },
};

/** What a phase is doing, to be followed by its subject. */
export const PHASES: Record<Phase, string> = {
  pull: 'Reading from PowerSchool',
  plan: 'Working out changes',
  upload: 'Sending',
  download: 'Fetching',
  attendance: 'Writing attendance',
};

/** The steps of the set-up, in order. */
export const SETUP_STEPS = ['powerschool', 'buildings', 'tardies', 'hero', 'schedule'] as const;
export type SetupStep = (typeof SETUP_STEPS)[number];

export const STEP_NAMES: Record<SetupStep, { title: string; about: string }> = {
  powerschool: { title: 'PowerSchool', about: 'Plugin and credentials' },
  buildings: { title: 'Buildings', about: 'Which is which' },
  tardies: { title: 'Tardy codes', about: 'Reasons to codes' },
  hero: { title: 'Hero connection', about: 'SFTP server and files' },
  schedule: { title: 'Schedule', about: 'When it runs, who is told' },
};
