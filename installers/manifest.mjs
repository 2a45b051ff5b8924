// Writes latest.json, which the app's updater reads, from signed packages in a folder.
//
//   node installers/manifest.mjs FOLDER VERSION DOWNLOAD-ADDRESS [NOTES-FILE]
//
// Beside each package that counts lies its signature, PACKAGE.sig (`tauri signer sign --app-version VERSION`).

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whose computers a package is for, as the updater names them: the first that fits is taken. */
const PLATFORMS = [
  [/-setup\.exe$/, ['windows-x86_64', 'windows-x86_64-nsis']],
  [/\.app\.tar\.gz$/, ['darwin-aarch64', 'darwin-x86_64']],
  [/\.deb$/, ['linux-x86_64-deb']],
  [/\.rpm$/, ['linux-x86_64-rpm']],
];

const [folder, version, address, notes] = process.argv.slice(2);
if (address === undefined) {
  throw new Error('Usage: node installers/manifest.mjs FOLDER VERSION DOWNLOAD-ADDRESS [NOTES-FILE]');
}
const names = readdirSync(folder);
const platforms = {};
for (const [ending, keys] of PLATFORMS) {
  const fitting = names.filter((name) => ending.test(name));
  if (fitting.length !== 1) throw new Error(`${fitting.length} packages end in ${ending}.`);
  const [name] = fitting;
  if (!existsSync(join(folder, `${name}.sig`))) throw new Error(`${name} has no signature.`);
  const signature = readFileSync(join(folder, `${name}.sig`), 'utf8').trim();
  for (const key of keys) platforms[key] = { signature, url: `${address}/${encodeURIComponent(name)}` };
}
const manifest = {
  version,
  notes: notes === undefined ? '' : readFileSync(notes, 'utf8').trim(),
  pub_date: new Date().toISOString(),
  platforms,
};
writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
