import type { Event } from '../bindings/Event';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';

/** What the window was started with. */
export interface Environment {
  /** The profile it shows, e.g. `default` or `practice`. */
  profile: string;
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

/** Whatever carries out requests: the desktop shell, or sample data in a plain browser. */
export interface Host {
  /** Rejects with a `Fault`. */
  call(request: Request, onEvent: (event: Event) => void): Promise<Response>;
  /** Starts the practice district and turns the window to its profile. Rejects with a `Fault`. */
  practiceStart(): Promise<void>;
  /** Ends the practice district and turns the window back. Rejects with a `Fault`. */
  practiceLeave(): Promise<void>;
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
  /** Listens to runs this window did not start, as long as the page lives. */
  onHappened(listener: (happened: Happened) => void): Promise<void>;
  /** Whether RosterBridge starts when the person signs in to this computer. Rejects with a `Fault`. */
  startsAtLogin(): Promise<boolean>;
  /** Rejects with a `Fault`. */
  startAtLogin(wanted: boolean): Promise<void>;
}
