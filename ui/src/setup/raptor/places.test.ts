import { expect, test } from 'vitest';
import { placeFor, settingsFor } from './places';

test.each([
  ['raptor.prerequisites', 'buildings', 'prerequisites'],
  ['raptor.no_exchange', 'buildings', 'raptor-exchange'],
  ['raptor.no_buildings', 'buildings', 'buildings'],
  ['raptor.folder_unusable', 'buildings', 'raptor-exchange'],
  ['sftp.unreachable', 'buildings', 'raptor-exchange'],
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

test.each([
  ['raptor', 'buildings'],
  ['hero', 'hero'],
  [undefined, 'hero'],
] as const)('the SFTP server of %s is set up in the step %s', (integration, step) => {
  expect(settingsFor('sftp.host_key_changed', integration)?.step).toBe(step);
  expect(settingsFor('powerschool.version', integration)?.step).toBe('powerschool');
});
