import { describe, expect, test } from 'vitest';
import type { RosterSettings } from '../../bindings/RosterSettings';
import { fieldsLeft, freeName, layoutInUse, nameFault, usualColumn, usualLayout, withChanges, withName, withNew, withoutInUse } from './layouts';

const none: RosterSettings = { content: 'full', layout: '', layouts: [] };
const one = withNew(none, ' Short ');

test('a new layout is made from the one in use and is in use then', () => {
  expect(one.layout).toBe('Short');
  expect(layoutInUse(one)).toEqual({ ...usualLayout(), name: 'Short' });
  const tabbed = withChanges(one, { delimiter: 'tab' });
  expect(layoutInUse(withNew(tabbed, 'Other'))).toEqual({ ...usualLayout(), name: 'Other', delimiter: 'tab' });
});

test('a copy shares nothing with what it was made from', () => {
  const two = withNew(one, 'Other');
  const changed = withChanges(two, { columns: [usualColumn('id_number')] });
  expect(changed.layouts.find(({ name }) => name === 'Short')?.columns).toHaveLength(11);
  expect(layoutInUse(changed)?.columns).toHaveLength(1);
});

test('where the layout in use is deleted, the usual one is', () => {
  expect(withoutInUse(withNew(one, 'Other'))).toEqual({ ...one, layout: '' });
});

test('a renamed layout stays in use', () => {
  const renamed = withName(withNew(one, 'Other'), ' Third ');
  expect(renamed.layouts.map(({ name }) => name)).toEqual(['Short', 'Third']);
  expect(layoutInUse(renamed)?.name).toBe('Third');
});

test.each([
  ['', undefined, 'A layout needs a name.'],
  ['   ', 'Short', 'A layout needs a name.'],
  ['short', undefined, 'Another layout has this name.'],
  ['SHORT', 'Short', undefined],
  ['Short', 'Short', undefined],
  ['Long', undefined, undefined],
])('the name %j', (name, own, fault) => {
  expect(nameFault(one, name, own)).toBe(fault);
});

test('a free name is nobody’s', () => {
  expect(freeName(none)).toBe('Own layout');
  expect(freeName(withNew(none, 'own layout'))).toBe('Own layout 2');
});

describe('columns', () => {
  const columns = (['building', 'id_number', 'status'] as const).map(usualColumn);

  test('what is left to add', () => {
    expect(fieldsLeft({ ...usualLayout(), columns })).not.toContain('status');
    expect(fieldsLeft({ ...usualLayout(), columns })).toHaveLength(8);
    expect(fieldsLeft(usualLayout())).toEqual([]);
  });
});
