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

/** Where a remedy is carried out: once for all rows of a `cause`, for each `row`, or not here. */
export const REMEDIES: Record<Remedy, 'cause' | 'row' | 'elsewhere'> = {
  map_building: 'cause',
  enable_building: 'cause',
  choose_method: 'cause',
  map_reason: 'cause',
  pick_student: 'cause',
  pick_code: 'row',
  pick_meeting: 'row',
  settings: 'elsewhere',
  power_school: 'elsewhere',
  source_file: 'elsewhere',
  discard: 'elsewhere',
};

/** Whether one decision is about all rows of a cause. Of students that are not at the school each row may have another. */
export function isForAll({ remedy, code }: Pick<HeldCauseView, 'remedy' | 'code'>): boolean {
  return REMEDIES[remedy] === 'cause' && (remedy !== 'pick_student' || code === 'held.unknown_student');
}

/** The step of the set-up that has what lets such rows through, where that is not done here. */
export const STEPS: Partial<Record<HoldReason, SetupStep>> = {
  'held.other_accounts_school': 'hero',
  'held.update_existing_off': 'hero',
  'held.existing_code': 'tardies',
};

export interface ReasonGroup {
  code: HoldReason;
  message: string;
  /** How many rows, also of causes that are not listed. */
  rows: number;
  causes: HeldCauseView[];
}

/** What rows wait for, by reason, most rows first. */
export function byReason(page: Pick<HeldPage, 'by_reason' | 'causes'>): ReasonGroup[] {
  return page.by_reason.map(([code, rows]) => {
    const causes = page.causes.filter((cause) => cause.code === code);
    return { code, message: causes[0]?.message ?? '', rows, causes };
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
