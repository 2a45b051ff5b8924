import { getContext, setContext } from 'svelte';
import type { Session } from '../session.svelte';

const SHOWN = Symbol('session');

/** Lets every part of the window lead to where something is put right. */
export function provideSession(session: () => Session | undefined): void {
  setContext(SHOWN, session);
}

/** The session of the window this part is in; a part that is shown by itself is in none. */
export function shownSession(): () => Session | undefined {
  return getContext<(() => Session | undefined) | undefined>(SHOWN) ?? (() => undefined);
}
