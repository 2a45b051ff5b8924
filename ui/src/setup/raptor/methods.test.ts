import { expect, test } from 'vitest';
import type { SchoolChoice } from '../../bindings/SchoolChoice';
import { unmapped } from '../buildings';
import { openPresets, withMethod } from './methods';

const preset = { method: 'both' as const, bridge_period: 'HR', by: 'preferences' as const };
const schools: SchoolChoice[] = [
  { number: 1, name: 'One', abbreviation: '', method: preset },
  { number: 2, name: 'Two', abbreviation: '' },
];

test('only active buildings with a school and without a method have a preset to confirm', () => {
  const open = { ...unmapped('Open'), school: 1, enabled: true };
  const rows = [
    open,
    { ...open, building: 'Off', enabled: false },
    { ...open, building: 'Confirmed', method: 'daily' as const },
    { ...open, building: 'Nothing known', school: 2 },
    unmapped('No school'),
  ];
  expect([...openPresets(rows, schools)]).toEqual([['Open', preset]]);
});

test.each([
  ['both', '', 'HR'],
  ['both', 'P9', 'P9'],
  ['daily', 'P9', ''],
  ['meeting', '', ''],
] as const)('with %s, a bridge period typed as %j is %j', (method, typed, kept) => {
  expect(withMethod({ ...unmapped('A'), bridge_period: typed }, method, preset)).toMatchObject({ method, bridge_period: kept });
});
