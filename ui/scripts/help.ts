// Turns the guide and the troubleshooting page into the pages that the window shows without a network. The Markdown
// is read here, while the window is built: no parser goes into the product.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Marked, type Token, type Tokens } from 'marked';
import type { Plugin } from 'vite';

const DOCS = new URL('../../docs/', import.meta.url);

/** What is bundled, by the name the window knows it by. */
const BOOKS = { guide: 'administrator-guide.md', troubleshooting: 'troubleshooting.md' } as const;
type Book = keyof typeof BOOKS;

/** One page of the help. */
interface Page {
  /** A code, or the book and the heading: `powerschool.dns`, `guide/set-up`. */
  key: string;
  book: Book;
  /** 1 for the book itself, 2 for a chapter, 3 for what lies in one. */
  level: number;
  title: string;
  html: string;
}

/** The anchor of a heading, as the site that shows the documents makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, '')
    .replaceAll(' ', '-');
}

/** Where the headings of a book are: the page by its anchor, and the place in it where it is no page of its own. */
type Anchors = Map<string, { key: string; place?: string }>;

interface Draft {
  key: string;
  level: number;
  title: string;
  tokens: Token[];
}

const lexer = new Marked();

function plain(tokens: Token[]): string {
  return tokens
    .map((token) => ('tokens' in token && token.tokens ? plain(token.tokens) : 'text' in token ? String(token.text) : ''))
    .join('');
}

function isHeading(token: Token): token is Tokens.Heading {
  return token.type === 'heading';
}

/** A code's heading is the code itself. */
const CODE = /^[a-z]+\.[a-z0-9_]+$/;

function draftsOf(book: Book, text: string): { drafts: Draft[]; anchors: Anchors } {
  const drafts: Draft[] = [];
  const anchors: Anchors = new Map();
  for (const token of lexer.lexer(text)) {
    if (!isHeading(token)) {
      drafts.at(-1)?.tokens.push(token);
      continue;
    }
    const title = plain(token.tokens);
    const anchor = anchorOf(title);
    const inside = drafts.at(-1);
    if (token.depth > 3 && inside !== undefined) {
      inside.tokens.push(token);
      anchors.set(anchor, { key: inside.key, place: anchor });
      continue;
    }
    const key = token.depth === 1 ? book : CODE.test(title) ? title : `${book}/${anchor}`;
    drafts.push({ key, level: token.depth, title, tokens: [] });
    anchors.set(anchor, { key });
  }
  return { drafts, anchors };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** The pages of one book. Throws where a link leads nowhere. */
function pagesOf(book: Book, drafts: Draft[], anchors: Record<Book, Anchors>): Page[] {
  const marked = new Marked({
    renderer: {
      // Markup of its own would be held to no rule here.
      html: ({ text }) => escaped(text),
      // The pictures show this very window.
      image: () => '',
      heading({ tokens }) {
        return `<h3 id="help-${anchorOf(plain(tokens))}">${this.parser.parseInline(tokens)}</h3>`;
      },
      code: ({ text }) => `<pre tabindex="0"><code>${escaped(text)}</code></pre>`,
      paragraph({ tokens }) {
        const inside = this.parser.parseInline(tokens);
        return inside.trim() === '' ? '' : `<p>${inside}</p>`;
      },
      link({ href, tokens }) {
        const words = this.parser.parseInline(tokens);
        const [file = '', anchor] = href.split('#', 2);
        const target = file === '' ? book : (Object.keys(BOOKS) as Book[]).find((name) => BOOKS[name] === file);
        // What is not bundled is named, and leads nowhere.
        if (target === undefined) return /^[a-z]+:/.test(href) && plain(tokens) !== href ? `${words} (${escaped(href)})` : words;
        const to = anchor === undefined ? { key: target } : anchors[target].get(anchor);
        if (to === undefined) throw new Error(`docs/${BOOKS[book]} links to ${href}, which is not there`);
        const place = 'place' in to && to.place !== undefined ? ` data-place="help-${to.place}"` : '';
        return `<a href="#help-page" data-help="${to.key}"${place}>${words}</a>`;
      },
    },
  });
  return drafts.map(({ key, level, title, tokens }) => {
    // Wide ones are scrolled by themselves.
    const html = marked
      .parser(tokens)
      .replaceAll('<table>', '<div class="table" tabindex="0"><table>')
      .replaceAll('</table>', '</table></div>');
    return { key, book, level, title, html };
  });
}

function read(): Record<Book, Page[]> {
  const names = Object.keys(BOOKS) as Book[];
  const drafts = Object.fromEntries(
    names.map((book) => [book, draftsOf(book, readFileSync(new URL(BOOKS[book], DOCS), 'utf8'))]),
  ) as Record<Book, ReturnType<typeof draftsOf>>;
  const anchors = Object.fromEntries(names.map((book) => [book, drafts[book].anchors])) as Record<Book, Anchors>;
  return Object.fromEntries(names.map((book) => [book, pagesOf(book, drafts[book].drafts, anchors)])) as Record<Book, Page[]>;
}

const MODULE = 'virtual:help';
const PAGES = 'virtual:help-pages';

/**
 * Offers `virtual:help`, whose `read()` answers all pages. In the product they are a file beside the scripts, read
 * when help is opened for the first time; while developing and in tests they are a module of their own.
 */
export function help(): Plugin {
  let built = false;
  const file = 'help/pages.json';
  const pages = () => JSON.stringify(Object.values(read()).flat());
  return {
    name: 'help',
    configResolved(config) {
      built = config.command === 'build';
    },
    resolveId: (id) => (id === MODULE || id === PAGES ? `\0${id}` : undefined),
    load(id) {
      if (id === `\0${PAGES}`) return `export default ${pages()}`;
      if (id !== `\0${MODULE}`) return undefined;
      for (const name of Object.values(BOOKS)) this.addWatchFile(fileURLToPath(new URL(name, DOCS)));
      if (!built) return `export const read = async () => (await import('${PAGES}')).default`;
      this.emitFile({ type: 'asset', fileName: file, source: pages() });
      return `export const read = async () => (await fetch('/${file}')).json()`;
    },
  };
}
