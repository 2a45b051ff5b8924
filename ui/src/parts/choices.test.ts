import { render, screen, within } from '@testing-library/svelte';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, test } from 'vitest';
import Choose from './Choose.svelte';
import Segments from './Segments.svelte';

const DAYS = ['Monday', 'Tuesday', 'Wednesday'].map((label) => ({ value: label.slice(0, 3), label }));

describe('a row of choices', () => {
  /** The row with `value` chosen, as a page would have it. */
  function row(value: string | null) {
    const chosen: string[] = [];
    const { rerender } = render(Segments, {
      label: 'Day',
      choices: DAYS,
      value,
      onchoose: (now: string) => {
        chosen.push(now);
        void rerender({ value: now });
      },
    });
    const all = within(screen.getByRole('radiogroup', { name: 'Day' })).getAllByRole('radio');
    const stops = () => all.filter((one) => one.tabIndex === 0).map((one) => one.textContent.trim());
    return { user: userEvent.setup(), chosen, stops };
  }
  const focused = () => document.activeElement?.textContent?.trim();

  test('chooses as the arrows go, round at its ends; Home and End go to these', async () => {
    const { user, chosen, stops } = row('Mon');
    await user.tab();
    await user.keyboard('{ArrowRight}{ArrowDown}{ArrowRight}{ArrowLeft}{Home}{End}{ArrowUp}');
    expect(chosen).toEqual(['Tue', 'Wed', 'Mon', 'Wed', 'Mon', 'Wed', 'Tue']);
    expect(focused()).toBe('Tuesday');
    expect(screen.getByRole('radio', { checked: true }).textContent.trim()).toBe('Tuesday');
    expect(stops()).toEqual(['Tuesday']);
  });

  test('in which none is chosen yet is looked through before one is', async () => {
    const { user, chosen, stops } = row(null);
    expect(stops()).toEqual(['Monday']);
    await user.tab();
    await user.keyboard('{ArrowRight}');
    expect(chosen).toEqual([]);
    expect(focused()).toBe('Tuesday');
    expect(stops()).toEqual(['Tuesday']);
    await user.keyboard(' ');
    expect(chosen).toEqual(['Tue']);
  });
});

describe('a list that is searched', () => {
  function list(free = false) {
    const options = [...DAYS, { value: 'Thu', label: 'Thursday', about: 'the last', disabled: true }];
    render(Choose, { label: 'Day', options, value: 'Tue', placeholder: 'Choose', free });
    const field: HTMLInputElement = screen.getByRole('combobox', { name: 'Day' });
    const active = () => document.getElementById(field.getAttribute('aria-activedescendant') ?? '')?.textContent.trim();
    return { user: userEvent.setup(), field, active };
  }

  test('is worked with by the keyboard alone', async () => {
    const { user, field, active } = list();
    await user.tab();
    expect(field.getAttribute('aria-expanded')).toBe('false');
    await user.keyboard('{ArrowDown}');
    expect(field.getAttribute('aria-expanded')).toBe('true');
    expect(screen.getByRole('listbox').id).toBe(field.getAttribute('aria-controls'));
    expect(active()).toBe('Tuesday');
    await user.keyboard('{ArrowDown}{ArrowDown}');
    // What is disabled is not gone to, and no end is passed.
    expect(active()).toBe('Wednesday');
    await user.keyboard('{PageUp}');
    expect(active()).toBe('Monday');
    await user.clear(field);
    await user.type(field, 'wed');
    expect(active()).toBe('Wednesday');
    await user.keyboard('{Enter}');
    expect(field.value).toBe('Wednesday');
    expect(screen.queryByRole('listbox')).toBeNull();
    expect(document.activeElement).toBe(field);
  });

  test('is opened and closed by its arrow, and one of it is clicked', async () => {
    const { user, field } = list();
    const arrow = screen.getByRole('button', { name: 'Show the choices for Day' });
    await user.click(arrow);
    expect(document.activeElement).toBe(field);
    await user.click(screen.getByRole('option', { name: /Thursday/ }));
    expect(field.value).toBe('Tuesday');
    await user.click(screen.getByRole('option', { name: 'Monday' }));
    expect(field.value).toBe('Monday');
    expect(screen.queryByRole('listbox')).toBeNull();
    await user.click(arrow);
    await user.click(arrow);
    expect(screen.queryByRole('listbox')).toBeNull();
  });

  test.each([
    ['Escape', '{Escape}'],
    ['the Tab key', '{Tab}'],
  ])('that is left by %s keeps what was chosen, and a free one what was written', async (_, keys) => {
    for (const free of [false, true]) {
      const { user, field } = list(free);
      await user.clear(field);
      await user.type(field, 'Sunday');
      expect(screen.getByRole('listbox').textContent).toContain(free ? 'Use “Sunday”' : 'Nothing matches.');
      await user.keyboard(keys);
      expect(screen.queryByRole('listbox')).toBeNull();
      expect(field.value).toBe(free ? 'Sunday' : 'Tuesday');
      document.body.replaceChildren();
    }
  });
});
