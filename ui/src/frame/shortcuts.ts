/** The keys that do something wherever the person is: the handler and the cheat sheet are both made from this table. */

import { say } from '../text/say';

/** One press of a key. */
interface Chord {
  /** As the event names it; letters in lower case. */
  key: string;
  /** Held with it: ⌘ on macOS, Ctrl elsewhere. */
  command?: true;
  shift?: true;
}

export interface Shortcut {
  name: string;
  group: 'go' | 'runs' | 'window';
  /** Each of them does it. */
  chords: readonly [Chord, ...Chord[]];
}

export type ShortcutId = 'home' | 'activity' | 'settings' | 'setup' | 'find-row' | 'run-now' | 'dry-run' | 'palette' | 'shortcuts' | 'help';

export const SHORTCUTS: Readonly<Record<ShortcutId, Shortcut>> = {
  home: { name: say('Home'), group: 'go', chords: [{ key: '1', command: true }] },
  activity: { name: say('Activity'), group: 'go', chords: [{ key: '2', command: true }] },
  settings: {
    name: say('Settings'),
    group: 'go',
    chords: [
      { key: '3', command: true },
      { key: ',', command: true },
    ],
  },
  setup: { name: say('Set-up'), group: 'go', chords: [{ key: '4', command: true }] },
  'find-row': { name: say('Find a row'), group: 'go', chords: [{ key: 'f', command: true }] },
  'run-now': { name: say('Run now'), group: 'runs', chords: [{ key: 'Enter', command: true }] },
  'dry-run': { name: say('Dry run'), group: 'runs', chords: [{ key: 'Enter', command: true, shift: true }] },
  palette: { name: say('Search for a command'), group: 'window', chords: [{ key: 'k', command: true }] },
  shortcuts: {
    name: say('Keyboard shortcuts'),
    group: 'window',
    chords: [{ key: '?' }, { key: '/', command: true }],
  },
  // Also out of a field: see `HelpPlace.svelte`.
  help: { name: say('Help on what is shown'), group: 'window', chords: [{ key: 'F1' }] },
};

/** A key that a layout may put anywhere, also behind Shift. */
const ANYWHERE = /^[?,/]$/;

function matches(chord: Chord, event: KeyboardEvent, mac: boolean): boolean {
  const [held, other] = mac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  if (event.altKey || other || held !== (chord.command === true)) return false;
  if (!ANYWHERE.test(chord.key) && event.shiftKey !== (chord.shift === true)) return false;
  // Some layouts have digits behind Shift only.
  return event.key.toLowerCase() === chord.key.toLowerCase() || event.code === `Digit${chord.key}`;
}

/** What was asked for by a key; `alone`: also by a character that is pressed without another key. */
export function shortcutOf(event: KeyboardEvent, mac: boolean, alone: boolean): ShortcutId | undefined {
  for (const [id, { chords }] of Object.entries(SHORTCUTS) as [ShortcutId, Shortcut][]) {
    if (chords.some((chord) => (chord.command === true || chord.key.length > 1 || alone) && matches(chord, event, mac))) return id;
  }
  return undefined;
}

const NAMES: Record<string, string> = { Enter: 'Enter' };
const MAC_NAMES: Record<string, string> = { Enter: '↩' };

/** What is written on the keys of a chord, in the order they are pressed. */
export function keysOf(chord: Chord, mac: boolean): string[] {
  const key = (mac ? MAC_NAMES : NAMES)[chord.key] ?? chord.key.toUpperCase();
  return [...(chord.shift && mac ? ['⇧'] : []), ...(chord.command ? [mac ? '⌘' : 'Ctrl'] : []), ...(chord.shift && !mac ? ['Shift'] : []), key];
}

/** What keys do where they are pressed: in a list, a table, a chart or a dialog. */
export function withinKeys(mac: boolean): { name: string; ways: string[][] }[] {
  return [
    { name: say('Go through a list or a table'), ways: [['↑'], ['↓']] },
    { name: say('Go through a chart, day by day'), ways: [['←'], ['→']] },
    { name: say('Go a page further or back'), ways: [['Page Down'], ['Page Up']] },
    { name: say('Go to the beginning or the end'), ways: [['Home'], ['End']] },
    { name: say('Open or choose what one is at'), ways: [[mac ? '↩' : 'Enter']] },
    { name: say('Mark a row of a table'), ways: [[say('Space')]] },
    { name: say('Mark the rows on the way'), ways: ['↑', '↓'].map((arrow) => [mac ? '⇧' : 'Shift', arrow]) },
    { name: say('Copy the marked rows'), ways: [[mac ? '⌘' : 'Ctrl', 'C']] },
    { name: say('Close what lies on top, or take the marks away'), ways: [['Esc']] },
  ];
}

/** The chords as `aria-keyshortcuts` names them. */
export function ariaKeys(id: ShortcutId, mac: boolean): string {
  return SHORTCUTS[id].chords
    .map(({ key, command, shift }) => [...(command ? [mac ? 'Meta' : 'Control'] : []), ...(shift ? ['Shift'] : []), key.length === 1 ? key.toUpperCase() : key].join('+'))
    .join(' ');
}

/** Kinds of input that take no text. */
const TEXTLESS = new Set(['checkbox', 'radio', 'button', 'submit', 'reset', 'file', 'range', 'color']);

/** Whether keys belong to something else: a field that is written in, or what lies open above the page. */
export function keysTaken(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]') !== null) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !TEXTLESS.has(target.type);
  return target.isContentEditable || target.matches('textarea, select, [role="textbox"], [role="combobox"]');
}
