// The real engine behind the page: each test has a browser host, a home, a session bus and a keyring of its own.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test as base, type Page } from '@playwright/test';
import { PAGE } from './build';

const ui = fileURLToPath(new URL('..', import.meta.url));
const target = path.resolve(ui, process.env.CARGO_TARGET_DIR ?? '../target', 'debug');
const program = (name: string, variable: string) => process.env[variable] ?? path.join(target, name);

/** What the practice district says about itself. */
interface Ready {
  powerschool: { url: string; client_id: string; client_secret: string };
  hero: { host_key_sha256: string };
  audit_url: string;
}

/** An attendance write that the practice district accepted. */
interface Write {
  studentid: number;
  att_date: string;
}

/** A browser host, and the practice district it starts. */
export class District {
  readonly address: string;
  readonly home: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, address: string, home: string) {
    this.#process = process;
    this.address = address;
    this.home = home;
  }

  static async start(): Promise<District> {
    const home = mkdtempSync(path.join(tmpdir(), 'rosterbridge-e2e-'));
    const desktop = program('rosterbridge-desktop', 'ROSTERBRIDGE_DESKTOP_BIN');
    const host = spawn(
      program('xtask', 'ROSTERBRIDGE_XTASK_BIN'),
      ['run-test', desktop, '--browser-host', path.join(ui, PAGE), '--home', home],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: {
          ...process.env,
          // By this it is given a keyring, as nextest's tests are.
          NEXTEST_BINARY_ID: 'rosterbridge-desktop::e2e',
          ROSTERBRIDGE_BIN: program('rosterbridge', 'ROSTERBRIDGE_BIN'),
        },
      },
    );
    const ended = once(host, 'exit').then(([code]) => Promise.reject(new Error(`the browser host has ended (${code})`)));
    ended.catch(() => undefined);
    const first = once(createInterface({ input: host.stdout }), 'line').then(([line]) => String(line));
    return new District(host, await Promise.race([first, ended]), home);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, 'exit');
      this.#process.stdin?.end();
      await exit;
    }
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The practice district's folder. */
  get practice(): string {
    return path.join(this.home, 'practice');
  }

  get ready(): Ready {
    return JSON.parse(readFileSync(path.join(this.practice, 'ready.json'), 'utf8')) as Ready;
  }

  /** Every attendance write it has accepted, in order. */
  async writes(): Promise<Write[]> {
    const answer = await fetch(this.ready.audit_url);
    return ((await answer.json()) as { writes: Write[] }).writes;
  }
}

/** `page` stands at the beginning of a new installation, and may complain about nothing. */
export const test = base.extend<{ district: District }>({
  // eslint-disable-next-line no-empty-pattern
  district: async ({}, use) => {
    const district = await District.start();
    await use(district);
    await district.stop();
  },
  page: async ({ page, district }, use) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    await page.goto(district.address);
    await use(page);
    expect(complaints, 'what the page complains about').toEqual([]);
  },
});

/** How a person makes a button, named by its test id, do what it does. */
export type Press = (id: string) => Promise<void>;

/** From Welcome to Home on the practice district; what a person would look at is waited for. */
export async function setUp(page: Page, district: District, press: Press): Promise<void> {
  const seen = (id: string) => page.getByTestId(id);
  await press('welcome-practice');
  await expect(seen('field-url')).toHaveValue(/^https:\/\/127\.0\.0\.1:/);
  await expect(seen('field-client-id')).toHaveValue(/^.{36}$/);
  await press('test-powerschool');
  await expect(seen('powerschool-stages')).toHaveAttribute('data-passed', 'true');
  await press('step-next');
  await expect(seen('building-row-0')).toBeVisible();
  await expect(seen('buildings')).toHaveAttribute('aria-busy', 'false');
  await press('step-next');
  await expect(seen('tardy-row-0')).toBeVisible();
  await press('step-next');
  // First contact: the key is shown, and nothing goes on before it is accepted.
  await expect(seen('field-hero-host')).toHaveValue('127.0.0.1');
  await press('test-hero');
  await expect(seen('host-key-sha256')).toHaveText(district.ready.hero.host_key_sha256);
  await press('accept-host-key');
  await expect(seen('hero-stages')).toHaveAttribute('data-passed', 'true');
  await press('step-next');
  await expect(seen('schedule-hero-students')).toBeVisible();
  await press('finish-setup');
  await expect(seen('run-now')).toBeVisible();
}

/** By the mouse: a click in the middle of it. */
export function mouse(page: Page): Press {
  return (id) => page.getByTestId(id).click();
}

/** Runs everything from Home, and closes the report. */
export async function runNow(page: Page, press: Press, outcome: string): Promise<void> {
  await press('run-now');
  await expect(page.getByTestId('run-outcome')).toHaveAttribute('data-outcome', outcome);
  await press('close-run');
}
