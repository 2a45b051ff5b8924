import { beforeAll, expect, test, vi } from 'vitest';

/** Numbers, dates and times with the window in Spanish. Texts come from the catalogue, which is not read here. */
let format: typeof import('./format');
let schedule: typeof import('./schedule');
let shell: typeof import('../shell/words');

beforeAll(async () => {
  // As the window starts: the language comes before the modules with text.
  vi.resetModules();
  const { speakOf } = await import('./locale');
  speakOf('es');
  format = await import('./format');
  schedule = await import('./schedule');
  shell = await import('../shell/words');
});

const now = new Date(2026, 10, 20, 15, 0);
/** Whatever kind of space stands between them. */
const plain = (text: string) => text.replace(/\s/g, ' ');

test('numbers are written as Spanish is in the United States', () => {
  expect(format.count(60_000)).toBe('60,000');
  expect(format.size(2_449_000)).toBe('2.4 MB');
  expect(format.duration(4360)).toBe('4.4 s');
});

test('dates and times are Spanish', () => {
  expect(format.calendarDate('2026-11-20')).toMatch(/^vie, 20 (de )?nov (de )?2026$/);
  expect(plain(format.moment(new Date(2026, 10, 3, 16, 0).toISOString(), now))).toMatch(/^3 (de )?nov, 4:00 p\. ?m\.$/);
  expect(plain(schedule.upcoming(new Date(2026, 10, 23, 3, 10).toISOString(), now))).toMatch(/^lun, 23 (de )?nov, 3:10 a\. ?m\.$/);
});

test('the days of the week are Spanish, their letters stay PowerSchool’s', () => {
  expect(schedule.DAYS[3]).toEqual({ letter: 'H', day: 'jueves', short: 'jue' });
  expect(schedule.dayWords('MWF')).toBe('lunes, miércoles y viernes');
});

test('every time that is shown is understood again', () => {
  for (const time of ['00:00', '03:10', '12:30', '23:59']) expect(schedule.parseTime(schedule.clockTime(time))).toBe(time);
});

test('the shell writes times in Spanish, too', () => {
  const { day, time, weekdays, months, halves } = shell.shellWords();
  expect(day).toMatch(/^\{weekday\}, \{day\} (de )?\{month\}, \{time\}$/);
  expect(time).toMatch(/^\{hour\}:\{minute\}\s\{half\}$/);
  expect(weekdays).toEqual(['lun', 'mar', 'mié', 'jue', 'vie', 'sáb', 'dom']);
  expect(months.slice(0, 3)).toEqual(['ene', 'feb', 'mar']);
  expect(halves.map(plain)).toEqual([expect.stringMatching(/^a\. ?m\.$/), expect.stringMatching(/^p\. ?m\.$/)]);
});
