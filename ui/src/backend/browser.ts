import type { Erased } from '../bindings/Erased';
import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { ProfileView } from '../bindings/ProfileView';
import type { Request } from '../bindings/Request';
import type { Response as Answer } from '../bindings/Response';
import type { RestoredView } from '../bindings/RestoredView';
import type { Environment, FileContent, Happened, Host } from './host';

/** Where the key is kept while the page's tab lives. */
const KEPT = 'rosterbridge-key';

/** A line of what the browser host answers. */
type Line = { event: Event } | { happened: Happened } | { answer: unknown } | { fault: Fault };

/** The key the browser host put into the page's address, which loses it at once; or the one this tab was opened with. */
export function takeKey(): string | null {
  const given = new URLSearchParams(window.location.hash.slice(1)).get('key');
  if (given !== null) {
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
    window.sessionStorage.setItem(KEPT, given);
  }
  return given ?? window.sessionStorage.getItem(KEPT);
}

/** The lines as they come. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const [first = '', ...others] = part.value.split('\n');
    rest += first;
    for (const other of others) {
      yield JSON.parse(rest) as Line;
      rest = other;
    }
  }
}

function refused(message: string): Fault {
  return { code: 'window.no_shell', message, remedy: 'Use RosterBridge’s own window for it.' };
}

/** The browser host of a debug build (`rosterbridge-desktop --browser-host`): the real engine, and of a desktop what a browser has. */
export function browserHost(key: string): Host {
  async function post(path: string, body: string): Promise<ReadableStream<Uint8Array>> {
    let answer: Response;
    try {
      const headers = { 'Content-Type': 'application/json', 'X-RosterBridge-Key': key };
      answer = await fetch(path, { method: 'POST', headers, body });
    } catch {
      throw refused('The browser host has ended.');
    }
    if (!answer.ok || answer.body === null) throw refused(`The browser host refused this page (${answer.status}).`);
    return answer.body;
  }

  async function ask<T>(command: string, args: object = {}, onEvent: (event: Event) => void = () => {}): Promise<T> {
    for await (const line of lines(await post('/command', JSON.stringify({ command, ...args })))) {
      if ('answer' in line) return line.answer as T;
      if ('fault' in line) throw line.fault;
      if ('event' in line) onEvent(line.event);
    }
    throw refused('The browser host has ended.');
  }

  async function notify(title: string, body: string): Promise<void> {
    if (window.Notification?.permission === 'granted') new Notification(title, { body });
  }

  async function follow(listener: (happened: Happened) => void): Promise<void> {
    for await (const line of lines(await post('/happened', ''))) {
      if (!('happened' in line)) continue;
      const { event } = line.happened;
      if (event.event === 'notice') await notify(event.data.title, event.data.body);
      else listener(line.happened);
    }
  }

  return {
    call: (profile: string, request: Request, onEvent: (event: Event) => void) =>
      ask<Answer>('call', { profile, request }, (event) => {
        if (event.event === 'notice') void notify(event.data.title, event.data.body);
        else onEvent(event);
      }),
    practiceStart: () => ask<string>('practice_start'),
    practiceLeave: () => ask<string>('practice_leave'),
    environment: () => ask<Environment>('environment'),
    // Into the browser's folder for downloads, without asking: the path stays its secret.
    async saveFile(suggestedName: string, content: FileContent) {
      const bytes =
        'text' in content ? content.text : Uint8Array.from(atob(content.base64), (character) => character.charCodeAt(0));
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([bytes]));
      link.download = suggestedName;
      link.click();
      URL.revokeObjectURL(link.href);
      return suggestedName;
    },
    chooseFile: (suggestedName: string) => ask<string>('choose_file', { suggestedName }),
    chooseFolder: () => ask<string>('choose_folder'),
    async print() {
      window.print();
    },
    notify,
    async speak() {},
    async onHappened(listener: (happened: Happened) => void) {
      // Ends with the page, or with the host.
      void follow(listener).catch(() => undefined);
    },
    startsAtLogin: async () => false,
    async startAtLogin(wanted: boolean) {
      if (wanted) throw refused('A page in a browser can’t start at login.');
    },
    profiles: () => ask<ProfileView[]>('profiles'),
    async openProfile() {
      throw refused('A page in a browser shows one district.');
    },
    restoreLedger: (profile: string, beginAnew: boolean) => ask<RestoredView>('restore_ledger', { profile, beginAnew }),
    recoverKey: (profile: string, text: string, passphrase: string) => ask<void>('recover_key', { profile, text, passphrase }),
    eraseProfile: (profile: string, confirm: string) => ask<Erased>('erase_profile', { profile, confirm }),
    takeOpenedFile: async () => null,
    async onFileOpened() {},
    async onGo() {},
    async forgetClipboard() {},
    updates: async () => ({ state: 'off' }),
    checkForUpdate: async () => null,
    async installUpdate() {
      throw refused('A page in a browser is not installed.');
    },
    async restart() {
      window.location.reload();
    },
  };
}
