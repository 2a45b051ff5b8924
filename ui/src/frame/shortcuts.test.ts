import { describe, expect, test } from 'vitest';
import { SHORTCUTS, ariaKeys, keysOf, keysTaken, shortcutOf, type ShortcutId } from './shortcuts';

const press = (key: string, held: KeyboardEventInit = {}) => new KeyboardEvent('keydown', { key, ...held });
const CTRL = { ctrlKey: true };

test.each<[string, KeyboardEvent, ShortcutId | undefined]>([
  ['Ctrl K', press('k', CTRL), 'palette'],
  ['Ctrl K with Caps Lock', press('K', CTRL), 'palette'],
  ['K alone', press('k'), undefined],
  ['Ctrl Shift K', press('K', { ...CTRL, shiftKey: true }), undefined],
  ['Ctrl Alt K', press('k', { ...CTRL, altKey: true }), undefined],
  ['the Windows key with K', press('k', { metaKey: true }), undefined],
  ['?', press('?', { shiftKey: true }), 'shortcuts'],
  ['Ctrl Shift 7, where that is /', press('/', { ...CTRL, shiftKey: true }), 'shortcuts'],
  ['Ctrl 1', press('1', CTRL), 'home'],
  ['Ctrl with the key of 1, where that is &', press('&', { ...CTRL, code: 'Digit1' }), 'home'],
  ['Ctrl comma', press(',', CTRL), 'settings'],
  ['Ctrl Enter', press('Enter', CTRL), 'run-now'],
  ['Ctrl Shift Enter', press('Enter', { ...CTRL, shiftKey: true }), 'dry-run'],
  ['Enter', press('Enter'), undefined],
])('%s', (_, event, expected) => {
  expect(shortcutOf(event, false, true)).toBe(expected);
});

test('on macOS ⌘ is held, and Ctrl is not', () => {
  expect(shortcutOf(press('k', { metaKey: true }), true, true)).toBe('palette');
  expect(shortcutOf(press('k', CTRL), true, true)).toBeUndefined();
});

test('a key alone does nothing where the person has switched that off', () => {
  expect(shortcutOf(press('?'), false, false)).toBeUndefined();
  expect(shortcutOf(press('/', CTRL), false, false)).toBe('shortcuts');
});

test('no two shortcuts have the same keys', () => {
  const ids = Object.keys(SHORTCUTS) as ShortcutId[];
  const keys = ids.flatMap((id) => ariaKeys(id, false).split(' '));
  expect(new Set(keys).size).toBe(keys.length);
});

test('keys are written as they stand on the keyboard', () => {
  const [dry] = SHORTCUTS['dry-run'].chords;
  expect(keysOf(dry, false)).toEqual(['Ctrl', 'Shift', 'Enter']);
  expect(keysOf(dry, true)).toEqual(['⇧', '⌘', '↩']);
  expect(ariaKeys('palette', true)).toBe('Meta+K');
});

describe('keys belong to', () => {
  test.each([
    ['a text field', '<input />', true],
    ['a date', '<input type="date" />', true],
    ['a long text', '<textarea></textarea>', true],
    ['a list to choose from', '<select></select>', true],
    ['no tick box', '<input type="checkbox" />', false],
    ['no button', '<button></button>', false],
  ])('%s', (_, markup, expected) => {
    document.body.innerHTML = markup;
    expect(keysTaken(document.body.firstElementChild)).toBe(expected);
  });

  test('what is open above the page', () => {
    document.body.innerHTML = '<button></button><div role="dialog"></div>';
    expect(keysTaken(document.body.firstElementChild)).toBe(true);
  });
});
