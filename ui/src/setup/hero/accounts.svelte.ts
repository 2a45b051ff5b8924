/** The accounts at Hero while they are edited: their forms, their times, and whether all of it can be saved. */

import type { ExportKind } from '../../bindings/ExportKind';
import type { HeroAccount } from '../../bindings/HeroAccount';
import type { Job } from '../../bindings/Job';
import type { JobId } from '../../bindings/JobId';
import type { JobSettings } from '../../bindings/JobSettings';
import type { Setup } from '../../bindings/Setup';
import type { Session } from '../../session.svelte';
import { jobOf } from '../../text/jobs';
import { accountOf } from '../../text/names';
import { usualSchedule } from '../../text/schedule';
import { addressProblem, districtZone, draftOf, problemsOf, scheduleOf, type Draft } from '../schedule/draft';
import { EXPORTS, EXPORT_KINDS, folderProblem, heroTimes, newAccount, nextAccount, pathProblem, sharedSchools, timeProblem, type HeroTimes } from './exports';

const HERO_JOBS: Job[] = ['hero-students', 'hero-schedule', 'hero-teachers', 'hero-attendance'];

/** The import beside the three exports. */
const ALL_FOUR = [...EXPORT_KINDS, 'attendance'] as const;

export class AccountsDraft {
  /** The district's zone. */
  zone = $state('');
  all = $state<HeroAccount[]>([]);
  /** The times of every job, by its id. */
  drafts = $state<Record<string, Draft>>({});
  /** 'Turn Execution Off', by the job's id. */
  off = $state<Record<string, boolean>>({});
  /** What was typed as Hero's times, by the account. */
  times = $state<Record<number, HeroTimes>>({});
  /** Which forms are open, by the job's id. */
  open = $state<Record<string, boolean>>({});
  /** The number of the account that is shown. */
  shown = $state(1);
  /** Set once the step was left with something wrong. */
  checked = $state(false);

  /** Where only some schools are wanted, by the account or the job: also while none is chosen yet. */
  #someSchools = $state<Record<string, boolean>>({});
  /** The accounts made here and not saved yet: nothing that is saved under their numbers is theirs. */
  readonly #made = new Set<number>();
  readonly #session: Session;
  #initial: Setup | undefined;

  constructor(session: Session) {
    this.#session = session;
    this.fill();
  }

  /** Takes over what the set-up says; what is shown stays so. */
  fill(): void {
    const open = { ...this.open };
    this.#initial = this.#session.setup?.setup;
    this.zone = districtZone(this.#initial?.jobs ?? []);
    this.all = structuredClone(this.#initial?.hero.accounts ?? []);
    for (const account of this.all) this.#prepare(account);
    this.open = open;
    if (!this.all.some(({ id }) => id === this.shown)) this.shown = this.all[0]?.id ?? 1;
  }

  /** Lays the times of an account's jobs ready. */
  #prepare(of: HeroAccount) {
    for (const kind of HERO_JOBS) {
      const job = jobOf(kind, of.id);
      const made = this.#made.has(of.id);
      const settings = made ? undefined : this.#initial?.jobs.find((known) => known.job === job);
      this.drafts[job] = draftOf(settings ?? { job, enabled: false, schedule: usualSchedule(job, this.zone) }, this.zone);
      this.off[job] = !made && this.#session.executionOff.has(job);
      delete this.open[job];
      delete this.#someSchools[job];
    }
    this.times[of.id] = heroTimes(of.hero_side);
    delete this.#someSchools[of.id];
  }

  /** A further account, which is shown. */
  add(): void {
    const setup = this.#session.setup;
    const id = nextAccount(this.all, setup?.next_account ?? 1);
    const unused = setup?.setup.connections.find(({ id: known }) => !this.all.some(({ connection }) => connection === known));
    const added = newAccount(id, `Hero ${id}`, unused?.id ?? this.all[0]?.connection ?? 'hero', this.zone);
    this.#made.add(id);
    this.#prepare(added);
    this.all.push(added);
    this.shown = id;
    this.checked = false;
  }

  /** Takes out the account that is shown. */
  remove(): void {
    this.all = this.all.filter(({ id }) => id !== this.shown);
    this.shown = this.all[0]?.id ?? 1;
  }

  /** Whether only some schools are wanted: `key` is the account's number or the job, `schools` are those chosen. */
  some(key: string, schools: number[]): boolean {
    return this.#someSchools[key] ?? schools.length > 0;
  }

  setSome(key: string, some: boolean): void {
    this.#someSchools[key] = some;
  }

  #undecided(key: string, schools: number[]): boolean {
    return this.some(key, schools) && schools.length === 0;
  }

  #timesWrong(job: JobId): boolean {
    const draft = this.drafts[job];
    return draft !== undefined && Object.keys(problemsOf(draft)).length > 0;
  }

  exportBroken(of: HeroAccount, kind: ExportKind): boolean {
    const job = of[kind];
    const id = jobOf(EXPORTS[kind].job, of.id);
    return (
      job.fields.length === 0 ||
      this.#undecided(id, job.schools) ||
      pathProblem(job.path, false) !== undefined ||
      folderProblem(job.destination) !== undefined ||
      addressProblem(job.email.join(',')) !== undefined ||
      this.#timesWrong(id)
    );
  }

  importBroken({ id, attendance }: HeroAccount): boolean {
    return (
      pathProblem(attendance.path, true) !== undefined ||
      addressProblem(attendance.email.join(',')) !== undefined ||
      this.#timesWrong(jobOf('hero-attendance', id))
    );
  }

  broken(of: HeroAccount): boolean {
    const twice = of.schools.length === 0 && this.all.some((other) => other.id !== of.id && other.schools.length === 0);
    return (
      twice ||
      this.#undecided(String(of.id), of.schools) ||
      sharedSchools(this.all, of).length > 0 ||
      Object.values(this.times[of.id] ?? {}).some((typed) => timeProblem(typed) !== undefined) ||
      EXPORT_KINDS.some((kind) => this.exportBroken(of, kind)) ||
      this.importBroken(of)
    );
  }

  /** Whether all that was entered can be saved; what can't is shown. */
  ready(): boolean {
    this.checked = true;
    const first = this.all.find((account) => this.broken(account));
    if (first === undefined) return true;
    this.shown = first.id;
    return false;
  }

  /** The set-up with what was entered. */
  entered(setup: Setup): Setup {
    const tidy = ($state.snapshot(this.all) as HeroAccount[]).map((one) => this.#asSaved(one, setup));
    const mine = new Set(tidy.flatMap(({ id }) => HERO_JOBS.map((kind) => jobOf(kind, id))));
    // Before the set-up has come to its end nothing is switched on from here.
    const held = new Set(setup.jobs.some(({ enabled }) => enabled) ? this.#session.executionOff : []);
    const settings = (job: JobId, known: JobSettings | undefined): JobSettings => {
      const draft = this.drafts[job];
      const schedule = draft === undefined ? known?.schedule : scheduleOf(draft, this.zone);
      const turnedOff = this.off[job] === true;
      // Taking the tick away lets it run again; what was never switched on waits for the end of the set-up.
      const enabled = !turnedOff && !this.#made.has(accountOf(job)) && ((known?.enabled ?? false) || held.has(job));
      return { job, enabled, ...(schedule === undefined ? {} : { schedule }) };
    };
    const kept = setup.jobs.filter(({ job }) => !job.startsWith('hero-') || mine.has(job));
    const jobs = kept.map((known) => (mine.has(known.job) ? settings(known.job, known) : known));
    const added = [...mine].filter((job) => !kept.some((known) => known.job === job)).map((job) => settings(job, undefined));
    return { ...setup, hero: { ...setup.hero, accounts: tidy }, jobs: [...jobs, ...added] };
  }

  /** What was entered is saved now. */
  saved(): void {
    const mine = this.all.flatMap(({ id }) => HERO_JOBS.map((kind) => jobOf(kind, id)));
    this.#session.executionOff = new Set(mine.filter((job) => this.off[job] === true));
    this.#made.clear();
  }

  /** What is not these forms' to change stays as it is saved: who carries what out, and the ticks. */
  #asSaved(edited: HeroAccount, setup: Setup): HeroAccount {
    const saved = setup.hero.accounts.find(({ id }) => id === edited.id);
    const named = { ...edited, name: edited.name.trim() };
    if (saved === undefined || this.#made.has(edited.id)) return named;
    withOwners(named, saved);
    return { ...named, ticked: saved.ticked };
  }

  /** The owners as they are saved now; what else was entered stays. */
  takeOwners(): void {
    for (const saved of this.#session.setup?.setup.hero.accounts ?? []) {
      const edited = this.all.find(({ id }) => id === saved.id);
      if (edited !== undefined) withOwners(edited, saved);
    }
  }
}

/** Gives an account the owners of another. */
function withOwners(account: HeroAccount, saved: HeroAccount) {
  for (const kind of ALL_FOUR) {
    account[kind].owner = saved[kind].owner;
    if (saved[kind].hand_over === undefined) delete account[kind].hand_over;
    else account[kind].hand_over = saved[kind].hand_over;
  }
}
