import { toFault } from '../../backend';
import type { ConnectionTest as Answer } from '../../bindings/ConnectionTest';
import type { HostKeyView } from '../../bindings/HostKeyView';
import type { StageReport } from '../../bindings/StageReport';
import { ConnectionTest } from '../../parts/test.svelte';
import type { Session } from '../../session.svelte';
import { SFTP_STAGES } from '../../text/names';

/** Asks for a test, with the fingerprint that a person accepts or was given, if there is one. */
export type Ask = (accept: string | null, onStage: (stage: StageReport) => void) => Promise<Answer>;

/** The test of an SFTP server, with the question of its first contact and the full stop of a changed host key. */
export class ServerTest {
  readonly test = new ConnectionTest(SFTP_STAGES);
  /** The host key that the server presented to the last test. */
  presented = $state.raw<HostKeyView>();
  /** Whether the question is open if that is the right key. */
  asking = $state(false);
  /** The fingerprint that whoever runs the server gave, as it was pasted: compared before anything is asked. */
  given = $state('');
  /** Set where nothing was done because what is entered can't be saved. */
  blocked = $state(false);
  readonly #session: Session;
  readonly #ask: Ask;
  readonly #tested: (passed: boolean) => void;

  /** `tested`: what to do once a test has ended. */
  constructor(session: Session, ask: Ask, tested: (passed: boolean) => void = () => undefined) {
    this.#session = session;
    this.#ask = ask;
    this.#tested = tested;
  }

  /** The presented host key where another one is accepted: a full stop. */
  get changed(): HostKeyView | undefined {
    return this.presented?.pinned_instead === undefined ? undefined : this.presented;
  }

  /** Saves what was entered and tests it. */
  async start(save: () => Promise<boolean>): Promise<void> {
    this.presented = undefined;
    try {
      this.blocked = !(await save());
      if (!this.blocked) await this.run();
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** Tests what is saved. Answers whether every stage passed. */
  async run(): Promise<boolean> {
    return this.#run(this.given.trim() === '' ? null : this.given.trim());
  }

  /** 'Yes, accept host key'. */
  async accept(sha256: string): Promise<void> {
    this.asking = false;
    await this.#run(sha256);
  }

  async #run(accept: string | null): Promise<boolean> {
    this.blocked = false;
    this.presented = undefined;
    const answer = await this.test.follow((onStage) => this.#ask(accept, onStage), ({ report }) => report);
    const key = answer?.host_key;
    this.presented = key;
    // What differs from the fingerprint that was given is no question any more.
    this.asking = key !== undefined && !key.accepted && key.pinned_instead === undefined && accept === null;
    if (key?.accepted === true) {
      this.given = '';
      await this.#session.refreshSetup().catch((thrown: unknown) => this.fail(thrown));
    }
    const passed = this.test.passed === true;
    if (answer !== undefined) this.#tested(passed);
    return passed;
  }

  /** Shows why there is no test. */
  fail(thrown: unknown): void {
    this.test.clear();
    this.test.fault = toFault(thrown);
  }

  /** Forgets the last test, because what was tested has changed. */
  clear(): void {
    this.test.clear();
    this.blocked = false;
    this.presented = undefined;
  }

  /** Stops the test under way. */
  async stop(): Promise<void> {
    await this.#session.backend.cancelConnectionTest().catch(() => undefined);
  }
}
