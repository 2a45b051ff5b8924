import { expect, test } from 'vitest';
import type { BuildingMapping } from '../bindings/BuildingMapping';
import { mergeBuildings, suggestions } from './buildings';

const mapped: BuildingMapping = { building: 'Juniper ES', school: 110, method: 'daily', enabled: true };

test('buildings that are found get a row once, and known rows stay as they are', () => {
  const rows = mergeBuildings([mapped], {
    buildings: [
      { building: ' juniper  es', suggested_school: 999 },
      { building: 'Harborview HS', suggested_school: 300 },
      { building: 'HARBORVIEW HS', suggested_school: 300 },
    ],
  });
  expect(rows).toEqual([mapped, { building: 'Harborview HS', school: null, method: null, enabled: false }]);
});

test('only rows without a school have a suggestion', () => {
  const choices = {
    buildings: [
      { building: 'Juniper ES', suggested_school: 999 },
      { building: 'Harborview HS', suggested_school: 300 },
      { building: 'District Office', suggested_school: null },
    ],
  };
  expect([...suggestions(mergeBuildings([mapped], choices), choices)]).toEqual([['Harborview HS', 300]]);
  expect(suggestions([mapped], undefined).size).toBe(0);
});
