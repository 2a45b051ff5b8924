/** Sample data: backups, the recovery file, the support bundle, and the districts of this computer. */

import type { BackupView } from '../bindings/BackupView';
import type { Erased } from '../bindings/Erased';
import type { Fault } from '../bindings/Fault';
import type { ProfileView } from '../bindings/ProfileView';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RestoredView } from '../bindings/RestoredView';
import { dayFromNow } from './fixture-times';
import type { Host } from './host';

/** The districts that were opened in windows of their own since the page was opened, for tests to look at. */
export const opened: string[] = [];

const FAULTS: Record<string, Fault> = {
  backup: {
    code: 'store.disk_full',
    message: 'The disk is full.',
    remedy: 'Free some space on the disk that holds the profile, then run again.',
  },
  backups: {
    code: 'store.io',
    message: 'The folder of the backups could not be read: permission denied.',
    remedy: 'Check that the profile’s folder exists and that this account may read and write it, then run again.',
  },
  restore: {
    code: 'profile.in_use',
    message: 'Another RosterBridge works on default.',
    remedy:
      'Close its window, and stop its service with \'rosterbridge service uninstall\' if there is one, then try again.',
  },
  bundle: {
    code: 'file.exists',
    message: 'There is a file of this name already.',
    remedy: 'Choose another name.',
  },
  profile: {
    code: 'window.profile_not_opened',
    message: 'The district’s window could not be opened: no such file or directory.',
    remedy: 'Start RosterBridge anew with --profile and the district’s name.',
  },
};
/** Why the profile does not open, until what is wrong is put right. */
const CLOSED: Record<string, Fault> = {
  key: {
    code: 'vault.key_missing',
    message: 'The key that opens this profile’s databases is not in the keychain.',
    remedy: 'Sign in with the account that set it up, or put the key back from the recovery file.',
  },
  'no-backup': {
    code: 'store.no_backup',
    message: 'The ledger is damaged, and there is no backup of it that can be used.',
    remedy: 'Put a backup of your own of the profile’s folder in its place. Without one, begin an empty ledger and set the district up again: the damaged file is kept.',
  },
};
FAULTS.erase = FAULTS.restore as Fault;
FAULTS.recovery = FAULTS.backup as Fault;

/** What of the sample's requests concerns the care of a profile's data; `fail` names what can't be done. */
export class SampleCare {
  readonly #long: boolean;
  readonly #fail: string | null;
  readonly #left: boolean;
  readonly #wait: () => Promise<unknown>;
  #backups: BackupView[];
  #closed: Fault | undefined;

  constructor(query: URLSearchParams, wait: () => Promise<unknown>) {
    this.#long = query.has('long');
    this.#fail = query.get('fail');
    this.#left = query.has('left');
    this.#wait = wait;
    this.#closed = CLOSED[this.#fail ?? ''];
    const nights = query.get('scene') === 'home' ? Array.from({ length: 7 }, (_, night) => backup(this.#folder, dayFromNow(-night, 2, 10))) : [];
    this.#backups = this.#long && nights.length > 0 ? [...nights, ...[21, 60, 130].map((days) => backup(this.#folder, dayFromNow(-days, 9), true))] : nights;
  }

  get #folder(): string {
    return this.#long
      ? '/home/office/.local/share/rosterbridge/profiles/washington-county-regional-cooperative/backups'
      : '/home/office/.local/share/rosterbridge/profiles/default/backups';
  }

  #refuse(what: string): void {
    if (this.#fail === what) throw FAULTS[what];
  }

  /** Throws where the profile does not open. */
  opens(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  async answer(request: Request): Promise<Response | undefined> {
    switch (request.op) {
      case 'backups':
        this.#refuse('backups');
        return { kind: 'backups', data: this.#backups };
      case 'back_up': {
        await this.#wait();
        this.#refuse('backup');
        const made = backup(this.#folder, new Date());
        this.#backups = [made, ...this.#backups];
        return { kind: 'backed_up', data: made };
      }
      case 'recovery_file':
        await this.#wait();
        this.#refuse('recovery');
        return { kind: 'recovery_file', data: '-----BEGIN AGE ENCRYPTED FILE-----\n' };
      case 'support_bundle':
        await this.#wait();
        this.#refuse('bundle');
        return {
          kind: 'support_bundle',
          data: { file: request.file, bytes: 184_320, contents: ['README.txt', 'about.json', 'setup.json', 'runs.json', 'logs/rosterbridge.log'] },
        };
      default:
        return undefined;
    }
  }

  /** What the shell does; `erased` is called when the profile is gone. */
  host(profile: () => string, erased: () => void): Pick<Host, 'profiles' | 'openProfile' | 'restoreLedger' | 'recoverKey' | 'eraseProfile'> {
    return {
      profiles: async () => {
        await this.#wait();
        return districts(profile(), this.#long);
      },
      openProfile: async (name) => {
        await this.#wait();
        this.#refuse('profile');
        opened.push(name);
      },
      restoreLedger: async (_profile, beginAnew): Promise<RestoredView> => {
        await this.#wait();
        this.#refuse('restore');
        if (beginAnew) {
          this.#closed = undefined;
          erased();
          return { passed_over: [] };
        }
        return {
          passed_over: this.#long ? [this.#backups[0]?.file ?? ''] : [],
          ...(this.#backups[0] === undefined ? {} : { backup_made_at: this.#backups[0].made_at }),
          set_aside: this.#folder.replace('backups', 'ledger-damaged-20261118T120000Z.db'),
        };
      },
      recoverKey: async (_profile, _text, passphrase) => {
        await this.#wait();
        if (passphrase !== 'correct horse') {
          throw {
            code: 'vault.wrong_passphrase',
            message: 'This passphrase does not open the recovery file.',
            remedy: 'Type it as it was when the file was saved; letter case and spaces count.',
          } satisfies Fault;
        }
        this.#closed = undefined;
      },
      eraseProfile: async (name): Promise<Erased> => {
        await this.#wait();
        this.#refuse('erase');
        erased();
        return { profile: name, left: this.#left ? [{ what: this.#folder, why: 'permission denied' }] : [] };
      },
    };
  }
}

function backup(folder: string, at: Date, before = false): BackupView {
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, '');
  return {
    file: `${folder}/ledger-${stamp}${before ? '-before-layout-12' : ''}.db`,
    made_at: at.toISOString(),
    bytes: 4_231_168,
    before_layout: before,
  };
}

function districts(profile: string, long: boolean): ProfileView[] {
  const served = (server: string) => ({ server, paused: false, running: false, next_at: dayFromNow(1, 3, 10).toISOString() });
  return [
    { name: 'cedar-county', served: { ...served('ps.cedarcounty.k12.us'), paused: true } },
    { name: 'default', served: served('ps.northfield.k12.us') },
    { name: 'harbor' },
    { name: 'practice' },
    ...(long
      ? [
          {
            name: 'washington-county-regional-cooperative-1',
            served: { ...served('powerschool.washington-county-regional-cooperative.k12.example.org'), running: true },
          },
        ]
      : []),
  ].filter(({ name }) => name !== 'practice' || profile === 'practice');
}
