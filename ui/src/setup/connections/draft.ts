/** What a person enters about one managed connection, and what becomes of it. */

import type { ConnectionId } from '../../bindings/ConnectionId';
import type { ManagedConnection } from '../../bindings/ManagedConnection';
import type { SignInMethod } from '../../bindings/SignInMethod';
import { isWhole } from '../../text/number';
import { say } from '../../text/say';
import { bareHost } from './connections';

export interface Draft {
  id: ConnectionId;
  name: string;
  description: string;
  host: string;
  /** As typed, as are the other numbers. */
  port: string;
  username: string;
  signIn: SignInMethod;
  allowDownload: boolean;
  allowUpload: boolean;
  allowLegacy: boolean;
  transfers: string;
  answer: string;
  keepAlive: string;
}

export interface Problems {
  name?: string;
  host?: string;
  port?: string;
  username?: string;
  transfers?: string;
  answer?: string;
  keepAlive?: string;
}

/** `keyKept`: a private key is in the keychain, which without a choice is what signs in. */
export function draftOf(connection: ManagedConnection, keyKept: boolean): Draft {
  return {
    id: connection.id,
    name: connection.name,
    description: connection.description,
    host: connection.host,
    port: String(connection.port),
    username: connection.username,
    signIn: connection.sign_in ?? (keyKept ? 'private_key' : 'password'),
    allowDownload: connection.allow_download,
    allowUpload: connection.allow_upload,
    allowLegacy: connection.allow_legacy,
    transfers: String(connection.transfers_at_once),
    answer: String(connection.answer_seconds),
    keepAlive: String(connection.keep_alive_seconds),
  };
}

/** Where Hero's files are exchanged, by its procedure. */
export const HERO_SERVER = { host: 'sftp.hero.schoolmint.com', port: '2022' };

/** A connection that is created, with the server it is most likely for. */
export function newDraft(id: ConnectionId, name: string, server = { host: '', port: '22' }): Draft {
  return {
    id,
    name,
    description: '',
    ...server,
    username: '',
    signIn: 'password',
    allowDownload: true,
    allowUpload: true,
    allowLegacy: false,
    transfers: '2',
    answer: '60',
    keepAlive: '30',
  };
}

/** What can't be saved as it stands. */
export function problemsOf(draft: Draft): Problems {
  const problems: Problems = {};
  if (draft.name.trim() === '') problems.name = say('What you want to call it.');
  if (!isWhole(draft.port, 1, 65535)) problems.port = say('From 1 to 65535. Hero has 2022, most servers 22.');
  if (/[\s/@?#]/.test(bareHost(draft.host))) problems.host = say('Only the name of the server, such as sftp.example.org.');
  if (!isWhole(draft.transfers, 1, 8)) problems.transfers = say('From 1 to 8.');
  if (!isWhole(draft.answer, 1, 3600)) problems.answer = say('From 1 to 3600 seconds.');
  if (!isWhole(draft.keepAlive, 0, 86400)) problems.keepAlive = say('From 0 to 86400 seconds; 0 for never.');
  return problems;
}

/** What it still lacks to be tested and used. */
export function missing(draft: Draft): Problems {
  const problems: Problems = {};
  if (bareHost(draft.host) === '') problems.host = say('The name of the server, such as sftp.example.org.');
  if (draft.username.trim() === '') problems.username = say('The user name you were given for this server.');
  return problems;
}

/** Whether a draft can't be saved because of something that is folded away. */
export function advancedWrong({ transfers, answer, keepAlive }: Problems): boolean {
  return transfers !== undefined || answer !== undefined || keepAlive !== undefined;
}

/** The connection as it is saved. */
export function connectionFrom(draft: Draft): ManagedConnection {
  return {
    id: draft.id,
    name: draft.name.trim(),
    description: draft.description.trim(),
    host: draft.host.trim(),
    port: Number(draft.port),
    username: draft.username.trim(),
    sign_in: draft.signIn,
    allow_download: draft.allowDownload,
    allow_upload: draft.allowUpload,
    allow_legacy: draft.allowLegacy,
    transfers_at_once: Number(draft.transfers),
    answer_seconds: Number(draft.answer),
    keep_alive_seconds: Number(draft.keepAlive),
  };
}
