import { count } from './format';

/**
 * Marks a text that a person reads, in a script: the build looks for it in the catalogue of the language in use
 * (`src/languages/*.po`). The text must stand in the call itself, whole: a sentence put together from pieces can't be
 * translated. A template's values become placeholders that a language may put in another order.
 */
export function say(text: string): string {
  return text;
}

/**
 * A number with what it counts, or a sentence around it: `plural(3, ['# row was held', '# rows were held'])`. The forms
 * stand in the call itself; `#` is the number. `rule` comes from the catalogue, which has as many forms as its language.
 */
export function plural(value: number, forms: string[], rule = (number: number): number => (number === 1 ? 0 : 1)): string {
  return (forms[rule(value)] ?? forms.at(-1) ?? '').replace('#', count(value));
}
