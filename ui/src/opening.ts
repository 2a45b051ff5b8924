/** What a window asks first. Without text: it is read before the language is known. */

import { tauriHost } from './backend/tauri';
import type { Environment, Happened, Host } from './backend/host';
import type { Request } from './bindings/Request';
import type { Response } from './bindings/Response';

/** How many runs Home lists. */
export const RECENT_RUNS = 8;

/** What Home needs before it shows anything. */
const FIRST: readonly Request[] = [{ op: 'setup' }, { op: 'status' }, { op: 'runs', limit: RECENT_RUNS }, { op: 'guarded' }];

/** What was asked of a profile, and the answer that is on its way. */
export type Asked = readonly { request: Request; response: Promise<Response> }[];

export interface Opening {
  environment: Promise<Environment>;
  /** Of the profile the window shows; nothing where that was not open yet: the first question opens it, and is asked alone. */
  first: Promise<Asked>;
  /** Done once the engine's words arrive here. */
  listening: Promise<void>;
  /** Hands on what the engine has said since, and will say. */
  hear(listener: (happened: Happened) => void): void;
}

/** Asks now, so that the answers come while the window's scripts are read and carried out. */
export function begin(host: Host): Opening {
  const kept: Happened[] = [];
  let heard = (happened: Happened): void => void kept.push(happened);
  // Before it is asked what runs: what begins after that answer is said.
  const listening = host.onHappened((happened) => heard(happened));
  const environment = host.environment();
  const first = environment.then(({ profile, opened }) =>
    // The practice district is started first.
    opened && profile !== 'practice' ? FIRST.map((request) => ({ request, response: host.call(profile, request, () => {}) })) : [],
  );
  // Told by whoever takes them; where nobody does, it is no fault of the page.
  first.then((asked) => asked.forEach(({ response }) => response.catch(() => undefined)), () => undefined);
  listening.catch(() => undefined);
  return {
    environment,
    first,
    listening,
    hear(listener) {
      heard = listener;
      kept.splice(0).forEach(listener);
    },
  };
}

/** The same in the app's window; nothing in a browser. */
export function beginInShell(): Opening | undefined {
  return '__TAURI_INTERNALS__' in window ? begin(tauriHost) : undefined;
}
