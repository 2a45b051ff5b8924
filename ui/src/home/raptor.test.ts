import { describe, expect, test } from 'vitest';
import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { JobView } from '../bindings/JobView';
import type { RaptorView } from '../bindings/RaptorView';
import type { StatusView } from '../bindings/StatusView';
import { byClockOf, nextThing, startsBeforeWindow, windowTime } from './raptor';

/** 14:30 in Chicago, in winter. */
const now = new Date('2026-11-20T20:30:00Z');
const window = { zone: 'America/Chicago', opens: '16:00', minutes: 120, retry_minutes: 10 };
const OPENS = '2026-11-20T22:00:00Z';

const ROSTER_OFF: JobView = { job: 'raptor-roster', owner: 'roster_bridge', enabled: false, last_at: null };

function view(status: IntegrationStatus, more: Partial<RaptorView> = {}): RaptorView {
  return { status, window, opens_at: OPENS, ...more };
}

function state(raptor: RaptorView, more: Partial<StatusView> = {}): StatusView {
  return {
    profile: 'default',
    practice: false,
    server: '',
    paused: false,
    pause: { kind: 'no' },
    raptor_status: raptor.status,
    raptor,
    school_year: { schools: [], changes: [], tardy_code_faults: [] },
    today: null,
    jobs: [],
    held: 0,
    students: 0,
    roster_pulled_at: null,
    watch: [],
    other_sender: [],
    ...more,
  };
}

describe('a time by the clock of the window’s zone', () => {
  test.each([
    ['America/Chicago', OPENS, 'today, 4:00 PM CST'],
    ['America/Chicago', '2026-07-20T21:00:00Z', 'today, 4:00 PM CDT'],
    ['America/Chicago', '2026-11-21T22:00:00Z', 'tomorrow, 4:00 PM CST'],
    ['America/Chicago', '2026-11-23T22:00:00Z', 'Mon, Nov 23, 4:00 PM CST'],
    // Already tomorrow in Honolulu's sense of today, and the other way round in Tokyo.
    ['Pacific/Honolulu', '2026-11-21T05:00:00Z', 'today, 7:00 PM HST'],
    ['Asia/Tokyo', '2026-11-21T15:30:00Z', 'tomorrow, 12:30 AM GMT+9'],
  ])('%s %s', (zone, then, words) => {
    expect(byClockOf(zone, then, now)).toBe(words);
  });

  test('this computer’s own time is added where it is another one', () => {
    const here = new Date(OPENS).toLocaleTimeString('en-US', { hour: 'numeric', minute: '2-digit' }).replace('\u202f', ' ');
    const words = windowTime('Asia/Kathmandu', OPENS, now);
    expect(words).toMatch(new RegExp(`\\(${here} here\\)$`));
    expect(windowTime(Intl.DateTimeFormat().resolvedOptions().timeZone, OPENS, now)).not.toContain('here');
  });

  test('a zone nobody knows is left out', () => {
    expect(byClockOf('Nowhere/Land', OPENS, now)).toMatch(/^(today|tomorrow), /);
  });
});

describe('what comes next', () => {
  const synchronize = { step: 'synchronize' as const, at: OPENS };
  test.each([
    ['off', view('disabled'), {}, /^$/],
    ['waiting for the window', view('pending_initialization', { next: synchronize }), {}, /^The window opens today, 4:00 PM CST/],
    ['trying again', view('reinitializing', { next: synchronize, open_until: '2026-11-21T00:00:00Z' }), {}, /^Next attempt today, 4:00 PM CST/],
    [
      'due',
      view('pending_initialization', { next: { step: 'synchronize', at: '2026-11-20T20:29:00Z' }, open_until: '2026-11-21T00:00:00Z' }),
      {},
      /^The window is open/,
    ],
    ['following', view('synchronizing', { next: { step: 'look', at: '2026-11-20T20:35:00Z' } }), {}, /^Next look for updates today, /],
    ['paused', view('synchronizing'), { paused: true }, /while scheduled runs are paused/],
    ['in a summer without an end', view('synchronizing'), {}, /^$/],
    ['with the roster switched off', view('synchronizing'), { jobs: [ROSTER_OFF] }, /^No students are sent: /],
    ['with it all switched off', view('disabled'), { jobs: [ROSTER_OFF] }, /^$/],
    ['in the practice district', view('pending_initialization', { next: synchronize }), { profile: 'practice' }, /when you run it/],
  ])('%s', (_, raptor, more, words) => {
    expect(nextThing(raptor, state(raptor, more), now)).toMatch(words);
  });
});

describe('a full synchronization before its window is asked about', () => {
  test.each<[IntegrationStatus, boolean]>([
    ['disabled', false],
    ['pending_initialization', true],
    ['initializing', false],
    ['reinitializing', false],
    ['synchronizing', false],
    ['reinitialization_scheduled', true],
    ['initialization_scheduled', true],
  ])('%s: %s', (status, expected) => {
    expect(startsBeforeWindow(state(view(status)), ['raptor-roster', 'raptor-tardies'])).toBe(expected);
  });

  test('not while the window is open, without the roster, or in the practice district', () => {
    const waiting = view('pending_initialization');
    expect(startsBeforeWindow(state({ ...waiting, open_until: OPENS }), ['raptor-roster'])).toBe(false);
    expect(startsBeforeWindow(state(waiting), ['raptor-tardies'])).toBe(false);
    expect(startsBeforeWindow(state(waiting, { profile: 'practice' }), ['raptor-roster'])).toBe(false);
  });
});
