import { Channel, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Erased } from '../bindings/Erased';
import type { Event } from '../bindings/Event';
import type { ProfileView } from '../bindings/ProfileView';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RestoredView } from '../bindings/RestoredView';
import type { ShellWords } from '../shell/words';
import type {
  Aim,
  Downloaded,
  Environment,
  FileContent,
  FoundUpdate,
  Happened,
  Host,
  OpenedFile,
  Updates,
} from './host';

/** The desktop shell. */
export const tauriHost: Host = {
  call(profile: string, request: Request, onEvent: (event: Event) => void): Promise<Response> {
    return invoke<Response>('call', { profile, request, onEvent: new Channel<Event>(onEvent) });
  },
  practiceStart: () => invoke<string>('practice_start'),
  practiceLeave: () => invoke<string>('practice_leave'),
  environment: () => invoke<Environment>('environment'),
  saveFile: (suggestedName: string, content: FileContent) =>
    invoke<string | null>('save_file', { suggestedName, content }),
  chooseFile: (suggestedName: string) => invoke<string | null>('choose_file', { suggestedName }),
  chooseFolder: () => invoke<string | null>('choose_folder'),
  print: () => invoke<void>('print'),
  notify: (title: string, body: string) => invoke<void>('notify', { title, body }),
  speak: (words: ShellWords) => invoke<void>('speak', { words }),
  async onHappened(listener: (happened: Happened) => void) {
    await listen<Happened>('engine', ({ payload }) => listener(payload));
  },
  startsAtLogin: () => invoke<boolean>('starts_at_login'),
  startAtLogin: (wanted: boolean) => invoke<void>('start_at_login', { wanted }),
  profiles: () => invoke<ProfileView[]>('profiles'),
  openProfile: (name: string) => invoke<void>('open_profile', { name }),
  restoreLedger: (profile: string, beginAnew: boolean) => invoke<RestoredView>('restore_ledger', { profile, beginAnew }),
  recoverKey: (profile: string, text: string, passphrase: string) =>
    invoke<void>('recover_key', { profile, text, passphrase }),
  eraseProfile: (profile: string, confirm: string) => invoke<Erased>('erase_profile', { profile, confirm }),
  takeOpenedFile: () => invoke<OpenedFile | null>('take_opened_file'),
  async onFileOpened(listener: () => void) {
    await listen('file-opened', () => listener());
  },
  async onGo(listener: (aim: Aim) => void) {
    await listen<Aim>('go', ({ payload }) => listener(payload));
  },
  forgetClipboard: () => invoke<void>('forget_clipboard'),
  updates: () => invoke<Updates>('updates'),
  checkForUpdate: () => invoke<FoundUpdate | null>('check_for_update'),
  installUpdate: (version: string, onProgress: (downloaded: Downloaded) => void) =>
    invoke<void>('install_update', { version, onProgress: new Channel<Downloaded>(onProgress) }),
  restart: () => invoke<void>('restart'),
};
