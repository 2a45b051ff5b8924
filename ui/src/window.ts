import { mount } from 'svelte';
import App from './App.svelte';
import type { Opening } from './opening';
import { appearance } from './theme.svelte';

/** Shows the window in the page. `opening`: what was asked already. */
export function show(opening: Opening | undefined): void {
  appearance.restore();
  const target = document.getElementById('app');
  if (target === null) return;
  // Left out of the product's build.
  if ((import.meta.env.DEV || import.meta.env.MODE === 'fixture') && new URLSearchParams(window.location.search).has('gallery')) {
    void import('./gallery/Gallery.svelte').then(({ default: Gallery }) => mount(Gallery, { target }));
  } else mount(App, { target, props: { opening } });
}
