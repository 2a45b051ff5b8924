/** The bundled help: `scripts/help.ts` makes it while the window is built. */
declare module 'virtual:help' {
  /** One page of the help. */
  export interface Page {
    /** A code, or the book and the heading: `powerschool.dns`, `guide/set-up`. */
    key: string;
    book: 'guide' | 'troubleshooting';
    /** 1 for the book itself, 2 for a chapter, 3 for what lies in one. */
    level: 1 | 2 | 3;
    title: string;
    /** Markup without scripts and styles; links have `data-help`, and `data-place` where they lead into a page. */
    html: string;
  }

  /** Answers all pages, each book in its order. Rejects where the file can't be read. */
  export function read(): Promise<Page[]>;
}
