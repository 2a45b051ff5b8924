/** What the connection tests of Hero and Raptor find on the sample data. */

import type { Fault } from '../bindings/Fault';
import type { HeroSettings } from '../bindings/HeroSettings';
import type { HostKeyView } from '../bindings/HostKeyView';
import type { RaptorConnection } from '../bindings/RaptorConnection';
import { FINGERPRINT, MD5 } from './fixture-data';

export type Stage = [name: string, detail: string];

/** The stages of a test; with a fault, the last but one fails. */
interface Found {
  names: Stage[];
  fault: Fault | null;
}

export const FOLDER_STAGES: Stage[] = [
  ['Folder', 'It exists.'],
  ['Reading', '5 buildings and 6 reasons.'],
  ['Writing', 'Files can be written.'],
];

/** The server's host key where another one, the same or none was accepted before. */
export function presentedKey(pinned: string | null): HostKeyView {
  return {
    algorithm: 'ssh-ed25519',
    sha256: FINGERPRINT,
    md5: MD5,
    accepted: pinned === FINGERPRINT,
    ...(pinned !== null && pinned !== FINGERPRINT ? { pinned_instead: pinned } : {}),
  };
}

/** Why a host key ends the test: `owner` is who could have changed it, and `given` who tells the fingerprint. */
function keyFault(key: HostKeyView, owner: string, given: string): Fault {
  return key.pinned_instead === undefined
    ? {
        code: 'sftp.host_key_unknown',
        message: "This server's host key has not been accepted yet.",
        remedy: `Compare the fingerprint with the one ${given}, then accept it.`,
      }
    : {
        code: 'sftp.host_key_changed',
        message: "The server's host key is not the one that was accepted.",
        remedy: `Ask ${owner} whether the key was changed. Until then nothing is sent.`,
      };
}

/** The stages on any SFTP server, with those in its folders once its key is accepted. */
function serverStages(server: { host: string; port: number; username: string }, accepted: boolean, folders: Stage[]): Stage[] {
  return [
    ['Address', `${server.host}, port ${server.port}`],
    ['Connection', 'The server answers as SSH-2.0.'],
    ['Host key', accepted ? 'The key you accepted.' : ''],
    ['Login', accepted ? `Signed in as ${server.username}.` : ''],
    ...(accepted ? folders : []),
  ];
}

export function heroStages(hero: HeroSettings, key: HostKeyView): Found {
  const folders: Stage[] = [
    ['Folder imports/', 'There, and files can be written to it.'],
    ['Folder export/', '1 file: ATTENDANCE.txt.'],
  ];
  return {
    names: serverStages(hero, key.accepted, folders),
    fault: key.accepted ? null : keyFault(key, 'SchoolMint', 'SchoolMint gives you'),
  };
}

export function raptorStages(connection: RaptorConnection, key: HostKeyView): Found {
  return {
    names: serverStages(connection, key.accepted, [['Folder roster/', 'There, and files can be written to it.']]),
    fault: key.accepted ? null : keyFault(key, 'whoever runs the server', 'you were given'),
  };
}
