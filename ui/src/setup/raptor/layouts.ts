/** Layouts of the roster files as a person edits them. What is wrong with one, the engine says with its preview. */

import type { RosterColumn } from '../../bindings/RosterColumn';
import type { RosterField } from '../../bindings/RosterField';
import type { RosterLayout } from '../../bindings/RosterLayout';
import type { RosterSettings } from '../../bindings/RosterSettings';
import { say } from '../../text/say';

/** What a column can hold, in the usual order: its usual title, and what it is in PowerSchool. */
export const FIELDS: Record<RosterField, { title: string; about: string }> = {
  building: { title: 'Building', about: say('Raptor’s name of the building') },
  id_number: { title: 'IdNumber', about: say('Student number') },
  first_name: { title: 'FirstName', about: say('First name') },
  middle_name: { title: 'MiddleName', about: say('Middle name') },
  last_name: { title: 'LastName', about: say('Last name') },
  date_of_birth: { title: 'DateOfBirth', about: say('Date of birth') },
  grade: { title: 'Grade', about: say('Grade level') },
  homeroom: { title: 'Homeroom', about: say('Home room') },
  guardian_email: { title: 'GuardianEmail', about: say('Guardian’s e-mail') },
  phone: { title: 'Phone', about: say('Home phone') },
  status: { title: 'Status', about: say('Active or Inactive') },
};

const ORDER = Object.keys(FIELDS) as RosterField[];

/** Raptor's usual layout, which is in use where no other is chosen. */
export function usualLayout(): RosterLayout {
  return {
    name: 'Raptor',
    columns: ORDER.map(usualColumn),
    delimiter: 'comma',
    line_end: 'crlf',
    header: true,
    byte_order_mark: false,
    dates: 'iso',
  };
}

export function usualColumn(field: RosterField): RosterColumn {
  return { title: FIELDS[field].title, field };
}

/** The saved layout in use; none where the usual one is, or where a layout is named that is not there. */
export function layoutInUse(roster: RosterSettings): RosterLayout | undefined {
  return roster.layouts.find((layout) => layout.name === roster.layout);
}

/** What a layout does not hold yet. */
export function fieldsLeft(layout: RosterLayout): RosterField[] {
  return ORDER.filter((field) => !layout.columns.some((column) => column.field === field));
}

/** Why a layout can't have this name; `own` is the name of the layout that is being renamed. */
export function nameFault(roster: RosterSettings, name: string, own?: string): string | undefined {
  const wanted = name.trim();
  if (wanted === '') return say('A layout needs a name.');
  if (wanted !== own && roster.layouts.some((layout) => same(layout.name, wanted) && layout.name !== own)) {
    return say('Another layout has this name.');
  }
  return undefined;
}

/** A name no layout has yet: "Own layout", "Own layout 2". */
export function freeName(roster: RosterSettings): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? say('Own layout') : say(`Own layout ${number}`);
    if (nameFault(roster, name) === undefined) return name;
  }
}

/** With a new layout made from the one in use, and in use itself. */
export function withNew(roster: RosterSettings, name: string): RosterSettings {
  const layout = { ...structuredClone(layoutInUse(roster) ?? usualLayout()), name: name.trim() };
  return { ...roster, layout: layout.name, layouts: [...roster.layouts, layout] };
}

/** With the layout in use under another name. */
export function withName(roster: RosterSettings, name: string): RosterSettings {
  const renamed = name.trim();
  const layouts = roster.layouts.map((layout) => (layout.name === roster.layout ? { ...layout, name: renamed } : layout));
  return { ...roster, layout: renamed, layouts };
}

/** With the layout in use changed. */
export function withChanges(roster: RosterSettings, changes: Partial<Omit<RosterLayout, 'name'>>): RosterSettings {
  const layouts = roster.layouts.map((layout) => (layout.name === roster.layout ? { ...layout, ...changes } : layout));
  return { ...roster, layouts };
}

/** Without the layout in use: the usual one takes its place. */
export function withoutInUse(roster: RosterSettings): RosterSettings {
  return { ...roster, layout: '', layouts: roster.layouts.filter((layout) => layout.name !== roster.layout) };
}

function same(one: string, other: string): boolean {
  return one.localeCompare(other, 'en', { sensitivity: 'base' }) === 0;
}
