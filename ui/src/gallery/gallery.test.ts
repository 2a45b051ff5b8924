import { render, screen } from '@testing-library/svelte';
import { expect, test } from 'vitest';
import Gallery from './Gallery.svelte';

test('every part is in the gallery', () => {
  render(Gallery);
  const parts = Object.keys(import.meta.glob('../parts/*.svelte')).map((path) => path.replace(/^.*\/|\.svelte$/g, ''));
  const shown = screen.getAllByRole('region').map((region) => region.dataset.part);
  expect(parts.length).toBeGreaterThan(20);
  expect(parts.filter((part) => !shown.includes(part))).toEqual([]);
});
