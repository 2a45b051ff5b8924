import { render, screen } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import App from './App.svelte';

/** The whole window on the sample data; `query` and `pace` as in the fixture's description. */
export function open(query: string, pace = 0) {
  window.history.replaceState(null, '', `/?${query}&pace=${pace}`);
  render(App);
  return userEvent.setup();
}

export type User = ReturnType<typeof open>;

export const byId = (id: string) => screen.findByTestId(id);
