/** The rows of a file that have to be looked at, as a table for a spreadsheet. */

import type { ExportProblemView } from '../../bindings/ExportProblemView';
import { say } from '../../text/say';

/** What has to be looked at, by the engine's name for it. */
const KINDS: Record<string, string> = {
  empty: say('Hero requires a value, and there is none'),
  too_long: say('The value is longer than Hero accepts'),
  shortened: say('The value was longer than Hero accepts and was shortened'),
  break: say('A tab or line break in the value was sent as a space'),
  unmappable: say('Characters that the file’s character set lacks were sent as ?'),
  duplicate: say('Another student before has the same number'),
  no_schedule: say('The student is sent, and no class of theirs is'),
};

/** That of rows which have to be looked at. */
export function problemWords(kind: string): string {
  return KINDS[kind] ?? say('The row has to be looked at');
}

export function problemsTable(rows: ExportProblemView[]): string {
  const number = (value: number | undefined) => (value === undefined ? '' : String(value));
  const lines = rows.map((of) => [number(of.row), of.number, of.field, of.kind, of.message, number(of.length), number(of.limit), number(of.first_row)]);
  return [['row', 'number', 'field', 'kind', 'message', 'length', 'limit', 'first_row'], ...lines].map((values) => values.map(cell).join(',') + '\r\n').join('');
}

/** RFC 4180. A value that a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
