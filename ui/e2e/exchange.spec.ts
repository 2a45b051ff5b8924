// A district at work: what a run did is looked up, a row that was held is settled in place, and settings are kept.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from '@playwright/test';
import { mouse, runNow, setUp, test, type District } from './district';

/** Drops a tardy of a student into Raptor's folder whom PowerSchool doesn't know, in the words of one that was taken. */
/** Answers the building it is of. */
function dropUnknown(district: District): string {
  const folder = path.join(district.practice, 'raptor');
  const [taken = ''] = readdirSync(path.join(folder, 'processed'));
  const [header, first = ''] = readFileSync(path.join(folder, 'processed', taken), 'utf8').split(/\r?\n/);
  const [building, , time] = first.split(',');
  writeFileSync(path.join(folder, 'tardies-late.csv'), `${header}\n${building},999999999,${time},Tardy - Traffic,\n`);
  return building ?? '';
}

test('a held row is settled in place and written once, and settings outlive the page', async ({ page, district }) => {
  const press = mouse(page);
  const seen = (id: string) => page.getByTestId(id);
  await setUp(page, district, press);
  await runNow(page, press, 'succeeded');
  const before = (await district.writes()).length;

  await test.step('Activity shows the run and its rows', async () => {
    await press('nav-activity');
    await expect(seen('day-runs').getByRole('listitem').first()).toContainText('Manual run of');
    await seen('day-runs').getByRole('button').first().click();
    await expect(seen('day-runs')).toContainText('STUDENT.TXT');
    await press('tab-records');
    await expect(seen('trace-row').first()).toBeVisible();
    const rows = Number(await seen('trace-rows').getAttribute('aria-rowcount'));
    expect(rows).toBeGreaterThan(before);
    await press('rows-export');
    await expect(seen('rows-written')).toBeVisible();
    const written = readFileSync(path.join(district.home, 'saved', readdirSync(path.join(district.home, 'saved'))[0] ?? ''), 'utf8');
    expect(written.trim().split('\n').length).toBeGreaterThanOrEqual(before);
  });

  let building = '';
  await test.step('a row of an unknown student is held', async () => {
    building = dropUnknown(district);
    await press('nav-home');
    await runNow(page, press, 'succeeded_with_held_rows');
    await expect(seen('held-count')).toHaveAttribute('data-value', '1');
    expect(await district.writes()).toHaveLength(before);
  });

  await test.step('the student is picked, and the row decided again', async () => {
    await press('show-held');
    await expect(seen('held-cause')).toHaveCount(1);
    await expect(seen('held-code')).toHaveText('held.unknown_student');
    await seen('student-text').fill('a');
    await press('student-find');
    // One of that building's school, whose names begin alike: the innermost line that says so.
    const ofSchool = page.getByRole('listitem').filter({ hasText: building.split(' ')[0] ?? '', has: seen('student-pick') }).last();
    await ofSchool.getByTestId('student-pick').click();
    await expect(seen('held-said')).not.toBeEmpty();
    await press('held-run');
    await expect(seen('held-none')).toBeVisible();
    expect(await district.writes()).toHaveLength(before + 1);
  });

  await test.step('a run with nothing new writes nothing again', async () => {
    await press('nav-home');
    await runNow(page, press, 'succeeded');
    expect(await district.writes()).toHaveLength(before + 1);
  });

  await test.step('what was set is there after the page was loaded anew', async () => {
    await press('nav-settings');
    await press('settings-notifications');
    await seen('field-mail-to').fill('office@example.org, help@example.org');
    await press('settings-save');
    await expect(seen('settings-save')).toBeDisabled();
    await press('settings-appearance');
    await seen('appearance-dark').check();
    await page.reload();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await press('nav-settings');
    await press('settings-notifications');
    await expect(seen('field-mail-to')).toHaveValue('office@example.org, help@example.org');
  });
});

test('the key leaves the address, and a page without it reaches nothing', async ({ page, district, browser }) => {
  await expect(page.getByTestId('welcome-practice')).toBeVisible();
  expect(page.url()).not.toContain('key');
  // Another person's browser on the same computer.
  const other = await browser.newPage();
  const answers: number[] = [];
  other.on('response', (answer) => {
    if (answer.request().method() === 'POST') answers.push(answer.status());
  });
  await other.goto(`${new URL(district.address).origin}/#key=${'0'.repeat(64)}`);
  await expect(other.getByTestId('error-code').first()).toHaveText('window.no_shell');
  expect(answers.length).toBeGreaterThan(0);
  expect(new Set(answers)).toEqual(new Set([403]));
  await other.close();
});
