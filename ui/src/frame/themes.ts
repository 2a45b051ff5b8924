import { say } from '../text/say';
import type { Theme } from '../theme.svelte';

/** What a person can choose, by its name in front of them. */
export const THEMES: readonly { theme: Theme; name: string }[] = [
  { theme: 'system', name: say('As the system') },
  { theme: 'light', name: say('Light') },
  { theme: 'dark', name: say('Dark') },
  { theme: 'contrast', name: say('High contrast') },
];
