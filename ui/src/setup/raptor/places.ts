import { stepFor, STEP_NAMES, type Integration, type SetupStep } from '../../text/names';

/** Where in the set-up something is put right. */
export interface Place {
  step: SetupStep;
  /** The id of its panel, where the step has several. */
  panel?: string;
  /** What the button that leads there says. */
  words: string;
}

const EXCHANGE: Place = { step: 'buildings', panel: 'raptor-exchange', words: 'Check where files are exchanged' };

const PLACES: Record<string, Place> = {
  'raptor.prerequisites': { step: 'buildings', panel: 'prerequisites', words: 'See what is open' },
  'raptor.no_exchange': { step: 'buildings', panel: 'raptor-exchange', words: 'Choose where files are exchanged' },
  'raptor.folder_unusable': EXCHANGE,
  'raptor.no_buildings': { step: 'buildings', panel: 'buildings', words: 'Match the buildings' },
};

/** Where a person puts right what a code of Raptor's exchanges, or of what they need, is about. */
export function placeFor(code: string): Place | undefined {
  const known = PLACES[code];
  if (known !== undefined) return known;
  // Hero's server is not the only one that is reached over SFTP.
  if (code.startsWith('sftp.')) return EXCHANGE;
  const step = stepFor(code);
  return step === undefined ? undefined : { step, words: `Go to ${STEP_NAMES[step].title}` };
}

/** Where a person puts right what an integration's exchange failed of. */
export function settingsFor(code: string, integration: Integration | undefined): Pick<Place, 'step' | 'panel'> | undefined {
  if (integration === 'raptor') return placeFor(code);
  const step = stepFor(code);
  return step === undefined ? undefined : { step };
}
