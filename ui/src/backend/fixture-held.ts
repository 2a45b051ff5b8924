/**
 * Rows kept for a person. `held=none`: there are none; `held=many`: as many of one cause as a bad file brings;
 * `held=unknown`: more of one unknown number than are read at once.
 */

import type { FoundStudent } from '../bindings/FoundStudent';
import type { HeldCauseView } from '../bindings/HeldCauseView';
import type { HeldChoices } from '../bindings/HeldChoices';
import type { HeldFix } from '../bindings/HeldFix';
import type { HeldView } from '../bindings/HeldView';
import type { HoldReason } from '../bindings/HoldReason';
import type { Mappings } from '../bindings/Mappings';
import type { Remedy } from '../bindings/Remedy';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { Source } from '../bindings/Source';

const REASONS: Partial<Record<HoldReason, [remedy: Remedy, message: string]>> = {
  'held.reason_not_mapped': ['map_reason', 'This Raptor tardy code has no active row in the tardy code table. Map it, then run again.'],
  'held.unknown_student': ['pick_student', 'No student in PowerSchool has this number. Correct the number or add the student, then run again.'],
  'held.unknown_code': ['pick_code', 'The school has no such attendance code in this school year. Add the code in PowerSchool, or change the mapping or Hero’s External Reference Code, then run again.'],
  'held.existing_code': ['power_school', 'PowerSchool already holds another attendance code that RosterBridge did not write. Decide in PowerSchool, or allow that code to be replaced and run again.'],
  'held.no_such_enrollment': ['pick_meeting', 'The student has no enrolment in this course and section on that date. Check the schedule in PowerSchool, then run again.'],
};

type HeldRequest = Extract<Request, { op: 'held' | 'held_choices' | 'find_students' | 'fix_held' | 'take_back_held_fix' | 'retry_held' | 'discard_held' }>;

export class SampleHeld {
  rows: HeldView[] = [];
  readonly #long: boolean;
  readonly #which: string | null;
  readonly #mappings: () => Mappings;

  constructor(query: URLSearchParams, mappings: () => Mappings) {
    this.#long = query.has('long');
    this.#which = query.get('held');
    this.#mappings = mappings;
  }

  /** Rows come that can't be written. */
  arrive(): void {
    this.rows = this.#which === 'none' ? [] : [
      ...heldRows(this.#long, this.#which === 'many' ? 120 : 0),
      ...(this.#which === 'unknown' ? unknownRows(620) : []),
    ];
  }

  forget(): void {
    this.rows = [];
  }

  /** A run decides all again; the first one that holds any brings them. */
  decideAgain(): void {
    if (this.rows.length === 0) return this.arrive();
    const mapped = new Set(this.#mappings().tardy_codes.filter(({ active }) => active).map(({ reason }) => reason));
    this.rows = this.rows
      .filter((row) => row.fixed === undefined && !(row.remedy === 'map_reason' && mapped.has(row.detail)))
      .map((row) => ({ ...row, retried: false }));
  }

  answer(request: HeldRequest): Response {
    switch (request.op) {
      case 'held': {
        const wanted = this.rows.filter(
          (row) =>
            (request.source === undefined || row.source === request.source) && (request.reason === undefined || row.code === request.reason) && (request.detail === undefined || row.detail === request.detail),
        );
        return {
          kind: 'held',
          data: {
            total: wanted.length,
            by_reason: this.#reasons(),
            causes: this.#causes(),
            rows: wanted.slice(request.offset, request.offset + request.limit),
          },
        };
      }
      case 'held_choices':
        return { kind: 'held_choices', data: choicesOf(this.#long) };
      case 'find_students':
        return { kind: 'students', data: studentsLike(request.text, this.#long) };
      case 'fix_held':
        this.#change(request.ids, (row) => ({ ...row, retried: true, fixed: { words: words(request.fix, this.#long), by: 'office', at: new Date().toISOString() } }));
        return { kind: 'done' };
      case 'take_back_held_fix':
        this.#change(request.ids, ({ fixed: _, ...row }) => ({ ...row, retried: false }));
        return { kind: 'done' };
      case 'retry_held':
        this.#change(request.ids, (row) => ({ ...row, retried: true }));
        return { kind: 'retried', data: [] };
      case 'discard_held':
        this.rows = this.rows.filter(({ id }) => !request.ids.includes(id));
        return { kind: 'done' };
    }
  }

  #change(ids: number[], change: (row: HeldView) => HeldView): void {
    this.rows = this.rows.map((row) => (ids.includes(row.id) ? change(row) : row));
  }

  #reasons(): [HoldReason, number][] {
    const reasons = new Map<HoldReason, number>();
    for (const row of this.rows) reasons.set(row.code as HoldReason, (reasons.get(row.code as HoldReason) ?? 0) + 1);
    return [...reasons].sort((a, b) => b[1] - a[1]);
  }

  #causes(): HeldCauseView[] {
    const causes = new Map<string, HeldCauseView>();
    for (const { source, code, message, remedy, detail } of this.rows) {
      const key = `${source} ${code} ${detail}`;
      const cause = causes.get(key) ?? { source: source as Source, code: code as HoldReason, message, remedy, detail, rows: 0 };
      causes.set(key, { ...cause, rows: cause.rows + 1 });
    }
    return [...causes.values()].sort((a, b) => b.rows - a.rows);
  }
}

function students(long: boolean): FoundStudent[] {
  const school_name = long ? 'Washington County Regional Cooperative School of the Arts and Sciences' : 'Juniper Elementary School';
  const student = (id: number, number: number, name: string, grade: number, active = true): FoundStudent => ({ id, number, name, grade, school: 110, school_name, active });
  return [
    student(4_101, 10_203, 'Abara, Chidi', 3),
    student(4_102, 10_204, long ? 'Abendroth-Ilunga de la Vega y Montemayor, Maximiliane Friederike' : 'Abbott, June Rose', 0),
    student(4_103, 10_991, 'Alvarez, Mateo', 5, false),
  ];
}

function studentsLike(text: string, long: boolean): FoundStudent[] {
  const wanted = text.toLowerCase().replaceAll(',', ' ').split(/\s+/).filter((word) => word !== '');
  return students(long).filter(({ number, name }) => {
    const names = [String(number), ...name.toLowerCase().split(/[\s,-]+/)];
    return wanted.every((word) => names.some((one) => one.startsWith(word)));
  });
}

function choicesOf(long: boolean): HeldChoices {
  const [student] = students(long);
  const course = long ? 'Interdisciplinary Laboratory in the Natural and Environmental Sciences' : 'Biology';
  return {
    date: '2026-11-20',
    school_name: student?.school_name ?? '',
    students: [],
    ...(student === undefined ? {} : { student }),
    codes: [
      { id: 811, code: 'T', description: 'Tardy' },
      { id: 812, code: 'TE', description: 'Tardy, excused' },
      { id: 813, code: 'A', description: 'Absent' },
    ],
    meetings: [
      { pick: { kind: 'class', cc: 81_234, period: 417 }, period: 'Period 1', class: `${course}, BIO9.1`, times: '08:00–08:50' },
      { pick: { kind: 'class', cc: 81_240, period: 418 }, period: 'Period 2', class: 'Algebra 1, MATH101.2', times: '08:55–09:45' },
    ],
  };
}

function words(fix: HeldFix, long: boolean): string {
  const { codes, meetings } = choicesOf(long);
  const student = students(long).find(({ id }) => id === fix.student?.id);
  const code = codes.find(({ id }) => id === fix.code);
  const meeting = meetings.find(({ pick }) => JSON.stringify(pick) === JSON.stringify(fix.meeting));
  return [
    ...(student === undefined ? [] : [`student ${student.number}, ${student.name}`]),
    ...(code === undefined ? [] : [`code ${code.code}`]),
    ...(meeting === undefined ? [] : [`${meeting.period}, ${meeting.class}`]),
  ].join('; ');
}

/** Rows of one number that no student has. */
function unknownRows(number: number): HeldView[] {
  const first = heldRows(false, 0).filter(({ code }) => code === 'held.unknown_student');
  return Array.from({ length: number }, (_, at) => first.map((row) => ({ ...row, id: 1_000 + at, line: 100 + at }))).flat();
}

function heldRows(long: boolean, more: number): HeldView[] {
  const first_seen = new Date(Date.now() - 4 * 60_000).toISOString();
  const tail = long ? ' A note from the family about the bus, which stood still for a while at the level crossing near the harbor.' : '';
  const row = (id: number, source: string, file: string, line: number, code: HoldReason, detail: string, raw: string): HeldView => {
    const [remedy, message] = REASONS[code] ?? ['discard', ''];
    return { id, source, file, line, code, message, remedy, detail, raw, first_seen, retried: false };
  };
  const raptor = long ? 'tardies-of-the-washington-county-regional-cooperative-2026-11-20.csv' : 'tardies.csv';
  const trouble = long ? 'Transportation: the bus of the Washington County Regional Cooperative came late' : 'Car trouble';
  const hero = 'export/ATTENDANCE.txt';
  return [
    row(6, 'raptor', raptor, 7, 'held.reason_not_mapped', trouble, `Cedar Ridge MS,10422,2026-11-20T08:52:00,${trouble},${tail}`),
    row(5, 'raptor', raptor, 12, 'held.reason_not_mapped', trouble, `Harborview HS,10877,2026-11-20T09:05:00,${trouble},`),
    row(4, 'raptor', raptor, 19, 'held.unknown_student', '99120', 'Juniper ES,99120,2026-11-20T08:41:00,Overslept,'),
    row(3, 'hero', hero, 31, 'held.unknown_code', 'TX', '110\t10203\tMATH3\t2\t11/20/2026\tTX\tP2'),
    row(2, 'hero', hero, 44, 'held.existing_code', 'PowerSchool has E, the row says T', '300\t10911\tENG10\t4\t11/20/2026\tT\tP5'),
    row(1, 'hero', hero, 52, 'held.no_such_enrollment', 'course BIO9 section 3', '300\t10655\tBIO9\t3\t11/20/2026\tT\tP1'),
    ...Array.from({ length: more }, (_, at) =>
      row(100 + at, 'raptor', raptor, 40 + at, 'held.reason_not_mapped', 'Rain', `Cedar Ridge MS,${12_000 + at},2026-11-20T08:52:00,Rain,`),
    ),
  ];
}
