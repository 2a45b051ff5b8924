/** Sample data of what happened: a month of runs, and rows by the hundred thousand, each made when it is asked for. */

import type { Outcome } from '../bindings/Outcome';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RowFate } from '../bindings/RowFate';
import type { RowList } from '../bindings/RowList';
import type { RowPage } from '../bindings/RowPage';
import type { RowPageStart } from '../bindings/RowPageStart';
import type { RowPlace } from '../bindings/RowPlace';
import type { RowSummary } from '../bindings/RowSummary';
import type { RunDay } from '../bindings/RunDay';
import type { RunView } from '../bindings/RunView';
import type { TracedRow } from '../bindings/TracedRow';
import type { TracePage } from '../bindings/TracePage';
import type { TraceQuery } from '../bindings/TraceQuery';
import { jobReport } from './fixture-data';
import { TRACED_DAY, tracedRows } from './fixture-raptor';

type Asked = Extract<Request, { op: 'rows' | 'export_rows' | 'run_history' | 'day_runs' }>;

/** Rows of a file. */
const LINES = 400;
const SCHOOLS = [100, 200, 300, 400, 500];
/** In the order in which a list has them. */
const FATES: RowFate[] = ['held', 'rejected', 'open', 'written', 'noop'];

/** The same number for the same index, scattered over all from 0 to below `below`. */
function scattered(index: number, salt: number, below: number): number {
  let mixed = Math.imul(index + 1, 2_654_435_761) ^ Math.imul(salt + 1, 40_503);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 2_246_822_519);
  return ((mixed ^ (mixed >>> 13)) >>> 0) % below;
}

function localDay(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function startOf(day: string): Date {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date);
}

export class SampleActivity {
  readonly #history: boolean;
  readonly #many: number;
  readonly #long: boolean;
  /** The latest, which everything else tells of, the last one first. */
  readonly #told: TracedRow[];
  /** When what was decided about a held row was taken back, by its id. */
  readonly #takenBack = new Map<number, string>();
  /** The rows of the list that was asked for last, in its order. */
  #listed: { list: string; rows: Int32Array } | undefined;

  /** `many`: so many rows beside the few that everything else tells of. */
  constructor({ history, many, long }: { history: boolean; many: number; long: boolean }) {
    this.#history = history;
    this.#many = many;
    this.#long = long;
    this.#told = tracedRows(long);
  }

  answer(request: Asked, runs: RunView[]): Response {
    switch (request.op) {
      case 'rows':
        return { kind: 'rows', data: this.#page(request.list, request.start, request.limit) };
      case 'export_rows':
        return {
          kind: 'rows_written',
          data: { file: request.file, rows: this.#rows(request.list).length, bytes: 208 * this.#rows(request.list).length },
        };
      case 'run_history': {
        const today = localDay(new Date());
        const last = startOf(request.until ?? today);
        const days = Array.from({ length: request.days }, (_, index) => {
          const day = new Date(last.getFullYear(), last.getMonth(), last.getDate() - (request.days - 1 - index));
          return this.#counted(localDay(day), runs);
        });
        return { kind: 'run_history', data: { today, days } };
      }
      case 'day_runs': {
        const day = request.day ?? localDay(new Date());
        const from = startOf(day);
        const to = new Date(from.getFullYear(), from.getMonth(), from.getDate() + 1);
        return { kind: 'day_runs', data: { day, from: from.toISOString(), to: to.toISOString(), runs: this.#runsOf(day, runs) } };
      }
    }
  }

  trace(query: TraceQuery): TracePage {
    if (!this.#history) return { total: 0, rows: [] };
    const { row } = query;
    if (row !== undefined) {
      const index = (row.file - 1) * LINES + row.line - 1;
      return { total: 1, rows: [this.#asTakenBack(this.#known(index) ?? this.#whole(index))] };
    }
    const found = this.#told.filter(
      (known) =>
        (query.student === undefined || known.student_number === query.student) &&
        (query.file === undefined || known.file === query.file) &&
        (query.line === undefined || known.line === query.line) &&
        (query.day === undefined || query.day === TRACED_DAY),
    );
    return { total: found.length, rows: found.slice(query.offset, query.offset + query.limit) };
  }

  /** A person takes back what was decided about held rows. */
  takeBack(ids: number[]): void {
    for (const id of ids) this.#takenBack.set(id, new Date().toISOString());
  }

  #asTakenBack(row: TracedRow): TracedRow {
    const held = row.steps.filter((step) => step.what === 'fixed').at(-1)?.held;
    const at = held === undefined ? undefined : this.#takenBack.get(held);
    if (held === undefined || at === undefined) return row;
    return { ...row, steps: [...row.steps, { at, what: 'fix_taken_back', code: '', sentence: 'office took back what was decided about it.', held }] };
  }

  #known(index: number): TracedRow | undefined {
    return this.#told[this.#count() - 1 - index];
  }

  #count(): number {
    return this.#history ? this.#many + this.#told.length : 0;
  }

  #fate(index: number): RowFate {
    const known = this.#known(index);
    if (known !== undefined) return known.fate;
    const dealt = scattered(index, 1, 1000);
    if (dealt < 880) return 'written';
    if (dealt < 970) return 'noop';
    return dealt < 992 ? 'held' : dealt < 998 ? 'rejected' : 'open';
  }

  #student(index: number): number | undefined {
    const known = this.#known(index);
    if (known !== undefined) return known.student_number;
    return this.#fate(index) === 'rejected' ? undefined : 10_000 + scattered(index, 2, 2_400);
  }

  #school(index: number): number | undefined {
    const known = this.#known(index);
    if (known !== undefined) return known.steps.flatMap(({ record }) => record ?? []).at(-1)?.school;
    return ['written', 'open'].includes(this.#fate(index)) ? SCHOOLS[scattered(index, 3, SCHOOLS.length)] : undefined;
  }

  #source(index: number): 'hero' | 'raptor' {
    return this.#known(index) === undefined && Math.floor(index / LINES) % 3 > 0 ? 'hero' : 'raptor';
  }

  #readAt(index: number): Date {
    const known = this.#known(index);
    if (known !== undefined) return new Date(known.steps[0]?.at ?? 0);
    const files = Math.ceil(this.#count() / LINES);
    return new Date(Date.now() - (files - Math.floor(index / LINES)) * 3 * 3_600_000);
  }

  #file(index: number): string {
    const known = this.#known(index);
    if (known !== undefined) return known.file;
    const day = localDay(this.#readAt(index));
    const folder = this.#long ? 'exchange/washington-county-regional-cooperative/raptor/' : '';
    return this.#source(index) === 'hero' ? 'ATTENDANCE.txt' : `${folder}tardies ${day}.csv`;
  }

  #sentence(index: number): [code: string, sentence: string] {
    const known = this.#known(index)?.steps.at(-1);
    if (known !== undefined) return [known.code, known.sentence];
    switch (this.#fate(index)) {
      case 'written':
        return ['', 'PowerSchool took it.'];
      case 'noop':
        return ['not_tardy', 'Nothing is to be written. The student signed in before the first bell and is not tardy.'];
      case 'held':
        return ['held.reason_not_mapped', 'It is held. This Raptor tardy code has no active row in the tardy code table. Map it, then retry. (Car trouble)'];
      case 'rejected':
        return ['', 'It is malformed: IdNumber is empty.'];
      case 'open':
        return ['', 'It was sent to PowerSchool.'];
    }
  }

  #whole(index: number): TracedRow {
    const { file, line, source, fate, student_number, read_at, at, code, sentence } = this.#summary(index, 0);
    return {
      source,
      file,
      file_sha256: String(Math.floor(index / LINES)).padStart(64, '0'),
      line,
      raw: `Cedar Ridge MS,${student_number ?? ''},${read_at},Car trouble,`,
      ...(student_number === undefined ? {} : { student_number }),
      fate,
      steps: [
        { at: read_at, what: 'read', code: '', sentence: `Read in ${file}, line ${line}.`, run: 'r5' },
        { at, what: fate, code, sentence, run: 'r5' },
      ],
    };
  }

  #place(index: number): RowPlace {
    return { file: Math.floor(index / LINES) + 1, line: (index % LINES) + 1 };
  }

  #summary(index: number, key: number): RowSummary {
    const [code, sentence] = this.#sentence(index);
    const read = this.#readAt(index);
    const student = this.#student(index);
    const school = this.#school(index);
    return {
      cursor: { key, row: this.#place(index) },
      source: this.#source(index),
      file: this.#file(index),
      line: this.#known(index)?.line ?? (index % LINES) + 1,
      read_at: read.toISOString(),
      ...(student === undefined ? {} : { student_number: student }),
      ...(school === undefined ? {} : { school }),
      fate: this.#fate(index),
      at: this.#known(index)?.steps.at(-1)?.at ?? new Date(read.getTime() + 4000).toISOString(),
      code,
      sentence,
    };
  }

  #key(index: number, list: RowList): number {
    switch (list.sort) {
      case 'read':
        return 0;
      case 'student':
        return this.#student(index) ?? -1;
      case 'fate':
        return FATES.indexOf(this.#fate(index));
      case 'school':
        return this.#school(index) ?? -1;
    }
  }

  #isOf(index: number, list: RowList): boolean {
    const day = () => (this.#known(index) === undefined ? localDay(this.#readAt(index)) : TRACED_DAY);
    return (
      (list.fate === undefined || this.#fate(index) === list.fate) &&
      (list.source === undefined || this.#source(index) === list.source) &&
      (list.school === undefined || this.#school(index) === list.school) &&
      (list.student === undefined || this.#student(index) === list.student) &&
      (list.line === undefined || (this.#known(index)?.line ?? (index % LINES) + 1) === list.line) &&
      (list.day === undefined || day() === list.day) &&
      (list.file === undefined || this.#file(index).split('/').at(-1) === list.file || this.#file(index) === list.file)
    );
  }

  #rows(list: RowList): Int32Array {
    const asked = JSON.stringify(list);
    if (this.#listed?.list !== asked) {
      let rows = new Int32Array(this.#count()).map((_, index) => index).filter((index) => this.#isOf(index, list));
      if (list.sort !== 'read') {
        rows = Int32Array.from([...rows].sort((a, b) => this.#key(a, list) - this.#key(b, list) || a - b));
      }
      this.#listed = { list: asked, rows: list.descending ? rows.reverse() : rows };
    }
    return this.#listed.rows;
  }

  #page(list: RowList, { until, after, skip }: RowPageStart, limit: number): RowPage {
    const rows = this.#rows(list);
    const before = after === undefined ? -1 : rows.indexOf((after.row.file - 1) * LINES + after.row.line - 1);
    const page = rows.subarray(before + 1 + skip, before + 1 + skip + limit);
    const last = until ?? (this.#count() === 0 ? undefined : this.#place(this.#count() - 1));
    return {
      ...(until === undefined ? { total: rows.length } : {}),
      ...(last === undefined ? {} : { until: last }),
      rows: [...page].map((index) => this.#summary(index, this.#key(index, list))),
    };
  }

  /** The runs that are told elsewhere, and before them, with many rows, those of the schedule on school days. */
  #runsOf(day: string, runs: RunView[]): RunView[] {
    const known = runs.filter(({ started_at }) => localDay(new Date(started_at)) === day);
    const from = startOf(day);
    const weekday = from.getDay();
    if (this.#many === 0 || known.length > 0 || from > new Date() || weekday === 0 || weekday === 6) return known;
    const seed = Math.floor(from.getTime() / 86_400_000);
    const made = 9 + scattered(seed, 4, 6);
    return Array.from({ length: made }, (_, index): RunView => {
      const started = new Date(from.getTime() + (6 * 60 + index * 47 + scattered(seed + index, 5, 20)) * 60_000);
      const millis = 2_400 + scattered(seed + index, 6, 9_000) + (scattered(seed, 7, 9) === 0 ? 24_000 : 0);
      const dealt = scattered(seed * 31 + index, 8, 100);
      const outcome: Outcome = dealt < 5 ? 'failed' : dealt < 16 ? 'succeeded_with_held_rows' : dealt < 18 ? 'cancelled' : 'succeeded';
      const job = { ...jobReport('raptor-tardies', 586), outcome };
      return {
        run: `${day}-${index}`,
        started_at: started.toISOString(),
        finished_at: new Date(started.getTime() + millis).toISOString(),
        dry_run: false,
        undo: false,
        scheduled: true,
        outcome,
        jobs: [job],
        seconds: [{ phase: 'pull', millis: Math.round(millis / 2) }, { phase: 'raptor-tardies', millis: Math.round(millis / 2) }],
        ...(outcome === 'failed'
          ? { cause: { code: 'powerschool.maintenance', message: 'PowerSchool is down for maintenance.', remedy: 'Nothing was changed. Run again when PowerSchool is back.' } }
          : {}),
      };
    }).reverse();
  }

  #counted(day: string, known: RunView[]): RunDay {
    const runs = this.#runsOf(day, known);
    const outcomes = new Map<Outcome, { runs: number; millis: number }>();
    for (const run of runs.filter(({ dry_run }) => !dry_run)) {
      const sum = outcomes.get(run.outcome) ?? { runs: 0, millis: 0 };
      const took = run.finished_at === null ? 0 : new Date(run.finished_at).getTime() - new Date(run.started_at).getTime();
      outcomes.set(run.outcome, { runs: sum.runs + 1, millis: sum.millis + took });
    }
    return {
      day,
      outcomes: [...outcomes].map(([outcome, sum]) => ({ outcome, ...sum })),
      dry_runs: runs.filter(({ dry_run }) => dry_run).length,
    };
  }
}
