/** What numbers, dates and times are written by. The schools are in the United States, in either language. */
let tag = 'en-US';

/** The BCP 47 tag of the language in use. */
export function locale(): string {
  return tag;
}

/** Numbers, dates and times are written in `language` from now on. */
export function speakOf(language: string): void {
  tag = `${language}-US`;
}
