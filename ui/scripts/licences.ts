// Tells the window which work of others is in the product, and under which licences: the crates from the file that
// `cargo xtask licences` writes, the npm packages from what is bundled.
import { readFileSync, readdirSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin, Rolldown } from 'vite';

const UI = fileURLToPath(new URL('../', import.meta.url));
const CRATES = `${UI}licences/crates.json`;

/** The licences under which a package may be bundled, as its package.json says it (docs/supply-chain.md). */
const ALLOWED = ['Apache-2.0 OR MIT', 'ISC', 'MIT', 'OFL-1.1'];

/** What a package's LICENSE says where its package.json says nothing. */
const NOT_NAMED: Record<string, string> = { 'svelte-toolbelt': 'MIT' };

interface Package {
  name: string;
  version?: string;
  within?: string;
  npm?: true;
  licence: string;
  texts: number[];
}

interface Licences {
  packages: Package[];
  texts: string[];
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

/** The folder of the package that a module or a file belongs to, if it is a package's. */
function folderOf(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file.replaceAll(sep, '/').replaceAll('\0', ''))?.[0];
}

/** The folders of the packages of which something is in the bundle: a script, or a file as it is, such as a font. */
function bundled(bundle: Rolldown.OutputBundle): Set<string> {
  const files = Object.values(bundle).flatMap((output) =>
    output.type === 'chunk'
      ? Object.entries(output.modules).flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? [id] : []))
      : output.originalFileNames.map((name) => UI + name),
  );
  return new Set(files.flatMap((file) => folderOf(file) ?? []));
}

/** Where package.json says what the product needs. */
function needed(): Set<string> {
  const { dependencies } = json<{ dependencies: Record<string, string> }>(`${UI}package.json`);
  return new Set(Object.keys(dependencies).map((name) => `${UI}node_modules/${name}`));
}

interface Manifest {
  name: string;
  version: string;
  license?: string;
  author?: string | { name: string };
}

/** The texts a package comes with; for MIT, which is one text but for a name, the project's own copy of it will do. */
function textsIn(folder: string, { name, author }: Manifest, licence: string): string[] {
  const read = (file: string) => readFileSync(file, 'utf8').replaceAll('\r\n', '\n').trim();
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  if (files.length > 0) return files.map((file) => read(`${folder}/${file}`));
  if (licence !== 'MIT') throw new Error(`${name} is bundled and comes without the text of its licence`);
  const holder = (typeof author === 'string' ? author : author?.name) ?? `the authors of ${name}`;
  return [read(`${UI}../LICENSE-MIT`).replace(/^Copyright .*$/m, () => `Copyright (c) ${holder}`)];
}

/** The packages with the texts of their licences. Throws where one may not be bundled. */
function packagesIn(folders: Set<string>): Licences {
  const { packages: locked } = json<{ packages: Record<string, { dev?: true }> }>(`${UI}package-lock.json`);
  const licences: Licences = { packages: [], texts: [] };
  for (const folder of [...folders].sort()) {
    const manifest = json<Manifest>(`${folder}/package.json`);
    const { name, version } = manifest;
    const licence = manifest.license ?? NOT_NAMED[name];
    if (licence === undefined || !ALLOWED.includes(licence)) {
      throw new Error(`${name} is bundled, and its licence, ${licence ?? 'which it does not name'}, is not allowed: see docs/supply-chain.md`);
    }
    if (locked[relative(UI, folder).replaceAll(sep, '/')]?.dev === true) {
      throw new Error(`${name} is bundled, and package.json lists it for development alone`);
    }
    const texts = textsIn(folder, manifest, licence).map((text) => licences.texts.push(text) - 1);
    licences.packages.push({ name, version, npm: true, licence, texts });
  }
  return licences;
}

/** Both lists as one, by name, with each text once. */
function all(folders: Set<string>): string {
  const crates = json<Licences>(CRATES);
  const npm = packagesIn(folders);
  const texts = [...new Set([...crates.texts, ...npm.texts])];
  const placed = ({ packages, texts: own }: Licences) =>
    packages.map((one) => ({ ...one, texts: one.texts.map((text) => texts.indexOf(own[text] ?? '')) }));
  const bare = ({ name }: Package) => name.replace(/^@/, '').toLowerCase();
  const packages = [...placed(crates), ...placed(npm)].sort((a, b) => (bare(a) < bare(b) ? -1 : bare(a) > bare(b) ? 1 : 0));
  return JSON.stringify({ packages, texts });
}

const MODULE = 'virtual:licences';
const LIST = 'virtual:licences-list';

/**
 * Offers `virtual:licences`, whose `read()` answers the list. In the product it is a file beside the scripts, read when
 * it is asked for; while developing and in tests it is a module of its own, with the packages that package.json names.
 */
export function licences(): Plugin {
  let built = false;
  const file = 'licences.json';
  return {
    name: 'licences',
    configResolved(config) {
      built = config.command === 'build';
    },
    resolveId: (id) => (id === MODULE || id === LIST ? `\0${id}` : undefined),
    load(id) {
      if (id === `\0${LIST}`) return `export default ${all(needed())}`;
      if (id !== `\0${MODULE}`) return undefined;
      if (!built) return `export const read = async () => (await import('${LIST}')).default`;
      return `export const read = async () => (await fetch('/${file}')).json()`;
    },
    // By now it is known what is left of each package.
    generateBundle(_, bundle) {
      this.emitFile({ type: 'asset', fileName: file, source: all(bundled(bundle)) });
    },
  };
}
