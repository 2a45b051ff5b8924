/** What the shell says outside the page. `src-tauri/words.rs` has the same in English, and a test that holds both together. */

import { inWords, writer } from '../text/format';
import { say } from '../text/say';

// What the shell fills in itself.
const HELD = '{held}';
const TIME = '{time}';
const WHEN = '{when}';

const TEXTS = {
  today: say(`today, ${TIME}`),
  tomorrow: say(`tomorrow, ${TIME}`),

  running: say('Running now'),
  otherSender: say('Another sender is active: open RosterBridge'),
  paused: say('Scheduled runs are paused'),
  pausedUntil: say(`Paused until ${WHEN}`),
  nextRun: say(`Next run: ${WHEN}`),
  noRun: say('No run is planned'),
  noneHeld: say('No held records'),
  oneHeld: say('1 held record…'),
  held: say(`${HELD} held records…`),
  open: say('Open RosterBridge'),
  run: say('Run now'),
  pause: say('Pause scheduled runs'),
  resume: say('Resume scheduled runs'),
  settings: say('Settings…'),
  quit: say('Quit…'),

  stillRunning: say('RosterBridge is still running'),
  stillRunningAbout: say('Scheduled exchanges go on. Open or quit it with its icon beside the clock.'),
  quitQuestion: say('Quit RosterBridge?'),
  quitAnswer: say('Quit'),
  cancel: say('Cancel'),
  keep: say('Keep it running'),
  goesOn: say('Scheduled exchanges go on: another RosterBridge process runs them.'),
  runEnds: say('A run is under way. It is cancelled; the next run takes up what is left.'),
  scheduleEnds: say('Nothing is exchanged on schedule until RosterBridge is started again.'),
  nextDue: say(`The next run is due ${WHEN}.`),
  nothingStops: say('Nothing is scheduled, so nothing stops.'),
  allStops: say('RosterBridge is at work. Nothing is exchanged until it is started again.'),

  practice: say('Practice district'),

  aboutApp: say('About RosterBridge'),
  // @wc-context: macOS's menu of other programs' services
  services: say('Services'),
  hideApp: say('Hide RosterBridge'),
  hideOthers: say('Hide Others'),
  quitApp: say('Quit RosterBridge'),
  // @wc-context: a menu's title
  file: say('File'),
  closeWindow: say('Close Window'),
  // @wc-context: a menu's title
  edit: say('Edit'),
  undo: say('Undo'),
  redo: say('Redo'),
  cut: say('Cut'),
  copy: say('Copy'),
  paste: say('Paste'),
  selectAll: say('Select All'),
  // @wc-context: a menu's title
  view: say('View'),
  fullScreen: say('Full Screen'),
  // @wc-context: a menu's title
  window: say('Window'),
  minimize: say('Minimize'),
  // @wc-context: makes a window as large as it should be
  zoom: say('Zoom'),
  // @wc-context: a menu's title
  help: say('Help'),
};

/** Every text the shell has, and how the language in use writes times. */
export type ShellWords = typeof TEXTS & {
  /** A day to come, with its time: `{weekday}, {month} {day}, {time}`. */
  day: string;
  /** `{hour}:{minute} {half}`. */
  time: string;
  /** In short, from Monday. */
  weekdays: string[];
  /** In short. */
  months: string[];
  /** Before noon, and after it. */
  halves: string[];
};

/** The shell's words in the language in use. */
export function shellWords(): ShellWords {
  return { ...TEXTS, ...timeWords() };
}

const HALF = { hour: 'numeric', minute: '2-digit', hour12: true } as const;
const DAY = { weekday: 'short', month: 'short', day: 'numeric' } as const;

function timeWords() {
  // The fifth of January 1970 was a Monday.
  const date = new Date(1970, 0, 5);
  const time = pattern(date, HALF);
  return {
    day: `${pattern(date, DAY)}, ${TIME}`,
    time,
    weekdays: [0, 1, 2, 3, 4, 5, 6].map((later) => inWords(new Date(1970, 0, 5 + later), { weekday: 'short' })),
    months: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((month) => inWords(new Date(1970, month, 1), { month: 'short' })),
    halves: [9, 15].map((hour) => partsOf(new Date(1970, 0, 5, hour), HALF).find(({ type }) => type === 'dayPeriod')?.value ?? ''),
  };
}

function partsOf(date: Date, options: Intl.DateTimeFormatOptions) {
  return writer(date, options).formatToParts(date);
}

/** How the language writes it, with names in braces in the place of what is written. */
function pattern(date: Date, options: Intl.DateTimeFormatOptions): string {
  return partsOf(date, options)
    .map(({ type, value }) => (type === 'literal' ? value.replace('\u202f', ' ') : `{${type === 'dayPeriod' ? 'half' : type}}`))
    .join('');
}
