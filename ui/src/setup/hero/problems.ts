/** The rows of a file that have to be looked at, as a table for a spreadsheet. */

import type { ExportProblemView } from '../../bindings/ExportProblemView';

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
