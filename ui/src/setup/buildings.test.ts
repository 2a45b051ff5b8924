import { describe, expect, test } from 'vitest';
import type { BuildingMapping } from '../bindings/BuildingMapping';
import type { MappingChange } from '../bindings/MappingChange';
import type { SchoolChoice } from '../bindings/SchoolChoice';
import { isShown, leftOut, mergeBuildings, newNames, openChanges, search, sharing, suggestions, unmapped, withNames, withSchool } from './buildings';

const mapped: BuildingMapping = {
  ...unmapped('Juniper ES'),
  school: 110,
  school_name: 'Juniper Elementary School',
  method: 'both',
  bridge_period: 'HR',
  enabled: true,
};
const schools: SchoolChoice[] = [
  { number: 110, name: 'Juniper Elementary School', abbreviation: 'JES' },
  { number: 300, name: 'Harborview High School', abbreviation: 'HHS' },
];

test('buildings that are found get a row once, and known rows stay as they are', () => {
  const rows = mergeBuildings([mapped], {
    buildings: [{ building: ' juniper  es' }, { building: 'Harborview HS' }, { building: 'HARBORVIEW HS' }],
  });
  expect(rows).toEqual([mapped, unmapped('Harborview HS')]);
});

test('a school that was mapped before names were kept gets its name, and no other row changes', () => {
  const before = { ...mapped, school_name: '' };
  const renamed = { ...mapped, building: 'B', school_name: 'Juniper' };
  const gone = { ...before, building: 'C', school: 999 };
  expect(withNames([before, renamed, gone, unmapped('D')], schools)).toEqual([mapped, renamed, gone, unmapped('D')]);
});

test('of names that are read only the new ones are added, each once', () => {
  expect(newNames([' Juniper ES', 'Annex ', 'annex', '', '  '], ['juniper es'])).toEqual(['Annex']);
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

test('a chosen school is kept with its name, and how another one records is asked again', () => {
  expect(withSchool(unmapped('Annex'), 300, 'Harborview High School')).toEqual({
    ...unmapped('Annex'),
    school: 300,
    school_name: 'Harborview High School',
    enabled: true,
  });
  expect(withSchool(mapped, 300, 'Harborview High School')).toMatchObject({ school: 300, method: null, bridge_period: '' });
  const renamed = withSchool({ ...mapped, enabled: false }, 110, 'Juniper Academy');
  expect(renamed).toEqual({ ...mapped, enabled: false, school_name: 'Juniper Academy' });
});

test('buildings that share a school are told of each other', () => {
  const annex = { ...mapped, building: 'Juniper Annex' };
  const shared = sharing([mapped, annex, unmapped('A'), unmapped('B')]);
  expect([...shared]).toEqual([
    ['Juniper ES', ['Juniper Annex']],
    ['Juniper Annex', ['Juniper ES']],
  ]);
});

test('schools without a building are left out', () => {
  expect(leftOut(schools, [mapped, unmapped('A')]).map((school) => school.number)).toEqual([300]);
});

test.each([
  ['', 2],
  ['juniper', 1],
  ['ES  jun', 1],
  ['elementary school', 1],
  ['110', 1],
  ['jes', 1],
  ['office', 1],
  ['300', 0],
])('%j finds %i rows', (words, found) => {
  expect(search([mapped, unmapped('District Office')], words, schools)).toHaveLength(found);
});

test('a school that is gone is still found by the name it was chosen with', () => {
  expect(search([{ ...mapped, school: 999 }], 'juniper elementary', schools)).toHaveLength(1);
});

test.each([
  [unmapped('A'), ['all', 'no_school', 'off']],
  [mapped, ['all']],
  [{ ...mapped, method: null }, ['all', 'no_method']],
  [{ ...mapped, method: null, enabled: false }, ['all', 'off']],
] as const)('row %# is among its choices alone', (row, choices) => {
  const all = ['all', 'no_school', 'no_method', 'off'] as const;
  expect(all.filter((showing) => isShown(row, showing))).toEqual(choices);
});

describe('a change', () => {
  const renamed: MappingChange = {
    change: 'school_renamed',
    building: 'Juniper ES',
    school: 110,
    from: 'Juniper Elementary School',
    to: 'Juniper Academy',
  };
  const gone: MappingChange = { change: 'school_gone', building: 'Juniper ES', school: 110 };
  const left: MappingChange = { change: 'building_gone', building: 'Juniper ES' };
  const code: MappingChange = { change: 'code_gone', reason: 'Overslept', code: 'T' };

  test.each([
    [renamed, { ...mapped, school_name: 'Juniper Academy' }],
    [renamed, { ...mapped, school: 300 }],
    [gone, { ...mapped, school: null }],
    [left, { ...mapped, enabled: false }],
    [left, { ...mapped, building: 'Another' }],
  ])('%# is told until it is answered', (change, answered) => {
    expect(openChanges([change], [mapped])).toEqual([change]);
    expect(openChanges([change], [answered])).toEqual([]);
  });

  test('of the tardy codes is not told here', () => {
    expect(openChanges([code], [mapped])).toEqual([]);
  });
});
