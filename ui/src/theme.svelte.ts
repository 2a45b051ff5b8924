export type Theme = 'system' | 'light' | 'dark' | 'contrast';

const THEMES: readonly Theme[] = ['system', 'light', 'dark', 'contrast'];

const KEY = 'rosterbridge.theme';

/** How the window looks; remembered between starts. A system that asks for more contrast gets it with every choice. */
class Appearance {
  theme = $state<Theme>('system');
  readonly #system = window.matchMedia('(prefers-contrast: more)');

  /** Applies what was chosen last time, and follows the system from then on. */
  restore(): void {
    const stored = localStorage.getItem(KEY);
    this.#system.addEventListener('change', () => this.#apply());
    this.theme = THEMES.find((theme) => theme === stored) ?? 'system';
    this.#apply();
  }

  choose(theme: Theme): void {
    localStorage.setItem(KEY, theme);
    this.theme = theme;
    this.#apply();
  }

  #apply(): void {
    const { dataset } = document.documentElement;
    if (this.theme === 'light' || this.theme === 'dark') dataset.theme = this.theme;
    else delete dataset.theme;
    if (this.theme === 'contrast' || this.#system.matches) dataset.contrast = 'more';
    else delete dataset.contrast;
  }
}

export const appearance = new Appearance();
