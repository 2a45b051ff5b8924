import { expect, test } from 'vitest';
import type { JobSettings } from '../../bindings/JobSettings';
import { JOB_ORDER } from '../../text/names';
import { usualSchedule } from '../../text/schedule';
import { addresses, addressProblem, districtZone, draftOf, problemsOf, scheduleOf } from './draft';

const ZONE = 'America/Denver';
const usual: JobSettings[] = JOB_ORDER.map((job) => ({ job, enabled: true, schedule: usualSchedule(job, ZONE) }));

test.each(usual)('$job is saved as it was when nothing is changed', (settings) => {
  expect(scheduleOf(draftOf(settings, ZONE), ZONE)).toEqual(settings.schedule);
  expect(problemsOf(draftOf(settings, ZONE))).toEqual({});
});

test('the district’s zone is the one most exchanges are in', () => {
  expect(districtZone(usual)).toBe(ZONE);
  expect(districtZone([])).toBe('America/Chicago');
});

test('another zone for the district leaves an exchange with one of its own', () => {
  const own = { job: 'hero-students' as const, enabled: true, schedule: usualSchedule('hero-students', 'America/Phoenix') };
  expect(scheduleOf(draftOf(own, ZONE), 'America/New_York')?.zone).toBe('America/Phoenix');
  const shared = { ...own, schedule: usualSchedule('hero-students', ZONE) };
  expect(scheduleOf(draftOf(shared, ZONE), 'America/New_York')?.zone).toBe('America/New_York');
});

test('an exchange that runs only when asked has no schedule, and gets the usual one back', () => {
  const draft = draftOf({ job: 'hero-attendance', enabled: true }, ZONE);
  expect(draft.byItself).toBe(false);
  expect(scheduleOf(draft, ZONE)).toBeUndefined();
  expect(scheduleOf({ ...draft, byItself: true }, ZONE)).toEqual(usualSchedule('hero-attendance', ZONE));
});

test.each([
  [{ days: '' }, 'days'],
  [{ days: 'MTX' }, 'days'],
  [{ time: 'late' }, 'time'],
  [{ kind: 'every', minutes: '0' }, 'minutes'],
  [{ kind: 'every', minutes: '1441' }, 'minutes'],
  [{ kind: 'every', minutes: '5.5' }, 'minutes'],
  [{ ownZone: true, zone: 'Here' }, 'zone'],
] as const)('%o is refused', (change, field) => {
  const draft = { ...draftOf({ job: 'hero-students', enabled: true, schedule: usualSchedule('hero-students', ZONE) }, ZONE), ...change };
  expect(Object.keys(problemsOf(draft))).toEqual([field]);
  expect(problemsOf({ ...draft, byItself: false })).toEqual({});
});

test('addresses are taken however they are separated', () => {
  expect(addresses(' a@b.org, c@d.org;\ne@f.org ')).toEqual(['a@b.org', 'c@d.org', 'e@f.org']);
  expect(addressProblem('a@b.org, office')).toContain('office');
  expect(addressProblem('')).toBeUndefined();
});
