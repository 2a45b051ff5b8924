import type { Page } from '@playwright/test';

/** Waits until what changes by and by, such as colours, has come to its end. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    // A change of style is drawn, and its transitions begin, with the next frame.
    await frame();
    await frame();
    const finite = () => document.getAnimations().filter(({ effect, playState }) => playState === 'running' && effect?.getComputedTiming().iterations !== Infinity);
    for (let moving = finite(); moving.length > 0; moving = finite()) {
      await Promise.all(moving.map((animation) => animation.finished.catch(() => undefined)));
    }
  });
}
