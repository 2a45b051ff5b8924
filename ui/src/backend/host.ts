import type { Erased } from '../bindings/Erased';
import type { Event } from '../bindings/Event';
import type { NoticePlace } from '../bindings/NoticePlace';
import type { ProfileView } from '../bindings/ProfileView';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RestoredView } from '../bindings/RestoredView';
import type { ShellWords } from '../shell/words';

/** What the window was started with. */
export interface Environment {
  /** The profile it shows, e.g. `default` or `practice`. */
  profile: string;
  /** Whether that is open already. The first thing asked of another one opens it, and may ask for the keychain. */
  opened: boolean;
  version: string;
  /** The folder that holds the profiles. */
  home: string;
  platform: string;
}

/** What a file is written from. */
export type FileContent = { text: string } | { base64: string };

/** What a run does that this window did not start: the schedule, or a person beside the window. */
export interface Happened {
  profile: string;
  event: Event;
}

/** A setup file that was opened from outside the window. */
export interface OpenedFile {
  name: string;
  text: string;
}

/** A place the person is to be taken to, from a notification, the icon beside the clock or the menu bar. */
export interface Aim {
  /** Of this profile. */
  profile: string;
  place: NoticePlace;
}

/** Whether there can be updates, and from which server. */
export type Updates = { state: 'off' } | { state: 'on'; server: string };

/** A version newer than this one. */
export interface FoundUpdate {
  version: string;
  /** Plain text. */
  notes: string;
  /** The day it was published, e.g. `2026-11-18`. */
  date: string | null;
}

/** How far a download is, in bytes. */
export interface Downloaded {
  bytes: number;
  of: number | null;
}

/** Whatever carries out requests: the desktop shell, or sample data in a plain browser. */
export interface Host {
  /** In the name of a profile: refused where that is not the one the window shows by then. Rejects with a `Fault`. */
  call(profile: string, request: Request, onEvent: (event: Event) => void): Promise<Response>;
  /** Starts the practice district and turns the window to its profile. Answers that one's name. Rejects with a `Fault`. */
  practiceStart(): Promise<string>;
  /** Ends the practice district and turns the window back. Answers the name of the profile it shows then. Rejects with a `Fault`. */
  practiceLeave(): Promise<string>;
  environment(): Promise<Environment>;
  /** Asks where to save a file and writes it. Answers its path, or null when the person cancelled. Rejects with a `Fault`. */
  saveFile(suggestedName: string, content: FileContent): Promise<string | null>;
  /** Asks where a file is to be saved that the engine writes. Answers its path, or null when the person cancelled. Rejects with a `Fault`. */
  chooseFile(suggestedName: string): Promise<string | null>;
  /** Asks for a folder. Answers its path, or null when the person cancelled. Rejects with a `Fault`. */
  chooseFolder(): Promise<string | null>;
  /** Opens the system's print dialog for what the page shows on paper. Rejects with a `Fault`. */
  print(): Promise<void>;
  /** Shows a notification of the operating system, where that is possible. */
  notify(title: string, body: string): Promise<void>;
  /** What stands outside the page, beside the clock above all, is said in these words from now on. */
  speak(words: ShellWords): Promise<void>;
  /** Listens to runs this window did not start, as long as the page lives. */
  onHappened(listener: (happened: Happened) => void): Promise<void>;
  /** Whether RosterBridge starts when the person signs in to this computer. Rejects with a `Fault`. */
  startsAtLogin(): Promise<boolean>;
  /** Rejects with a `Fault`. */
  startAtLogin(wanted: boolean): Promise<void>;
  /** The profiles of this account, the practice district's too. Rejects with a `Fault`. */
  profiles(): Promise<ProfileView[]>;
  /** Opens a profile in a window of its own, a new one too. Rejects with a `Fault`. */
  openProfile(name: string): Promise<void>;
  /** Puts the newest backup in the place of the profile's ledger, or an empty ledger; refused as `call` is. Rejects with a `Fault`. */
  restoreLedger(profile: string, beginAnew: boolean): Promise<RestoredView>;
  /** Puts the profile's key back into the keychain from a recovery file; refused as `call` is. Rejects with a `Fault`. */
  recoverKey(profile: string, text: string, passphrase: string): Promise<void>;
  /** Erases the profile; `confirm` is its name as it was typed. Refused as `call` is. Rejects with a `Fault`. */
  eraseProfile(profile: string, confirm: string): Promise<Erased>;
  /** The setup file that was opened from outside, once; null when none was. Rejects with a `Fault`. */
  takeOpenedFile(): Promise<OpenedFile | null>;
  /** Hears that one can be taken, as long as the page lives. */
  onFileOpened(listener: () => void): Promise<void>;
  /** Hears where the person is to be taken, as long as the page lives. */
  onGo(listener: (aim: Aim) => void): Promise<void>;
  /** A secret was pasted: it is taken off the clipboard in a minute, unless something else is there by then. */
  forgetClipboard(): Promise<void>;
  /** Whether there can be updates. Asks no server. Rejects with a `Fault`. */
  updates(): Promise<Updates>;
  /** Asks the configured server for a newer version; null when there is none. Rejects with a `Fault`. */
  checkForUpdate(): Promise<FoundUpdate | null>;
  /** Downloads and installs the version that was found; `restart` runs it. Rejects with a `Fault`. */
  installUpdate(version: string, onProgress: (downloaded: Downloaded) => void): Promise<void>;
  /** Ends the app in order and starts it again. */
  restart(): Promise<void>;
}
