import type { Screen, Session } from '../session.svelte';
import type { SetupStep } from '../text/names';
import { help } from './help.svelte';

/** The page about each step of the set-up. */
export const STEP_PAGES: Record<SetupStep, string> = {
  powerschool: 'guide/1-plugin-and-credentials',
  buildings: 'guide/2-buildings',
  tardies: 'guide/3-tardy-codes',
  hero: 'guide/4-hero-connection',
  schedule: 'guide/5-schedule-and-notifications',
};

/** The page about each screen; the set-up has one for each step. */
export const SCREEN_PAGES: Record<Exclude<Screen, 'setup'>, string | undefined> = {
  starting: undefined,
  welcome: 'guide/before-you-begin',
  home: 'guide/in-the-background',
  activity: 'guide/where-a-row-went',
  settings: 'guide/where-data-and-secrets-are',
  erased: 'guide/erasing-a-district',
};

/** Opens the help about what is on the screen. */
export function helpHere(session: Session | undefined): void {
  if (session === undefined) help.open();
  else help.open(session.screen === 'setup' ? STEP_PAGES[session.step] : SCREEN_PAGES[session.screen]);
}
