import { screen } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';

describe('set-up', () => {
  test('a district that exchanges nothing with Hero ends its set-up without a host key', async () => {
    const user = open('scene=practice');
    await user.click(await byId('section-exchanges'));
    for (const job of ['hero-students', 'hero-schedule', 'hero-teachers', 'hero-attendance']) {
      await user.click(await byId(`exchange-${job}`));
    }
    await user.click(await byId('step-schedule'));
    await user.click(await byId('finish-setup'));
    await byId('run-now');
    expect(screen.queryByTestId('host-key-question')).toBeNull();

    // What was chosen is kept, and only that runs.
    await user.click(await byId('open-setup'));
    await user.click(await byId('step-powerschool'));
    await user.click(await byId('section-exchanges'));
    expect((await byId('exchange-hero-students')).getAttribute('aria-checked')).toBe('false');
    expect((await byId('exchange-raptor-roster')).getAttribute('aria-checked')).toBe('true');
  });

  test('a new district is typed in, saved as one goes, and found again', async () => {
    const user = open('scene=new');
    await user.click(await byId('welcome-district'));
    await user.type(await byId('field-url'), 'https://ps.northfield.k12.us');
    await user.type(await byId('field-client-id'), '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10');
    await user.type(await byId('field-client-secret'), 'a1b2c3d4-0000-4000-8000-1234567890ab');
    await user.click(await byId('step-next'));
    await user.click(await byId('step-back'));
    expect(await byId('field-url')).toHaveProperty('value', 'https://ps.northfield.k12.us');
    expect(await byId('field-client-secret-stored')).toBeTruthy();
  });
});
