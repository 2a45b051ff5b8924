/** Sample data of the Raptor integration: its status and how that came about, roster files, and traced rows. */

import type { Fault } from '../bindings/Fault';
import type { IntegrationEvent } from '../bindings/IntegrationEvent';
import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { IntegrationWindow } from '../bindings/IntegrationWindow';
import type { RaptorHistory } from '../bindings/RaptorHistory';
import type { RaptorView } from '../bindings/RaptorView';
import type { Reconciliation } from '../bindings/Reconciliation';
import type { ReconciledRows } from '../bindings/ReconciledRows';
import type { RosterField } from '../bindings/RosterField';
import type { RosterPreview } from '../bindings/RosterPreview';
import type { RosterSettings } from '../bindings/RosterSettings';
import type { RowFate } from '../bindings/RowFate';
import type { StatusChangeView } from '../bindings/StatusChangeView';
import type { TracedRecord } from '../bindings/TracedRecord';
import type { TracedRow } from '../bindings/TracedRow';
import type { TraceStep } from '../bindings/TraceStep';
import { layoutInUse, usualLayout } from '../setup/raptor/layouts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const before = (millis: number) => new Date(Date.now() - millis).toISOString();
const later = (millis: number) => new Date(Date.now() + millis).toISOString();

/** The next full ten minutes at which the window's clock shows its time. */
function opening({ zone: timeZone, opens }: IntegrationWindow): string {
  const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone });
  const step = 10 * MINUTE;
  const first = Math.ceil(Date.now() / step) * step;
  for (let time = first; time < first + DAY; time += step) {
    if (clock.format(time) === opens) return new Date(time).toISOString();
  }
  return new Date(first + DAY).toISOString();
}

/** As the engine would tell of `status`; `open`: the window is open. */
export function raptorView(status: IntegrationStatus, window: IntegrationWindow, paused: boolean, open: boolean): RaptorView {
  const followed = status === 'synchronizing';
  const opens = opening(window);
  return {
    status,
    since: before(followed ? 26 * HOUR : 3 * HOUR),
    window,
    ...(open ? { open_until: later(80 * MINUTE) } : {}),
    opens_at: opens,
    ...(paused || status === 'disabled'
      ? {}
      : {
          next: followed
            ? { step: 'look' as const, at: later(3 * MINUTE) }
            : { step: 'synchronize' as const, at: open ? later(8 * MINUTE) : opens },
        }),
  };
}

const UNREACHABLE: Fault = {
  code: 'powerschool.unreachable',
  message: 'PowerSchool did not answer.',
  remedy: 'Check the network. It is tried again by itself.',
};

type Change = [event: IntegrationEvent, to: IntegrationStatus, because: string, cause?: Fault];

/** An integration with bad days, oldest first. */
const CHANGES: Change[] = [
  ['enabled', 'pending_initialization', 'A person switched the integration on.'],
  ['fetch_failed', 'pending_initialization', 'Updates are followed only after a full synchronization has succeeded.', UNREACHABLE],
  ['window_opened', 'initializing', 'The integration window is open.'],
  ['sync_failed', 'reinitializing', 'A full synchronization failed: PowerSchool could not be read.', UNREACHABLE],
  ['window_closed', 'initialization_scheduled', 'The window closed, and no attempt in it had succeeded.'],
  ['window_opened', 'initialization_scheduled', 'A full synchronization is tried now: its outcome decides.'],
  ['sync_succeeded', 'synchronizing', 'A full synchronization succeeded.'],
  ['fetch_failed', 'reinitialization_scheduled', 'PowerSchool was looked at for updates, and that failed.', UNREACHABLE],
  ['window_opened', 'reinitialization_scheduled', 'A full synchronization is tried now: its outcome decides.'],
  ['sync_succeeded', 'synchronizing', 'A full synchronization succeeded.'],
];

/** A page of the history; `rounds`: how often the bad days came. */
export function raptorHistory(status: IntegrationStatus, rounds: number, limit: number, earlierThan?: number): RaptorHistory {
  const happened = Array.from({ length: rounds }, () => CHANGES).flat();
  let from: IntegrationStatus = 'disabled';
  const changes = happened.map(([event, to, because, cause], index): StatusChangeView => {
    const change: StatusChangeView = {
      id: index + 1,
      at: before((happened.length - index) * 7 * HOUR),
      from: index % CHANGES.length === 0 ? 'disabled' : from,
      to,
      event,
      because,
      ...(cause === undefined ? {} : { cause }),
      ...(event.startsWith('sync') ? { run: index === happened.length - 1 ? 'r5' : `0193-${index}` } : {}),
    };
    from = to;
    return change;
  });
  const wanted = changes.reverse().filter(({ id }) => earlierThan === undefined || id < earlierThan);
  return { status, changes: wanted.slice(0, limit), more: wanted.length > limit };
}

const SHA_ONE = '4f8e1c0b9d7a6352410fedcba98765432100aabbccddeeff0123456789abcdef';
const SHA_TWO = '9b1d6f2a4c8e03b57a61d9f0e2c4b8a7365f1e0d9c8b7a6f5e4d3c2b1a098765';
/** The held row whose student a person has picked. */
const PICKED_ROW = 71;
/** The day the sample rows were read on. */
export const TRACED_DAY = '2026-11-20';

function record(school: number, code: string, previous?: string): TracedRecord {
  return {
    school,
    date: TRACED_DAY,
    mode: school < 200 ? 'ATT_ModeDaily' : 'ATT_ModeMeeting',
    cc: school < 200 ? 0 : 48_211,
    period: school < 200 ? 0 : 903,
    code,
    ...(previous === undefined ? {} : { previous_code: previous }),
  };
}

type Step = [minutesAgo: number, what: string, code: string, sentence: string, record?: TracedRecord | undefined, held?: number];

/** Steps in order; what a person did belongs to no run. */
function steps(list: Step[]): TraceStep[] {
  return list.map(([minutes, what, code, sentence, about, held]) => ({
    at: before(minutes * MINUTE),
    ...(['fixed', 'retried', 'discarded'].includes(what) ? {} : { run: minutes > 40 ? 'r4' : 'r5' }),
    what,
    code,
    sentence,
    ...(about === undefined ? {} : { record: about }),
    ...(held === undefined ? {} : { held }),
  }));
}

/** Every kind of end a row can come to, latest first. */
export function tracedRows(long: boolean): TracedRow[] {
  const comment = long ? 'The bus stood still for a while at the level crossing near the harbor, as the family writes in its note' : '';
  const file = long ? 'Nuestra Señora de Guadalupe–O’Shaughnessy tardies of the morning 2026-11-20 0915.csv' : 'tardies.csv';
  const row = (line: number, student: number | undefined, fate: RowFate, raw: string, happened: Step[]): TracedRow => ({
    source: 'raptor',
    file,
    file_sha256: SHA_ONE,
    line,
    raw,
    ...(student === undefined ? {} : { student_number: student }),
    fate,
    steps: steps([[happened[0]?.[0] ?? 0, 'read', '', `Read in ${file}, line ${line}.`], ...happened]),
  });
  const written = record(200, 'T', 'A');
  return [
    row(7, 10_422, 'written', `Cedar Ridge MS,10422,2026-11-20T08:52:00,Car trouble,${comment}`, [
      [52, 'held', 'held.reason_not_mapped', 'It is held. This Raptor tardy code has no active row in the tardy code table. Map it, then retry. (Car trouble)'],
      [11, 'retried', '', 'A person asked for it to be decided again.'],
      [4, 'decided_write', '', 'T is to be written to PowerSchool in place of A.', written],
      [4, 'sent', '', 'It was sent to PowerSchool.', written],
      [4, 'confirmed', '', 'PowerSchool took it.', written],
    ]),
    row(8, 10_877, 'open', 'Harborview HS,10877,2026-11-20T09:05:00,Overslept,', [
      [4, 'decided_write', '', 'T is to be written to PowerSchool.', record(300, 'T')],
      [4, 'sent', '', 'It was sent to PowerSchool.', record(300, 'T')],
      [4, 'unknown', 'powerschool.unreachable', 'No clear answer came (powerschool.unreachable). Whether PowerSchool has it is looked up.', record(300, 'T')],
    ]),
    row(12, 10_203, 'noop', 'Apple Grove Elem,10203,2026-11-20T07:41:00,Bus late,', [
      [4, 'noop', 'not_tardy', 'Nothing is to be written. The student signed in before the first bell and is not tardy.'],
    ]),
    row(19, 99_120, 'held', 'Juniper ES,99120,2026-11-20T08:41:00,Overslept,', [
      [4, 'held', 'held.unknown_student', 'It is held. No student in PowerSchool has this number. Correct the number or add the student, then retry. (Student number 99120)'],
    ]),
    row(23, undefined, 'rejected', 'Juniper ES,,2026-13-41,,', [
      [4, 'rejected', 'rejected.no_student', 'It is malformed: IdNumber is empty.'],
    ]),
    row(4, 10_655, 'noop', 'Apple Grove Elem,10655,2026-11-20T08:12:00,Overslept,', [
      [58, 'held', 'held.unknown_student', 'It is held. No student in PowerSchool has this number. (Student number 10655)', undefined, PICKED_ROW],
      [55, 'fixed', '', 'office decided about it: student 10204, Abbott, June Rose.', undefined, PICKED_ROW],
      [52, 'decided_write', '', 'T is to be written to PowerSchool.', record(100, 'T')],
      [52, 'sent', '', 'It was sent to PowerSchool.', record(100, 'T')],
      [52, 'confirmed', '', 'PowerSchool took it.', record(100, 'T')],
      [9, 'undone', '', 'PowerSchool took it back.', record(100, '', 'T')],
    ]),
  ];
}

/** A day of 95 rows with a few on their way; a day without any where it is another one. */
export function reconciliation(day: string | undefined, long: boolean): Reconciliation {
  const none: ReconciledRows = { rows: 0, written: 0, noop: 0, held: 0, rejected: 0, open: 0 };
  if (day !== undefined && day !== TRACED_DAY) return { day, total: none, files: [] };
  const many = long ? 1_000 : 1;
  const files = [
    { source: 'raptor', file: tracedRows(long)[0]?.file ?? '', sha256: SHA_ONE, rows: { rows: 31, written: 22, noop: 4, held: 3, rejected: 1, open: 1 } },
    { source: 'hero', file: 'ATTENDANCE.txt', sha256: SHA_TWO, rows: { rows: 64 * many, written: 58 * many, noop: 2 * many, held: 3 * many, rejected: many, open: 0 } },
  ];
  const sum = (part: keyof ReconciledRows) => files.reduce((total, { rows }) => total + rows[part], 0);
  return {
    day: TRACED_DAY,
    total: { rows: sum('rows'), written: sum('written'), noop: sum('noop'), held: sum('held'), rejected: sum('rejected'), open: sum('open') },
    files,
  };
}

function value(field: RosterField, building: string, number: number, american: boolean): string {
  switch (field) {
    case 'building':
      return building;
    case 'id_number':
      return String(10_400 + number);
    case 'first_name':
      return `First ${number}`;
    case 'middle_name':
      return number % 2 === 0 ? `Middle ${number}` : '';
    case 'last_name':
      return `Last ${number}`;
    case 'date_of_birth':
      return american ? `09/0${number}/2016` : `2016-09-0${number}`;
    case 'grade':
      return '4';
    case 'homeroom':
      return `R-${number}`;
    case 'guardian_email':
      return `guardian${number}@northfield.example`;
    case 'phone':
      return `555-010${number}`;
    case 'status':
      return 'Active';
  }
}

/** A preview with what is most often wrong with a layout. */
export function rosterPreview(roster: RosterSettings, building: string, students: number): RosterPreview {
  const layout = layoutInUse(roster) ?? usualLayout();
  const titles = layout.columns.map(({ title }) => title.trim());
  const problems: string[] = [];
  if (!layout.columns.some(({ field }) => field === 'id_number')) problems.push('A column with the student number is needed: without it Raptor can’t tell who is who.');
  if (roster.content === 'changes' && !layout.columns.some(({ field }) => field === 'status')) problems.push('A file of changes needs the column with Active or Inactive.');
  if (titles.includes('')) problems.push('A column has no title.');
  const twice = titles.find((title, index) => title !== '' && titles.indexOf(title) !== index);
  if (twice !== undefined) problems.push(`Two columns are called ${twice}.`);
  const rows = [1, 2, 3, 4, 5].map((number) => layout.columns.map(({ field }) => value(field, building, number, layout.dates === 'us')));
  const lines = layout.header ? [layout.columns.map(({ title }) => title), ...rows] : rows;
  return {
    building,
    file: `roster/${building}.csv`,
    columns: layout.columns.map(({ title }) => title),
    rows,
    text: lines.map((line) => line.join(layout.delimiter === 'tab' ? '\t' : ',')).join('\n'),
    total: Math.round(students / 5),
    problems,
  };
}
