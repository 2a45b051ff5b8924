/** How far each key goes along a row; with `upright`, up and down go along it too. */
function steps(key: string, upright: boolean): number | undefined {
  if (key === 'ArrowRight' || (upright && key === 'ArrowDown')) return 1;
  return key === 'ArrowLeft' || (upright && key === 'ArrowUp') ? -1 : undefined;
}

/**
 * Moves the focus from the choice that has it to another of its row: to the next ones by the arrows, round at the ends,
 * and by Home and End to these. Answers the place of that other one; undefined where the key is for something else.
 */
export function along(event: KeyboardEvent & { currentTarget: HTMLElement }, upright = false): number | undefined {
  const row = [...(event.currentTarget.parentElement?.children ?? [])] as HTMLElement[];
  const step = steps(event.key, upright);
  const end = { Home: 0, End: row.length - 1 }[event.key];
  const place = step === undefined ? end : (row.indexOf(event.currentTarget) + step + row.length) % row.length;
  if (place === undefined) return undefined;
  event.preventDefault();
  row[place]?.focus();
  return place;
}
