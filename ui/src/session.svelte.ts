import { SETUP_CHANGED, toFault, type Backend, type Environment, type Happened, type SecretName } from './backend';
import { ownFault } from './backend/own';
import type { Choices } from './bindings/Choices';
import type { Erased } from './bindings/Erased';
import type { Event } from './bindings/Event';
import type { Fault } from './bindings/Fault';
import type { GuardedView } from './bindings/GuardedView';
import type { ConnectionId } from './bindings/ConnectionId';
import type { Job } from './bindings/Job';
import type { JobId } from './bindings/JobId';
import type { Pause } from './bindings/Pause';
import type { PowerSchoolTest } from './bindings/PowerSchoolTest';
import type { RaptorConfirmation } from './bindings/RaptorConfirmation';
import type { RestoredView } from './bindings/RestoredView';
import type { RunView } from './bindings/RunView';
import type { Setup } from './bindings/Setup';
import type { SetupView } from './bindings/SetupView';
import type { StatusView } from './bindings/StatusView';
import type { UndoReport } from './bindings/UndoReport';
import { RECENT_RUNS, type Asked, type Opening } from './opening';
import { startsBeforeWindow } from './home/raptor';
import { after, begin, failed, reported, underWay, type Run } from './home/run';
import { hasPassed } from './parts/test.svelte';
import { acceptedKeys, connectionOf, serverKnown } from './setup/connections/connections';
import { samePlace, saveOver, type Ask, type Clash, type Keep } from './setup-save';
import { SETUP_STEPS, accountOf, kindOf, type SetupStep } from './text/names';
import { say } from './text/say';
import type { RowsWanted } from './trace/query';

/** The pages of the main navigation. */
export type Page = 'home' | 'activity' | 'settings';

export type Screen = 'starting' | 'welcome' | 'setup' | 'erased' | Page;

/** How far back a run is looked for that is asked for by its id. */
const ALL_RUNS = 500;

/** What the window knows of the profile it shows, and where the person is. */
export class Session {
  /** In the name of the profile the page shows: it changes at once with what is shown. */
  backend = $state.raw() as Backend;
  environment = $state.raw<Environment>();
  screen = $state<Screen>('starting');
  step = $state<SetupStep>('powerschool');
  /** The panel of the step that is shown first, by its id, until the set-up has turned to it. */
  panel: string | undefined;
  /** The section of the page that was asked for, by its id; unset for the page's own choice. */
  section = $state<string>();
  /** Set by a screen that has something to save before another is shown. Answers whether it may be left; throws a `Fault`. */
  beforeLeaving: (() => Promise<boolean>) | undefined;
  setup = $state.raw<SetupView>();
  status = $state.raw<StatusView>();
  runs = $state.raw<RunView[]>([]);
  /** Files stopped because they would lose too many rows, waiting for a person. */
  guarded = $state.raw<GuardedView[]>([]);
  run = $state.raw<Run>();
  /** The run that is open in Home's list, by its id. */
  openedRun = $state<string>();
  /** What Home asks before it is done. */
  question = $state<'pause' | 'before-window'>();
  /** What is asked to run; nothing for all that is switched on. */
  asked: JobId[] = [];
  /** The run that Activity was asked to open, until it has; `started` where the history has it. */
  runToShow = $state.raw<{ run: string; started?: string }>();
  /** The rows that were asked for when the search for rows was opened. */
  tracing = $state.raw<RowsWanted>({});
  /** What there is to choose from in the mapping steps, once PowerSchool was asked. */
  choices = $state.raw<Choices>();
  /** The schools that were mapped when it was read. */
  #choicesFor: string | undefined;
  /** How the last test of each managed connection ended, since the window was opened. */
  connectionTests = $state.raw<Record<ConnectionId, { passed: boolean; at: string }>>({});
  /** The last test of PowerSchool, also one made before this start. */
  tested = $state.raw<PowerSchoolTest>();
  /** What was tested last has changed since: that test says nothing any more. */
  testOutdated = false;
  /** The exchanges chosen for the plugin, before one was written for them. */
  chosenJobs = $state.raw<Job[]>();
  /** Whether the instructions are for PowerSchool's older menus. */
  olderMenus = $state(false);
  /** The exchanges with Hero on which 'Turn Execution Off' is ticked: the end of the set-up leaves them off. */
  executionOff = $state.raw<ReadonlySet<JobId>>(new Set());
  /** Whether the integration with Raptor shall be on, as long as that was not confirmed; unset for what is saved. */
  raptorWanted = $state<boolean>();
  /** Done once the page hears of runs that it did not start. */
  #listening: Promise<void> | undefined;
  /** The waiting test that is followed; what another one answers is not believed. */
  #watch: symbol | undefined;
  /** What erasing the district came to, until another one is begun. */
  erased = $state.raw<Erased>();
  /** Why the window could not open the profile. */
  fault = $state.raw<Fault>();
  /** How often a district was opened or taken over: a page that was about another one begins anew. */
  arrivals = $state(0);
  /** Whether the practice district is being started or left. */
  switching = $state(false);
  /** What was changed here and elsewhere, until the person has said whose value counts; without one nothing is saved. */
  clash = $state.raw<{ clashes: Clash[]; answer: (keep: Keep | undefined) => void }>();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Whether a run started from this window is under way. */
  get running(): boolean {
    return underWay(this.run);
  }

  /** Whether something was chosen that is kept nowhere but in this window. */
  get holdsChoices(): boolean {
    const nothingRuns = this.setup?.setup.jobs.every(({ enabled }) => !enabled) ?? true;
    return this.chosenJobs !== undefined || this.raptorWanted !== undefined || (nothingRuns && this.executionOff.size > 0);
  }

  /** The exchanges that shall work: those chosen, also where no plugin was written for them yet. */
  get exchanges(): Job[] {
    const plugin = this.setup?.setup.powerschool.plugin;
    return this.chosenJobs ?? plugin?.wanted ?? plugin?.jobs ?? [];
  }

  /** Whether the integration with Raptor is on or shall be. */
  get wantsRaptor(): boolean {
    return this.raptorWanted ?? this.setup?.setup.raptor.enabled ?? false;
  }

  /** Opens the profile and goes where the person left off. `opening`: what was asked already. */
  async open(opening?: Opening): Promise<void> {
    this.fault = undefined;
    try {
      let asked: Asked = [];
      if (this.environment === undefined) {
        this.#listening ??= opening?.listening ?? this.backend.onHappened((happened) => this.#happened(happened));
        [this.environment, asked] = await Promise.all([opening?.environment ?? this.backend.environment(), opening?.first ?? [], this.#listening]);
        // Named also where it does not open: what puts it right is asked for in its name.
        this.backend = this.backend.of(this.environment.profile);
      }
      const { profile, opened } = this.environment;
      if (profile === 'practice') {
        await this.#practice();
      } else {
        await this.#arrive(profile, opened, asked);
      }
    } catch (thrown) {
      this.fault = toFault(thrown);
    }
    // Not before there is something it can be about.
    opening?.hear((happened) => this.#happened(happened));
  }

  /** Starts the practice district and turns to it. Throws a `Fault`. */
  async enterPractice(): Promise<void> {
    if (!(await this.#mayLeave())) return;
    this.switching = true;
    try {
      await this.#practice();
    } finally {
      this.switching = false;
    }
  }

  /** Ends the practice district and turns back to the district. Throws a `Fault`. */
  async leavePractice(): Promise<void> {
    if (!(await this.#mayLeave())) return;
    this.switching = true;
    try {
      await this.#arrive(await this.backend.practiceLeave(), false);
    } finally {
      this.switching = false;
    }
  }

  async #practice(): Promise<void> {
    await this.#arrive(await this.backend.practiceStart(), true);
  }

  /** Turns the page to a profile: to all of it at once, so that what is clicked meanwhile is meant for the one before. */
  async #arrive(profile: string, opened: boolean, asked: Asked = []): Promise<void> {
    const backend = this.backend.of(profile);
    const first = backend.answered(asked);
    const setupRead = first.setup();
    // Several requests at once would each try to open the profile, and each ask the person for the keychain.
    if (!opened) await setupRead;
    const [setup, state] = await Promise.all([setupRead, read(first)]);
    if (profile !== this.backend.profile) this.run = undefined;
    this.backend = backend;
    this.openedRun = undefined;
    this.runToShow = undefined;
    this.tracing = {};
    this.section = undefined;
    this.question = undefined;
    this.choices = undefined;
    this.chosenJobs = undefined;
    this.raptorWanted = undefined;
    this.executionOff = new Set();
    this.connectionTests = {};
    this.tested = undefined;
    this.testOutdated = false;
    this.#watch = undefined;
    this.setup = setup;
    this.watchWaitingTest();
    this.#show(state);
    this.arrivals += 1;
    if (isFinished(this.setup)) {
      this.screen = 'home';
    } else if (isUntouched(this.setup)) {
      this.screen = 'welcome';
    } else {
      this.step = this.setup.practice ? 'powerschool' : firstOpenStep(this.setup);
      this.screen = 'setup';
    }
  }

  /** Reads the profile's state and latest runs again. Throws a `Fault`. */
  async refresh(): Promise<void> {
    const { backend } = this;
    const state = await read(backend);
    if (backend === this.backend) this.#show(state);
  }

  #show(state: State): void {
    [this.status, this.runs, this.guarded] = state;
    // It ended without a word, with the process that carried it out.
    if (this.run?.byItself === true && underWay(this.run) && this.status.running === undefined) this.run = undefined;
  }

  /** Follows a run that this window did not start. */
  #happened({ profile, event }: Happened): void {
    if (profile !== this.status?.profile) return;
    if (event.event === 'run_started') {
      if (!this.running) this.run = after(begin(event.data.jobs, event.data.dry_run, true), event);
      return;
    }
    if (this.run === undefined || !this.run.byItself || !underWay(this.run)) return;
    // What it did is in the history; nobody waits for its report here.
    this.run = event.event === 'run_finished' ? undefined : after(this.run, event);
    if (this.run === undefined) void this.refresh().catch(() => undefined);
  }

  /** Holds scheduled runs back, or lets them go on. Throws a `Fault`. */
  async pause(pause: Pause): Promise<void> {
    const { backend } = this;
    const status = await backend.pause(pause);
    if (backend === this.backend) this.status = status;
  }

  /**
   * Saves what was made of `base`: of the set-up as it is known now, or, for what a person has entered over some time, as it
   * was when that began. What was changed elsewhere meanwhile is kept. Answers whether the form has to take over what is
   * saved, because that holds more than was entered there. Throws a `Fault`.
   */
  async saveSetup(entered: Setup, base?: Setup): Promise<boolean> {
    const { backend, setup: now } = this;
    if (now === undefined) return false;
    let saved;
    try {
      saved = await saveOver(backend, { base: base ?? now.setup, entered, now }, this.#ask);
    } catch (thrown) {
      if (toFault(thrown).code === SETUP_CHANGED) await this.#takeSetup((from) => from.setup());
      throw thrown;
    }
    if (backend !== this.backend) return false;
    this.setup = saved.view;
    this.#merged = saved.merged ? entered : undefined;
    if (saved.merged) this.findExecutionOff();
    return saved.merged;
  }

  /** What was entered for the last save, where it was put together with somebody else's change. */
  #merged: Setup | undefined;

  #ask: Ask = (clashes) =>
    new Promise((resolve) => {
      // Nobody answers the one before any more: its save has ended with nothing saved.
      this.clash?.answer(undefined);
      const answer = (keep: Keep | undefined) => {
        this.clash = undefined;
        resolve(keep);
      };
      this.clash = { clashes, answer };
    });

  /** Switches the integration with Raptor on, as it is saved. Throws a `Fault`. */
  enableRaptor(): Promise<void> {
    return this.#switchRaptor(true);
  }

  /** Switches the integration with Raptor off. Throws a `Fault`. */
  disableRaptor(): Promise<void> {
    return this.#switchRaptor(false);
  }

  /** What enabling it would do, asked before it is done. Throws a `Fault`. */
  async confirmation(): Promise<RaptorConfirmation | undefined> {
    const setup = this.#withRaptor(true);
    return setup === undefined ? undefined : this.backend.raptorConfirmation(setup);
  }

  /** The set-up with the integration switched on or off, and with it what was chosen to be exchanged. */
  #withRaptor(enabled: boolean): Setup | undefined {
    if (this.setup === undefined) return undefined;
    const { setup } = this.setup;
    const view = { ...this.setup, setup: { ...setup, raptor: { ...setup.raptor, enabled } } };
    const wanted = wantedJobs(view, this.exchanges);
    const jobs = setup.jobs.map((settings) =>
      settings.job.startsWith('raptor-') ? { ...settings, enabled: wanted.includes(settings.job) } : settings,
    );
    return { ...view.setup, jobs };
  }

  async #switchRaptor(enabled: boolean): Promise<void> {
    const { backend, setup: now } = this;
    const setup = this.#withRaptor(enabled);
    if (setup === undefined || now === undefined) return;
    let view;
    try {
      // As it was confirmed, and nothing else: no changes of others are put into it.
      view = await backend.saveSetup(setup, now.revision);
    } catch (thrown) {
      if (toFault(thrown).code === SETUP_CHANGED) await this.#takeSetup((from) => from.setup());
      throw thrown;
    }
    if (backend !== this.backend) return;
    this.setup = view;
    this.raptorWanted = undefined;
    await this.refresh();
  }

  /** Throws a `Fault`. */
  async importSetup(text: string, passphrase: string | null): Promise<void> {
    await this.backend.importSetup(text, passphrase);
    await this.#arrive(this.backend.profile, true);
  }

  /** Takes over address and credentials from a handover file. Throws a `Fault`. */
  async openHandover(text: string, passphrase: string | null): Promise<void> {
    await this.#takeSetup((backend) => backend.openHandover(text, passphrase));
  }

  /** Trusts a certificate that the server presents. Throws a `Fault`. */
  async trustCertificate(sha256: string): Promise<void> {
    await this.#takeSetup((backend) => backend.trustCertificate(sha256));
  }

  /** Removes a managed connection. Throws a `Fault`. */
  async deleteConnection(id: ConnectionId): Promise<void> {
    await this.#takeSetup((backend) => backend.deleteConnection(id));
  }

  /** The set-up that an operation answers, unless the page shows another district by then. */
  async #takeSetup(from: (backend: Backend) => Promise<SetupView>): Promise<void> {
    const { backend } = this;
    const setup = await from(backend);
    if (backend === this.backend) this.setup = setup;
  }

  /** Whether a secret is in the keychain. */
  hasSecret(name: string): boolean {
    return this.setup?.secrets.some((secret) => secret.name === name && secret.set) ?? false;
  }

  /**
   * Puts a typed secret into the keychain, after the save of the form it was typed into. Refused where that save took over
   * another place for it, so that nobody's password goes to a server they did not mean. Throws a `Fault`.
   */
  async setSecret(name: SecretName, value: string): Promise<void> {
    if (this.#merged !== undefined && this.setup !== undefined && !samePlace(name, this.#merged, this.setup.setup)) {
      const fault = ownFault(
        'window.secret_of_other_place',
        say('Somebody else has changed where this password or key is used. The set-up is saved with their change; what you typed was not stored.'),
        say('Look at what is shown now. If the secret is the one for it, save again.'),
      );
      throw fault;
    }
    await this.#takeSetup(async (backend) => {
      await backend.setSecret(name, value);
      return backend.setup();
    });
  }

  /** Reads the set-up again after something else than saving has changed it. Throws a `Fault`. */
  async refreshSetup(): Promise<void> {
    const { backend } = this;
    const setup = await backend.setup();
    if (backend !== this.backend) return;
    this.setup = setup;
    this.watchWaitingTest();
  }

  /** Follows a test that waits for the server, wherever the person is meanwhile, and tells when it has run. */
  watchWaitingTest(): void {
    if (this.setup?.test_waiting !== true) {
      this.#watch = undefined;
      return;
    }
    if (this.#watch !== undefined) return;
    const watch = Symbol('waiting test');
    this.#watch = watch;
    void this.#follow(watch);
  }

  async #follow(watch: symbol): Promise<void> {
    const { backend } = this;
    try {
      const tested = await backend.awaitTest();
      if (watch !== this.#watch) return;
      this.#watch = undefined;
      this.tested = tested;
      const failed = tested.stages.map((stage) => stage.result).find((result) => result.result === 'failed');
      await backend.notify(
        hasPassed(tested) ? say('PowerSchool is connected') : say('PowerSchool was reached, and something is not right'),
        failed?.message ?? say('The test that was waiting has run.'),
      );
      const setup = await backend.setup();
      if (backend === this.backend) this.setup = setup;
    } catch {
      // It was stopped, here or by another process; nothing is left to tell.
      if (watch === this.#watch) this.#watch = undefined;
    }
  }

  /** Whether there is nothing to choose from yet, or what there is was read for other schools than those mapped now. */
  get choicesOutdated(): boolean {
    return this.choices === undefined || this.#choicesFor !== this.#mapped();
  }

  /** The schools that are mapped, as one text: the codes to choose from are theirs. */
  #mapped(): string {
    const rows = this.setup?.setup.mappings.buildings ?? [];
    return rows
      .flatMap(({ school, enabled }) => (enabled && school !== null ? [school] : []))
      .sort((a, b) => a - b)
      .join();
  }

  /** The numbers of the district's schools, as they were last read; none before. */
  get schoolNumbers(): number[] {
    return this.choices?.schools.map(({ number }) => number) ?? this.setup?.schools ?? [];
  }

  /** Throws a `Fault`. */
  async loadChoices(): Promise<Choices> {
    const { backend } = this;
    const mapped = this.#mapped();
    const choices = await backend.choices();
    if (backend === this.backend) {
      this.choices = choices;
      this.#choicesFor = mapped;
    }
    return choices;
  }

  /** Lets a stopped file go with the next run, or keeps it back. Throws a `Fault`. */
  async decideGuarded(id: string, accept: boolean): Promise<void> {
    const { backend } = this;
    const guarded = await backend.decideGuarded(id, accept);
    if (backend === this.backend) this.guarded = guarded;
  }

  /** Opens a run of the history in Activity, however old it is. Throws a `Fault`. */
  async showRun(run: string): Promise<void> {
    const isIt = (known: RunView) => known.run === run;
    const found = this.runs.find(isIt) ?? (await this.backend.runs(ALL_RUNS)).find(isIt);
    this.runToShow = { run, ...(found === undefined ? {} : { started: found.started_at }) };
    await this.show('activity', 'runs');
  }

  /** Goes to the search for rows, and asks for these at once. */
  traceRows(wanted: RowsWanted): void {
    this.tracing = wanted;
    this.section = 'records';
    this.screen = 'activity';
  }

  /** Keeps how a managed connection's test has ended. */
  noteTest(connection: ConnectionId, passed: boolean): void {
    this.connectionTests = { ...this.connectionTests, [connection]: { passed, at: new Date().toISOString() } };
  }

  /** Finds what is switched off although it was chosen, in a set-up that was finished before. */
  findExecutionOff(): void {
    const view = this.setup;
    if (view === undefined || !view.setup.jobs.some(({ enabled }) => enabled)) return;
    const hero = view.setup.jobs.filter(({ job }) => job.startsWith('hero-'));
    // An account of which nothing runs, or whose server nobody has accepted, was not set up to its end.
    const finished = new Set(
      hero.filter(({ job, enabled }) => enabled && serverKnown(view, job)).map(({ job }) => accountOf(job)),
    );
    const off = hero
      .filter(({ job, enabled }) => !enabled && this.exchanges.includes(kindOf(job)))
      .filter(({ job }) => finished.has(accountOf(job)) || this.executionOff.has(job));
    this.executionOff = new Set(off.map(({ job }) => job));
  }

  /** Whether there is a main navigation: not before something is switched on, for until then only the set-up has a use. */
  get navigable(): boolean {
    if (this.screen === 'setup') return this.setup?.setup.jobs.some(({ enabled }) => enabled) ?? false;
    return this.screen !== 'starting' && this.screen !== 'welcome' && this.screen !== 'erased';
  }

  /** Turns to a page of the main navigation, there at a section. Throws a `Fault`. */
  async show(page: Page, section?: string): Promise<void> {
    if (!(await this.#mayLeave())) return;
    this.section = section;
    this.screen = page;
    if (page === 'home') await this.refresh();
  }

  /** Turns to a step of the set-up from wherever the person is. Throws a `Fault`. */
  async showStep(step: SetupStep): Promise<void> {
    if (await this.#mayLeave()) this.editSetup(step);
  }

  /** Turns to the search for rows from wherever the person is. Throws a `Fault`. */
  async showTrace(): Promise<void> {
    if (await this.#mayLeave()) this.traceRows({});
  }

  async #mayLeave(): Promise<boolean> {
    return this.beforeLeaving === undefined || (await this.beforeLeaving());
  }

  /** Puts the newest backup in the place of what is kept of this district, and reads that anew. Throws a `Fault`. */
  async restore(): Promise<RestoredView> {
    const restored = await this.backend.restoreLedger(false);
    this.choices = undefined;
    this.tested = undefined;
    await this.refreshSetup();
    await this.refresh();
    return restored;
  }

  /** Erases the district; `confirm` is the profile's name. Throws a `Fault`. */
  async erase(confirm: string): Promise<void> {
    const practice = this.status?.profile === 'practice';
    const erased = await this.backend.eraseProfile(confirm);
    // Nobody asks for anything of it any more: that would make it anew.
    this.#watch = undefined;
    this.run = undefined;
    this.setup = undefined;
    this.status = undefined;
    this.beforeLeaving = undefined;
    if (practice && erased.left.length === 0) return this.leavePractice();
    this.erased = erased;
    this.screen = 'erased';
  }

  /** Opens a step of the set-up; there at a panel, by its id. */
  editSetup(step: SetupStep, panel?: string): void {
    this.step = step;
    this.panel = panel;
    this.screen = 'setup';
  }

  /** Throws a `Fault`. */
  async goHome(): Promise<void> {
    await this.refresh();
    this.screen = 'home';
  }

  /** Runs these, or all that is switched on; Home asks first where that would synchronize Raptor in full before its window. */
  askToRun(jobs: JobId[] = []): void {
    const enabled = this.status?.jobs.filter((view) => view.enabled).map((view) => view.job) ?? [];
    this.asked = jobs;
    if (this.status !== undefined && startsBeforeWindow(this.status, jobs.length > 0 ? jobs : enabled)) this.question = 'before-window';
    else void this.sync(jobs, false);
  }

  /** Runs the jobs; what goes wrong is part of the run. */
  async sync(jobs: JobId[], dryRun: boolean): Promise<void> {
    if (this.running) return;
    const enabled = this.status?.jobs.filter((job) => job.enabled).map((job) => job.job) ?? [];
    this.run = begin(jobs.length > 0 ? jobs : enabled, dryRun);
    try {
      const report = await this.backend.sync(jobs, dryRun, (event) => {
        if (this.run !== undefined && underWay(this.run)) this.run = after(this.run, event);
      });
      if (this.run !== undefined) this.run = reported(this.run, report);
    } catch (thrown) {
      if (this.run !== undefined) this.run = failed(this.run, toFault(thrown));
    }
    try {
      await this.refresh();
    } catch (thrown) {
      this.fault = toFault(thrown);
    }
  }

  /** Takes back what a run wrote, or tells what that would come to. Throws a `Fault`. */
  async undo(run: string, dryRun: boolean, onEvent: (event: Event) => void): Promise<UndoReport> {
    try {
      return await this.backend.undo(run, dryRun, onEvent);
    } finally {
      // The history has one run more. Where it can't be read now, the page that shows it says so.
      await this.refresh().catch(() => undefined);
    }
  }

  /** Stops the run under way, wherever it was started. Throws a `Fault`. */
  async cancel(): Promise<void> {
    if (this.run !== undefined && this.running) this.run = { ...this.run, cancelling: true };
    await this.backend.cancel();
  }

  dismissRun(): void {
    if (!this.running) this.run = undefined;
  }
}

/** What Home shows. */
type State = [StatusView, RunView[], GuardedView[]];

function read(backend: Backend): Promise<State> {
  return Promise.all([backend.status(), backend.runs(RECENT_RUNS), backend.guarded()]);
}

/** Whether the set-up was carried to its end: something is switched on, and Hero, if used, has an accepted host key. */
function isFinished(view: SetupView): boolean {
  const enabled = view.setup.jobs.filter((job) => job.enabled);
  const hero = enabled.filter(({ job }) => job.startsWith('hero-'));
  return enabled.length > 0 && (hero.length === 0 || hero.some(({ job }) => serverKnown(view, job)));
}

function isUntouched(view: SetupView): boolean {
  return view.setup.powerschool.url === '' && view.setup.powerschool.client_id === '';
}

/** Whether a managed connection holds what it needs: somebody to sign in as, and a server that is known. */
function isConnected(view: SetupView, id: ConnectionId): boolean {
  const set = (name: string) => view.secrets.some((secret) => secret.name === `${id}.${name}` && secret.set);
  const connection = connectionOf(view.setup, id);
  if (connection === undefined || connection.username === '' || acceptedKeys(view, id).length === 0) return false;
  const { sign_in } = connection;
  return (sign_in !== 'private_key' && set('password')) || (sign_in !== 'password' && set('private-key'));
}

/** Whether a step holds what it needs. */
export function isStepComplete(view: SetupView, step: SetupStep): boolean {
  const { powerschool, raptor, mappings, hero } = view.setup;
  const has = (name: string) => view.secrets.some((secret) => secret.name === name && secret.set);
  switch (step) {
    case 'powerschool':
      return powerschool.url !== '' && powerschool.client_id !== '' && has('powerschool.client-secret');
    case 'buildings':
      return raptor.enabled
        ? (raptor.folder !== '' || raptor.connection !== undefined) &&
            mappings.buildings.some((row) => row.enabled && row.school !== null)
        : mappings.buildings.length > 0;
    case 'tardies':
      return raptor.student_tardy ? mappings.tardy_codes.some((row) => row.active) : raptor.enabled;
    case 'hero':
      return hero.accounts.every(({ connection }) => isConnected(view, connection));
    case 'schedule':
      return view.setup.jobs.some((job) => job.enabled);
  }
}

/** The exchanges that run once the set-up is finished, by what its steps say. */
export function wantedJobs(view: SetupView, chosen: Job[]): JobId[] {
  const { raptor } = view.setup;
  return view.setup.jobs
    .map(({ job }) => job)
    .filter((job) => chosen.includes(kindOf(job)))
    .filter((job) => job !== 'raptor-roster' || raptor.enabled)
    .filter((job) => job !== 'raptor-tardies' || (raptor.enabled && raptor.student_tardy));
}

function firstOpenStep(view: SetupView): SetupStep {
  return SETUP_STEPS.find((step) => !isStepComplete(view, step)) ?? 'schedule';
}
