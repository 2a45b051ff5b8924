/** Where a person puts right what a code is about. */

import type { Page } from '../session.svelte';
import { SETUP_STEPS, STEP_NAMES, type Integration, type SetupStep } from '../text/names';
import { say } from '../text/say';
import { isCode, type Code, type Family } from './titles';

/** A place in the set-up. */
export interface Place {
  step: SetupStep;
  /** The id of its panel, where the step has several. */
  panel?: string;
  /** What the button that leads there says. */
  words: string;
}

/** A page of the main navigation. */
export interface Turn {
  page: Page;
  section?: string;
  words: string;
}

const step = (name: SetupStep): Place => ({ step: name, words: say(`Go to step ${SETUP_STEPS.indexOf(name) + 1}: ${STEP_NAMES[name].title}`) });
const HERO_CONNECTION: Place = { step: 'hero', words: say('Open the connection') };
const RAPTOR_EXCHANGE: Place = { step: 'buildings', panel: 'raptor-exchange', words: say('Check where files are exchanged') };
const TARDIES = step('tardies');
const ON_HOME: Turn = { page: 'home', words: say('Look at Home') };
const BACKUPS: Turn = { page: 'settings', section: 'backups', words: say('Open the backups') };

/** By what a code begins with. */
const FAMILIES: Partial<Record<Family, Place>> = {
  powerschool: step('powerschool'),
  plugin: step('powerschool'),
  hero: step('hero'),
  sftp: HERO_CONNECTION,
  connection: HERO_CONNECTION,
  raptor: step('buildings'),
  mapping: step('buildings'),
  mail: step('schedule'),
};

/** Where a code's place is another one. */
const CODES: Partial<Record<Code, Place>> = {
  'raptor.prerequisites': { step: 'buildings', panel: 'prerequisites', words: say('See what is open') },
  'raptor.no_exchange': { step: 'buildings', panel: 'raptor-exchange', words: say('Choose where files are exchanged') },
  'raptor.folder_unusable': RAPTOR_EXCHANGE,
  'raptor.no_buildings': { step: 'buildings', panel: 'buildings', words: say('Match the buildings') },
  'raptor.layout': { step: 'buildings', panel: 'roster', words: say('Open the roster’s layout') },
  'mapping.reason_twice': TARDIES,
  'mapping.blank_code': TARDIES,
  'mapping.unknown_code': TARDIES,
  'held.building_not_mapped': { step: 'buildings', panel: 'buildings', words: say('Match the buildings') },
  'held.building_disabled': { step: 'buildings', panel: 'buildings', words: say('Open the buildings') },
  'held.method_not_set': { step: 'buildings', panel: 'buildings', words: say('Open the buildings') },
  'held.reason_not_mapped': TARDIES,
  'held.update_existing_off': step('hero'),
  'setup.switched_off': step('buildings'),
};

/** What is looked at or put right outside the set-up. */
const TURNS: Partial<Record<Code, Turn>> = {
  'guard.large_change': ON_HOME,
  'guard.unknown': ON_HOME,
  'run.busy': ON_HOME,
  'sync.held_rows': ON_HOME,
  'session.holder_ended': ON_HOME,
  'store.damaged': BACKUPS,
  'store.restored': BACKUPS,
  'store.corrupt': BACKUPS,
  'store.no_backup': BACKUPS,
};

/** What is to be reported when it stays: its details can be copied. */
const REPORTED: ReadonlySet<Code> = new Set<Code>([
  'powerschool.unexpected_answer',
  'run.ended_unexpectedly',
  'run.not_as_planned',
  'session.unexpected_answer',
  'sftp.library',
  'sftp.not_as_planned',
  'sftp.server_refused',
  'store.refused',
  'window.save_content',
  'window.unexpected',
]);

/** What a code begins with. */
export function familyOf(code: string): string {
  return code.split('.', 1)[0] ?? code;
}

/** The place in the set-up a code is about, if there is one; of an exchange's failure, whose it was. */
export function placeFor(code: string, integration?: Integration): Place | undefined {
  const own = isCode(code) ? CODES[code] : undefined;
  if (own !== undefined) return own;
  const family = familyOf(code);
  // Hero's server is not the only one that is reached over SFTP.
  if (family === 'sftp' && integration === 'raptor') return RAPTOR_EXCHANGE;
  return Object.hasOwn(FAMILIES, family) ? FAMILIES[family as Family] : undefined;
}

/** The page a code is about, if it is about one. */
export function turnFor(code: string): Turn | undefined {
  return isCode(code) ? TURNS[code] : undefined;
}

/** Whether a code tells of something that should not happen. */
export function isReported(code: string): boolean {
  return isCode(code) && REPORTED.has(code);
}
