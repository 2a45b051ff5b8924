import { stepFor, STEP_NAMES, type SetupStep } from '../../text/names';

/** Where in the set-up something is put right. */
export interface Place {
  step: SetupStep;
  /** The id of its panel, where the step has several. */
  panel?: string;
  /** What the button that leads there says. */
  words: string;
}

const PLACES: Record<string, Place> = {
  'raptor.prerequisites': { step: 'buildings', panel: 'prerequisites', words: 'See what is open' },
  'raptor.no_exchange': { step: 'buildings', panel: 'raptor-exchange', words: 'Choose where files are exchanged' },
  'raptor.no_buildings': { step: 'buildings', panel: 'buildings', words: 'Match the buildings' },
};

/** Where a person puts right what a code is about. */
export function placeFor(code: string): Place | undefined {
  const known = PLACES[code];
  if (known !== undefined) return known;
  const step = stepFor(code);
  return step === undefined ? undefined : { step, words: `Go to ${STEP_NAMES[step].title}` };
}
