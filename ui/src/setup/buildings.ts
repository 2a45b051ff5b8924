import type { BuildingChoice } from '../bindings/BuildingChoice';
import type { BuildingMapping } from '../bindings/BuildingMapping';

/** Two names that differ only in case and spaces are one building. */
function folded(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** The mapping rows with a row for every building found, the known ones unchanged and first. */
export function mergeBuildings(
  rows: BuildingMapping[],
  found: { buildings: BuildingChoice[] },
): BuildingMapping[] {
  const known = new Set(rows.map((row) => folded(row.building)));
  const fresh: BuildingMapping[] = [];
  for (const { building } of found.buildings) {
    if (known.has(folded(building))) continue;
    known.add(folded(building));
    fresh.push({ building, school: null, method: null, enabled: false });
  }
  return [...rows, ...fresh];
}

/** The suggested school of each building that has none yet. */
export function suggestions(
  rows: BuildingMapping[],
  found: { buildings: BuildingChoice[] } | undefined,
): Map<string, number> {
  const open = new Map<string, number>();
  for (const row of rows) {
    if (row.school !== null) continue;
    const choice = found?.buildings.find((candidate) => folded(candidate.building) === folded(row.building));
    if (choice !== undefined && choice.suggested_school !== null) open.set(row.building, choice.suggested_school);
  }
  return open;
}
