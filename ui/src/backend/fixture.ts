/** Sample data that answers as the engine would, for a plain browser and for tests. Never part of the product. */

import type { Choices } from '../bindings/Choices';
import type { ConnectionTest } from '../bindings/ConnectionTest';
import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { GuardedView } from '../bindings/GuardedView';
import type { HoldReason } from '../bindings/HoldReason';
import type { IntegrationStatus } from '../bindings/IntegrationStatus';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { JobReport } from '../bindings/JobReport';
import type { ManagedConnection } from '../bindings/ManagedConnection';
import type { Owner } from '../bindings/Owner';
import type { Pause } from '../bindings/Pause';
import type { Phase } from '../bindings/Phase';
import type { PowerSchoolTest } from '../bindings/PowerSchoolTest';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RunView } from '../bindings/RunView';
import type { Setup } from '../bindings/Setup';
import type { StageReport } from '../bindings/StageReport';
import type { StatusView } from '../bindings/StatusView';
import type { SyncReport } from '../bindings/SyncReport';
import { EXPORT_KINDS } from '../setup/hero/exports';
import { counted } from '../text/format';
import { jobOf } from '../text/jobs';
import { JOB_ORDER, accountOf, kindOf } from '../text/names';
import {
  FINGERPRINT,
  choices,
  emptySetup,
  heldRows,
  jobReport,
  pastRuns,
  practiceSetup,
  syncReport,
  withPlans,
} from './fixture-data';
import { answerHero, otherSender, secondAccount, watchOf } from './fixture-accounts';
import {
  FOLDER_STAGES,
  SampleServers,
  answerConnections,
  managedOf,
  nextConnection,
  secondConnection,
  type ConnectionsKept,
  type Stage,
} from './fixture-connections';
import { raptorHistory, raptorView, reconciliation, rosterPreview, tracePage } from './fixture-raptor';
import { HANDOVER, HANDOVER_KEY, LONG_URL, pluginCheck, pluginView, powerSchoolTest } from './fixture-powerschool';
import { manyChoices, mappingChanges, namesOf, raptorConfirmation } from './fixture-setup';
import { dayFromNow, nextAt } from './fixture-times';
import type { FileContent, Happened, Host } from './host';

/** What was saved and notified since the page was opened, for tests to look at. */
export const saved: { name: string; content: FileContent }[] = [];
export const notices: string[] = [];

/** Why what PowerSchool sends could not be looked at. */
const UNSEEN = {
  code: 'sftp.bad_password',
  message: 'The server does not know this user name with this password.',
  remedy: 'Enter the password again in the connection’s settings, then test the connection.',
};

const MAIL_REFUSED: Fault = {
  code: 'mail.refused',
  message: 'The mail server refused the user name or password.',
  remedy: 'Type the password again. Some servers want one made for programs.',
};

const OUT_OF_REACH: Fault = {
  code: 'sftp.unreachable',
  message: 'The SFTP server did not answer.',
  remedy: 'Nothing was changed. Check the network if it stays so.',
};

/** An exchange that could not reach its server. */
const TROUBLE: Pick<JobReport, 'outcome' | 'cause'> = { outcome: 'failed', cause: OUT_OF_REACH };

const UNREADABLE: Fault = {
  code: 'store.busy',
  message: 'The records of this profile could not be read: another process holds them.',
  remedy: 'Try again in a moment.',
};

/** What a pull reads, in order. */
const PULL = (students: number): [subject: string, total: number][] => [
  ['schools', 5],
  ['terms', 30],
  ['students', students],
  ['sections', 222],
  ['teachers', 47],
  ['enrolments', students * 6],
  ['attendance codes', 31],
  ['calendar days', 1460],
  ['bell schedules', 48],
];

/**
 * The scenes a page address can ask for with `?scene=`:
 * `new` (nothing configured), `practice` (filled in, host key not accepted), `quiet` (finished, nothing run yet),
 * `home` (finished, with a history).
 * Further switches: `long` (long names), `pace` (milliseconds of a step of work), `fail` (`test`, `replaced`, `dns`,
 * `authority`, `access`, `queries`, `maintenance`: PowerSchool's test; `history`, `trace`, `preview`: what can't be
 * read, `roster`: none was read yet; `sync`, `practice`, `handover` or `keychain`), `changed-key`, `old-server` (one that lacks what a newer one has), `second` (a second managed connection, with a private key), `schools` (so many
 * schools to choose from, with a building for each), `changes` (what is mapped has changed on either side;
 * `fail=choices`: PowerSchool can't be read, `fail=lists`: Raptor's server can't), `guarded` (a file was stopped), `elsewhere` (a run started by another
 * process), `tested` (PowerSchool was tested two days ago), `status` (of the Raptor integration), `open` (its window
 * is open), `waiting` (a test waits for the server, and runs after that many milliseconds), `written` (a plugin was
 * saved for Raptor alone), `paused` (`resumed`, `tomorrow` or `hour`: how long), `mail` (mail does not go out; with
 * `fail=mail` the test mail fails), `schedule` (a scheduled run begins after that many milliseconds), `trouble` (the
 * exchanges with Hero failed and are tried again; `raptor`: those with Raptor), `login` (the system refuses to change what starts at login), `own` (a district
 * of one's own, not the practice district), `accounts` (a second account at Hero), `sends=powerschool` (PowerSchool
 * carries out everything of Hero's accounts), `unseen` (what PowerSchool sends could not be looked at), `other-sender` (AutoSend still sends what is ours), `fail=hero` (Hero's
 * pages and folders can't be read).
 */
export function fixtureHost(query: URLSearchParams): Host {
  const scene = query.get('scene') ?? 'new';
  const long = query.has('long');
  const pace = Number(query.get('pace') ?? 40);
  const fail = query.get('fail');
  const students = long ? 128_400 : 586;

  let setup: Setup = scene === 'new' ? emptySetup() : practiceSetup(long);
  if (query.has('accounts')) setup = secondAccount(setup, long);
  if (query.get('sends') === 'powerschool') {
    for (const account of setup.hero.accounts) {
      for (const kind of [...EXPORT_KINDS, 'attendance'] as const) account[kind].owner = 'power_school';
    }
  }
  if (long && query.has('own')) setup.powerschool.url = LONG_URL;
  if (query.has('second')) setup.connections = [...setup.connections, secondConnection(long)];
  let profile = scene === 'new' || query.has('own') ? 'default' : 'practice';
  const secrets = new Set<string>(scene === 'new' ? [] : ['powerschool.client-secret', 'hero.password', ...(query.has('second') ? ['connection-3.private-key'] : [])]);
  const servers = new SampleServers(query.has('changed-key'), query.has('old-server'));
  if ((scene === 'quiet' || scene === 'home') && !query.has('changed-key')) {
    for (const connection of setup.connections) servers.accept(connection, FINGERPRINT, '2026-09-01T15:30:00Z');
  }
  let runs: RunView[] = scene === 'home' ? pastRuns(students) : [];
  let last = new Map<JobId, JobReport>(
    scene === 'home' ? JOB_ORDER.map((job) => [job, jobReport(job, students)] as const) : [],
  );
  let held = scene === 'home' ? heldRows(long) : [];
  let guarded: GuardedView[] = query.has('guarded')
    ? [
        {
          id: 'g1',
          job: 'hero-students',
          name: 'imports/STUDENT.TXT',
          before: students,
          now: Math.round(students / 3),
          reason: 'rows_lost',
          schools: [],
          sample: [],
          stopped_at: new Date(Date.now() - 4 * 60_000).toISOString(),
        },
      ]
    : [];
  const asked = query.get('status') as IntegrationStatus | null;
  let cancelled = false;
  const schools = Number(query.get('schools') ?? 0);
  const some: Choices = schools > 0 ? manyChoices(choices(long), schools) : choices(long);
  const found: Choices = query.has('changes') ? { ...some, changes: mappingChanges(setup.mappings) } : some;
  let pause: Pause = { kind: 'no' };
  const pauseFor = query.get('paused');
  if (pauseFor === 'resumed') pause = { kind: 'until_resumed' };
  if (pauseFor === 'tomorrow') pause = { kind: 'until', until: dayFromNow(1, 0).toISOString() };
  if (pauseFor === 'hour') pause = { kind: 'until', until: new Date(Date.now() + 3_600_000).toISOString() };
  let atLogin = false;
  let running = query.has('elsewhere') ? 'r9' : undefined;
  const written = query.has('written');
  if (written) setup.powerschool.plugin = { jobs: ['raptor-roster'], revision: 2 };
  let pluginWritten = written;
  /** Missing access is put right by a new plugin, an unknown authority by trusting it. */
  let failing = fail;
  let testCancelled = false;
  let lastTest: PowerSchoolTest | null = query.has('tested')
    ? powerSchoolTest(exchanges(), fail, false, new Date(Date.now() - 2 * 86_400_000), long)
    : null;
  let waiting = query.has('waiting');
  /** Ends what waits for the waiting test. */
  const stopWaiting: (() => void)[] = [];
  if (waiting) lastTest = powerSchoolTest(exchanges(), null, true, new Date(), long);

  function exchanges(): Job[] {
    const { wanted, jobs } = setup.powerschool.plugin;
    return wanted ?? jobs;
  }

  const wait = () => new Promise((resolve) => setTimeout(resolve, pace));

  function setupView(): Response {
    return {
      kind: 'setup',
      data: {
        setup,
        secrets: [
          'powerschool.client-secret',
          ...setup.connections.flatMap(({ id }) => [`${id}.password`, `${id}.private-key`, `${id}.key-passphrase`]),
          'smtp.password',
          'proxy.password',
        ].map((name) => ({ name, set: secrets.has(name) })),
        host_keys: servers.keys(setup),
        next_connection: nextConnection(setup),
        practice: profile === 'practice',
        test_waiting: waiting,
      },
    };
  }

  function raptorStatus(): IntegrationStatus {
    if (asked !== null) return asked;
    if (!setup.raptor.enabled) return 'disabled';
    return last.size > 0 ? 'synchronizing' : 'pending_initialization';
  }

  function status(): StatusView {
    const lastRun = runs.find((run) => !run.dry_run);
    const raptor = raptorView(raptorStatus(), setup.raptor.window, pause.kind !== 'no', query.has('open'));
    return {
      profile,
      practice: profile === 'practice',
      server: setup.powerschool.url.replace(/^https?:\/\//, ''),
      paused: pause.kind !== 'no',
      pause,
      ...(running === undefined ? {} : { running }),
      raptor_status: raptorStatus(),
      raptor,
      school_year: { schools: [], changes: [], tardy_code_faults: [] },
      today: setup.powerschool.url === '' ? null : '2026-11-20',
      jobs: possibleJobs().map((job) => {
        const trouble = query.has('trouble') && job.startsWith(query.get('trouble') || 'hero');
        const report = trouble ? { ...jobReport(job, 0), ...TROUBLE } : last.get(job);
        const settings = setup.jobs.find((candidate) => candidate.job === job);
        // The roster goes out when the window of the Raptor integration is open, and with the updates that follow.
        const { schedule } = job === 'raptor-roster' ? {} : (settings ?? {});
        const ours = settings?.enabled === true && ownerOf(job) === 'roster_bridge';
        const planned = ours && pause.kind !== 'until_resumed';
        const roster = job === 'raptor-roster' ? raptor.next?.at : undefined;
        const next = trouble ? new Date(Date.now() + 7 * 60_000).toISOString() : (roster ?? (schedule && nextAt(schedule)));
        return {
          job,
          owner: ownerOf(job),
          enabled: ours,
          ...(schedule === undefined ? {} : { schedule }),
          ...(planned && next !== undefined ? { next_at: next } : {}),
          ...(report === undefined ? {} : { last: report }),
          last_at: report === undefined ? null : (lastRun?.finished_at ?? null),
        };
      }),
      held: held.length,
      students: last.size > 0 ? students : 0,
      roster_pulled_at: lastRun?.finished_at ?? null,
      watch: setup.hero.accounts
        .map((account) => watchOf(account, { long, students, rosterRead: true, now: new Date() }))
        .filter(({ files }) => files.length > 0)
        .map((view) => (query.has('unseen') ? { ...view, cause: UNSEEN } : view)),
      other_sender: query.has('other-sender') ? [otherSender(long)] : [],
      ...(query.has('mail')
        ? {
            mail: {
              cause: MAIL_REFUSED,
              since: new Date(Date.now() - 47 * 60_000).toISOString(),
              waiting: 3,
              dropped: long ? 12_400 : 0,
            },
          }
        : {}),
    };
  }

  /** Those of every account, in running order. */
  function possibleJobs(): JobId[] {
    return JOB_ORDER.flatMap((kind) =>
      kind.startsWith('hero-') ? setup.hero.accounts.map(({ id }) => jobOf(kind, id)) : [kind],
    );
  }

  function ownerOf(job: JobId): Owner {
    const account = setup.hero.accounts.find(({ id }) => id === accountOf(job));
    if (account === undefined || !job.startsWith('hero-')) return 'roster_bridge';
    return EXPORT_KINDS.map((kind) => account[kind]).find((_, index) => kindOf(job) === JOB_ORDER[index])?.owner ?? account.attendance.owner;
  }

  /** With a fault, the last but one fails. */
  async function stages(names: Stage[], failing: Fault | null, onEvent: (event: Event) => void) {
    const reports: StageReport[] = [];
    for (const [index, [name, detail, result]] of names.entries()) {
      await wait();
      const broken = failing !== null && index === names.length - 2;
      const skipped = failing !== null && index > names.length - 2;
      const stage: StageReport = {
        name,
        result: result ?? (broken ? { result: 'failed', ...failing } : skipped ? { result: 'skipped' } : { result: 'passed' }),
        detail: broken || skipped ? '' : detail,
        millis: 18 + index * 7,
      };
      reports.push(stage);
      onEvent({ event: 'stage', data: stage });
    }
    return { passed: reports.every(({ result }) => result.result !== 'failed'), stages: reports };
  }

  async function testPowerSchool(offline: boolean, onEvent: (event: Event) => void): Promise<PowerSchoolTest> {
    testCancelled = false;
    const report = powerSchoolTest(exchanges(), failing, offline, new Date(), long);
    for (const stage of report.stages) {
      if (stage.result.result === 'skipped' || stage.result.result === 'waiting') continue;
      onEvent({ event: 'stage', data: { ...stage, result: { result: 'running' }, detail: '', millis: 0 } });
      await wait();
      if (testCancelled) {
        throw { code: 'powerschool.stopped', message: 'The test was stopped.', remedy: 'Test again when you like.' } satisfies Fault;
      }
      onEvent({ event: 'stage', data: stage });
    }
    lastTest = report;
    waiting = offline;
    return report;
  }

  /** The waiting test runs after `waiting` milliseconds, or never. */
  function awaitTest(): Promise<PowerSchoolTest> {
    return new Promise((resolve, reject) => {
      const stopped: Fault = { code: 'powerschool.stopped', message: 'The test was stopped.', remedy: 'Test again when you like.' };
      if (!waiting) {
        reject(stopped);
        return;
      }
      stopWaiting.push(() => reject(stopped));
      const after = Number(query.get('waiting'));
      if (after > 0) {
        setTimeout(() => {
          if (!waiting) return;
          waiting = false;
          lastTest = powerSchoolTest(exchanges(), failing, false, new Date(), long);
          resolve(lastTest);
        }, after);
      }
    });
  }

  async function testConnection(connection: ManagedConnection, accept: string | null, folders: 'hero' | 'raptor', onEvent: (event: Event) => void): Promise<ConnectionTest> {
    const { stages: found, hostKey } = servers.test(connection, accept, folders);
    return { report: await stages(found, null, onEvent), host_key: hostKey };
  }

  async function testRaptor(accept: string | null, onEvent: (event: Event) => void): Promise<ConnectionTest> {
    const id = setup.raptor.connection?.connection;
    if (id === undefined) return { report: await stages(FOLDER_STAGES, null, onEvent) };
    return testConnection(managedOf(connections(), id), accept, 'raptor', onEvent);
  }

  function connections(): ConnectionsKept {
    return { setup, servers, secrets, long };
  }

  async function sync(jobs: JobId[], dryRun: boolean, onEvent: (event: Event) => void): Promise<SyncReport> {
    cancelled = false;
    const enabled = setup.jobs.filter((job) => job.enabled).map((job) => job.job);
    const chosen = jobs.length > 0 ? jobs : enabled;
    onEvent({ event: 'run_started', data: { run: 'r9', jobs: chosen, dry_run: dryRun } });
    const done: JobReport[] = [];
    const progress = async (job: JobId | undefined, phase: Phase, subject: string, total: number) => {
      for (let part = 1; part <= 4 && !cancelled; part += 1) {
        onEvent({
          event: 'progress',
          data: { run: 'r9', ...(job === undefined ? {} : { job }), phase, subject, done: Math.round((total * part) / 4), total },
        });
        await wait();
      }
    };
    for (const [subject, total] of PULL(students)) {
      await progress(undefined, 'pull', subject, total);
    }
    if (fail === 'sync') {
      const cause = {
        code: 'powerschool.maintenance',
        message: 'PowerSchool went down for maintenance while the roster was being read.',
        remedy: 'Nothing was changed. Run again when PowerSchool is back.',
      };
      return finish({ run: 'r9', dry_run: dryRun, outcome: 'failed', jobs: [], cause, seconds: [{ phase: 'pull', millis: 2120 }] });
    }
    for (const job of chosen) {
      if (cancelled) break;
      const report = jobReport(job, students);
      const phase: Phase = job.endsWith('attendance') || job.endsWith('tardies') ? 'attendance' : 'upload';
      await progress(job, dryRun ? 'plan' : phase, report.files[0]?.name ?? job, report.rows.read);
      if (cancelled) break;
      done.push(report);
      onEvent({ event: 'job_finished', data: report });
    }
    const report = syncReport(chosen, dryRun, students);
    if (cancelled) return finish({ ...report, outcome: 'cancelled', jobs: done });
    const ended = finish(report);
    return dryRun ? withPlans(ended) : ended;
  }

  function finish(report: SyncReport): SyncReport {
    const now = new Date().toISOString();
    runs = [
      {
        run: report.run + String(runs.length),
        started_at: new Date(Date.now() - 4000).toISOString(),
        finished_at: now,
        dry_run: report.dry_run,
        undo: false,
        scheduled: false,
        outcome: report.outcome,
        jobs: report.jobs,
        seconds: report.seconds,
        ...(report.cause === undefined ? {} : { cause: report.cause }),
      },
      ...runs,
    ];
    if (!report.dry_run && report.outcome !== 'failed') {
      last = new Map([...last, ...report.jobs.map((job) => [job.job, job] as const)]);
      if (report.jobs.some((job) => job.newly_held > 0)) held = heldRows(long);
    }
    return report;
  }

  async function answer(request: Request, onEvent: (event: Event) => void): Promise<Response> {
    switch (request.op) {
      case 'status':
        return { kind: 'status', data: status() };
      case 'runs':
        return { kind: 'runs', data: runs.slice(0, request.limit) };
      case 'held': {
        const reasons = new Map<HoldReason, number>();
        for (const row of held) reasons.set(row.code as HoldReason, (reasons.get(row.code as HoldReason) ?? 0) + 1);
        return {
          kind: 'held',
          data: {
            total: held.length,
            by_reason: [...reasons].sort((a, b) => b[1] - a[1]),
            rows: held.slice(request.offset, request.offset + request.limit),
          },
        };
      }
      case 'setup':
        return setupView();
      case 'save_setup':
        setup = structuredClone(request.setup);
        return setupView();
      case 'import_setup':
        setup = { ...emptySetup(), ...(JSON.parse(request.text) as Partial<Setup>) };
        return setupView();
      case 'import_practice':
        setup = practiceSetup(long);
        return setupView();
      case 'export_setup':
        return { kind: 'exported', data: JSON.stringify(setup, null, 2) };
      case 'set_secret':
        if (fail === 'keychain') {
          throw {
            code: 'vault.no_keychain',
            message: 'This computer has no keychain running, so the secret was not stored.',
            remedy: 'Start the keychain (GNOME Keyring or KWallet), then try again.',
          } satisfies Fault;
        }
        secrets.add(request.name);
        return { kind: 'secret', data: { name: request.name, set: true } };
      case 'check_secret':
        return { kind: 'secret', data: { name: request.name, set: secrets.has(request.name) } };
      case 'test_power_school':
        return { kind: 'power_school_test', data: await testPowerSchool(request.offline, onEvent) };
      case 'cancel_test':
        testCancelled = true;
        waiting = false;
        for (const stop of stopWaiting.splice(0)) stop();
        return { kind: 'done' };
      case 'await_test':
        return { kind: 'power_school_test', data: await awaitTest() };
      case 'last_test':
        return { kind: 'last_test', data: lastTest };
      case 'trust_certificate':
        failing = null;
        setup = {
          ...setup,
          powerschool: { ...setup.powerschool, extra_roots: [...setup.powerschool.extra_roots, '-----BEGIN CERTIFICATE-----2'] },
        };
        return setupView();
      case 'plugin': {
        const before = pluginWritten ? setup.powerschool.plugin : undefined;
        const view = pluginView(request.jobs, before, request.write ? 'UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==' : '', long);
        if (request.write) {
          const repaired = failing === 'access' || failing === 'queries' ? 1 : 0;
          if (repaired === 1) failing = null;
          pluginWritten = true;
          const revision = Number(view.version.split('.')[2]) + repaired;
          setup = { ...setup, powerschool: { ...setup.powerschool, plugin: { jobs: request.jobs, revision } } };
        }
        return { kind: 'plugin', data: view };
      }
      case 'check_plugin':
        await wait();
        return { kind: 'plugin_check', data: pluginCheck(request.file_name, long) };
      case 'write_handover':
        return { kind: 'handover', data: HANDOVER };
      case 'open_handover':
        if (fail === 'handover') {
          throw {
            code: 'handover.wrong_passphrase',
            message: 'This passphrase does not open the file.',
            remedy: 'Ask the sender for it again; capitals and spaces count.',
          } satisfies Fault;
        }
        setup = { ...setup, powerschool: { ...setup.powerschool, url: 'https://ps.northfield.k12.us', client_id: '3f0c9b1e-52d7-4a86-9e0b-7d41c2aa5f10' } };
        secrets.add('powerschool.client-secret');
        return setupView();
      case 'handover_key':
        return { kind: 'handover_key', data: HANDOVER_KEY };
      case 'test_connection':
        return {
          kind: 'connection_test',
          data: await testConnection(managedOf(connections(), request.connection), request.accept_host_key, 'hero', onEvent),
        };
      case 'cancel_connection_test':
        testCancelled = true;
        return { kind: 'done' };
      case 'delete_connection':
        answerConnections(request, connections());
        setup = { ...setup, connections: setup.connections.filter(({ id }) => id !== request.connection) };
        return setupView();
      case 'replace_host_key':
      case 'host_key_history':
      case 'read_known_hosts':
      case 'accept_known_hosts':
      case 'check_key':
      case 'generate_key':
      case 'public_key':
      case 'legacy_algorithms': {
        await wait();
        const answered = answerConnections(request, connections());
        if (answered !== undefined) return answered;
        throw OUT_OF_REACH;
      }
      case 'test_mail':
        return {
          kind: 'test',
          data: await stages(
            [
              ['Settings', `To ${counted((request.to.length > 0 ? request.to : setup.mail.to).length, 'address', 'addresses')}.`],
              ['Connection', `${setup.mail.host}, port ${setup.mail.port}`],
              ['Sign-in', 'Accepted.'],
              ['Message', 'The server took it.'],
            ],
            fail === 'mail' ? MAIL_REFUSED : null,
            onEvent,
          ),
        };
      case 'test_raptor':
        return { kind: 'connection_test', data: await testRaptor(request.accept_host_key, onEvent) };
      case 'choices':
        await wait();
        if (fail === 'choices') {
          throw {
            code: 'powerschool.unreachable',
            message: 'PowerSchool did not answer.',
            remedy: 'Check the network. What is mapped already is kept.',
          } satisfies Fault;
        }
        return { kind: 'choices', data: fail === 'lists' ? { ...found, lists_unread: OUT_OF_REACH } : found };
      case 'raptor_confirmation':
        await wait();
        return {
          kind: 'raptor_confirmation',
          data: raptorConfirmation(request.setup, found, last.size > 0 ? students : undefined, pause.kind !== 'no'),
        };
      case 'read_names':
        await wait();
        return { kind: 'names', data: namesOf(request.text) };
      case 'sync':
        return { kind: 'sync', data: await sync(request.jobs, request.dry_run, onEvent) };
      case 'guarded':
        return { kind: 'guarded', data: guarded };
      case 'decide_guarded':
        guarded = guarded.filter((file) => file.id !== request.id);
        return { kind: 'guarded', data: guarded };
      case 'cancel':
        cancelled = true;
        return { kind: 'done' };
      case 'metrics':
        return {
          kind: 'metrics',
          data: {
            since: new Date(Date.now() - 7 * 24 * 3_600_000).toISOString(),
            runs: { succeeded: runs.length },
            rows: { read: 0, written: 0, noop: 0, held: held.length, rejected: 0 },
            phases: [],
            outbox: { decided: 0, sending: 0, unknown: 0 },
            held: held.length,
            circuits: [],
            sizes: { ledger: 0, roster: 0, backups: 0, logs: 0 },
            holder: { version: '0.1.0', pid: 1, uptime_seconds: 60 },
          },
        };
      case 'support_bundle':
        return { kind: 'support_bundle', data: { file: request.file, bytes: 20_480, contents: ['about.json'] } };
      case 'raptor_history':
        if (fail === 'history') throw UNREADABLE;
        await wait();
        return { kind: 'raptor_history', data: raptorHistory(raptorStatus(), scene === 'home' ? 5 : 0, request.limit, request.before) };
      case 'trace':
        if (fail === 'trace') throw UNREADABLE;
        await wait();
        return { kind: 'trace', data: scene === 'home' ? tracePage(request.query, long) : { total: 0, rows: [] } };
      case 'reconciliation':
        if (fail === 'trace') throw UNREADABLE;
        await wait();
        return { kind: 'reconciliation', data: reconciliation(request.day, long) };
      case 'roster_preview':
        if (fail === 'preview') throw UNREADABLE;
        if (fail === 'roster') {
          throw {
            code: 'setup.incomplete',
            message: 'PowerSchool’s roster has not been read yet.',
            remedy: 'Complete that step of the set-up, then try again.',
          } satisfies Fault;
        }
        await wait();
        return { kind: 'roster_preview', data: rosterPreview(request.roster, request.building ?? '', students) };
      case 'pause':
        pause = request.pause;
        return { kind: 'status', data: status() };
      case 'hand_over':
      case 'take_back':
      case 'sheet':
      case 'tick_sheet':
      case 'timeline':
      case 'export_preview':
      case 'export_problems':
      case 'remote_files':
      case 'watch':
        if (fail === 'hero' && request.op !== 'timeline') throw OUT_OF_REACH;
        await wait();
        return answerHero(request, setup, { long, students, rosterRead: scene !== 'new', now: new Date() });
      default:
        throw { code: 'session.not_in_sample', message: 'The sample data does not answer this.', remedy: 'Start RosterBridge.' } satisfies Fault;
    }
  }

  /** A run of the schedule, told to the window as the shell tells it. */
  async function scheduledRun(listener: (happened: Happened) => void) {
    running = 'r9';
    const report = await sync(['raptor-tardies'], false, (event) => listener({ profile, event }));
    running = undefined;
    runs = runs.map((run, index) => (index === 0 ? { ...run, scheduled: true } : run));
    listener({ profile, event: { event: 'run_finished', data: report } });
  }

  return {
    call: (request, onEvent) => answer(structuredClone(request), onEvent),
    async practiceStart() {
      await wait();
      if (fail === 'practice') {
        throw {
          code: 'practice.not_started',
          message: 'The practice district did not start.',
          remedy: 'Restart RosterBridge and try again.',
        } satisfies Fault;
      }
      profile = 'practice';
      if (scene === 'new') {
        setup = practiceSetup(long);
        secrets.add('powerschool.client-secret').add('hero.password');
      }
    },
    async practiceLeave() {
      await wait();
      profile = 'default';
      setup = emptySetup();
      secrets.clear();
      servers.forget();
      runs = [];
      last = new Map();
      held = [];
    },
    saveFile: (suggestedName: string, content: FileContent) => {
      saved.push({ name: suggestedName, content });
      const folder = long ? '/home/office/Documents/Washington County Regional Cooperative/PowerSchool' : '/home/office/Downloads';
      return Promise.resolve(`${folder}/${suggestedName}`);
    },
    chooseFolder: () => Promise.resolve(long ? '/mnt/district-file-server/exchange/washington-county-regional-cooperative/hero' : '/home/office/hero'),
    print: () => {
      window.print();
      return Promise.resolve();
    },
    notify: (title: string) => {
      notices.push(title);
      return Promise.resolve();
    },
    onHappened: (listener: (happened: Happened) => void) => {
      if (query.has('schedule')) setTimeout(() => void scheduledRun(listener), Number(query.get('schedule')));
      return Promise.resolve();
    },
    startsAtLogin: () => Promise.resolve(atLogin),
    startAtLogin: (wanted: boolean) => {
      if (query.has('login')) {
        return Promise.reject<void>({
          code: 'window.start_at_login',
          message: 'The system did not let RosterBridge change what starts at login: permission denied.',
          remedy: 'Add RosterBridge to the programs that start at login in the system’s own settings.',
        } satisfies Fault);
      }
      atLogin = wanted;
      return Promise.resolve();
    },
    environment: () =>
      Promise.resolve({ profile, version: '0.1.0', home: '/home/office/.local/share/rosterbridge', platform: 'linux' }),
  };
}
