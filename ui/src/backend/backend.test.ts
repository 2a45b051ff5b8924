import { expect, test } from 'vitest';
import { Backend, toFault } from '.';
import { emptySetup } from './fixture-data';
import type { Host } from './host';

function answering(call: Host['call']): Backend {
  return new Backend({
    call,
    practiceStart: () => Promise.resolve('practice'),
    practiceLeave: () => Promise.resolve('default'),
    environment: () => Promise.resolve({ profile: 'default', opened: true, version: '0', home: '/', platform: 'linux' }),
    saveFile: () => Promise.resolve(null),
    chooseFile: () => Promise.resolve(null),
    chooseFolder: () => Promise.resolve(null),
    print: () => Promise.resolve(),
    notify: () => Promise.reject(new Error('no bus')),
    speak: () => Promise.reject(new Error('no shell')),
    onHappened: () => Promise.resolve(),
    startsAtLogin: () => Promise.resolve(false),
    startAtLogin: () => Promise.resolve(),
    profiles: () => Promise.resolve([]),
    openProfile: () => Promise.resolve(),
    restoreLedger: () => Promise.resolve({ passed_over: [] }),
    recoverKey: () => Promise.resolve(),
    eraseProfile: (profile: string) => Promise.resolve({ profile, left: [] }),
    takeOpenedFile: () => Promise.resolve(null),
    onFileOpened: () => Promise.resolve(),
    onGo: () => Promise.resolve(),
    forgetClipboard: () => Promise.reject(new Error('no clipboard')),
    updates: () => Promise.resolve({ state: 'off' }),
    checkForUpdate: () => Promise.resolve(null),
    installUpdate: () => Promise.resolve(),
    restart: () => Promise.resolve(),
  });
}

test('a fault reaches the caller as it is', async () => {
  const fault = { code: 'powerschool.bad_credentials', message: 'No.', remedy: 'Yes.' };
  await expect(answering(() => Promise.reject(fault)).status()).rejects.toEqual(fault);
});

test('anything else that is thrown becomes a fault with a code, without its text', () => {
  expect(toFault(new Error('secret detail')).code).toBe('window.unexpected');
  expect(toFault('secret detail').message).not.toContain('secret');
});

test('an answer of another kind is refused', async () => {
  const backend = answering(() => Promise.resolve({ kind: 'done' }));
  await expect(backend.saveSetup(emptySetup(), '')).rejects.toMatchObject({ code: 'window.unexpected' });
});

test('requests are named as the engine reads them', async () => {
  const seen: unknown[] = [];
  const backend = answering((_profile, request) => {
    seen.push(request);
    return Promise.resolve({ kind: 'done' });
  });
  await backend.cancel();
  await backend.testConnection('hero', 'SHA256:x', () => {}).catch(() => undefined);
  await backend.sync(['hero-students'], true, () => {}).catch(() => undefined);
  expect(seen).toEqual([
    { op: 'cancel' },
    { op: 'test_connection', connection: 'hero', accept_host_key: 'SHA256:x' },
    { op: 'sync', jobs: ['hero-students'], dry_run: true },
  ]);
});

test('every call names the profile it is meant for', async () => {
  const named: string[] = [];
  const backend = answering((profile) => {
    named.push(profile);
    return Promise.resolve({ kind: 'done' });
  });
  const district = backend.of('north');
  await district.cancel();
  await district.of('practice').cancel();
  await district.cancel();
  await backend.cancel();
  expect(named).toEqual(['north', 'practice', 'north', '']);
});

test('a notification that can’t be shown is no failure', async () => {
  await expect(answering(() => Promise.resolve({ kind: 'done' })).notify('Ready', 'PowerSchool is connected.')).resolves.toBeUndefined();
});
