import type { AttendanceMethod } from '../../bindings/AttendanceMethod';
import type { BetweenClasses } from '../../bindings/BetweenClasses';
import type { BuildingMapping } from '../../bindings/BuildingMapping';
import type { MethodPreset } from '../../bindings/MethodPreset';
import type { SchoolChoice } from '../../bindings/SchoolChoice';

/** How a school records attendance, as a person chooses it. */
export const METHODS: { value: AttendanceMethod; label: string }[] = [
  { value: 'daily', label: 'Daily' },
  { value: 'meeting', label: 'Meeting' },
  { value: 'both', label: 'Both' },
];

export function methodName(method: AttendanceMethod): string {
  return METHODS.find(({ value }) => value === method)?.label ?? method;
}

/** What PowerSchool tells of a school's method, in a few words. */
export function presetWords({ method, by }: MethodPreset): string {
  return by === 'preferences' ? `PowerSchool says ${methodName(method)}.` : `By its sections: ${methodName(method)}.`;
}

/** How that is known. */
export function presetSource({ by }: MethodPreset): string {
  return by === 'preferences'
    ? 'By the school’s attendance preferences in PowerSchool.'
    : 'By the school’s sections: its attendance preferences could not be read.';
}

export const BETWEEN_CLASSES: { value: BetweenClasses; label: string; about: string }[] = [
  { value: 'hold', label: 'Hold the row', about: 'A person decides.' },
  { value: 'next_meeting', label: 'The next class', about: 'The tardy is recorded for the class that begins next; after the last one it is held.' },
  { value: 'missed_meeting', label: 'The class that was missed', about: 'The tardy is recorded for the class that began last.' },
];

/** The row with a method a person has chosen or confirmed, and the bridge period PowerSchool has for it. */
export function withMethod(row: BuildingMapping, method: AttendanceMethod, preset: MethodPreset | undefined): BuildingMapping {
  return {
    ...row,
    method,
    bridge_period: method === 'both' ? row.bridge_period || (preset?.bridge_period ?? '') : '',
  };
}

/** For each active building whose method nobody has confirmed: what PowerSchool says. */
export function openPresets(rows: BuildingMapping[], schools: SchoolChoice[]): Map<string, MethodPreset> {
  const presets = new Map(schools.map(({ number, method }) => [number, method]));
  const open = new Map<string, MethodPreset>();
  for (const { building, school, method, enabled } of rows) {
    const preset = school === null || method !== null || !enabled ? undefined : presets.get(school);
    if (preset !== undefined) open.set(building, preset);
  }
  return open;
}
