import type { AttendanceMethod } from '../../bindings/AttendanceMethod';
import type { BetweenClasses } from '../../bindings/BetweenClasses';
import type { BuildingMapping } from '../../bindings/BuildingMapping';
import type { MethodPreset } from '../../bindings/MethodPreset';
import type { SchoolChoice } from '../../bindings/SchoolChoice';
import { say } from '../../text/say';

/** How a school records attendance, as a person chooses it. */
export const METHODS: { value: AttendanceMethod; label: string }[] = [
  { value: 'daily', label: say('Daily') },
  { value: 'meeting', label: say('Meeting') },
  { value: 'both', label: say('Both') },
];

export function methodName(method: AttendanceMethod): string {
  return METHODS.find(({ value }) => value === method)?.label ?? method;
}

/** What PowerSchool tells of a school's method, and how that is known. */
export function presetWords({ method, by }: MethodPreset): string {
  return by === 'preferences' ? say(`PowerSchool says ${methodName(method)}.`) : say(`By its sections: ${methodName(method)}. Its attendance preferences could not be read.`);
}

export const BETWEEN_CLASSES: { value: BetweenClasses; label: string; about: string }[] = [
  { value: 'hold', label: say('Hold the row'), about: say('A person decides.') },
  { value: 'next_meeting', label: say('The next class'), about: say('The tardy is recorded for the class that begins next; after the last one it is held.') },
  { value: 'missed_meeting', label: say('The class that was missed'), about: say('The tardy is recorded for the class that began last.') },
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
