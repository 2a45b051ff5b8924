import { createContext } from 'svelte';
import type { SetupStep } from '../text/names';

/** What the frame of the set-up does for the steps inside it. */
export interface Steps {
  /** Saves the step that is shown and turns to another one; there to a place, by its id. */
  go(step: SetupStep, place?: string): Promise<void>;
}

export const [steps, provideSteps] = createContext<Steps>();
