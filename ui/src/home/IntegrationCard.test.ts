import { waitFor, within } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { byId, open } from '../test-window';

describe('an exchange that failed of its SFTP server', () => {
  test('leads to where files are exchanged, if it is Raptor’s', async () => {
    const user = open('scene=home&own&trouble=raptor');
    const card = await byId('card-raptor');
    expect(card.textContent).toContain('sftp.unreachable');
    await user.click(within(card).getAllByTestId('cause-place')[0] as HTMLElement);
    await byId('raptor-way-sftp');
    await waitFor(() => expect(document.activeElement?.id).toBe('raptor-exchange'));
  });

  test('leads to Hero’s connection, if it is Hero’s', async () => {
    const user = open('scene=home&own&trouble');
    await user.click(within(await byId('card-hero')).getAllByTestId('cause-place')[0] as HTMLElement);
    await byId('field-hero-host');
  });
});
