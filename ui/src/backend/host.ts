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

/** Whatever carries out requests: the desktop shell, or sample data in a plain browser. */
export interface Host {
  /** Rejects with a `Fault`. */
  call(request: Request, onEvent: (event: Event) => void): Promise<Response>;
  /** Starts the practice district and turns the window to its profile. Rejects with a `Fault`. */
  practiceStart(): Promise<void>;
  /** Ends the practice district and turns the window back. Rejects with a `Fault`. */
  practiceLeave(): Promise<void>;
  environment(): Promise<Environment>;
}
