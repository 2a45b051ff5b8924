/** What a person asks for when looking for rows, and what comes of it. */

import type { RowFate } from '../bindings/RowFate';
import type { RowSummary } from '../bindings/RowSummary';
import type { TracedRecord } from '../bindings/TracedRecord';
import type { TracedRow } from '../bindings/TracedRow';
import type { RowList } from '../bindings/RowList';
import type { RowSort } from '../bindings/RowSort';
import type { Source } from '../bindings/Source';
import { calendarDate } from '../text/format';
import type { Tone } from '../text/names';
import { say } from '../text/say';

/** Rows asked for from elsewhere, e.g. from a held row. */
export interface RowsWanted {
  file?: string;
  /** Only of the file with this content. */
  sha256?: string;
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
  /** The content of the file that was asked for elsewhere. */
  sha256: string;
  source: Source | '';
  fate: RowFate | '';
  /** A school's number. */
  school: string;
}

export type FieldFaults = Partial<Record<keyof Fields, string>>;

/** What keeps a search from being made, field by field. */
export function fieldFaults({ student, line }: Fields): FieldFaults {
  const faults: FieldFaults = {};
  if (student.trim() !== '' && wholeNumber(student) === undefined) faults.student = say('A student number has digits only.');
  const wantedLine = wholeNumber(line);
  if (line.trim() !== '' && (wantedLine === undefined || wantedLine === 0)) faults.line = say('A line is a number from 1 on.');
  return faults;
}

/** The list the fields ask for; a field that can't be read does not restrict it. */
export function listOf(fields: Fields, sort: RowSort, descending: boolean): RowList {
  const student = wholeNumber(fields.student);
  const line = wholeNumber(fields.line);
  const school = wholeNumber(fields.school);
  const file = fields.file.trim();
  return {
    ...(student === undefined ? {} : { student }),
    ...(file === '' ? {} : { file }),
    ...(fields.sha256 === '' ? {} : { sha256: fields.sha256 }),
    ...(line === undefined ? {} : { line }),
    ...(fields.day === '' ? {} : { day: fields.day }),
    ...(fields.source === '' ? {} : { source: fields.source }),
    ...(fields.fate === '' ? {} : { fate: fields.fate }),
    ...(school === undefined ? {} : { school }),
    sort,
    descending,
  };
}

export function fieldsOf({ file, sha256, line, day }: RowsWanted): Fields {
  return {
    student: '',
    file: file ?? '',
    line: line === undefined ? '' : String(line),
    day: day ?? '',
    sha256: sha256 ?? '',
    source: '',
    fate: '',
    school: '',
  };
}

/** Rows as they are pasted into a spreadsheet: a line each, columns apart by tabs. */
export function rowsText(rows: RowSummary[], schoolName: (school: number) => string | undefined): string {
  const lines = rows.map((row) =>
    [
      row.read_at,
      row.student_number ?? '',
      row.school === undefined ? '' : (schoolName(row.school) ?? row.school),
      FATES[row.fate].title,
      row.sentence,
      row.file,
      row.line,
    ].join('\t'),
  );
  return lines.join('\n');
}

function wholeNumber(text: string): number | undefined {
  const digits = text.trim();
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

export const FATES: Record<RowFate, { title: string; tone: Tone }> = {
  written: { title: say('Written'), tone: 'good' },
  noop: { title: say('Nothing to write'), tone: 'quiet' },
  held: { title: say('Held'), tone: 'warn' },
  rejected: { title: say('Unreadable'), tone: 'bad' },
  open: { title: say('On its way'), tone: 'busy' },
};

/** PowerSchool's attendance modes as a person calls them. */
export function modeWords(mode: string): string {
  if (mode === 'ATT_ModeDaily') return say('Daily');
  if (mode === 'ATT_ModeMeeting') return say('Meeting');
  return mode;
}

/** An attendance code; a record without one is as if the student were present. */
export function codeWords(code: string): string {
  return code === '' ? say('none') : code;
}

export interface Fact {
  fact: 'school' | 'day' | 'mode' | 'enrolment' | 'period' | 'code' | 'before';
  name: string;
  value: string;
}

/** Which record in PowerSchool it is, fact by fact. `school`: the school's name, where it is known. */
export function recordFacts(record: TracedRecord, school: string | undefined): Fact[] {
  const facts: Fact[] = [
    { fact: 'school', name: say('School'), value: school === undefined ? String(record.school) : `${school} (${record.school})` },
    { fact: 'day', name: say('Day'), value: calendarDate(record.date) },
    { fact: 'mode', name: say('Recorded'), value: modeWords(record.mode) },
  ];
  if (record.cc !== 0) facts.push({ fact: 'enrolment', name: say('Enrolment'), value: `CC ${record.cc}` });
  if (record.period !== 0) facts.push({ fact: 'period', name: say('Period'), value: `ID ${record.period}` });
  return facts;
}

/** Its code, and the one that stood there before. */
export function codeFacts(record: TracedRecord): Fact[] {
  const facts: Fact[] = [{ fact: 'code', name: say('Code'), value: codeWords(record.code) }];
  if (record.previous_code !== undefined) facts.push({ fact: 'before', name: say('Before'), value: codeWords(record.previous_code) });
  return facts;
}

/** A row and all that happened to it as plain text, to be copied. */
export function rowText(row: TracedRow, schoolName: (school: number) => string | undefined): string {
  const lines = [say(`${row.file}, line ${row.line}: ${FATES[row.fate].title}`)];
  if (row.file_sha256 !== '') lines.push(say(`SHA-256 of the file: ${row.file_sha256}`));
  if (row.student_number !== undefined) lines.push(say(`Student number: ${row.student_number}`));
  if (row.raw !== '') lines.push(say(`As it came: ${row.raw}`));
  for (const step of row.steps) {
    const run = step.run === undefined ? '' : say(`(run ${step.run})`);
    const code = step.code === '' ? '' : `[${step.code}]`;
    lines.push(`${step.at}  ${[step.sentence, code, run].filter((part) => part !== '').join(' ')}`);
    if (step.record !== undefined) {
      const facts = [...recordFacts(step.record, schoolName(step.record.school)), ...codeFacts(step.record)];
      lines.push(`    ${facts.map(({ name, value }) => `${name}: ${value}`).join(', ')}`);
    }
  }
  return lines.join('\n');
}
