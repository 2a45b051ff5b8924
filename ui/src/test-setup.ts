import { configure } from '@testing-library/svelte';
import { beforeEach, vi } from 'vitest';

// A busy machine may be slow; what is awaited comes or the test fails.
configure({ asyncUtilTimeout: 10_000 });

// What the headless components ask of a browser that the test document does not have.
vi.stubGlobal(
  'ResizeObserver',
  class {
    observe() {}
    unobserve() {}
    disconnect() {}
  },
);

beforeEach(() => {
  // A Wednesday's noon in term: what the sample data say of yesterday and of this morning holds at any hour.
  vi.setSystemTime(new Date(2026, 10, 18, 12));
  // No test finds what another one has kept.
  localStorage.clear();
});
