import { expect, test } from 'vitest';
import type { JobView } from '../bindings/JobView';
import type { StatusView } from '../bindings/StatusView';
import { ownZone, usualSchedule } from '../text/schedule';
import { anythingScheduled, nextRun, ownTimes } from './next';

const now = new Date(2026, 10, 20, 15, 0);
const at = (hour: number) => new Date(2026, 10, 20, hour, 0).toISOString();
const tardies: JobView = { job: 'raptor-tardies', owner: 'roster_bridge', enabled: true, last_at: null, schedule: usualSchedule('raptor-tardies', ownZone()) };
const roster: JobView = {
  job: 'raptor-roster',
  owner: 'roster_bridge',
  enabled: true,
  last_at: null,
  schedule: { ...usualSchedule('raptor-roster', ownZone()), zone: ownZone() },
};
const status: StatusView = {
  profile: 'default',
  practice: false,
  server: '',
  paused: false,
  pause: { kind: 'no' },
  raptor_status: 'synchronizing',
  raptor: { status: 'synchronizing', window: { zone: ownZone(), opens: '16:00', minutes: 120, retry_minutes: 10 } },
  school_year: { schools: [], changes: [], tardy_code_faults: [] },
  today: null,
  jobs: [],
  held: 0,
  students: 0,
  roster_pulled_at: null,
  watch: [],
  other_sender: [],
};
const paused: StatusView = { ...status, paused: true, pause: { kind: 'until_resumed' } };

test.each([
  ['the earliest counts', [{ ...roster, next_at: at(17) }, { ...tardies, next_at: at(16) }], status, 'Next run today, 4:00 PM'],
  ['one that is off does not', [{ ...roster, next_at: at(16), enabled: false }, { ...tardies, next_at: at(17) }], status, 'Next run today, 5:00 PM'],
  ['paused', [roster], paused, 'Paused'],
  ['a pause that ends has a next run', [{ ...roster, next_at: at(18) }], paused, 'Next run today, 6:00 PM'],
  ['no days', [roster], status, 'No run is planned'],
  ['no schedule', [{ job: 'hero-teachers' as const, owner: 'roster_bridge' as const, enabled: true, last_at: null }], status, 'Runs when you ask'],
  ['the window of the Raptor integration', [{ job: 'raptor-roster' as const, owner: 'roster_bridge' as const, enabled: true, last_at: null, next_at: at(16) }], status, 'Next run today, 4:00 PM'],
  [
    'a look for updates is no run',
    [{ job: 'raptor-roster' as const, owner: 'roster_bridge' as const, enabled: true, last_at: null, next_at: at(16) }, { ...tardies, next_at: at(17) }],
    { ...status, raptor: { ...status.raptor, next: { step: 'look' as const, at: at(16) } } },
    'Next run today, 5:00 PM',
  ],
  ['practice', [{ ...roster, next_at: at(16) }], { ...status, profile: 'practice', practice: true }, 'Runs when you ask'],
  ['nothing is on', [{ ...roster, enabled: false }], status, ''],
])('%s', (_, jobs, state, words) => {
  expect(nextRun(jobs, state, now)).toBe(words);
});

test.each([
  ['a schedule', [roster], status, true],
  ['a schedule of one that is off', [{ ...roster, enabled: false }], status, false],
  ['no schedule', [{ job: 'hero-teachers' as const, owner: 'roster_bridge' as const, enabled: true, last_at: null }], status, false],
  ['the window of the Raptor integration', [{ job: 'raptor-roster' as const, owner: 'roster_bridge' as const, enabled: true, last_at: null }], status, true],
  ['practice', [roster], { ...status, profile: 'practice', practice: true }, false],
])('what can be paused: %s', (_, jobs, state, expected) => {
  expect(anythingScheduled({ ...state, jobs })).toBe(expected);
});

test('an exchange says when it runs, and on whose clock when that is another one', () => {
  expect(ownTimes({ ...roster, next_at: at(16) }, now)).toBe('Every day at 4:00 PM');
  const other = ownZone() === 'America/New_York' ? 'Asia/Tokyo' : 'America/New_York';
  expect(ownTimes({ ...roster, schedule: usualSchedule('hero-students', other) }, now)).toMatch(/^Monday to Friday at 3:05 AM, \w+ time$/);
  expect(ownTimes({ job: 'hero-teachers', owner: 'roster_bridge', enabled: true, last_at: null }, now)).toBe('Only when you run it');
});
