/** The table of Raptor's buildings as it is worked on, before it is saved. */

import type { BuildingChoice } from '../bindings/BuildingChoice';
import type { BuildingMapping } from '../bindings/BuildingMapping';
import type { MappingChange } from '../bindings/MappingChange';
import type { SchoolChoice } from '../bindings/SchoolChoice';

/** Two names that differ only in case and spaces are one. */
export function folded(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** A building nobody has mapped yet. */
export function unmapped(building: string): BuildingMapping {
  return { building, school: null, school_name: '', method: null, bridge_period: '', between_classes: 'hold', enabled: false };
}

/** The mapping rows with a row for every building found, the known ones unchanged and first. */
export function mergeBuildings(rows: BuildingMapping[], found: { buildings: Pick<BuildingChoice, 'building'>[] }): BuildingMapping[] {
  const names = found.buildings.map(({ building }) => building);
  return [...rows, ...newNames(names, rows.map((row) => row.building)).map(unmapped)];
}

/** The rows, with the name of each school that was mapped before its name was kept. */
export function withNames(rows: BuildingMapping[], schools: SchoolChoice[]): BuildingMapping[] {
  const names = new Map<number | null, string>(schools.map(({ number, name }) => [number, name]));
  return rows.map((row) => (row.school_name === '' && names.has(row.school) ? { ...row, school_name: names.get(row.school) ?? '' } : row));
}

/** Those of the names that are not among the known ones, each once, without the spaces around them. */
export function newNames(names: string[], known: string[]): string[] {
  const seen = new Set(known.map(folded));
  const fresh: string[] = [];
  for (const name of names) {
    const key = folded(name);
    if (key === '' || seen.has(key)) continue;
    seen.add(key);
    fresh.push(name.trim());
  }
  return fresh;
}

/** The suggested school of each building that has none yet. */
export function suggestions(
  rows: BuildingMapping[],
  found: { buildings: Pick<BuildingChoice, 'building' | 'suggested_school'>[] } | undefined,
): Map<string, number> {
  const suggested = new Map(found?.buildings.map((choice) => [folded(choice.building), choice.suggested_school]));
  const open = new Map<string, number>();
  for (const row of rows) {
    if (row.school !== null) continue;
    const school = suggested.get(folded(row.building));
    if (school !== undefined && school !== null) open.set(row.building, school);
  }
  return open;
}

/** The row with a school a person has chosen, by the name it has now. What was confirmed about another school is not kept. */
export function withSchool(row: BuildingMapping, school: number, name: string): BuildingMapping {
  const same = row.school === school;
  return {
    ...row,
    school,
    school_name: name,
    ...(same ? {} : { method: null, bridge_period: '' }),
    enabled: same ? row.enabled : true,
  };
}

/** For each building whose school others have too: those others. */
export function sharing(rows: BuildingMapping[]): Map<string, string[]> {
  const bySchool = new Map<number, string[]>();
  for (const { building, school } of rows) {
    if (school !== null) bySchool.set(school, [...(bySchool.get(school) ?? []), building]);
  }
  const shared = new Map<string, string[]>();
  for (const buildings of bySchool.values()) {
    if (buildings.length < 2) continue;
    for (const building of buildings) shared.set(building, buildings.filter((other) => other !== building));
  }
  return shared;
}

/** The schools no building stands for. */
export function leftOut(schools: SchoolChoice[], rows: BuildingMapping[]): SchoolChoice[] {
  const taken = new Set(rows.map((row) => row.school));
  return schools.filter((school) => !taken.has(school.number));
}

/** Which rows are shown. */
export type Showing = 'all' | 'no_school' | 'no_method' | 'off';

/** Whether a row belongs to a choice of rows. A building without a school has nothing yet to say how it records. */
export function isShown(row: BuildingMapping, showing: Showing): boolean {
  switch (showing) {
    case 'all':
      return true;
    case 'no_school':
      return row.school === null;
    case 'no_method':
      return row.school !== null && row.enabled && row.method === null;
    case 'off':
      return !row.enabled;
  }
}

/** The rows whose building, school, or school's number or abbreviation has every word looked for. */
export function search(rows: BuildingMapping[], words: string, schools: SchoolChoice[]): BuildingMapping[] {
  const wanted = folded(words).split(' ').filter((word) => word !== '');
  if (wanted.length === 0) return rows;
  const known = new Map(schools.map((school) => [school.number, `${school.name} ${school.abbreviation}`]));
  return rows.filter((row) => {
    const school = row.school === null ? '' : `${row.school} ${known.get(row.school) ?? row.school_name}`;
    const text = folded(`${row.building} ${school}`);
    return wanted.every((word) => text.includes(word));
  });
}

/** The changes that the table as it is now has not answered yet. Those of the tardy codes are told elsewhere. */
export function openChanges(changes: MappingChange[], rows: BuildingMapping[]): BuildingChange[] {
  return changes.filter((change): change is BuildingChange => {
    if (change.change === 'reason_gone' || change.change === 'code_gone') return false;
    const row = rows.find(({ building }) => building === change.building);
    if (row === undefined) return false;
    if (change.change === 'building_gone') return row.enabled;
    if (row.school !== change.school) return false;
    return change.change === 'school_gone' || row.school_name !== change.to;
  });
}

/** A change of a mapped building or of its school. */
export type BuildingChange = Exclude<MappingChange, { change: 'reason_gone' | 'code_gone' }>;
