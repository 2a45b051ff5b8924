import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@playwright/test';
import { mouse, runNow, setUp, test, type District } from './district';
import { Keyboard } from './keyboard';

/** What a finished first run leaves: the three files at Hero, the tardy file put away, attendance written once. */
async function exchanged(district: District) {
  for (const name of ['STUDENT.TXT', 'SCHEDULE.TXT', 'TEACHER.txt']) {
    expect(statSync(path.join(district.practice, 'hero/imports', name)).size, name).toBeGreaterThan(0);
  }
  expect(readdirSync(path.join(district.practice, 'raptor/processed'))).toHaveLength(1);
  const exported = readFileSync(path.join(district.practice, 'hero/export/ATTENDANCE.txt'), 'utf8').trim().split('\n');
  const written = (await district.writes()).map(({ studentid, att_date }) => `${studentid} ${att_date}`);
  expect(written.length).toBeGreaterThanOrEqual(exported.length);
  expect(existsSync(path.join(district.home, 'profiles/practice/ledger.db'))).toBe(true);
}

test('from Welcome to a finished first run, by the mouse', async ({ page, district }) => {
  const press = mouse(page);
  await setUp(page, district, press);
  await press('run-now');
  await expect(page.getByTestId('run-outcome')).toHaveAttribute('data-outcome', 'succeeded');
  await expect(page.getByTestId('job-raptor-tardies-written')).toHaveAttribute('data-value', '6');
  await press('close-run');
  await exchanged(district);
});

test('from Welcome to a finished first run, by the keyboard alone', async ({ page, district }) => {
  const keyboard = new Keyboard(page);
  const press = (id: string) => keyboard.press(id);
  await setUp(page, district, press);
  await runNow(page, press, 'succeeded');
  await exchanged(district);
  expect([...keyboard.problems]).toEqual([]);
});
