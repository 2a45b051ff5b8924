/** Sample data that answers as the engine would, for a plain browser and for tests. Never part of the product. */

import type { Choices } from '../bindings/Choices';
import type { ConnectionTest } from '../bindings/ConnectionTest';
import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { GuardedView } from '../bindings/GuardedView';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { ManagedConnection } from '../bindings/ManagedConnection';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { Setup } from '../bindings/Setup';
import type { StatusView } from '../bindings/StatusView';
import type { SyncReport } from '../bindings/SyncReport';
import { plural } from '../text/say';
import { answerHero, otherSender } from './fixture-accounts';
import { SampleCare } from './fixture-care';
import { FOLDER_STAGES, SampleServers, answerConnections, managedOf, nextConnection, type ConnectionsKept } from './fixture-connections';
import { FINGERPRINT, choices, emptySetup, jobReport, practiceSetup } from './fixture-data';
import { HANDOVER, HANDOVER_KEY, pluginCheck, pluginView } from './fixture-powerschool';
import { SampleActivity } from './fixture-activity';
import { SampleHeld } from './fixture-held';
import { raptorHistory, reconciliation, rosterPreview } from './fixture-raptor';
import { SampleRuns } from './fixture-runs';
import { guardedFile, pauseOf, setupOf, studentsOf } from './fixture-scene';
import { manyChoices, mappingChanges, namesOf, raptorConfirmation } from './fixture-setup';
import { MAIL_REFUSED, OUT_OF_REACH, raptorStatusOf, statusOf } from './fixture-status';
import { SampleTests, passStages } from './fixture-tests';
import { fixtureShell } from './fixture-shell';
import { OTHER_PROFILE, SETUP_CHANGED_ELSEWHERE, changedElsewhere, changeFromQuery } from './fixture-elsewhere';
import type { FileContent, Happened, Host } from './host';

/** What was saved and notified since the page was opened, for tests to look at. */
export const saved: { name: string; content: FileContent }[] = [];
export const notices: string[] = [];

const UNREADABLE: Fault = {
  code: 'store.busy',
  message: 'The records of this profile could not be read: another process holds them.',
  remedy: 'Try again in a moment.',
};

/** Answers as the scene of the page's address has it: `fixture-scene.ts` says which there are. */
export function fixtureHost(query: URLSearchParams): Host {
  const scene = query.get('scene') ?? 'new';
  const long = query.has('long');
  const pace = Number(query.get('pace') ?? 40);
  const fail = query.get('fail');
  const students = studentsOf(query);

  let setup = setupOf(query);
  changeFromQuery(query);
  let profile = scene === 'new' || query.has('own') ? 'default' : 'practice';
  const secrets = new Set<string>(scene === 'new' ? [] : ['powerschool.client-secret', 'hero.password', ...(query.has('second') ? ['connection-3.private-key'] : [])]);
  const servers = new SampleServers(query.has('changed-key'), query.has('old-server'));
  if ((scene === 'quiet' || scene === 'home') && !query.has('changed-key')) {
    for (const connection of setup.connections) servers.accept(connection, FINGERPRINT, '2026-09-01T15:30:00Z');
  }
  const wait = () => new Promise((resolve) => setTimeout(resolve, pace));
  const held = new SampleHeld(query, () => setup.mappings);
  const runs = new SampleRuns({ history: scene === 'home', students, held, wait });
  const activity = new SampleActivity({ history: scene === 'home', many: Number(query.get('records') ?? 0), long });
  const tests = new SampleTests(query, exchanges, wait);
  const care = new SampleCare(query, wait);
  let guarded: GuardedView[] = query.has('guarded') ? [guardedFile(students)] : [];
  const schools = Number(query.get('schools') ?? 0);
  const some: Choices = schools > 0 ? manyChoices(choices(long), schools) : choices(long);
  const found: Choices = query.has('changes') ? { ...some, changes: mappingChanges(setup.mappings) } : some;
  let pause = pauseOf(query);
  let otherSenders = query.has('other-sender') ? [otherSender(long)] : [];
  let atLogin = false;
  let stateRead = 0;
  let unreadable = false;
  let running = query.has('elsewhere') ? 'r9' : undefined;
  let pluginWritten = query.has('written');

  function exchanges(): Job[] {
    const { wanted, jobs } = setup.powerschool.plugin;
    return wanted ?? jobs;
  }

  function setupView(): Response {
    return {
      kind: 'setup',
      data: {
        setup,
        // The same for what is the same.
        revision: JSON.stringify(setup),
        secrets: [
          'powerschool.client-secret',
          ...setup.connections.flatMap(({ id }) => [`${id}.password`, `${id}.private-key`, `${id}.key-passphrase`]),
          'smtp.password',
          'proxy.password',
        ].map((name) => ({ name, set: secrets.has(name) })),
        host_keys: servers.keys(setup),
        next_connection: nextConnection(setup),
        schools: query.has('several') ? found.schools.map(({ number }) => number) : [],
        practice: profile === 'practice',
        test_waiting: tests.waiting,
      },
    };
  }

  function status(): StatusView {
    return statusOf(query, { setup, profile, pause, running, otherSenders, runs });
  }

  async function testConnection(connection: ManagedConnection, accept: string | null, folders: 'hero' | 'raptor', onEvent: (event: Event) => void): Promise<ConnectionTest> {
    const { stages: found, hostKey } = servers.test(connection, accept, folders);
    return { report: await passStages(found, null, wait, onEvent), host_key: hostKey };
  }

  async function testRaptor(accept: string | null, onEvent: (event: Event) => void): Promise<ConnectionTest> {
    const id = setup.raptor.connection?.connection;
    if (id === undefined) return { report: await passStages(FOLDER_STAGES, null, wait, onEvent) };
    return testConnection(managedOf(connections(), id), accept, 'raptor', onEvent);
  }

  function connections(): ConnectionsKept {
    return { setup, servers, secrets, long };
  }

  function sync(jobs: JobId[], dryRun: boolean, onEvent: (event: Event) => void): Promise<SyncReport> {
    const enabled = setup.jobs.filter((job) => job.enabled).map((job) => job.job);
    return runs.sync(jobs.length > 0 ? jobs : enabled, dryRun, fail === 'sync', onEvent);
  }

  async function answer(request: Request, onEvent: (event: Event) => void): Promise<Response> {
    switch (request.op) {
      case 'status':
        stateRead += 1;
        if (fail === 'status' && stateRead > 1) throw UNREADABLE;
        return { kind: 'status', data: status() };
      case 'runs':
        return { kind: 'runs', data: runs.all.slice(0, request.limit) };
      case 'held':
      case 'held_choices':
      case 'find_students':
      case 'fix_held':
      case 'take_back_held_fix':
      case 'retry_held':
      case 'discard_held':
        if (fail === 'held') throw UNREADABLE;
        await wait();
        if (request.op === 'take_back_held_fix') activity.takeBack(request.ids);
        return held.answer(request);
      case 'setup':
        if (unreadable) {
          unreadable = false;
          throw UNREADABLE;
        }
        care.opens();
        return setupView();
      case 'save_setup':
        setup = changedElsewhere(setup);
        if (request.revision !== JSON.stringify(setup)) throw SETUP_CHANGED_ELSEWHERE;
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
        return { kind: 'power_school_test', data: await tests.run(request.offline, onEvent) };
      case 'cancel_test':
        tests.cancel();
        return { kind: 'done' };
      case 'await_test':
        return { kind: 'power_school_test', data: await tests.awaited() };
      case 'last_test':
        return { kind: 'last_test', data: tests.last };
      case 'trust_certificate':
        tests.failing = null;
        setup = {
          ...setup,
          powerschool: { ...setup.powerschool, extra_roots: [...setup.powerschool.extra_roots, '-----BEGIN CERTIFICATE-----2'] },
        };
        return setupView();
      case 'plugin': {
        const before = pluginWritten ? setup.powerschool.plugin : undefined;
        const view = pluginView(request.jobs, before, request.write ? 'UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==' : '', long);
        if (request.write) {
          const repaired = tests.failing === 'access' || tests.failing === 'queries' ? 1 : 0;
          if (repaired === 1) tests.failing = null;
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
          data: await passStages(
            [
              ['Settings', `To ${plural((request.to.length > 0 ? request.to : setup.mail.to).length, ['# address', '# addresses'])}.`],
              ['Connection', `${setup.mail.host}, port ${setup.mail.port}`],
              ['Sign-in', 'Accepted.'],
              ['Message', 'The server took it.'],
            ],
            fail === 'mail' ? MAIL_REFUSED : null,
            wait,
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
          data: raptorConfirmation(request.setup, found, runs.last.size > 0 ? students : undefined, pause.kind !== 'no'),
        };
      case 'read_names':
        await wait();
        return { kind: 'names', data: namesOf(request.text) };
      case 'sync':
        return { kind: 'sync', data: await sync(request.jobs, request.dry_run, onEvent) };
      case 'undo':
        if (fail === 'undo') throw UNREADABLE;
        return { kind: 'undo', data: await runs.undo(request.run, request.dry_run, { fails: fail === 'undone' && !request.dry_run, long }, onEvent) };
      case 'guarded':
        return { kind: 'guarded', data: guarded };
      case 'decide_guarded':
        guarded = guarded.filter((file) => file.id !== request.id);
        return { kind: 'guarded', data: guarded };
      case 'cancel':
        runs.cancel();
        return { kind: 'done' };
      case 'metrics':
        return {
          kind: 'metrics',
          data: {
            since: new Date(Date.now() - 7 * 24 * 3_600_000).toISOString(),
            runs: { succeeded: runs.all.length },
            rows: { read: 0, written: 0, noop: 0, held: held.rows.length, rejected: 0 },
            phases: [],
            outbox: { decided: 0, sending: 0, unknown: 0 },
            held: held.rows.length,
            circuits: [],
            sizes: { ledger: 0, roster: 0, backups: 0, logs: 0 },
            holder: { version: '0.1.0', pid: 1, uptime_seconds: 60 },
          },
        };
      case 'backups':
      case 'back_up':
      case 'recovery_file':
      case 'support_bundle': {
        const answered = await care.answer(request);
        if (answered !== undefined) return answered;
        throw OUT_OF_REACH;
      }
      case 'raptor_history':
        if (fail === 'history') throw UNREADABLE;
        await wait();
        return { kind: 'raptor_history', data: raptorHistory(raptorStatusOf(query, setup, runs), scene === 'home' ? 5 : 0, request.limit, request.before) };
      case 'trace':
        if (fail === 'trace') throw UNREADABLE;
        await wait();
        return { kind: 'trace', data: activity.trace(request.query) };
      case 'rows':
      case 'export_rows':
      case 'run_history':
      case 'day_runs':
        if (fail === 'trace') throw UNREADABLE;
        await wait();
        return activity.answer(request, runs.all);
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
      case 'confirm_one_sender':
      case 'sheet':
      case 'tick_sheet':
      case 'timeline':
      case 'export_preview':
      case 'export_problems':
      case 'remote_files':
      case 'faculty_file':
      case 'watch':
        if (fail === 'hero' && request.op !== 'timeline') throw OUT_OF_REACH;
        await wait();
        if (request.op === 'hand_over' || request.op === 'take_back' || request.op === 'confirm_one_sender') {
          const paused = otherSenders.find(({ job }) => job === request.job);
          otherSenders = otherSenders.filter((sender) => sender !== paused);
          unreadable = fail === 'reread';
          // Until it runs again, its last run is the one that ended at once.
          if (paused !== undefined) runs.last.set(paused.job, { ...jobReport(paused.job, 0), outcome: 'failed', cause: paused.cause });
        }
        return answerHero(request, setup, { long, students, rosterRead: scene !== 'new', now: new Date() });
      default:
        throw { code: 'window.no_shell', message: 'The sample data does not answer this.', remedy: 'Start RosterBridge.' } satisfies Fault;
    }
  }

  /** A run of the schedule, told to the window as the shell tells it. */
  async function scheduledRun(listener: (happened: Happened) => void) {
    running = 'r9';
    const report = await sync(['raptor-tardies'], false, (event) => listener({ profile, event }));
    running = undefined;
    runs.wasScheduled();
    listener({ profile, event: { event: 'run_finished', data: report } });
  }

  function forget() {
    setup = emptySetup();
    secrets.clear();
    servers.forget();
    runs.forget();
  }

  return {
    ...care.host(() => profile, forget),
    call(named, request, onEvent) {
      if (named !== profile) return Promise.reject<Response>(OTHER_PROFILE);
      return answer(structuredClone(request), onEvent);
    },
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
      return profile;
    },
    async practiceLeave() {
      await wait();
      profile = 'default';
      forget();
      return profile;
    },
    saveFile: (suggestedName: string, content: FileContent) => {
      saved.push({ name: suggestedName, content });
      const folder = long ? '/home/office/Documents/Washington County Regional Cooperative/PowerSchool' : '/home/office/Downloads';
      return Promise.resolve(`${folder}/${suggestedName}`);
    },
    chooseFile: (suggestedName: string) => {
      const folder = long ? '/home/office/Documents/Washington County Regional Cooperative/Hero' : '/home/office/Downloads';
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
    ...fixtureShell(query, profile),
    environment: () =>
      Promise.resolve({ profile, opened: true, version: '0.1.0', home: '/home/office/.local/share/rosterbridge', platform: 'linux' }),
  };
}
