/** Sample answers about the set-up of the integration with Raptor. */

import type { Cause } from '../bindings/Cause';
import type { Choices } from '../bindings/Choices';
import type { MappingChange } from '../bindings/MappingChange';
import type { Mappings } from '../bindings/Mappings';
import type { RaptorConfirmation } from '../bindings/RaptorConfirmation';
import type { Setup } from '../bindings/Setup';

/** The next time the clocks of the window's zone show when it opens. */
function nextOpening({ raptor: { window } }: Setup, now: Date): Date {
  const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: window.zone });
  const minute = 60_000;
  let at = Math.ceil(now.getTime() / minute) * minute;
  for (let tries = 0; tries < 1500 && clock.format(at) !== window.opens; tries += 1) at += minute;
  return new Date(at);
}

export function raptorConfirmation(setup: Setup, known: Choices, students: number | undefined, paused: boolean): RaptorConfirmation {
  const { raptor, mappings, mail } = setup;
  const taking = mappings.buildings.filter((row) => row.enabled && row.school !== null);
  const schools = new Set(taking.map((row) => row.school));
  const obstacles: Cause[] = [];
  if (Object.values(raptor.prerequisites).includes(false)) {
    obstacles.push({
      code: 'raptor.prerequisites',
      message: 'Not everything that comes before the mapping is ticked.',
      remedy: 'Tick what is done, or have it done first.',
    });
  }
  if (taking.length === 0) {
    obstacles.push({
      code: 'raptor.no_buildings',
      message: 'No building takes part.',
      remedy: 'Choose a school for at least one building and switch the building on.',
    });
  }
  const active = mappings.tardy_codes.filter((row) => row.active).length;
  const warnings: string[] = [];
  if (schools.size < taking.length) warnings.push('Several buildings go to one school: each of them gets that school’s students.');
  if (raptor.notify.length === 0 && mail.to.length === 0) warnings.push('Nobody is named who gets a mail when the status changes.');
  else if (mail.host === '') warnings.push('The mail server is not set up: nobody gets a mail when the status changes.');
  if (paused) warnings.push('Scheduled runs are paused: nothing happens by itself before they are resumed.');
  return {
    buildings: taking.length,
    schools: schools.size,
    schools_left_out: known.schools.filter((school) => !schools.has(school.number)).length,
    ...(students === undefined ? {} : { students }),
    ...(raptor.student_tardy ? { tardy_codes: active } : {}),
    notified: raptor.notify.length > 0 ? raptor.notify : mail.to,
    window: raptor.window,
    processed_at: nextOpening(setup, new Date()).toISOString(),
    paused,
    obstacles,
    warnings,
  };
}

/** The names of a text: a line each, or the first column below a header. */
export function namesOf(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.split(/[,\t]/)[0]?.trim().replace(/^"|"$/g, '') ?? '');
  return lines.filter((line, index) => line !== '' && !(index === 0 && /^(building|reason|name)s?$/i.test(line)));
}

/** What a district of many schools has to choose from. */
export function manyChoices(few: Choices, wanted: number): Choices {
  const kinds = ['Elementary School', 'Middle School', 'High School', 'Academy'];
  const trees = ['Alder', 'Birch', 'Chestnut', 'Dogwood', 'Elm', 'Fir', 'Ginkgo', 'Hazel', 'Ivy', 'Juniper', 'Larch', 'Maple'];
  const places = ['Creek', 'Grove', 'Heights', 'Hill', 'Lake', 'Park', 'Ridge', 'Valley'];
  const schools = Array.from({ length: wanted }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? '';
    const tree = trees[Math.floor(index / kinds.length) % trees.length] ?? '';
    const place = places[Math.floor(index / kinds.length / trees.length) % places.length] ?? '';
    const name = `${tree} ${place} ${kind}`;
    const abbreviation = name.replace(/[a-z ]/g, '');
    const method = kind === 'High School' ? ('meeting' as const) : ('daily' as const);
    return { number: 1000 + index, name, abbreviation, method: { method, bridge_period: '', by: 'preferences' as const } };
  });
  return {
    ...few,
    schools,
    buildings: schools.map(({ name, number }, index) => ({
      building: name.replace('Elementary School', 'Elem').replace('Middle School', 'MS').replace('High School', 'HS'),
      suggested_school: index % 9 === 8 ? null : number,
      found_in: index % 25 === 24 ? ('tardy_file' as const) : ('list' as const),
    })),
  };
}

/** What has changed about the mappings of the sample. */
export function mappingChanges({ buildings, tardy_codes }: Mappings): MappingChange[] {
  const [first, second, third] = buildings;
  const [overslept, , , traffic] = tardy_codes;
  return [
    ...(first?.school === undefined || first.school === null
      ? []
      : [{ change: 'school_renamed' as const, building: first.building, school: first.school, from: first.school_name, to: `${first.school_name} of the Arts` }]),
    ...(second?.school === undefined || second.school === null
      ? []
      : [{ change: 'school_gone' as const, building: second.building, school: second.school }]),
    ...(third === undefined ? [] : [{ change: 'building_gone' as const, building: third.building }]),
    ...(overslept === undefined ? [] : [{ change: 'code_gone' as const, reason: overslept.reason, code: overslept.code }]),
    ...(traffic === undefined ? [] : [{ change: 'reason_gone' as const, reason: traffic.reason }]),
  ];
}
