/** What the servers of managed connections answer on the sample data. */

import type { AcceptedHostKey } from '../bindings/AcceptedHostKey';
import type { ConnectionId } from '../bindings/ConnectionId';
import type { Fault } from '../bindings/Fault';
import type { HostKeyView } from '../bindings/HostKeyView';
import type { KeyView } from '../bindings/KeyView';
import type { ManagedConnection } from '../bindings/ManagedConnection';
import type { ReplacedHostKey } from '../bindings/ReplacedHostKey';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { Setup } from '../bindings/Setup';
import type { StageResult } from '../bindings/StageResult';
import { SFTP_STAGES } from '../text/names';
import { FINGERPRINT, MD5, OTHER_FINGERPRINT } from './fixture-data';
import { managedConnection } from './fixture-hero';

/** A stage that passes; with a result, one that does not, or not quite. */
export type Stage = [name: string, detail: string, result?: StageResult];

export const FOLDER_STAGES: Stage[] = [
  ['Folder', 'It exists.'],
  ['Reading', '5 buildings and 6 reasons.'],
  ['Writing', 'Files can be written.'],
];

const UNKNOWN: Fault = {
  code: 'sftp.host_key_unknown',
  message: 'This server’s host key has not been accepted yet.',
  remedy: 'Compare the fingerprint with the one you were given, then accept it.',
};

const CHANGED: Fault = {
  code: 'sftp.host_key_changed',
  message: 'The server’s host key is not the one that was accepted.',
  remedy: 'Ask whoever runs the server whether the key was changed. Until then nothing is sent.',
};

const NOT_THE_GIVEN: Fault = {
  code: 'sftp.host_key_mismatch',
  message: 'The server’s host key is not the one you were given the fingerprint of.',
  remedy: 'Ask whoever gave it to you. Until then nothing is sent.',
};

/** The servers' host keys: what they present, and what was accepted before. */
export class SampleServers {
  readonly #pins = new Map<string, AcceptedHostKey[]>();
  readonly #replaced = new Map<string, ReplacedHostKey[]>();
  readonly #changed: boolean;
  readonly #warn: boolean;

  /** `changed`: every server had another key before. `warn`: it is old, and short of everything. */
  constructor(changed: boolean, warn: boolean) {
    this.#changed = changed;
    this.#warn = warn;
  }

  accepted({ host, port }: ManagedConnection): AcceptedHostKey[] {
    const known = this.#pins.get(`${host}:${port}`);
    return known ?? (this.#changed ? [key(OTHER_FINGERPRINT, '2026-09-01T15:30:00Z')] : []);
  }

  replaced({ host, port }: ManagedConnection): ReplacedHostKey[] {
    return this.#replaced.get(`${host}:${port}`) ?? [];
  }

  accept({ host, port }: ManagedConnection, sha256: string, at: string): void {
    this.#pins.set(`${host}:${port}`, [key(sha256, at)]);
  }

  replace(connection: ManagedConnection): ReplacedHostKey[] {
    const now = key(FINGERPRINT, new Date().toISOString());
    const replaced = this.accepted(connection).map((old) => ({ old, new: now }));
    this.#replaced.set(`${connection.host}:${connection.port}`, [...replaced, ...this.replaced(connection)]);
    this.accept(connection, FINGERPRINT, now.accepted_at);
    return replaced;
  }

  forget(): void {
    this.#pins.clear();
  }

  keys(setup: Setup): Record<ConnectionId, AcceptedHostKey[]> {
    return Object.fromEntries(setup.connections.map((connection) => [connection.id, this.accepted(connection)]));
  }

  /** A test: its stages and the key that was presented. A fingerprint is accepted where it is the server's. */
  test(connection: ManagedConnection, accept: string | null, folders: 'hero' | 'raptor'): { stages: Stage[]; hostKey: HostKeyView } {
    const before = this.accepted(connection);
    if (before.length === 0 && accept !== null && isServers(accept)) this.accept(connection, FINGERPRINT, new Date().toISOString());
    const [pinned] = this.accepted(connection);
    const accepted = pinned?.sha256 === FINGERPRINT;
    const hostKey: HostKeyView = {
      algorithm: 'ssh-ed25519',
      sha256: FINGERPRINT,
      md5: MD5,
      accepted,
      ...(pinned !== undefined && !accepted ? { pinned_instead: pinned } : {}),
    };
    const greeting: Stage[] = [
      ['Host name', 'found at 203.0.113.24'],
      ['Connection', `port ${connection.port} answers`],
      this.#warn
        ? [
            'SSH',
            'SSH-2.0-OpenSSH_5.3, curve25519-sha256, aes256-cbc, hmac-sha2-256',
            {
              result: 'warned',
              code: 'sftp.legacy_in_use',
              message: 'The server has no better encryption than aes256-cbc.',
              remedy: 'Ask the server’s operator for a newer cipher, then no longer allow the old ones.',
            },
          ]
        : ['SSH', 'SSH-2.0-OpenSSH_9.6, curve25519-sha256, aes256-gcm@openssh.com'],
    ];
    if (!accepted) {
      const fault = hostKey.pinned_instead !== undefined ? CHANGED : accept === null ? UNKNOWN : NOT_THE_GIVEN;
      const rest = SFTP_STAGES.slice(4).map((name): Stage => [name, '', { result: 'skipped' }]);
      return { stages: [...greeting, ['Host key', '', { result: 'failed', ...fault }], ...rest], hostKey };
    }
    const names = folders === 'hero' ? 'imports/ and export/ are there' : 'roster/ is there';
    return {
      hostKey,
      stages: [
        ...greeting,
        ['Host key', `ssh-ed25519 ${FINGERPRINT}`],
        ['Sign-in', `signed in as ${connection.username}`],
        ['Folders', names],
        this.#warn
          ? [
              'Upload',
              'written to imports/ and removed again',
              {
                result: 'warned',
                code: 'sftp.written_directly',
                message: 'The server refuses to rename files, so they are written directly: a reader may see half a file.',
                remedy:
                  'Ask the server’s operator to let this account rename files. Until then, let the other side read the files well after the time they are sent.',
              },
            ]
          : ['Upload', 'written, renamed and removed again'],
        ['Download', folders === 'hero' ? '1 file in export/: ATTENDANCE.txt' : 'the folder can be listed'],
        this.#warn ? ['Free space', 'the server does not tell'] : ['Free space', '48 GB'],
      ],
    };
  }
}

/** Whether what was pasted is the fingerprint of the servers' key. */
function isServers(pasted: string): boolean {
  const text = pasted.trim();
  return [FINGERPRINT, FINGERPRINT.replace('SHA256:', ''), MD5, MD5.replace('MD5:', '')].includes(text);
}

function key(sha256: string, at: string): AcceptedHostKey {
  return { algorithm: 'ssh-ed25519', sha256, accepted_at: at, accepted_by: 'office' };
}

/** What the sample keeps about connections beside the set-up. */
export interface ConnectionsKept {
  setup: Setup;
  servers: SampleServers;
  /** The names of the secrets that are set. */
  secrets: Set<string>;
  /** With names and comments as long as they come. */
  long: boolean;
}

type ConnectionRequest = Extract<
  Request,
  {
    op:
      | 'replace_host_key'
      | 'host_key_history'
      | 'read_known_hosts'
      | 'accept_known_hosts'
      | 'check_key'
      | 'generate_key'
      | 'public_key'
      | 'legacy_algorithms'
      | 'delete_connection';
  }
>;

export function managedOf({ setup }: ConnectionsKept, id: ConnectionId): ManagedConnection {
  const found = setup.connections.find((candidate) => candidate.id === id);
  if (found === undefined) throw NOT_THERE;
  return found;
}

/** Answers all about connections but their tests; a deleted connection is the caller's to take out of the set-up. */
export function answerConnections(request: ConnectionRequest, kept: ConnectionsKept): Response | undefined {
  const { servers, secrets, long } = kept;
  switch (request.op) {
    case 'replace_host_key': {
      if (request.typed !== FINGERPRINT.slice(7, 15)) throw NOT_TYPED;
      return { kind: 'host_key_replaced', data: servers.replace(managedOf(kept, request.connection)) };
    }
    case 'host_key_history':
      return history(kept, request.connection);
    case 'read_known_hosts': {
      const connection = managedOf(kept, request.connection);
      const found = request.text.includes('ssh-');
      const [pinned] = servers.accepted(connection);
      return {
        kind: 'known_hosts',
        data: {
          host: connection.host,
          port: connection.port,
          keys: found
            ? [
                {
                  line: 2,
                  algorithm: 'ssh-ed25519',
                  sha256: FINGERPRINT,
                  md5: MD5,
                  hashed: true,
                  standing: pinned === undefined ? 'new' : pinned.sha256 === FINGERPRINT ? 'accepted' : 'differs',
                },
                {
                  line: 7,
                  algorithm: 'ssh-rsa',
                  sha256: OTHER_FINGERPRINT,
                  md5: MD5,
                  hashed: false,
                  marker: 'revoked',
                  standing: 'not_used',
                },
              ]
            : [],
          problems: found ? [{ line: 4, reason: 'the key is cut off' }] : [],
        },
      };
    }
    case 'accept_known_hosts': {
      const connection = managedOf(kept, request.connection);
      for (const sha256 of request.sha256) servers.accept(connection, sha256, new Date().toISOString());
      return history(kept, request.connection);
    }
    case 'check_key': {
      const locked = request.text.includes('ENCRYPTED');
      if (!request.text.includes('PRIVATE KEY')) throw NO_KEY;
      if (locked && (request.passphrase ?? '') === '') throw LOCKED;
      return { kind: 'key', data: keyView(locked, long) };
    }
    case 'generate_key':
      secrets.add(`${request.connection}.private-key`);
      return publicKey(request.connection, long);
    case 'public_key':
      return publicKey(request.connection, long);
    case 'legacy_algorithms':
      return {
        kind: 'legacy_algorithms',
        data: ['aes256-cbc', 'rijndael-cbc@lysator.liu.se', 'aes192-cbc', 'aes128-cbc'].map((name) => ({
          name,
          kind: 'ciphers',
          weakens: 'Ciphers in CBC mode: someone who can alter what is on the line may learn parts of it.',
        })),
      };
    case 'delete_connection':
      for (const name of [...secrets]) if (name.startsWith(`${request.connection}.`)) secrets.delete(name);
      return undefined;
  }
}

/** One that nothing uses yet. */
export function secondConnection(long: boolean): ManagedConnection {
  return {
    ...managedConnection('connection-3'),
    name: long ? 'Washington County Regional Cooperative for Student Information Services: SFTP server (North Campus)' : 'District file server',
    description: 'Files for other departments',
    host: long ? 'sftp.student-information-services.washington-county-regional-cooperative.k12.example.org' : 'files.northfield.k12.us',
    port: 22,
    username: 'rosterbridge',
    sign_in: 'private_key',
  };
}

/** So many connections in all, the further ones by password. */
export function manyConnections(setup: Setup, wanted: number, long: boolean): ManagedConnection[] {
  const added: ManagedConnection[] = [];
  while (setup.connections.length + added.length < wanted) {
    const id = nextConnection({ ...setup, connections: [...setup.connections, ...added] });
    added.push({ ...secondConnection(long), id, name: `${secondConnection(long).name} ${added.length + 1}`, sign_in: 'password' });
  }
  return [...setup.connections, ...added];
}

/** The id of the next connection, as the engine counts them. */
export function nextConnection({ connections }: Setup): ConnectionId {
  const taken = new Set(connections.map(({ id }) => id));
  const ids = ['hero', 'raptor', ...Array.from({ length: 98 }, (_, index) => `connection-${index + 3}`)];
  return ids.find((id) => !taken.has(id)) ?? 'connection-100';
}

const NOT_THERE: Fault = {
  code: 'connection.unknown',
  message: 'There is no such managed connection any more.',
  remedy: 'Open the set-up again.',
};

const NOT_TYPED: Fault = {
  code: 'sftp.host_key_not_confirmed',
  message: 'What was typed is not the beginning of the new fingerprint.',
  remedy: 'Type its first eight characters as you were told them.',
};

const NO_KEY: Fault = {
  code: 'sftp.bad_private_key',
  message: 'This is no private key.',
  remedy: 'Choose the file without .pub at its end: it begins with -----BEGIN.',
};

const LOCKED: Fault = {
  code: 'sftp.bad_private_key',
  message: 'This key has a passphrase.',
  remedy: 'Enter the passphrase.',
};

function keyView(encrypted: boolean, long: boolean): KeyView {
  return {
    algorithm: 'ssh-ed25519',
    bits: 256,
    comment: long ? 'rosterbridge@student-information-services.washington-county-regional-cooperative.k12.example.org' : 'rosterbridge@office',
    sha256: OTHER_FINGERPRINT,
    encrypted,
  };
}

function publicKey(connection: ConnectionId, long: boolean): Response {
  const key = keyView(false, long);
  const line = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK3yJx0m1dQ7vYw2hTq8Zb4nLr5sEo6uFpGcXaWiVtRj ${key.comment}`;
  return { kind: 'public_key', data: { connection, line, key } };
}

function history(kept: ConnectionsKept, id: ConnectionId): Response {
  const connection = managedOf(kept, id);
  const { host, port } = connection;
  return {
    kind: 'host_key_history',
    data: { connection: id, host, port, accepted: kept.servers.accepted(connection), replaced: kept.servers.replaced(connection) },
  };
}
