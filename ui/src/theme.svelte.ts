export type Theme = 'system' | 'light' | 'dark';

const KEY = 'rosterbridge.theme';
const ORDER: Theme[] = ['system', 'light', 'dark'];

/** Light, dark, or what the system says; remembered between starts. */
class Appearance {
  theme = $state<Theme>('system');

  /** Applies what was chosen last time. */
  restore(): void {
    const stored = localStorage.getItem(KEY);
    this.#apply(ORDER.find((theme) => theme === stored) ?? 'system');
  }

  next(): void {
    const theme = ORDER[(ORDER.indexOf(this.theme) + 1) % ORDER.length] ?? 'system';
    localStorage.setItem(KEY, theme);
    this.#apply(theme);
  }

  #apply(theme: Theme): void {
    this.theme = theme;
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}

export const appearance = new Appearance();
