/** A text cut to at most so many characters: a drawing has no room to wrap it, and the words below say it in full. */
export function fitted(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text;
}
