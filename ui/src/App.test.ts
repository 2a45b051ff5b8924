import { screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from './test-window';

describe('from Welcome to a finished run', () => {
  test('on the practice district', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-practice'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://127.0.0.1:43017');
    expect(await byId('field-client-secret-stored')).toBeTruthy();

    await user.click(await byId('test-powerschool'));
    await waitFor(async () => expect((await byId('powerschool-stages')).dataset.passed).toBe('true'));
    await user.click(await byId('step-next'));
    await byId('building-row-0');
    await user.click(await byId('step-next'));
    await byId('tardy-row-0');
    await user.click(await byId('step-next'));

    await user.click(await byId('test-hero'));
    expect((await byId('host-key-sha256')).textContent).toContain('SHA256:');
    await user.click(await byId('accept-host-key'));
    await waitFor(async () => expect((await byId('hero-stages')).dataset.passed).toBe('true'));
    await user.click(await byId('step-next'));
    await byId('schedule-hero-students');
    await user.click(await byId('finish-setup'));

    await user.click(await byId('run-now'));
    expect((await byId('run-outcome')).dataset.outcome).toBe('succeeded_with_held_rows');
    expect((await byId('job-hero-students-written')).dataset.value).toBe('586');
    expect((await byId('held-count')).textContent).toBe('6');
  });

  test('the host key is asked for when it was never accepted, and set-up does not end on a refusal', async () => {
    const user = open('scene=practice');
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    const question = await byId('host-key-question');
    await user.click(within(question).getByText('Cancel'));
    expect(screen.queryByTestId('run-now')).toBeNull();
  });
});
