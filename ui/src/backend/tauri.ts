import { Channel, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Event } from '../bindings/Event';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { Environment, FileContent, Happened, Host } from './host';

/** The desktop shell. */
export const tauriHost: Host = {
  call(request: Request, onEvent: (event: Event) => void): Promise<Response> {
    return invoke<Response>('call', { request, onEvent: new Channel<Event>(onEvent) });
  },
  practiceStart: () => invoke<void>('practice_start'),
  practiceLeave: () => invoke<void>('practice_leave'),
  environment: () => invoke<Environment>('environment'),
  saveFile: (suggestedName: string, content: FileContent) =>
    invoke<string | null>('save_file', { suggestedName, content }),
  chooseFile: (suggestedName: string) => invoke<string | null>('choose_file', { suggestedName }),
  chooseFolder: () => invoke<string | null>('choose_folder'),
  print: () => invoke<void>('print'),
  notify: (title: string, body: string) => invoke<void>('notify', { title, body }),
  async onHappened(listener: (happened: Happened) => void) {
    await listen<Happened>('engine', ({ payload }) => listener(payload));
  },
  startsAtLogin: () => invoke<boolean>('starts_at_login'),
  startAtLogin: (wanted: boolean) => invoke<void>('start_at_login', { wanted }),
};
