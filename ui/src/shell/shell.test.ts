import { screen, waitFor } from '@testing-library/svelte';
import { beforeEach, expect, test } from 'vitest';
import { forgotten, spoken } from '../backend/fixture-shell';
import { byId, open } from '../test-window';

beforeEach(() => {
  forgotten.times = 0;
});

test('a setup file opened from outside is shown, and imported only when the person says so', async () => {
  const user = open('scene=new&opened=plain');
  expect((await byId('opened-file')).textContent).toBe('north.rosterbridge');
  expect(screen.queryByText('This district is set up already')).toBeNull();
  await user.click(await byId('import-setup'));
  await waitFor(() => expect(screen.queryByTestId('opened-file')).toBeNull());
});

test('where something is set up already, it says what would be replaced', async () => {
  open('scene=home&own&opened=plain');
  expect(await screen.findByText('This district is set up already')).toBeTruthy();
  expect((await byId('import-setup')).hasAttribute('disabled')).toBe(false);
});

test('nothing is imported into the practice district', async () => {
  open('scene=practice&opened=plain');
  expect(await screen.findByText('The window shows the practice district')).toBeTruthy();
  expect((await byId('import-setup')).hasAttribute('disabled')).toBe(true);
});

test('a file with secrets asks for its passphrase first', async () => {
  const user = open('scene=new&opened=encrypted');
  expect((await byId('import-setup')).hasAttribute('disabled')).toBe(true);
  await user.type(await byId('field-passphrase'), 'correct horse');
  expect((await byId('import-setup')).hasAttribute('disabled')).toBe(false);
});

test('a file that can’t be read is told with its code', async () => {
  open('scene=new&opened=unreadable');
  expect((await byId('error-code')).textContent).toContain('window.file_unreadable');
});

test.each([
  ['activity', 'Activity'],
  ['backups', 'Settings'],
  ['home', 'Home'],
])('a notification about %s opens %s', async (place, page) => {
  open(`scene=home&go=${place}`);
  await waitFor(() => {
    const current = document.querySelector('[aria-current="page"]');
    expect(current?.textContent.trim()).toBe(page);
  });
});

test('a pasted secret is to leave the clipboard, and what is no secret stays', async () => {
  const user = open('scene=new');
  await user.click(await byId('welcome-district'));
  await user.click(await byId('field-url'));
  await user.paste('https://ps.example.org');
  expect(forgotten.times).toBe(0);
  await user.click(await byId('field-client-secret'));
  await user.paste('one secret');
  expect(forgotten.times).toBe(1);
  // All three at once, into whichever field.
  await user.click(await byId('field-url'));
  await user.paste(
    'Client ID: 11111111-2222-3333-4444-555555555555\nClient Secret: 66666666-7777-8888-9999-000000000000',
  );
  expect(forgotten.times).toBe(2);
});

test('the shell is given its words, and how times are written', async () => {
  delete spoken.words;
  open('scene=new');
  await waitFor(() => expect(spoken.words).toBeDefined());
  expect(spoken.words).toMatchObject({
    quit: 'Quit…',
    nextRun: 'Next run: {when}',
    day: '{weekday}, {month} {day}, {time}',
    time: '{hour}:{minute} {half}',
    weekdays: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
    months: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
    halves: ['AM', 'PM'],
  });
});
