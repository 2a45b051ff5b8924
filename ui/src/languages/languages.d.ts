/** The catalogues of the languages: `scripts/languages.ts` offers them. */
declare module 'virtual:languages' {
  import type { CatalogModule } from 'wuchale/runtime';

  /** Answers the catalogue of a language. Rejects where it can't be read. */
  export function read(language: string): Promise<CatalogModule>;
}
