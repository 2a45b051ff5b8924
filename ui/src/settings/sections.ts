/** What the settings are divided into, and what is set now, in one line each. */

import type { Setup } from '../bindings/Setup';
import { THEMES } from '../frame/themes';
import { LANGUAGES, chosenLanguage, systemLanguage } from '../languages/language';
import type { Session } from '../session.svelte';
import { plural, say } from '../text/say';
import { upcoming } from '../text/schedule';
import type { Theme } from '../theme.svelte';
import { percentWords } from './limits';

export const SECTIONS = [
  { id: 'connections', title: say('Connections'), group: 'district' },
  { id: 'mappings', title: say('Mappings'), group: 'district' },
  { id: 'schedules', title: say('Schedules'), group: 'district' },
  { id: 'notifications', title: say('Notifications'), group: 'district' },
  { id: 'network', title: say('Certificates and proxy'), group: 'district' },
  { id: 'limits', title: say('Limits and history'), group: 'district' },
  { id: 'appearance', title: say('Language and appearance'), group: 'computer' },
  { id: 'start', title: say('Start and close'), group: 'computer' },
  { id: 'updates', title: say('Updates'), group: 'computer' },
  { id: 'about', title: say('About RosterBridge'), group: 'computer' },
  { id: 'backups', title: say('Backups'), group: 'data' },
  { id: 'support', title: say('Support bundle'), group: 'data' },
  { id: 'districts', title: say('Districts'), group: 'data' },
  { id: 'erase', title: say('Erase this district'), group: 'data' },
] as const;

export type SectionId = (typeof SECTIONS)[number]['id'];

/** The groups in their order, each with its sections. */
export const GROUPS = (
  [
    { group: 'district', title: say('This district') },
    { group: 'computer', title: say('This computer') },
    { group: 'data', title: say('Data') },
  ] as const
).map(({ group, title }) => ({ group, title, sections: SECTIONS.filter((section) => section.group === group) }));

/** The section of that name; the first one where there is none. */
export function sectionOf(id: string | undefined): SectionId {
  return SECTIONS.find((section) => section.id === id)?.id ?? 'connections';
}

/** What is set now, for a glance. */
export function summaryOf(id: SectionId, session: Session, theme: Theme, now: Date): string {
  const setup = session.setup?.setup;
  switch (id) {
    case 'connections':
      return session.status?.server || say('PowerSchool and file servers');
    case 'mappings':
      return setup === undefined ? '' : mappingWords(setup);
    case 'schedules':
      return scheduleWords(session, now);
    case 'notifications':
      return setup === undefined ? '' : mailWords(setup);
    case 'network':
      return setup === undefined ? '' : networkWords(setup);
    case 'limits':
      return setup === undefined ? '' : say(`Losses over ${percentWords(setup.guard.percent)} are stopped`);
    case 'appearance':
      return `${themeName(theme)} · ${languageName()}`;
    case 'start':
      return say('At sign-in, and beside the clock');
    case 'updates':
      return say(`Version ${session.environment?.version ?? ''}`);
    case 'about':
      return say('Version and licences');
    case 'backups':
      return say('Make, restore, recovery file');
    case 'support':
      return say('For somebody who helps you');
    case 'districts':
      return session.status?.profile ?? '';
    case 'erase':
      return say('From this computer');
  }
}

function languageName(): string {
  const spoken = chosenLanguage() ?? systemLanguage();
  return LANGUAGES.find(({ language }) => language === spoken)?.name ?? '';
}

function themeName(theme: Theme): string {
  return THEMES.find((choice) => choice.theme === theme)?.name ?? '';
}

export function mappingWords({ mappings, raptor }: Setup): string {
  if (!raptor.enabled) return say('Raptor is off');
  const buildings = mappings.buildings.filter(({ enabled }) => enabled).length;
  const codes = mappings.tardy_codes.filter(({ active }) => active).length;
  return raptor.student_tardy
    ? say(`${plural(buildings, ['# building', '# buildings'])}, ${plural(codes, ['# tardy code', '# tardy codes'])}`)
    : say(`${plural(buildings, ['# building', '# buildings'])}, no tardies`);
}

export function scheduleWords({ status }: Session, now: Date): string {
  if (status === undefined) return '';
  const next = status.jobs
    .flatMap(({ next_at }) => next_at ?? [])
    .sort((a, b) => new Date(a).getTime() - new Date(b).getTime())
    .at(0);
  if (status.paused) return say('Paused');
  return next === undefined ? say('Nothing is planned') : say(`Next ${upcoming(next, now)}`);
}

export function mailWords({ mail }: Setup): string {
  return mail.host === '' ? say('No mail') : plural(mail.to.length, ['Mail to # address', 'Mail to # addresses']);
}

export function networkWords({ powerschool }: Setup): string {
  const { extra_roots, proxy } = powerschool;
  const way = { system: say('System’s proxy'), none: say('No proxy'), explicit: say('A proxy of its own') }[proxy.mode];
  return extra_roots.length === 0 ? way : say(`${way}, ${plural(extra_roots.length, ['# certificate', '# certificates'])}`);
}
