import { screen, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';

describe('connecting Hero', () => {
  test('a changed host key stops everything and offers no way past it', async () => {
    const user = open('scene=practice&changed-key');
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-hero'));
    await user.click(await byId('test-hero'));
    const stop = await byId('host-key-changed');
    expect(within(stop).queryAllByRole('button')).toEqual([]);
    expect(stop.textContent?.match(/SHA256:/g)).toHaveLength(2);
    expect(screen.queryByTestId('accept-host-key')).toBeNull();
  });

  test('two different passwords keep the step', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.click(await byId('step-hero'));
    await user.type(await byId('field-hero-password'), 'correct horse');
    await user.type(await byId('field-hero-confirm'), 'correct hose');
    await user.click(await byId('step-back'));
    expect(screen.getByText('The two passwords differ.')).toBeTruthy();
    expect(await byId('field-hero-password')).toBeTruthy();
  });
});
