import type { Fault } from '../bindings/Fault';
import type { Setup } from '../bindings/Setup';

/** What the shell says to a call in the name of a profile it does not show. */
export const OTHER_PROFILE: Fault = {
  code: 'window.other_profile',
  message: 'The window shows another district by now, so nothing was done.',
  remedy: 'Look at which district the window shows, then do it again.',
};

/** What the engine says to a save that was made of an older set-up. */
export const SETUP_CHANGED_ELSEWHERE: Fault = {
  code: 'setup.changed_elsewhere',
  message: 'The set-up was changed elsewhere meanwhile.',
  remedy: 'Nothing was saved. Look at the set-up as it is now, and make the change again.',
};

let change: ((setup: Setup) => Setup) | undefined;

/** Another window or a command changes the set-up, just before this one saves the next time. */
export function changeElsewhere(how: (setup: Setup) => Setup): void {
  change = how;
}

/** The set-up, once that change is made; each is made once. */
export function changedElsewhere(setup: Setup): Setup {
  const now = change?.(setup) ?? setup;
  change = undefined;
  return now;
}

/** `clash`: another window enters a mail server and another Client ID. */
export function changeFromQuery(query: URLSearchParams): void {
  change = undefined;
  if (!query.has('clash')) return;
  changeElsewhere((setup) => ({
    ...setup,
    powerschool: { ...setup.powerschool, client_id: '9d2f5c10-7b3e-4f6a-8c21-0e5d7a94b6f3' },
    mail: { ...setup.mail, host: 'smtp.northfield.org', from: 'office@northfield.org', to: ['office@northfield.org'] },
  }));
}
