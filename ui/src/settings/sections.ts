/** What the settings are divided into, and what is set now, in one line each. */

import type { Setup } from '../bindings/Setup';
import type { Session } from '../session.svelte';
import { counted } from '../text/format';
import { upcoming } from '../text/schedule';
import { THEMES, type Theme } from '../theme.svelte';

export const SECTIONS = [
  { id: 'connections', title: 'Connections', group: 'This district' },
  { id: 'mappings', title: 'Mappings', group: 'This district' },
  { id: 'schedules', title: 'Schedules', group: 'This district' },
  { id: 'notifications', title: 'Notifications', group: 'This district' },
  { id: 'network', title: 'Certificates and proxy', group: 'This district' },
  { id: 'appearance', title: 'Appearance', group: 'This computer' },
  { id: 'start', title: 'Start and close', group: 'This computer' },
  { id: 'updates', title: 'Updates', group: 'This computer' },
  { id: 'backups', title: 'Backups', group: 'Data' },
  { id: 'support', title: 'Support bundle', group: 'Data' },
  { id: 'districts', title: 'Districts', group: 'Data' },
  { id: 'erase', title: 'Erase this district', group: 'Data' },
] as const;

export type SectionId = (typeof SECTIONS)[number]['id'];

/** The groups in their order, each with its sections. */
export const GROUPS = [...new Set(SECTIONS.map(({ group }) => group))].map((group) => ({
  group,
  sections: SECTIONS.filter((section) => section.group === group),
}));

/** The section of that name; the first one where there is none. */
export function sectionOf(id: string | undefined): SectionId {
  return SECTIONS.find((section) => section.id === id)?.id ?? 'connections';
}

/** What is set now, for a glance. */
export function summaryOf(id: SectionId, session: Session, theme: Theme, now: Date): string {
  const setup = session.setup?.setup;
  switch (id) {
    case 'connections':
      return session.status?.server || 'PowerSchool and file servers';
    case 'mappings':
      return setup === undefined ? '' : mappingWords(setup);
    case 'schedules':
      return scheduleWords(session, now);
    case 'notifications':
      return setup === undefined ? '' : mailWords(setup);
    case 'network':
      return setup === undefined ? '' : networkWords(setup);
    case 'appearance':
      return THEMES.find((choice) => choice.theme === theme)?.name ?? '';
    case 'start':
      return 'At sign-in, and beside the clock';
    case 'updates':
      return `Version ${session.environment?.version ?? ''}`;
    case 'backups':
      return 'Make, restore, recovery file';
    case 'support':
      return 'For somebody who helps you';
    case 'districts':
      return session.status?.profile ?? '';
    case 'erase':
      return 'From this computer';
  }
}

export function mappingWords({ mappings, raptor }: Setup): string {
  if (!raptor.enabled) return 'Raptor is off';
  const buildings = mappings.buildings.filter(({ enabled }) => enabled).length;
  const codes = mappings.tardy_codes.filter(({ active }) => active).length;
  return `${counted(buildings, 'building')}, ${raptor.student_tardy ? counted(codes, 'tardy code') : 'no tardies'}`;
}

export function scheduleWords({ status }: Session, now: Date): string {
  if (status === undefined) return '';
  const next = status.jobs
    .flatMap(({ next_at }) => next_at ?? [])
    .sort((a, b) => new Date(a).getTime() - new Date(b).getTime())
    .at(0);
  if (status.paused) return 'Paused';
  return next === undefined ? 'Nothing is planned' : `Next ${upcoming(next, now)}`;
}

export function mailWords({ mail }: Setup): string {
  return mail.host === '' ? 'No mail' : `Mail to ${counted(mail.to.length, 'address', 'addresses')}`;
}

export function networkWords({ powerschool }: Setup): string {
  const { extra_roots, proxy } = powerschool;
  const way = { system: 'System’s proxy', none: 'No proxy', explicit: 'A proxy of its own' }[proxy.mode];
  return extra_roots.length === 0 ? way : `${way}, ${counted(extra_roots.length, 'certificate')}`;
}
