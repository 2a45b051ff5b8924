import { expect, test } from 'vitest';
import { emptySetup } from '../../backend/fixture-data';
import { heroAccount, managedConnection } from '../../backend/fixture-hero';
import type { Setup } from '../../bindings/Setup';
import type { SetupView } from '../../bindings/SetupView';
import { bareHost, heroConnections, heroUsers, serverKnown, unknownServers, users, withConnection } from './connections';
import { connectionFrom, draftOf, missing, newDraft, problemsOf, type Draft, type Problems } from './draft';

const key = { algorithm: 'ssh-ed25519', sha256: 'SHA256:x', accepted_at: '2026-09-01T15:30:00Z', accepted_by: 'office' };

/** Two accounts on two connections, and Raptor on the second. */
const setup: Setup = {
  ...emptySetup(),
  connections: [managedConnection('hero'), managedConnection('connection-3')],
  hero: { accounts: [heroAccount(1, 'hero'), { ...heroAccount(2, 'connection-3'), name: 'North' }] },
  raptor: { ...emptySetup().raptor, connection: { connection: 'connection-3', folder: '' } },
};

const view: SetupView = {
  setup,
  revision: '',
  secrets: [],
  host_keys: { hero: [key] },
  practice: false,
  test_waiting: false,
  schools: [],
};

test('a server is known by the account of the exchange', () => {
  expect(serverKnown(view, 'hero-students')).toBe(true);
  expect(serverKnown(view, 'hero-students-2')).toBe(false);
  expect(serverKnown(view, 'hero-students-3')).toBe(false);
  expect(unknownServers(view)).toEqual(['connection-3']);
  expect(heroConnections(setup)).toEqual(['hero', 'connection-3']);
});

test('who uses a connection is told, with the account’s name where there are several', () => {
  expect(users(setup, 'hero')).toEqual(['Hero: Hero']);
  expect(users(setup, 'connection-3')).toEqual(['Hero: North', 'Raptor']);
  expect(users({ ...setup, hero: { accounts: [heroAccount(1, 'hero')] } }, 'hero')).toEqual(['Hero']);
  expect(users(setup, 'raptor')).toEqual([]);
  const nameless: Setup = { ...setup, hero: { accounts: setup.hero.accounts.map((account) => ({ ...account, name: ' ' })) } };
  expect(users(nameless, 'connection-3')).toEqual(['Hero: Account 2', 'Raptor']);
  expect(heroUsers(nameless, 'connection-3')).toEqual(['Hero: Account 2']);
});

test('a connection is changed in its place, and a new one comes last', () => {
  const changed = withConnection(setup, { ...managedConnection('hero'), host: 'sftp.example.org' });
  expect(changed.connections.map(({ id, host }) => [id, host])).toEqual([
    ['hero', 'sftp.example.org'],
    ['connection-3', 'sftp.hero.schoolmint.com'],
  ]);
  expect(withConnection(setup, managedConnection('raptor')).connections.map(({ id }) => id)).toEqual(['hero', 'connection-3', 'raptor']);
});

test.each([
  ['sftp://sftp.hero.schoolmint.com', 'sftp.hero.schoolmint.com'],
  ['  SFTP://sftp.example.org/ ', 'sftp.example.org'],
  ['sftp.example.org', 'sftp.example.org'],
  ['', ''],
])('the server of "%s"', (typed, expected) => {
  expect(bareHost(typed)).toBe(expected);
});

test('what is saved comes back as it was entered, with the way of signing in chosen', () => {
  const connection = { ...managedConnection('hero'), username: 'district', sign_in: 'private_key' as const, allow_legacy: true };
  expect(connectionFrom(draftOf(connection, false))).toEqual(connection);
  expect(draftOf(managedConnection('hero'), true).signIn).toBe('private_key');
  expect(draftOf(managedConnection('hero'), false).signIn).toBe('password');
});

const draft: Draft = { ...newDraft('connection-3', 'Files'), host: 'sftp.example.org', username: 'office' };

test.each<[string, Partial<Draft>, (keyof Problems)[]]>([
  ['as it should be', {}, []],
  ['with the scheme', { host: 'sftp://sftp.example.org' }, []],
  ['no server yet, which can wait', { host: '' }, []],
  ['without a name', { name: ' ' }, ['name']],
  ['a path behind the server', { host: 'sftp.example.org/imports' }, ['host']],
  ['a user before the server', { host: 'office@sftp.example.org' }, ['host']],
  ['port 0', { port: '0' }, ['port']],
  ['port 65535', { port: '65535' }, []],
  ['port 65536', { port: '65536' }, ['port']],
  ['a port in words', { port: 'ssh' }, ['port']],
  ['no transfer at once', { transfers: '0' }, ['transfers']],
  ['nine transfers at once', { transfers: '9' }, ['transfers']],
  ['an answer at once', { answer: '0' }, ['answer']],
  ['never kept alive', { keepAlive: '0' }, []],
  ['kept alive by halves', { keepAlive: '0.5' }, ['keepAlive']],
])('%s', (_, change, wrong) => {
  expect(Object.keys(problemsOf({ ...draft, ...change }))).toEqual(wrong);
});

test('what is used needs a server and a user', () => {
  expect(missing(draft)).toEqual({});
  expect(Object.keys(missing({ ...draft, host: 'sftp://', username: ' ' }))).toEqual(['host', 'username']);
});
