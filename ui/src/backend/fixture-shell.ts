/** What only a desktop does, as the sample data has it: files opened from outside, and updates. */

import type { Fault } from '../bindings/Fault';
import type { ShellWords } from '../shell/words';
import type { Downloaded, FoundUpdate, Host, OpenedFile } from './host';

/** What is put on a clipboard that shall be forgotten, counted for the tests. */
export const forgotten = { times: 0 };

/** The words the shell speaks, for the tests. */
export const spoken: { words?: ShellWords } = {};

type Shell = Pick<
  Host,
  | 'takeOpenedFile'
  | 'onFileOpened'
  | 'onGo'
  | 'speak'
  | 'forgetClipboard'
  | 'updates'
  | 'checkForUpdate'
  | 'installUpdate'
  | 'restart'
>;

/**
 * Switches: `opened` (a setup file was opened; `encrypted`: one with secrets, `unreadable`: one that can't be read),
 * `go` (the place a notification leads to, at once), `updates` (`on`: a newer version is there, `none`: there is none,
 * `unreachable`, `signature`: looking or installing fails; off without it).
 */
export function fixtureShell(query: URLSearchParams, profile: string): Shell {
  let opened = query.get('opened');
  const updates = query.get('updates');

  function openedFile(): OpenedFile {
    if (opened === 'unreadable') {
      throw {
        code: 'window.file_unreadable',
        message: 'north.rosterbridge could not be read: permission denied.',
        remedy: 'Check that it is a file, still where it was, and that you may open it.',
      } satisfies Fault;
    }
    const text = opened === 'encrypted' ? '-----BEGIN AGE ENCRYPTED FILE-----\n' : '{"version":2}';
    return { name: 'north.rosterbridge', text };
  }

  return {
    takeOpenedFile: async () => {
      if (opened === null) return Promise.resolve(null);
      try {
        return await Promise.resolve(openedFile());
      } finally {
        opened = null;
      }
    },
    onFileOpened: () => Promise.resolve(),
    onGo: (listener) => {
      const place = query.get('go');
      if (place !== null) setTimeout(() => listener({ profile, place: place as 'home' }), 0);
      return Promise.resolve();
    },
    speak: (words: ShellWords) => {
      spoken.words = words;
      return Promise.resolve();
    },
    forgetClipboard: () => {
      forgotten.times += 1;
      return Promise.resolve();
    },
    updates: () => Promise.resolve(updates === null ? { state: 'off' } : { state: 'on', server: 'updates.example.org' }),
    checkForUpdate: (): Promise<FoundUpdate | null> => {
      if (updates === 'unreachable') {
        return Promise.reject({
          code: 'updates.unreachable',
          message: 'The server for updates gave no answer that can be used: connection refused.',
          remedy: 'Check that this computer is online and may reach that server, then look again.',
        } satisfies Fault);
      }
      if (updates === 'none') return Promise.resolve(null);
      return Promise.resolve({
        version: '0.2.0',
        notes: 'Held records can be mended in place.\nHero’s exports are written faster.',
        date: '2026-11-16',
      });
    },
    installUpdate: (_version: string, onProgress: (downloaded: Downloaded) => void) => {
      onProgress({ bytes: 20_000_000, of: 38_000_000 });
      if (updates === 'signature') {
        return Promise.reject({
          code: 'updates.signature',
          message: 'The update does not bear the signature it has to: it was signed with another key.',
          remedy:
            'Nothing was installed. Do not install this update by other means before whoever publishes it has said why: the file may not be theirs.',
        } satisfies Fault);
      }
      return Promise.resolve();
    },
    restart: () => Promise.resolve(),
  };
}
