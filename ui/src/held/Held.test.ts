import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import type { HeldCauseView } from '../bindings/HeldCauseView';
import { emptySetup } from '../backend/fixture-data';
import { byId, open, type User } from '../test-window';
import { byReason, isForAll, withBuilding, withReason } from './held';

/** The held rows, and what rows of this wait for. */
async function held(query = ''): Promise<User> {
  const user = open(`scene=home${query}`);
  await user.click(await byId('show-held'));
  await byId('held-rows');
  return user;
}

async function cause(detail: string) {
  const all = await screen.findAllByTestId('held-cause');
  const found = all.find((one) => one.dataset.detail === detail);
  if (found === undefined) throw new Error(`nothing waits for ${detail}`);
  return within(found);
}

const waitsFor = () => screen.queryAllByTestId('held-cause').map((one) => one.dataset.detail);

describe('held rows', () => {
  test('are told by what they wait for', async () => {
    await held();
    expect((await cause('Car trouble')).getByText('Raptor · 2 rows')).toBeTruthy();
    expect(screen.getAllByText(/no active row in the tardy code table/)).toHaveLength(1);
    expect(waitsFor()).toHaveLength(5);
  });

  test('a tardy code is mapped where its rows wait, and the run writes them all', async () => {
    const user = await held();
    const trouble = await cause('Car trouble');
    await user.click(trouble.getByTestId('held-map'));
    await user.click(await trouble.findByTestId('held-map-to'));
    await user.click(within(await screen.findByRole('listbox')).getAllByRole('option')[0] as HTMLElement);
    await user.click(trouble.getByTestId('held-map-save'));
    await waitFor(() => expect(screen.getByTestId('held-said').textContent).toContain('Saved in the set-up'));
    expect(waitsFor()).toContain('Car trouble');
    await user.click(await byId('held-run'));
    await waitFor(() => expect(screen.getByTestId('held-said').textContent).toBe('2 rows are held no more. 4 rows are still held.'));
    expect(waitsFor()).not.toContain('Car trouble');
  });

  test('a student is found by the beginning of the names and picked, and that is taken back', async () => {
    const user = await held();
    const unknown = await cause('99120');
    await user.type(await unknown.findByTestId('student-text'), 'abb ju{Enter}');
    const pick = await unknown.findByTestId('student-pick');
    expect(pick.textContent).toContain('Abbott, June Rose');
    await user.click(pick);
    const fixed = await unknown.findByTestId('held-fixed');
    expect(fixed.textContent).toContain('student 10204, Abbott, June Rose');
    await user.click(unknown.getByTestId('held-take-back'));
    await waitFor(() => expect(unknown.queryByTestId('held-fixed')).toBeNull());
    expect(unknown.getByTestId('held-retry')).toBeTruthy();
  });

  test.each([
    ['TX', 'T', 'code T'],
    ['course BIO9 section 3', 'Period 2: Algebra 1, MATH101.2', 'Period 2, Algebra 1, MATH101.2'],
  ])('of the row that waits for %s the choices are its own', async (detail, option, words) => {
    const user = await held();
    const waiting = await cause(detail);
    await user.click(await waiting.findByTestId('held-pick'));
    await user.click(await waiting.findByTestId('held-pick-from'));
    const options = await screen.findAllByRole('option');
    await user.click(options.find((one) => one.textContent.includes(option)) as HTMLElement);
    await user.click(waiting.getByTestId('held-pick-it'));
    expect((await waiting.findByTestId('held-fixed')).textContent).toContain(words);
    await user.click(await byId('held-run'));
    await waitFor(() => expect(waitsFor()).not.toContain(detail));
  });

  test('a row is discarded only once that is confirmed', async () => {
    const user = await held();
    const standing = await cause('PowerSchool has E, the row says T');
    await user.click(await standing.findByTestId('held-discard'));
    await user.click(await screen.findByRole('button', { name: 'Keep' }));
    expect(waitsFor()).toContain('PowerSchool has E, the row says T');
    await user.click(await standing.findByTestId('held-discard'));
    await user.click(await byId('held-discard-confirm'));
    await waitFor(() => expect(waitsFor()).not.toContain('PowerSchool has E, the row says T'));
    expect(screen.getByTestId('held-said').textContent).toContain('never be written');
  });

  test('of many rows a page is shown at once', async () => {
    const user = await held('&held=many');
    const rain = await cause('Rain');
    await user.click(rain.getByTestId('held-show'));
    await waitFor(() => expect(rain.getAllByTestId('held-row')).toHaveLength(50));
    await user.click(rain.getByRole('button', { name: /Show more/ }));
    await waitFor(() => expect(rain.getAllByTestId('held-row')).toHaveLength(100));
  });

  test('a decision about more rows than are listed or read at once is about all of them', async () => {
    const user = await held('&held=unknown');
    const unknown = await cause('99120');
    await user.click(unknown.getByTestId('held-show'));
    await waitFor(() => expect(unknown.getAllByTestId('held-row')).toHaveLength(50));
    await user.type(await unknown.findByTestId('student-text'), 'abb ju{Enter}');
    await user.click(await unknown.findByTestId('student-pick'));
    await waitFor(() => expect(screen.getByTestId('held-said').textContent).toContain('These 621 rows will be decided so'));
    // None is left to decide about, also none that is not listed.
    await waitFor(() => expect(unknown.queryByTestId('student-text')).toBeNull());
    expect(unknown.getAllByTestId('held-fixed')).toHaveLength(50);
    await user.click(unknown.getAllByTestId('held-take-back')[0] as HTMLElement);
    expect(await unknown.findByTestId('student-text')).toBeTruthy();
  });

  test('are exported as a file', async () => {
    const user = await held();
    await user.click(await byId('held-export'));
    expect((await byId('rows-written')).textContent).toMatch(/^1 row, .*held-rows\.csv/);
  });

  test('what could not be read is asked for again', async () => {
    await held('&fail=held');
    expect(await screen.findByText('The held rows could not be read')).toBeTruthy();
  });
});

test('a reason tells all its rows, also those of causes that are not listed', () => {
  const cause: HeldCauseView = { source: 'hero', code: 'held.unknown_code', message: 'No such code.', remedy: 'pick_code', detail: 'TX', rows: 2 };
  const groups = byReason({ by_reason: [['held.unknown_code', 7], ['held.too_old', 1]], causes: [cause] });
  expect(groups.map(({ code, rows, causes }) => [code, rows, causes.length])).toEqual([
    ['held.unknown_code', 7, 1],
    ['held.too_old', 1, 0],
  ]);
});

test('a mapping changes the row it is about and no other', () => {
  const row = { building: 'North', school: 100, school_name: 'North School', method: null, bridge_period: '', between_classes: 'hold' as const, enabled: false };
  const setup = emptySetup();
  setup.mappings = { ...setup.mappings, buildings: [row, { ...row, building: 'South' }], tardy_codes: [{ reason: 'Rain', code: 'A', active: false }] };
  const enabled = withBuilding(setup, ' north ', (one) => ({ ...one, enabled: true })).mappings.buildings;
  expect(enabled.map(({ building, enabled: on }) => [building, on])).toEqual([['North', true], ['South', false]]);
  expect(withBuilding(setup, 'West', (one) => one).mappings.buildings.map(({ building }) => building)).toEqual(['North', 'South', 'West']);
  expect(withReason(setup, 'rain', 'T').mappings.tardy_codes).toEqual([{ reason: 'rain', code: 'T', active: true }]);
});

test.each([
  ['pick_student', 'held.unknown_student', true],
  // Rows of one cause, each of another student.
  ['pick_student', 'held.student_not_in_school', false],
  ['pick_student', 'held.ambiguous_student', false],
  ['map_reason', 'held.reason_not_mapped', true],
  ['map_building', 'held.building_not_mapped', true],
  ['source_file', 'held.unknown_code', false],
  ['pick_code', 'held.unknown_code', false],
] as const)('%s of %s for all rows at once: %s', (remedy, code, forAll) => {
  expect(isForAll({ remedy, code })).toBe(forAll);
});

