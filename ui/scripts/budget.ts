// Holds the window's scripts and style sheets to a size, so that what makes it larger is noticed when it is made.
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** Bytes in all, each file packed by gzip: what `cargo xtask bench window` measures too. */
const MOST = 250_000;

/** Fails the product's build where it is too large. */
export function budget(): Plugin {
  let product = false;
  return {
    name: 'budget',
    apply: 'build',
    configResolved({ mode }) {
      product = mode === 'production';
    },
    writeBundle(_, bundle) {
      if (!product) return;
      const files = Object.values(bundle).filter(({ fileName }) => /\.(js|css)$/.test(fileName));
      const bytes = files
        .map((file) => gzipSync(file.type === 'chunk' ? file.code : file.source, { level: 9 }).length)
        .reduce((sum, size) => sum + size, 0);
      const size = `Scripts and style sheets: ${(bytes / 1000).toFixed(1)} kB of ${MOST / 1000} kB, packed by gzip.`;
      if (bytes > MOST) this.error(`${size} Find what made them larger, or make something else smaller.`);
      this.info(size);
    },
  };
}
