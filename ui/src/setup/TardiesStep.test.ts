import { screen, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';
import { buildings, checked, map } from './test-buildings';

describe('mapping the reasons', () => {
  test('a tardy code is edited and deleted', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-tardies'));
    const row = await byId('tardy-row-0');
    await user.click(within(row).getByLabelText('Edit Overslept'));
    await user.click(within(await byId('tardy-row-0')).getByRole('checkbox'));
    await user.click(await byId('tardy-update'));
    expect((await byId('tardy-row-0')).textContent).toContain('Inactive');
    await user.click(within(await byId('tardy-row-3')).getByLabelText('Delete Traffic'));
    expect(screen.queryByTestId('tardy-row-3')).toBeNull();
  });

  test('without Student Tardy there is no table, and it can be submitted', async () => {
    const user = await buildings();
    await map(user);
    await user.click(await byId('raptor-enabled-yes'));
    await user.click(await byId('step-tardies'));
    expect(await checked('student-tardy-no')).toBe('true');
    expect(screen.queryByTestId('tardy-new')).toBeNull();
    await user.click(await byId('student-tardy-yes'));
    await byId('tardy-new');
    await user.click(await byId('student-tardy-no'));
    await user.click(await byId('raptor-submit'));
    expect((await byId('confirmation')).textContent).toContain('Not taken in');
  });

  test('a reason is mapped once', async () => {
    const user = await buildings();
    await user.click(await byId('step-tardies'));
    await user.click(await byId('student-tardy-yes'));
    await user.click(await screen.findByText('Car trouble'));
    expect(await byId('tardy-reason')).toHaveProperty('value', 'Car trouble');
    await user.click(await byId('tardy-update'));
    expect(screen.getByText(/Choose both/)).toBeTruthy();
    await user.type(await byId('tardy-code'), 'TX');
    await user.click(await screen.findByRole('option', { name: /TX/ }));
    await user.click(await byId('tardy-update'));
    expect((await byId('tardy-missing-0')).textContent).toContain('Apple Grove Elementary School and Juniper Elementary School');
    await user.click(await byId('tardy-new'));
    await user.type(await byId('tardy-reason'), 'car  TROUBLE{Tab}');
    await user.type(await byId('tardy-code'), 'TE');
    await user.click(await screen.findByRole('option', { name: /TE/ }));
    await user.click(await byId('tardy-update'));
    expect(screen.getByText(/already has a row/)).toBeTruthy();
    await user.click(await byId('before-first-bell-hold'));
    // A row that can't stand keeps the step.
    await user.click(await byId('step-buildings'));
    await user.click(screen.getByText('Cancel'));
    await user.click(await byId('step-buildings'));
    await user.click(await byId('step-tardies'));
    expect(await byId('before-first-bell-hold')).toHaveProperty('checked', true);
    expect((await byId('tardy-row-0')).textContent).toContain('Car trouble');
  });
});
