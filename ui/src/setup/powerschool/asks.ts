import type { FieldView } from '../../bindings/FieldView';
import type { Job } from '../../bindings/Job';
import { listed } from '../../text/format';
import { EXCHANGES, INTEGRATIONS, JOBS, type Integration } from '../../text/names';
import { plural, say } from '../../text/say';

/** A table with the fields a plugin asks for. */
export interface TableAsks {
  table: string;
  reads: string[];
  writes: string[];
}

/** Fields by table, in the order in which the tables come. */
export function byTable(asks: FieldView[]): TableAsks[] {
  const tables = new Map<string, TableAsks>();
  for (const { table, field, access } of asks) {
    const entry = tables.get(table) ?? { table, reads: [], writes: [] };
    if (access === 'FullAccess') entry.writes.push(field);
    else entry.reads.push(field);
    tables.set(table, entry);
  }
  return [...tables.values()];
}

/** What a plugin asks for, in a sentence. */
export function asksSentence(asks: FieldView[]): string {
  const tables = byTable(asks);
  const written = tables.filter((table) => table.writes.length > 0).map(({ table }) => table);
  const fields = plural(asks.length, ['# field', '# fields']);
  const where = plural(tables.length, ['# table', '# tables']);
  if (written.length === 0) return say(`The plugin asks to read ${fields} in ${where}. It writes nothing.`);
  return say(`The plugin asks to read ${fields} in ${where}, and to write to ${listed(written)}.`);
}

/** The exchanges in a few words: "Raptor: Students, Tardies · SchoolMint Hero: Students". */
export function exchangesInWords(jobs: Job[]): string {
  return (Object.keys(INTEGRATIONS) as Integration[])
    .map((integration) => ({ integration, chosen: jobs.filter((job) => JOBS[job].integration === integration) }))
    .filter(({ chosen }) => chosen.length > 0)
    .map(({ integration, chosen }) => `${INTEGRATIONS[integration].title}: ${chosen.map((job) => EXCHANGES[job].title).join(', ')}`)
    .join(' · ');
}
