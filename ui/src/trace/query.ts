/** What a person asks for when looking for rows, and what comes of it. */

import type { RowFate } from '../bindings/RowFate';
import type { TracedRecord } from '../bindings/TracedRecord';
import type { TracedRow } from '../bindings/TracedRow';
import type { TraceQuery } from '../bindings/TraceQuery';
import { calendarDate } from '../text/format';
import type { Tone } from '../text/names';

/** Rows asked for from elsewhere, e.g. from a held row. */
export interface RowsWanted {
  file?: string;
  line?: number;
  day?: string;
}

/** The search as it stands in its fields. */
export interface Fields {
  student: string;
  file: string;
  line: string;
  /** As a date field has it: "2026-11-20". */
  day: string;
}

export type FieldFaults = Partial<Record<keyof Fields, string>>;

/** What keeps a search from being made, field by field. */
export function fieldFaults({ student, line }: Fields): FieldFaults {
  const faults: FieldFaults = {};
  if (student.trim() !== '' && wholeNumber(student) === undefined) faults.student = 'A student number has digits only.';
  const wantedLine = wholeNumber(line);
  if (line.trim() !== '' && (wantedLine === undefined || wantedLine === 0)) faults.line = 'A line is a number from 1 on.';
  return faults;
}

/** The search the fields ask for; a field that can't be read does not restrict it. */
export function queryOf(fields: Fields, limit: number, offset: number): TraceQuery {
  const student = wholeNumber(fields.student);
  const line = wholeNumber(fields.line);
  const file = fields.file.trim();
  return {
    ...(student === undefined ? {} : { student }),
    ...(file === '' ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(fields.day === '' ? {} : { day: fields.day }),
    limit,
    offset,
  };
}

export function fieldsOf({ file, line, day }: RowsWanted): Fields {
  return { student: '', file: file ?? '', line: line === undefined ? '' : String(line), day: day ?? '' };
}

function wholeNumber(text: string): number | undefined {
  const digits = text.trim();
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

export const FATES: Record<RowFate, { title: string; tone: Tone }> = {
  written: { title: 'Written', tone: 'good' },
  noop: { title: 'Nothing to write', tone: 'quiet' },
  held: { title: 'Held', tone: 'warn' },
  rejected: { title: 'Unreadable', tone: 'bad' },
  open: { title: 'On its way', tone: 'busy' },
};

/** PowerSchool's attendance modes as a person calls them. */
export function modeWords(mode: string): string {
  if (mode === 'ATT_ModeDaily') return 'Daily';
  if (mode === 'ATT_ModeMeeting') return 'Meeting';
  return mode;
}

/** An attendance code; a record without one is as if the student were present. */
export function codeWords(code: string): string {
  return code === '' ? 'none' : code;
}

/** A record in PowerSchool, name by name. `school`: the school's name, where it is known. */
export function recordFacts(record: TracedRecord, school: string | undefined): [name: string, value: string][] {
  const facts: [string, string][] = [
    ['School', school === undefined ? String(record.school) : `${school} (${record.school})`],
    ['Day', calendarDate(record.date)],
    ['Recorded', modeWords(record.mode)],
  ];
  if (record.cc !== 0) facts.push(['Enrolment', `CC ${record.cc}`]);
  if (record.period !== 0) facts.push(['Period', `ID ${record.period}`]);
  facts.push(['Code', codeWords(record.code)]);
  if (record.previous_code !== undefined) facts.push(['Before', codeWords(record.previous_code)]);
  return facts;
}

/** A row and all that happened to it as plain text, to be copied. */
export function rowText(row: TracedRow, schoolName: (school: number) => string | undefined): string {
  const lines = [`${row.file}, line ${row.line}: ${FATES[row.fate].title}`];
  if (row.file_sha256 !== '') lines.push(`SHA-256 of the file: ${row.file_sha256}`);
  if (row.student_number !== undefined) lines.push(`Student number: ${row.student_number}`);
  if (row.raw !== '') lines.push(`As it came: ${row.raw}`);
  for (const step of row.steps) {
    const run = step.run === undefined ? '' : ` (run ${step.run})`;
    const code = step.code === '' ? '' : ` [${step.code}]`;
    lines.push(`${step.at}  ${step.sentence}${code}${run}`);
    if (step.record !== undefined) {
      const facts = recordFacts(step.record, schoolName(step.record.school));
      lines.push(`    ${facts.map(([name, value]) => `${name}: ${value}`).join(', ')}`);
    }
  }
  return lines.join('\n');
}
