import { expect, test } from 'vitest';
import { placeFor } from './places';

test.each([
  ['raptor.prerequisites', 'buildings', 'prerequisites'],
  ['raptor.no_exchange', 'buildings', 'raptor-exchange'],
  ['raptor.no_buildings', 'buildings', 'buildings'],
  ['raptor.another', 'buildings', undefined],
  ['mail.refused', 'schedule', undefined],
  ['powerschool.version', 'powerschool', undefined],
])('%s is put right in the step %s', (code, step, panel) => {
  expect(placeFor(code)).toMatchObject({ step });
  expect(placeFor(code)?.panel).toBe(panel);
});

test('what no step is about leads nowhere', () => {
  expect(placeFor('store.busy')).toBeUndefined();
});
