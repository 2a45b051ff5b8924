/** The one way out of the interface. No other module knows where requests go, but for `opening.ts`, which asks before there is text. */

import type { AccountId } from '../bindings/AccountId';
import type { BackupView } from '../bindings/BackupView';
import type { Choices } from '../bindings/Choices';
import type { ConnectionId } from '../bindings/ConnectionId';
import type { ConnectionTest } from '../bindings/ConnectionTest';
import type { DayRuns } from '../bindings/DayRuns';
import type { Erased } from '../bindings/Erased';
import type { Event } from '../bindings/Event';
import type { ExportJob } from '../bindings/ExportJob';
import type { ExportKind } from '../bindings/ExportKind';
import type { ExportPreview } from '../bindings/ExportPreview';
import type { ExportProblems } from '../bindings/ExportProblems';
import type { FacultyFileView } from '../bindings/FacultyFileView';
import type { Fault } from '../bindings/Fault';
import type { FoundStudent } from '../bindings/FoundStudent';
import type { GuardedView } from '../bindings/GuardedView';
import type { Handover } from '../bindings/Handover';
import type { HandoverTo } from '../bindings/HandoverTo';
import type { HeldCauseView } from '../bindings/HeldCauseView';
import type { HeldChoices } from '../bindings/HeldChoices';
import type { HeldFix } from '../bindings/HeldFix';
import type { HeldPage } from '../bindings/HeldPage';
import type { HostKeyHistory } from '../bindings/HostKeyHistory';
import type { Job } from '../bindings/Job';
import type { JobId } from '../bindings/JobId';
import type { KeyView } from '../bindings/KeyView';
import type { KnownHostsView } from '../bindings/KnownHostsView';
import type { LegacyAlgorithm } from '../bindings/LegacyAlgorithm';
import type { NamesOf } from '../bindings/NamesOf';
import type { OwnerChange } from '../bindings/OwnerChange';
import type { Pause } from '../bindings/Pause';
import type { PluginCheck } from '../bindings/PluginCheck';
import type { PluginView } from '../bindings/PluginView';
import type { PowerSchoolTest } from '../bindings/PowerSchoolTest';
import type { ProfileView } from '../bindings/ProfileView';
import type { PublicKeyView } from '../bindings/PublicKeyView';
import type { RaptorConfirmation } from '../bindings/RaptorConfirmation';
import type { RaptorHistory } from '../bindings/RaptorHistory';
import type { Reconciliation } from '../bindings/Reconciliation';
import type { RemoteFiles } from '../bindings/RemoteFiles';
import type { ReplacedHostKey } from '../bindings/ReplacedHostKey';
import type { Request } from '../bindings/Request';
import type { Response } from '../bindings/Response';
import type { RestoredView } from '../bindings/RestoredView';
import type { RosterPreview } from '../bindings/RosterPreview';
import type { RosterSettings } from '../bindings/RosterSettings';
import type { RowList } from '../bindings/RowList';
import type { RowPage } from '../bindings/RowPage';
import type { RowPageStart } from '../bindings/RowPageStart';
import type { RunHistory } from '../bindings/RunHistory';
import type { RunView } from '../bindings/RunView';
import type { SecretState } from '../bindings/SecretState';
import type { Setup } from '../bindings/Setup';
import type { SetupView } from '../bindings/SetupView';
import type { Sheet } from '../bindings/Sheet';
import type { StageReport } from '../bindings/StageReport';
import type { StatusView } from '../bindings/StatusView';
import type { SupportBundle } from '../bindings/SupportBundle';
import type { SyncReport } from '../bindings/SyncReport';
import type { TestReport } from '../bindings/TestReport';
import type { Timeline } from '../bindings/Timeline';
import type { TracePage } from '../bindings/TracePage';
import type { TraceQuery } from '../bindings/TraceQuery';
import type { UndoReport } from '../bindings/UndoReport';
import type { WatchView } from '../bindings/WatchView';
import type { WrittenRows } from '../bindings/WrittenRows';
import type { Asked } from '../opening';
import type { ShellWords } from '../shell/words';
import { say } from '../text/say';
import type {
  Aim,
  Downloaded,
  Environment,
  FileContent,
  FoundUpdate,
  Happened,
  Host,
  OpenedFile,
  Updates,
} from './host';
import { isOwn, ownFault } from './own';
import { tauriHost } from './tauri';

export type {
  Aim,
  Downloaded,
  Environment,
  FileContent,
  FoundUpdate,
  Happened,
  Host,
  OpenedFile,
  Updates,
} from './host';

/** The names of the secrets the interface asks for. */
export type SecretName =
  | 'powerschool.client-secret'
  | `${ConnectionId}.${'password' | 'private-key' | 'key-passphrase'}`
  | 'proxy.password'
  | 'smtp.password';

/** The code of a save that was refused because the set-up is another one by now. */
export const SETUP_CHANGED = 'setup.changed_elsewhere';

type Kind = Response['kind'];
type Answer<K extends Kind> = Extract<Response, { kind: K }> extends { data: infer Data } ? Data : undefined;

/** Whatever was thrown, as something a person can read. */
export function toFault(thrown: unknown): Fault {
  if (typeof thrown === 'object' && thrown !== null) {
    if (isOwn(thrown)) return thrown as Fault;
    const { code, message, remedy } = thrown as Partial<Fault>;
    if (typeof code === 'string' && typeof message === 'string') {
      return { code, message, remedy: remedy ?? '' };
    }
  }
  return ownFault(
    'window.unexpected',
    say('Something went wrong inside RosterBridge.'),
    say('Try again. If it happens once more, restart RosterBridge.'),
  );
}

/** One typed function for each request, in the name of one profile. All of them reject with a `Fault`. */
export class Backend {
  readonly #host: Host;
  /** The profile; none before it was asked which one the window shows, and then everything is refused that concerns one. */
  readonly profile: string;

  constructor(host: Host, profile = '') {
    this.#host = host;
    this.profile = profile;
  }

  /** The same in the name of another profile. */
  of(profile: string): Backend {
    return new Backend(this.#host, profile);
  }

  /** The same, where these were asked already. For who asks each of them once: an answer is as old as its question. */
  answered(asked: Asked): Backend {
    const known = new Map(asked.map(({ request, response }) => [JSON.stringify(request), response]));
    const call: Host['call'] = (profile, request, onEvent) =>
      known.get(JSON.stringify(request)) ?? this.#host.call(profile, request, onEvent);
    return new Backend({ ...this.#host, call }, this.profile);
  }

  async #ask<K extends Kind>(kind: K, request: Request, onEvent: (event: Event) => void = () => {}): Promise<Answer<K>> {
    let response: Response;
    try {
      response = await this.#host.call(this.profile, request, onEvent);
    } catch (thrown) {
      throw toFault(thrown);
    }
    if (response.kind !== kind) {
      throw toFault(new Error(`expected ${kind}, got ${response.kind}`));
    }
    return ('data' in response ? response.data : undefined) as Answer<K>;
  }

  async #stages<K extends Kind>(kind: K, request: Request, onStage: (stage: StageReport) => void): Promise<Answer<K>> {
    return this.#ask(kind, request, (event) => {
      if (event.event === 'stage') onStage(event.data);
    });
  }

  environment(): Promise<Environment> {
    return this.#host.environment();
  }

  /** Answers the name of the profile that the window shows from then on. */
  async practiceStart(): Promise<string> {
    try {
      return await this.#host.practiceStart();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Answers the name of the profile that the window shows from then on. */
  async practiceLeave(): Promise<string> {
    try {
      return await this.#host.practiceLeave();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  status(): Promise<StatusView> {
    return this.#ask('status', { op: 'status' });
  }

  runs(limit: number): Promise<RunView[]> {
    return this.#ask('runs', { op: 'runs', limit });
  }

  /** Of all rows, or of those that wait for this. */
  held(limit: number, offset: number, cause?: HeldCauseView): Promise<HeldPage> {
    const about = cause === undefined ? {} : { source: cause.source, reason: cause.code, detail: cause.detail };
    return this.#ask('held', { op: 'held', limit, offset, ...about });
  }

  heldChoices(id: number): Promise<HeldChoices> {
    return this.#ask('held_choices', { op: 'held_choices', id });
  }

  /** Students of the last roster by number or names, at most 50. */
  findStudents(text: string): Promise<FoundStudent[]> {
    return this.#ask('students', { op: 'find_students', text });
  }

  async fixHeld(ids: number[], fix: HeldFix): Promise<void> {
    await this.#ask('done', { op: 'fix_held', ids, fix });
  }

  async takeBackHeldFix(ids: number[]): Promise<void> {
    await this.#ask('done', { op: 'take_back_held_fix', ids });
  }

  /** Answers those that are decided again only with their file. */
  retryHeld(ids: number[]): Promise<number[]> {
    return this.#ask('retried', { op: 'retry_held', ids });
  }

  async discardHeld(ids: number[]): Promise<void> {
    await this.#ask('done', { op: 'discard_held', ids });
  }

  setup(): Promise<SetupView> {
    return this.#ask('setup', { op: 'setup' });
  }

  /** Refused (`SETUP_CHANGED`) unless the set-up still has the revision of the one that this was made of. */
  saveSetup(setup: Setup, revision: string): Promise<SetupView> {
    return this.#ask('setup', { op: 'save_setup', setup, revision });
  }

  importSetup(text: string, passphrase: string | null): Promise<SetupView> {
    return this.#ask('setup', { op: 'import_setup', text, passphrase });
  }

  setSecret(name: SecretName, value: string): Promise<SecretState> {
    return this.#ask('secret', { op: 'set_secret', name, value });
  }

  /** `offline`: only what needs no network; the rest waits until the server can be reached. */
  testPowerSchool(offline: boolean, onStage: (stage: StageReport) => void): Promise<PowerSchoolTest> {
    return this.#stages('power_school_test', { op: 'test_power_school', offline }, onStage);
  }

  /** Stops the test of PowerSchool under way, and takes a waiting one off the list. */
  cancelTest(): Promise<void> {
    return this.#ask('done', { op: 'cancel_test' });
  }

  /** Answers once the waiting test has run. */
  awaitTest(): Promise<PowerSchoolTest> {
    return this.#ask('power_school_test', { op: 'await_test' });
  }

  lastTest(): Promise<PowerSchoolTest | null> {
    return this.#ask('last_test', { op: 'last_test' });
  }

  /** Adds a certificate the server presents to those trusted. */
  trustCertificate(sha256: string): Promise<SetupView> {
    return this.#ask('setup', { op: 'trust_certificate', sha256 });
  }

  /** Our plugin for these exchanges; `write` makes the file and keeps that in the set-up. */
  plugin(jobs: Job[], write: boolean): Promise<PluginView> {
    return this.#ask('plugin', { op: 'plugin', jobs, write });
  }

  /** `content` in Base64. */
  checkPlugin(fileName: string, content: string): Promise<PluginCheck> {
    return this.#ask('plugin_check', { op: 'check_plugin', file_name: fileName, content });
  }

  writeHandover(to: HandoverTo): Promise<Handover> {
    return this.#ask('handover', { op: 'write_handover', to });
  }

  openHandover(text: string, passphrase: string | null): Promise<SetupView> {
    return this.#ask('setup', { op: 'open_handover', text, passphrase });
  }

  handoverKey(): Promise<string> {
    return this.#ask('handover_key', { op: 'handover_key' });
  }

  /** Asks where to save a file and writes it. Answers its path, or null when the person cancelled. */
  async saveFile(suggestedName: string, content: FileContent): Promise<string | null> {
    try {
      return await this.#host.saveFile(suggestedName, content);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Shows a notification where that is possible; that it is not is no failure. */
  async notify(title: string, body: string): Promise<void> {
    await this.#host.notify(title, body).catch(() => undefined);
  }

  /** Has the shell speak these words; where it does not, it goes on in those it has. */
  async speak(words: ShellWords): Promise<void> {
    await this.#host.speak(words).catch(() => undefined);
  }

  /** Tells of runs this window did not start; without a shell there are none. */
  async onHappened(listener: (happened: Happened) => void): Promise<void> {
    await this.#host.onHappened(listener).catch(() => undefined);
  }

  async startsAtLogin(): Promise<boolean> {
    try {
      return await this.#host.startsAtLogin();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  async startAtLogin(wanted: boolean): Promise<void> {
    try {
      await this.#host.startAtLogin(wanted);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** The setup file that was opened from outside the window, once; null when none was. */
  async takeOpenedFile(): Promise<OpenedFile | null> {
    try {
      return await this.#host.takeOpenedFile();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Tells when a setup file can be taken; without a shell none is opened. */
  async onFileOpened(listener: () => void): Promise<void> {
    await this.#host.onFileOpened(listener).catch(() => undefined);
  }

  /** Tells where the person is to be taken; without a shell nobody asks for that. */
  async onGo(listener: (aim: Aim) => void): Promise<void> {
    await this.#host.onGo(listener).catch(() => undefined);
  }

  /** A secret was pasted. That it can't be taken off the clipboard is no failure of what the person does. */
  async forgetClipboard(): Promise<void> {
    await this.#host.forgetClipboard().catch(() => undefined);
  }

  /** Whether there can be updates. Asks no server. */
  async updates(): Promise<Updates> {
    try {
      return await this.#host.updates();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Asks the configured server for a newer version; null when there is none. Nothing is downloaded. */
  async checkForUpdate(): Promise<FoundUpdate | null> {
    try {
      return await this.#host.checkForUpdate();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Downloads and installs the version that was found. On Windows the app ends with it; elsewhere `restart` runs it. */
  async installUpdate(version: string, onProgress: (downloaded: Downloaded) => void): Promise<void> {
    try {
      await this.#host.installUpdate(version, onProgress);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Ends the app in order and starts it again. */
  async restart(): Promise<void> {
    await this.#host.restart();
  }

  /** `to`: to these; to everybody who gets reports where nobody is named. */
  testMail(to: string[], onStage: (stage: StageReport) => void): Promise<TestReport> {
    return this.#stages('test', { op: 'test_mail', to }, onStage);
  }

  /** Holds scheduled runs back, or lets them go on. */
  pause(pause: Pause): Promise<StatusView> {
    return this.#ask('status', { op: 'pause', pause });
  }

  /** With the fingerprint of a host key that a person accepts, if one does. */
  testConnection(
    connection: ConnectionId,
    acceptHostKey: string | null,
    onStage: (stage: StageReport) => void,
  ): Promise<ConnectionTest> {
    return this.#stages('connection_test', { op: 'test_connection', connection, accept_host_key: acceptHostKey }, onStage);
  }

  /** Stops the test of a managed connection under way. */
  cancelConnectionTest(): Promise<void> {
    return this.#ask('done', { op: 'cancel_connection_test' });
  }

  /** The guarded way past a changed host key: `typed` is what the person was asked to type. */
  replaceHostKey(connection: ConnectionId, presentedSha256: string, typed: string): Promise<ReplacedHostKey[]> {
    return this.#ask('host_key_replaced', { op: 'replace_host_key', connection, presented_sha256: presentedSha256, typed });
  }

  hostKeyHistory(connection: ConnectionId): Promise<HostKeyHistory> {
    return this.#ask('host_key_history', { op: 'host_key_history', connection });
  }

  /** What a `known_hosts` file says of a connection's server; nothing is accepted. */
  readKnownHosts(connection: ConnectionId, text: string): Promise<KnownHostsView> {
    return this.#ask('known_hosts', { op: 'read_known_hosts', connection, text });
  }

  /** Accepts the host keys with these fingerprints from such a file. */
  acceptKnownHosts(connection: ConnectionId, text: string, sha256: string[]): Promise<HostKeyHistory> {
    return this.#ask('host_key_history', { op: 'accept_known_hosts', connection, text, sha256 });
  }

  /** What a private key is; it is not kept. */
  checkKey(text: string, passphrase: string | null): Promise<KeyView> {
    return this.#ask('key', { op: 'check_key', text, passphrase });
  }

  /** Makes a key pair; the private key goes to the keychain. `replace`: a key that is there may be lost. */
  generateKey(connection: ConnectionId, replace: boolean): Promise<PublicKeyView> {
    return this.#ask('public_key', { op: 'generate_key', connection, replace });
  }

  publicKey(connection: ConnectionId): Promise<PublicKeyView> {
    return this.#ask('public_key', { op: 'public_key', connection });
  }

  legacyAlgorithms(): Promise<LegacyAlgorithm[]> {
    return this.#ask('legacy_algorithms', { op: 'legacy_algorithms' });
  }

  /** Deletes a managed connection that nothing uses, and its secrets. */
  deleteConnection(connection: ConnectionId): Promise<SetupView> {
    return this.#ask('setup', { op: 'delete_connection', connection });
  }

  /** Of the exchange folder, or of the SFTP connection in its place. */
  testRaptor(acceptHostKey: string | null, onStage: (stage: StageReport) => void): Promise<ConnectionTest> {
    return this.#stages('connection_test', { op: 'test_raptor', accept_host_key: acceptHostKey }, onStage);
  }

  /** What enabling the integration with this set-up would do; nothing is saved. */
  raptorConfirmation(setup: Setup): Promise<RaptorConfirmation> {
    return this.#ask('raptor_confirmation', { op: 'raptor_confirmation', setup });
  }

  /** The names in a pasted or opened text. */
  readNames(text: string, of: NamesOf): Promise<string[]> {
    return this.#ask('names', { op: 'read_names', text, of });
  }

  /** How the status of the Raptor integration came about, latest first; only what was before `before`, by its id. */
  raptorHistory(limit: number, before?: number): Promise<RaptorHistory> {
    return this.#ask('raptor_history', { op: 'raptor_history', limit, ...(before === undefined ? {} : { before }) });
  }

  /** A building's roster file as these settings would make it; of the first mapped building where none is named. */
  rosterPreview(roster: RosterSettings, building?: string): Promise<RosterPreview> {
    return this.#ask('roster_preview', { op: 'roster_preview', roster, ...(building === undefined ? {} : { building }) });
  }

  trace(query: TraceQuery): Promise<TracePage> {
    return this.#ask('trace', { op: 'trace', query });
  }

  /** A page of a list of rows, of at most 500. */
  rows(list: RowList, start: RowPageStart, limit: number): Promise<RowPage> {
    return this.#ask('rows', { op: 'rows', list, start, limit });
  }

  /** Writes a list of rows as CSV to a file chosen with `chooseFile`, which replaces what is there. */
  exportRows(list: RowList, file: string): Promise<WrittenRows> {
    return this.#ask('rows_written', { op: 'export_rows', list, file, overwrite: true });
  }

  /** The runs of so many days, counted, up to this one; up to today where none is named. */
  runHistory(days: number, until?: string): Promise<RunHistory> {
    return this.#ask('run_history', { op: 'run_history', days, ...(until === undefined ? {} : { until }) });
  }

  /** A day's runs; today's where no day is named. */
  dayRuns(day?: string): Promise<DayRuns> {
    return this.#ask('day_runs', { op: 'day_runs', ...(day === undefined ? {} : { day }) });
  }

  /** A day's rows and what became of them; today's in the district where no day is named. */
  reconciliation(day?: string): Promise<Reconciliation> {
    return this.#ask('reconciliation', { op: 'reconciliation', ...(day === undefined ? {} : { day }) });
  }

  choices(): Promise<Choices> {
    return this.#ask('choices', { op: 'choices' });
  }

  sync(jobs: JobId[], dryRun: boolean, onEvent: (event: Event) => void): Promise<SyncReport> {
    return this.#ask('sync', { op: 'sync', jobs, dry_run: dryRun }, onEvent);
  }

  /** Takes back what a run wrote to PowerSchool; with `dryRun` it only tells what that would come to. */
  undo(run: string, dryRun: boolean, onEvent: (event: Event) => void): Promise<UndoReport> {
    return this.#ask('undo', { op: 'undo', run, dry_run: dryRun }, onEvent);
  }

  guarded(): Promise<GuardedView[]> {
    return this.#ask('guarded', { op: 'guarded' });
  }

  decideGuarded(id: string, accept: boolean): Promise<GuardedView[]> {
    return this.#ask('guarded', { op: 'decide_guarded', id, accept });
  }

  cancel(): Promise<void> {
    return this.#ask('done', { op: 'cancel' });
  }

  /** Says that 'Turn Execution Off' is ticked on PowerSchool's record, and takes the job over. */
  handOver(job: JobId, record: string): Promise<OwnerChange> {
    return this.#ask('owner_changed', { op: 'hand_over', job, record });
  }

  /** Says that nobody else carries a paused job out any more, so that it goes on. */
  async confirmOneSender(job: JobId): Promise<void> {
    await this.#ask('owner_changed', { op: 'confirm_one_sender', job });
  }

  /** Gives a job to PowerSchool. */
  async takeBack(job: JobId): Promise<void> {
    await this.#ask('owner_changed', { op: 'take_back', job });
  }

  /** What to enter in PowerSchool and at Hero for an account, screen by screen. */
  sheet(account: AccountId): Promise<Sheet> {
    return this.#ask('sheet', { op: 'sheet', account });
  }

  tickSheet(account: AccountId, row: string, on: boolean): Promise<Sheet> {
    return this.#ask('sheet', { op: 'tick_sheet', account, row, on });
  }

  /** The order of an account's day as it is saved. */
  timeline(account: AccountId): Promise<Timeline> {
    return this.#ask('timeline', { op: 'timeline', account });
  }

  /** An export as these settings would make it; nothing is sent. The rows may take seconds, all else takes no time. */
  exportPreview(account: AccountId, kind: ExportKind, job: ExportJob, rows: boolean): Promise<ExportPreview> {
    return this.#ask('export_preview', { op: 'export_preview', account, kind, job, rows });
  }

  /** What the last file of an export has to be looked at for, after so many. */
  exportProblems(job: JobId, skip: number): Promise<ExportProblems> {
    return this.#ask('export_problems', { op: 'export_problems', job, skip });
  }

  /** What lies in an account's folders now. */
  remoteFiles(account: AccountId): Promise<RemoteFiles> {
    return this.#ask('remote_files', { op: 'remote_files', account });
  }

  /** Whether what PowerSchool should have sent is there and as it should be. */
  watch(account: AccountId): Promise<WatchView> {
    return this.#ask('watch', { op: 'watch', account });
  }

  /**
   * Writes Hero's file of an account's staff, of what PowerSchool had at the last run. Everybody gets the role and the
   * type, by their names in Hero. A file that is there is replaced: the dialog that chose it has asked.
   */
  facultyFile(account: AccountId, role: string, accountType: string, file: string): Promise<FacultyFileView> {
    return this.#ask('faculty_file', { op: 'faculty_file', account, role, account_type: accountType, file, overwrite: true });
  }

  /** Asks where a file is to be saved that the engine writes. Answers its path, or null when the person cancelled. */
  async chooseFile(suggestedName: string): Promise<string | null> {
    try {
      return await this.#host.chooseFile(suggestedName);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Asks for a folder of this computer. Answers its path, or null when the person cancelled. */
  async chooseFolder(): Promise<string | null> {
    try {
      return await this.#host.chooseFolder();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** The backups of the ledger, newest first. */
  backups(): Promise<BackupView[]> {
    return this.#ask('backups', { op: 'backups' });
  }

  backUp(): Promise<BackupView> {
    return this.#ask('backed_up', { op: 'back_up' });
  }

  /** The profile's key, encrypted with the passphrase: the text of a recovery file. */
  recoveryFile(passphrase: string): Promise<string> {
    return this.#ask('recovery_file', { op: 'recovery_file', passphrase });
  }

  /** Writes a support bundle. A file that is there is replaced: the dialog that chose it has asked. */
  supportBundle(file: string): Promise<SupportBundle> {
    return this.#ask('support_bundle', { op: 'support_bundle', file, overwrite: true });
  }

  /** The profiles of this account, the practice district's too. */
  async profiles(): Promise<ProfileView[]> {
    try {
      return await this.#host.profiles();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Opens a profile in a window of its own, a new one too. */
  async openProfile(name: string): Promise<void> {
    try {
      await this.#host.openProfile(name);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Puts the newest backup in the ledger's place, or an empty ledger. */
  async restoreLedger(beginAnew: boolean): Promise<RestoredView> {
    try {
      return await this.#host.restoreLedger(this.profile, beginAnew);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Puts the profile's key back into the keychain from a recovery file. */
  async recoverKey(text: string, passphrase: string): Promise<void> {
    try {
      await this.#host.recoverKey(this.profile, text, passphrase);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Erases the profile; `confirm` is its name as it was typed. */
  async eraseProfile(confirm: string): Promise<Erased> {
    try {
      return await this.#host.eraseProfile(this.profile, confirm);
    } catch (thrown) {
      throw toFault(thrown);
    }
  }

  /** Opens the system's print dialog. */
  async print(): Promise<void> {
    try {
      await this.#host.print();
    } catch (thrown) {
      throw toFault(thrown);
    }
  }
}

/** Picks the host for where this page runs. The browser host and sample data are left out of the product's build. */
export async function connect(): Promise<Backend> {
  if ('__TAURI_INTERNALS__' in window) return new Backend(tauriHost);
  if (import.meta.env.DEV || import.meta.env.MODE === 'fixture') {
    const { browserHost, takeKey } = await import('./browser');
    const key = takeKey();
    if (key !== null) return new Backend(browserHost(key));
    const { fixtureHost } = await import('./fixture');
    return new Backend(fixtureHost(new URLSearchParams(window.location.search)));
  }
  const fault = ownFault(
    'window.no_shell',
    say('This page is the inside of the RosterBridge app and does nothing in a browser.'),
    say('Start RosterBridge.'),
  );
  throw fault;
}
