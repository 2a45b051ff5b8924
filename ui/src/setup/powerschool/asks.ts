import type { FieldView } from '../../bindings/FieldView';
import type { Job } from '../../bindings/Job';
import { counted } from '../../text/format';
import { EXCHANGES, INTEGRATIONS, JOBS, type Integration } from '../../text/names';

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
  const written = tables.filter((table) => table.writes.length > 0).map((table) => table.table.toLowerCase());
  const reads = `The plugin asks to read ${counted(asks.length, 'field')} in ${counted(tables.length, 'table')}`;
  if (written.length === 0) return `${reads}. It writes nothing.`;
  return `${reads} and to write ${written.join(' and ')}.`;
}

/** The exchanges in a few words: "Raptor: Students, Tardies; SchoolMint Hero: Students". */
export function exchangesInWords(jobs: Job[]): string {
  return (Object.keys(INTEGRATIONS) as Integration[])
    .map((integration) => ({ integration, chosen: jobs.filter((job) => JOBS[job].integration === integration) }))
    .filter(({ chosen }) => chosen.length > 0)
    .map(({ integration, chosen }) => `${INTEGRATIONS[integration].title}: ${chosen.map((job) => EXCHANGES[job].title.toLowerCase()).join(', ')}`)
    .join(' · ');
}
