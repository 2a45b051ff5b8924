import { afterEach, beforeEach, expect, test, vi } from 'vitest';

class Media extends EventTarget {
  matches = false;

  change(matches: boolean): void {
    this.matches = matches;
    this.dispatchEvent(new Event('change'));
  }
}

const media = new Media();
const shown = () => ({ ...document.documentElement.dataset });

async function started() {
  vi.resetModules();
  const { appearance } = await import('./theme.svelte');
  appearance.restore();
  return appearance;
}

beforeEach(() => {
  media.matches = false;
  vi.spyOn(window, 'matchMedia').mockReturnValue(media as unknown as MediaQueryList);
});
afterEach(() => void vi.restoreAllMocks());

test('what was chosen is found again at the next start', async () => {
  (await started()).choose('contrast');
  expect(shown()).toEqual({ contrast: 'more' });
  expect((await started()).theme).toBe('contrast');
  expect(shown()).toEqual({ contrast: 'more' });
});

test('what an older or newer version has kept is the system’s', async () => {
  localStorage.setItem('rosterbridge.theme', 'sepia');
  expect((await started()).theme).toBe('system');
  expect(shown()).toEqual({});
});

test('a system that asks for more contrast gets it with every choice, and from then on', async () => {
  const appearance = await started();
  appearance.choose('dark');
  expect(shown()).toEqual({ theme: 'dark' });
  media.change(true);
  expect(shown()).toEqual({ theme: 'dark', contrast: 'more' });
  media.change(false);
  expect(shown()).toEqual({ theme: 'dark' });
});
