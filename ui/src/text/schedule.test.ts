import { describe, expect, test } from 'vitest';
import { clockTime, dayWords, daysProblem, orderedDays, parseDate, parseTime, pauseWords, scheduleWords, upcoming, upcomingIn, usualSchedule, zoneName, zoneOptions } from './schedule';

test.each([
  ['3:10 AM', '03:10'],
  ['12:05 am', '00:05'],
  ['12 pm', '12:00'],
  ['4pm', '16:00'],
  ['4:00 p.m.', '16:00'],
  ['15:10', '15:10'],
  ['0410', '04:10'],
])('%s is a time', (text, time) => {
  expect(parseTime(text)).toBe(time);
});

test.each(['', '16', '25:00', '13 pm', '0 am', '3:60', 'noon', '3:10 AM please'])('%s is no time', (text) => {
  expect(parseTime(text)).toBeUndefined();
});

test('every time that is shown is understood again', () => {
  for (const time of ['00:00', '00:59', '03:10', '11:59', '12:00', '12:30', '23:59']) expect(parseTime(clockTime(time))).toBe(time);
});

test.each([
  ['MTWHF', 'Monday to Friday'],
  ['UFHSTWM', 'every day'],
  ['H', 'every Thursday'],
  ['MW', 'Monday and Wednesday'],
  ['SU', 'Saturday and Sunday'],
  ['MWF', 'Monday, Wednesday, and Friday'],
  ['', 'on no day'],
])('%s in words', (days, words) => {
  expect(dayWords(days)).toBe(words);
});

test.each([
  ['fwm', 'MWF'],
  ['M, T; W H F', 'MTWHF'],
  ['', ''],
])('%j typed is %j', (typed, days) => {
  expect(daysProblem(typed)).toBeUndefined();
  expect(orderedDays(typed)).toBe(days);
});

test.each([
  ['MTRF', '“R” is no day'],
  ['Mon', '“O” and “N” are no days'],
  ['TuTh', '“T” stands there twice'],
])('%j is told', (typed, told) => {
  expect(daysProblem(typed)).toContain(told);
});

test.each([
  ['hero-students', 'Monday to Friday at 3:05 AM'],
  ['hero-teachers', 'Monday to Friday at 3:25 AM'],
  ['raptor-roster', 'Every day at 4:00 PM'],
  ['raptor-tardies', 'Every 5 minutes, when school is in session'],
] as const)('%s in words', (job, words) => {
  expect(scheduleWords(usualSchedule(job, 'America/Denver'))).toBe(words);
});

test.each([
  [1, 'Every minute'],
  [60, 'Every hour'],
  [120, 'Every 2 hours'],
  [90, 'Every 90 minutes'],
])('every %d minutes in words', (minutes, words) => {
  expect(scheduleWords({ when: { kind: 'every', minutes }, zone: 'UTC', only_in_session: false, missed: 'skip' })).toBe(words);
});

describe('times to come', () => {
  const now = new Date(2026, 10, 20, 15, 0);

  test.each([
    [new Date(2026, 10, 20, 16, 0), 'today, 4:00 PM'],
    [new Date(2026, 10, 21, 3, 10), 'tomorrow, 3:10 AM'],
    [new Date(2026, 10, 23, 3, 10), 'Mon, Nov 23, 3:10 AM'],
    [new Date(2027, 0, 4, 3, 10), 'Mon, Jan 4, 2027, 3:10 AM'],
  ])('%s, seen at three in the afternoon', (then, words) => {
    expect(upcoming(then.toISOString(), now)).toBe(words);
  });

  test('another clock is told when it shows another time', () => {
    const then = new Date('2026-11-20T22:00:00Z');
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const other = here === 'America/New_York' ? 'Asia/Tokyo' : 'America/New_York';
    expect(upcomingIn(then.toISOString(), here, then)).not.toContain('(');
    expect(upcomingIn(then.toISOString(), other, then)).toMatch(/\(\d+:00 [AP]M \w+ time\)$/);
    expect(upcomingIn(then.toISOString(), 'Not/AZone', then)).not.toContain('(');
  });

  test.each([
    [{ kind: 'until_resumed' } as const, 'Scheduled runs are paused'],
    [{ kind: 'until', until: new Date(2026, 10, 21).toISOString() } as const, 'Scheduled runs are paused until tomorrow'],
    [{ kind: 'until', until: new Date(2026, 10, 30).toISOString() } as const, 'Scheduled runs are paused until Mon, Nov 30'],
    [{ kind: 'until', until: new Date(2026, 10, 20, 16, 5).toISOString() } as const, 'Scheduled runs are paused until today, 4:05 PM'],
  ])('a pause %o', (pause, words) => {
    expect(pauseWords(pause, now)).toBe(words);
  });

  test.each([
    ['2026-12-01', new Date(2026, 11, 1)],
    ['2028-02-29', new Date(2028, 1, 29)],
  ])('%s is a date', (text, date) => {
    expect(parseDate(text, now)).toEqual(date);
  });

  test.each(['', '2026-11-19', '2027-02-30', 'Monday', '12/1/2026'])('%s is no date to come', (text) => {
    expect(parseDate(text, now)).toBeUndefined();
  });
});

test.each([
  ['America/Phoenix', 'Mountain time'],
  ['America/Port_of_Spain', 'Port of Spain time'],
  ['UTC', 'UTC'],
])('%s has a name', (zone, name) => {
  expect(zoneName(zone)).toBe(name);
});

test('no zone is offered twice', () => {
  const values = zoneOptions().map(({ value }) => value);
  expect(new Set(values).size).toBe(values.length);
  expect(values[0]).toBe('America/New_York');
});
