/** The table of tardy codes as it is worked on, before it is saved. */

import type { CodeChoice } from '../bindings/CodeChoice';
import type { MappingChange } from '../bindings/MappingChange';
import type { ReasonChoice } from '../bindings/ReasonChoice';
import type { SchoolChoice } from '../bindings/SchoolChoice';
import type { TardyMapping } from '../bindings/TardyMapping';
import { listed } from '../text/format';
import { plural, say } from '../text/say';
import { folded, newNames } from './buildings';

/** Why a row can't stand in the table as it is. `place` is where it would stand. */
export function rowProblem(rows: TardyMapping[], place: number, row: TardyMapping): string | undefined {
  if (row.reason.trim() === '' || row.code === '') return say('Choose both a Raptor tardy code and a PowerSchool attendance code.');
  const twin = rows.find((other, index) => index !== place && folded(other.reason) === folded(row.reason));
  return twin === undefined ? undefined : say(`“${twin.reason}” already has a row. Edit that one.`);
}

/** Raptor's reasons that no row is about, from the list, from tardy files and from what was read here. */
export function unmappedReasons(reasons: ReasonChoice[], read: string[], rows: TardyMapping[]): ReasonChoice[] {
  const found = new Map(reasons.map((choice) => [folded(choice.reason), choice]));
  const names = newNames([...reasons.map(({ reason }) => reason), ...read], rows.map((row) => row.reason));
  return names.map((reason) => found.get(folded(reason)) ?? { reason, found_in: 'list' });
}

/** Names in a sentence: at most `most` of them, then how many more. */
export function briefly(names: string[], most = 3): string {
  const rest = names.length - most;
  // @wc-context: the end of a list of names: and 2 more
  const shown = rest > 0 ? [...names.slice(0, most), plural(rest, ['# more', '# more'])] : names;
  return listed(shown);
}

/** In which of the mapped schools a code does not exist this year, by name. */
export function missingIn(code: string, codes: CodeChoice[], schools: SchoolChoice[]): string[] {
  const numbers = codes.find((choice) => choice.code === code)?.missing_in ?? [];
  return numbers.map((number) => schools.find((school) => school.number === number)?.name ?? say(`school ${number}`));
}

/** What has changed about a row since it was mapped, as long as the row still says it. */
export function rowChange(row: TardyMapping, changes: MappingChange[]): 'reason_gone' | 'code_gone' | undefined {
  for (const change of changes) {
    if (change.change === 'code_gone' && folded(change.reason) === folded(row.reason) && change.code === row.code) return 'code_gone';
    if (change.change === 'reason_gone' && folded(change.reason) === folded(row.reason)) return 'reason_gone';
  }
  return undefined;
}
