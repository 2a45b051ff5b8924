/** Held rows as they are shown: what they wait for, and what deals with it. */

import type { BuildingMapping } from '../bindings/BuildingMapping';
import type { HeldCauseView } from '../bindings/HeldCauseView';
import type { HeldPage } from '../bindings/HeldPage';
import type { HoldReason } from '../bindings/HoldReason';
import type { JobId } from '../bindings/JobId';
import type { Remedy } from '../bindings/Remedy';
import type { Setup } from '../bindings/Setup';
import type { SetupStep } from '../text/names';
import { kindOf } from '../text/names';
import { folded, unmapped } from '../setup/buildings';

/** Which remedies are one decision about all rows of a cause; a reason: only where they wait for that. */
const FOR_ALL: Record<Remedy, boolean | HoldReason> = {
  map_building: true,
  enable_building: true,
  choose_method: true,
  map_reason: true,
  // Rows of one unknown number are of one student; of any other cause each may be of another.
  pick_student: 'held.unknown_student',
  pick_code: false,
  pick_meeting: false,
  settings: false,
  power_school: false,
  source_file: false,
  discard: false,
};

/** Whether one decision is about all rows of a cause. */
export function isForAll({ remedy, code }: Pick<HeldCauseView, 'remedy' | 'code'>): boolean {
  const all = FOR_ALL[remedy];
  return all === true || all === code;
}

/** The step of the set-up that has what lets such rows through, where that is not done here. */
export const STEPS: Partial<Record<HoldReason, SetupStep>> = {
  'held.other_accounts_school': 'hero',
  'held.update_existing_off': 'hero',
  'held.existing_code': 'tardies',
};

export interface ReasonGroup {
  code: HoldReason;
  /** How many rows, also of causes that are not listed. */
  rows: number;
  causes: HeldCauseView[];
}

/** What rows wait for, by reason, most rows first. */
export function byReason(page: Pick<HeldPage, 'by_reason' | 'causes'>): ReasonGroup[] {
  return page.by_reason.map(([code, rows]) => {
    const causes = page.causes.filter((cause) => cause.code === code);
    return { code, rows, causes };
  });
}

/** The jobs that decide rows of these sources again. */
export function jobsOf(setup: Setup, causes: Pick<HeldCauseView, 'source'>[]): JobId[] {
  const imports = { raptor: 'raptor-tardies', hero: 'hero-attendance' };
  const wanted = new Set<string>(causes.map(({ source }) => imports[source]));
  return setup.jobs.filter(({ job, enabled }) => enabled && wanted.has(kindOf(job))).map(({ job }) => job);
}

/** The set-up with a building's row changed, or a new one. */
export function withBuilding(setup: Setup, building: string, change: (row: BuildingMapping) => BuildingMapping): Setup {
  const { buildings } = setup.mappings;
  const place = buildings.findIndex((row) => folded(row.building) === folded(building));
  const rows = place === -1 ? [...buildings, change(unmapped(building))] : buildings.map((row, at) => (at === place ? change(row) : row));
  return { ...setup, mappings: { ...setup.mappings, buildings: rows } };
}

/** The set-up in which Raptor's tardy code stands for a code of PowerSchool. */
export function withReason(setup: Setup, reason: string, code: string): Setup {
  const others = setup.mappings.tardy_codes.filter((row) => folded(row.reason) !== folded(reason));
  return { ...setup, mappings: { ...setup.mappings, tardy_codes: [...others, { reason, code, active: true }] } };
}
