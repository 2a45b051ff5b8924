// Whether an installed RosterBridge works: one exchange on the practice district by the command line, then the window,
// which has to start the practice district by itself.
//
//   node installers/smoke.mjs --rosterbridge PATH --desktop PATH [--version X.Y.Z] [--root DIR] [--picture "COMMAND"]
//
// --root names the root folder of a system the two are installed in; paths are those inside it.
// --picture is run once the window's page is there.
//
// Needs a keychain that is open, and for the window a screen.

import { execFile, execSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';

const PATIENCE = 180_000;
const FOR_A_PERSON = 3;
const ATTENDANCE = ['hero-attendance', 'raptor-tardies'];

const { values: options } = parseArgs({
  options: {
    rosterbridge: { type: 'string' },
    desktop: { type: 'string' },
    version: { type: 'string' },
    root: { type: 'string' },
    picture: { type: 'string' },
  },
});
if (!options.rosterbridge || !options.desktop) {
  throw new Error('Name both programs: --rosterbridge PATH --desktop PATH');
}

/** A folder as the programs see it, and the same as we see it. */
function scratch() {
  if (options.root === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'rosterbridge-'));
    return { theirs: folder, ours: folder };
  }
  const ours = mkdtempSync(join(options.root, 'tmp', 'rosterbridge-'));
  return { theirs: ours.slice(options.root.length), ours };
}

const words = (program, args) =>
  options.root === undefined ? [program, args] : ['chroot', [options.root, program, ...args]];

/** Runs a command of ours to its end; `allowed` are the exit codes that are in order. */
async function rosterbridge(args, allowed = [0]) {
  console.log(`$ rosterbridge ${args.join(' ')}`);
  const [program, all] = words(options.rosterbridge, args);
  const { code, stdout, stderr } = await promisify(execFile)(program, all, { maxBuffer: 64 << 20 })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }))
    .catch((error) => error);
  if (!allowed.includes(code)) {
    throw new Error(`It ended with ${code}.\n${stdout}\n${stderr}`);
  }
  return stdout;
}

/** Asks again and again until there is an answer. */
async function until(what, ask) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(250);
  }
  throw new Error(`Not after ${PATIENCE / 1000} seconds: ${what}`);
}

function start(program, args, stdio) {
  const [first, all] = words(program, args);
  const child = spawn(first, all, { stdio });
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code));
    child.once('error', resolve);
  });
  child.ended = undefined;
  ended.then((how) => (child.ended = how));
  return { child, ended };
}

const check = (holds, otherwise) => {
  if (!holds) throw new Error(otherwise);
};

const folder = scratch();
const inFolder = (...names) => ({
  theirs: options.root === undefined ? join(folder.theirs, ...names) : [folder.theirs, ...names].join('/'),
  ours: join(folder.ours, ...names),
});
let failed;
const running = [];
try {
  const version = (await rosterbridge(['--version'])).trim();
  console.log(version);
  check(options.version === undefined || version.endsWith(` ${options.version}`), `It is not ${options.version}.`);

  // The exchange, by the command line.
  const ready = inFolder('ready.json');
  const district = start(
    options.rosterbridge,
    [
      ...['practice', 'serve', '--data', inFolder('district').theirs],
      ...['--ready-file', ready.theirs, '--until-stdin-closes'],
    ],
    ['pipe', 'inherit', 'inherit'],
  );
  running.push(district.child);
  await until('the practice district is ready', () => {
    check(district.child.ended === undefined, `The practice district ended: ${district.child.ended}`);
    return existsSync(ready.ours) ? true : undefined;
  });
  const { audit_url: audit } = JSON.parse(readFileSync(ready.ours, 'utf8'));
  const writes = async () => (await (await fetch(audit)).json()).writes.length;

  const profile = ['--home', inFolder('command-line').theirs, '--profile', 'practice'];
  await rosterbridge([...profile, 'setup', 'import', '--practice', ready.theirs]);
  await rosterbridge([...profile, 'test', 'powerschool']);
  await rosterbridge([...profile, 'test', 'hero']);
  const before = await writes();
  const document = JSON.parse(await rosterbridge([...profile, '--json', 'sync'], [0, FOR_A_PERSON]));
  const { jobs } = document.data;
  for (const { job, outcome, rows } of jobs) {
    console.log(`  ${job}: ${outcome}, read ${rows.read}, written ${rows.written}, held ${rows.held}`);
    check(rows.read > 0, `${job} read nothing.`);
  }
  check(jobs.length === 6, `There are ${jobs.length} jobs.`);
  const reported = jobs.filter(({ job }) => ATTENDANCE.includes(job)).reduce((sum, { rows }) => sum + rows.written, 0);
  const accepted = (await writes()) - before;
  check(reported > 0 && reported === accepted, `${reported} rows reported, ${accepted} accepted by PowerSchool.`);
  district.child.stdin.end();
  await district.ended;
  console.log(`The exchange works: ${accepted} attendance records, each once.`);

  // The window. Its page asks for the practice district, so a profile there means that the page runs.
  const home = inFolder('window').theirs;
  const window = start(
    options.desktop,
    ['--home', home, '--profile', 'practice', '--quit-on-close'],
    ['ignore', 'inherit', 'inherit'],
  );
  running.push(window.child);
  const holder = await until('the window shows the practice district', async () => {
    check(window.child.ended === undefined, `The window ended: ${window.child.ended}`);
    const answer = JSON.parse(
      await rosterbridge(['--home', home, '--profile', 'practice', '--json', 'status'], [0, 1, FOR_A_PERSON]),
    );
    return answer.ok ? answer.data.metrics.holder : undefined;
  });
  check(holder.pid === window.child.pid, `The window is ${window.child.pid}, and ${holder.pid} answers for it.`);
  if (options.picture !== undefined) {
    await pause(3_000);
    execSync(options.picture, { stdio: 'inherit' });
  }
  console.log(`The window works: it started the practice district, and answers as version ${holder.version}.`);
} catch (error) {
  failed = error;
} finally {
  for (const child of running.filter(({ ended }) => ended === undefined)) {
    child.stdin?.end();
    child.kill();
  }
}
if (failed === undefined) {
  await pause(2_000);
  rmSync(folder.ours, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 });
} else {
  console.error(failed.message);
  console.error(`What it left is in ${folder.ours}.`);
  process.exitCode = 1;
}
