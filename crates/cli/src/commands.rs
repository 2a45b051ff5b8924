//! One function a command: ask the profile's engine, shape the answer.

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rosterbridge_api::{
    Fault, HandoverTo, Request, Response, SecretText, Session,
    domain::job::{Job, Outcome},
    report::{Event, PluginView, StageReport, StageResult, SyncReport, TestReport},
};
use serde_json::{Value, json};

use crate::{
    args::{Cli, Command, Guard, Handover, Held, Plugin, Secrets, Setup, Test, Tested},
    care,
    document::{Document, Exit, stops_for_a_person},
    jobs, mapping, practice, raptor, run, service, stop, support_bundle, text, trace,
};

/// Carries out the command line.
pub async fn carry_out(cli: Cli) -> Result<Document, Fault> {
    // These need neither a profile nor a keychain.
    let command = match cli.command {
        Command::Practice(crate::args::Practice::Serve(serve)) => {
            return practice::serve(serve, cli.json).await;
        }
        Command::Plugin(Plugin::Build { file, jobs, of_profile: false }) => {
            return build_plugin(&file, &jobs);
        }
        Command::Plugin(Plugin::Check { file }) => return check_plugin(&file),
        command => command,
    };
    let home = home(cli.home)?;
    if matches!(command, Command::Run) {
        return run::run(&home, &cli.profile).await;
    }
    if let Command::SupportBundle { file, force } = &command {
        return support_bundle::write(&home, &cli.profile, file, *force).await;
    }
    if let Command::Backup(command) = command {
        return care::backup(command, &home, &cli.profile).await;
    }
    if let Command::Erase { confirm } = command {
        return care::erase(&home, &cli.profile, &confirm).await;
    }
    if let Command::Service(command) = command {
        return service::carry_out(command, &home, &cli.profile).await;
    }
    let session = if makes_a_profile(&command) {
        Session::open(&home, &cli.profile).await?
    } else {
        Session::open_existing(&home, &cli.profile).await?
    };
    let document = ask(&session, command, &cli.profile).await;
    session.close().await;
    document
}

/// Whether a command can be a profile's first. With all others a name nobody knows is a mistyped one.
fn makes_a_profile(command: &Command) -> bool {
    matches!(
        command,
        Command::Setup(Setup::Import { .. }) | Command::Handover(Handover::Open { .. } | Handover::Key)
    )
}

/// Carries out a command that works on a profile.
async fn ask(session: &Session, command: Command, profile: &str) -> Result<Document, Fault> {
    match command {
        Command::Practice(_)
        | Command::Plugin(Plugin::Check { .. })
        | Command::Run
        | Command::SupportBundle { .. }
        | Command::Backup(_)
        | Command::Erase { .. }
        | Command::Service(_) => Err(unexpected()),
        Command::Jobs(jobs) => jobs::carry_out(session, jobs).await,
        Command::Mapping(mapping) => mapping::carry_out(session, mapping).await,
        Command::Raptor(command) => raptor::carry_out(session, command).await,
        Command::Trace(trace) => trace::carry_out(session, trace).await,
        Command::Plugin(Plugin::Build { file, jobs, .. }) => {
            build_profiles_plugin(session, &file, jobs).await
        }
        Command::Handover(handover) => self::handover(session, handover).await,
        Command::Setup(Setup::Import { file, practice, no_pin }) => {
            let request = match (file, practice) {
                (_, Some(ready)) => {
                    Request::ImportPractice { ready: SecretText::new(read(&ready)?), pin: !no_pin }
                }
                (Some(file), None) => {
                    let text = read(&file)?;
                    let encrypted = text.trim_start().starts_with("-----BEGIN AGE");
                    let passphrase = if encrypted { Some(secret_from_stdin("passphrase")?) } else { None };
                    Request::ImportSetup { text: SecretText::new(text), passphrase }
                }
                (None, None) => return Err(unexpected()),
            };
            match session.call(request, |_| ()).await? {
                Response::Setup(view) => {
                    Ok(Document::done(format!("Profile {profile} is set up."), to_value(&view)?))
                }
                _ => Err(unexpected()),
            }
        }
        Command::Setup(Setup::Export { file, with_secrets }) => {
            let passphrase = if with_secrets { Some(secret_from_stdin("passphrase")?) } else { None };
            match session.call(Request::ExportSetup { passphrase }, |_| ()).await? {
                Response::Exported(text) => {
                    write_owner_only(&file, text.as_bytes())?;
                    Ok(Document::done(format!("Wrote {}.", file.display()), json!({ "file": file })))
                }
                _ => Err(unexpected()),
            }
        }
        Command::Secrets(Secrets::Set { name }) => {
            let value = secret_from_stdin("secret")?;
            match session.call(Request::SetSecret { name, value }, |_| ()).await? {
                Response::Secret(state) => Ok(Document::done(
                    format!("{} is stored in the keychain.", state.name),
                    to_value(&state)?,
                )),
                _ => Err(unexpected()),
            }
        }
        Command::Secrets(Secrets::Check { name }) => {
            match session.call(Request::CheckSecret { name }, |_| ()).await? {
                Response::Secret(state) if state.set => {
                    Ok(Document::done(format!("{} is in the keychain.", state.name), to_value(&state)?))
                }
                Response::Secret(state) => Ok(Document::failed(
                    &Fault {
                        code: "vault.secret_missing".to_owned(),
                        message: format!("{} is not in the keychain.", state.name),
                        remedy: format!("Store it with: rosterbridge secrets set {}", state.name),
                    },
                    to_value(&state)?,
                )),
                _ => Err(unexpected()),
            }
        }
        Command::Test(test) => run_test(session, test).await,
        Command::Sync { jobs, dry_run } => sync(session, jobs, dry_run).await,
        Command::Undo { run, dry_run } => undo(session, run, dry_run).await,
        Command::Status => status(session).await,
        Command::Runs { limit } => match session.call(Request::Runs { limit }, |_| ()).await? {
            Response::Runs(runs) => {
                Ok(Document::done("Runs", json!({ "runs": to_value(&runs)? })).with_text(text::runs(&runs)))
            }
            _ => Err(unexpected()),
        },
        Command::Guard(guard) => {
            let (request, message) = match guard {
                Guard::List => (Request::Guarded, "Stopped plans"),
                Guard::Accept { id } => {
                    (Request::DecideGuarded { id, accept: true }, "Accepted. It goes out with the next run.")
                }
                Guard::Reject { id } => (Request::DecideGuarded { id, accept: false }, "Rejected."),
            };
            match session.call(request, |_| ()).await? {
                Response::Guarded(files) => {
                    Ok(Document::done(message, json!({ "stopped": to_value(&files)? }))
                        .with_text(text::guarded(message, &files)))
                }
                _ => Err(unexpected()),
            }
        }
        Command::Held(Held::List { limit, offset }) => {
            match session.call(Request::Held { limit, offset }, |_| ()).await? {
                Response::Held(page) => {
                    Ok(Document::done("Held rows", to_value(&page)?).with_text(text::held(&page)))
                }
                _ => Err(unexpected()),
            }
        }
        Command::Held(Held::Retry { ids }) => {
            let retried = ids.clone();
            let Response::Retried(by_file) = session.call(Request::RetryHeld { ids }, |_| ()).await? else {
                return Err(unexpected());
            };
            let message = if by_file.is_empty() {
                "The next run decides these rows again.".to_owned()
            } else {
                let ids: Vec<String> = by_file.iter().map(ToString::to_string).collect();
                format!(
                    "The next run decides these rows again, but {} only if the file is still there or comes again: \
                     what they state was not kept.",
                    ids.join(", ")
                )
            };
            Ok(Document::done(message, json!({ "retried": retried, "by_file": by_file })))
        }
        Command::Held(Held::Discard { ids }) => {
            let data = json!({ "discarded": ids });
            session.call(Request::DiscardHeld { ids }, |_| ()).await?;
            Ok(Document::done("These rows are closed and never written.", data))
        }
    }
}

/// The state of the profile, with its numbers.
async fn status(session: &Session) -> Result<Document, Fault> {
    let Response::Status(status) = session.call(Request::Status, |_| ()).await? else {
        return Err(unexpected());
    };
    let Response::Metrics(metrics) = session.call(Request::Metrics, |_| ()).await? else {
        return Err(unexpected());
    };
    let mut data = to_value(&status)?;
    data["metrics"] = to_value(&metrics)?;
    let text = text::status(&status) + &text::circuits(&metrics.circuits);
    Ok(Document::done("Status", data).with_text(text))
}

/// Time between two looks whether there is a run to cancel.
const CANCEL_AGAIN: Duration = Duration::from_millis(200);

/// Starts a run; Ctrl-C cancels it and waits for its clean end.
async fn run_to_its_end(session: &Session, request: Request) -> Result<Response, Fault> {
    let interrupted = stop::token();
    let begun = Arc::new(OnceLock::new());
    let ours = Arc::clone(&begun);
    let run = session.call(request, move |event| {
        if let Event::RunStarted { run, .. } = &event {
            ours.get_or_init(|| run.clone());
        }
        show(&event);
    });
    tokio::pin!(run);
    tokio::select! {
        answer = &mut run => return answer,
        () = interrupted.cancelled() => {}
    }
    loop {
        // Ours and no other: one that the schedule begins right after it goes on.
        if let Some(run) = begun.get() {
            session.call(Request::Cancel { run: Some(run.clone()) }, |_| ()).await?;
        }
        tokio::select! {
            answer = &mut run => return answer,
            () = tokio::time::sleep(CANCEL_AGAIN) => {}
        }
    }
}

/// Takes back what a run wrote.
async fn undo(session: &Session, run: String, dry_run: bool) -> Result<Document, Fault> {
    let answer = run_to_its_end(session, Request::Undo { run, dry_run }).await?;
    let Response::Undo(undo) = answer else { return Err(unexpected()) };
    let data = to_value(&undo)?;
    let count: u64 = undo.report.jobs.iter().map(|job| job.rows.written).sum();
    let (left, text) = (undo.left.len(), text::undo(&undo));
    let document = match first_cause(&undo.report) {
        Some(fault) => Document::failed(&fault, data),
        None if dry_run => {
            Document::done(format!("Would change {count} records in PowerSchool and leave {left}."), data)
        }
        None => Document::done(format!("Changed {count} records in PowerSchool and left {left}."), data),
    };
    Ok(document.with_text(text))
}

/// Runs exchanges.
async fn sync(session: &Session, jobs: Vec<Job>, dry_run: bool) -> Result<Document, Fault> {
    let answer = run_to_its_end(session, Request::Sync { jobs, dry_run }).await?;
    let Response::Sync(report) = answer else { return Err(unexpected()) };
    let data = to_value(&report)?;
    let text = text::sync(&report);
    let document = match first_cause(&report) {
        Some(fault) => Document::failed(&fault, data),
        None if report.outcome == Outcome::SucceededWithHeldRows => {
            let mut document = Document::done("Done, and some rows need a person.", data);
            "sync.held_rows".clone_into(&mut document.code);
            "See them with: rosterbridge held list".clone_into(&mut document.remedy);
            if report.jobs.iter().any(|job| job.newly_held > 0) {
                document.exit = Exit::NeedsPerson;
            }
            document
        }
        None => Document::done(if dry_run { "Dry run done." } else { "Done." }, data),
    };
    Ok(document.with_text(text))
}

/// The cause of a run that did not do everything; one that waits for a person comes first.
fn first_cause(report: &SyncReport) -> Option<Fault> {
    let causes = || report.cause.iter().chain(report.jobs.iter().filter_map(|job| job.cause.as_ref()));
    causes().find(|cause| stops_for_a_person(&cause.code)).or_else(|| causes().next()).map(|cause| Fault {
        code: cause.code.clone(),
        message: cause.message.clone(),
        remedy: cause.remedy.clone(),
    })
}

async fn run_test(session: &Session, test: Test) -> Result<Document, Fault> {
    let request = match test.what {
        Tested::Powerschool => return test_powerschool(session, test).await,
        Tested::Hero => Request::TestHero { accept_host_key: test.accept_host_key },
        Tested::Raptor => Request::TestRaptor { accept_host_key: test.accept_host_key },
        Tested::Mail => Request::TestMail { to: Vec::new() },
    };
    match session.call(request, |event| show(&event)).await? {
        Response::Test(report) => Ok(test_document(&report, to_value(&report)?)),
        Response::RaptorTest(test) => {
            let mut data = to_value(&test.report)?;
            if let Some(key) = &test.host_key {
                data["host_key_sha256"] = json!(key.sha256);
                data["host_key"] = to_value(key)?;
            }
            Ok(test_document(&test.report, data))
        }
        Response::HeroTest(test) => {
            let mut data = to_value(&test.report)?;
            data["host_key_sha256"] = json!(test.host_key.as_ref().map(|key| &key.sha256));
            data["host_key"] = to_value(&test.host_key)?;
            Ok(test_document(&test.report, data))
        }
        _ => Err(unexpected()),
    }
}

/// Tests PowerSchool. Ctrl-C stops a test under way; what waits for the server goes on waiting.
async fn test_powerschool(session: &Session, test: Test) -> Result<Document, Fault> {
    if let Some(sha256) = test.accept_certificate {
        session.call(Request::TrustCertificate { sha256 }, |_| ()).await?;
    }
    let interrupted = stop::token();
    let request = Request::TestPowerSchool { offline: test.offline };
    let testing = session.call(request, |event| show(&event));
    tokio::pin!(testing);
    let answer = tokio::select! {
        answer = &mut testing => answer?,
        () = interrupted.cancelled(), if !test.offline => {
            session.call(Request::CancelTest, |_| ()).await?;
            testing.await?
        }
    };
    let Response::PowerSchoolTest(mut report) = answer else { return Err(unexpected()) };
    let mut stopped_waiting = false;
    if report.waiting && test.wait {
        tokio::select! {
            answer = session.call(Request::AwaitTest, |event| show(&event)) => match answer? {
                Response::PowerSchoolTest(made) => report = made,
                _ => return Err(unexpected()),
            },
            () = interrupted.cancelled() => stopped_waiting = true,
        }
    }
    let mut document = test_document(&report.report, to_value(&report)?);
    if document.ok && report.waiting {
        "test.waiting".clone_into(&mut document.code);
        "What can be tested without the network is right. The rest runs by itself when the server can be reached."
            .clone_into(&mut document.message);
        "Leave RosterBridge open, or wait here with: rosterbridge test powerschool --offline --wait"
            .clone_into(&mut document.remedy);
    }
    let mut text = report.text.clone();
    if document.ok && report.waiting {
        text = format!("{text}\n{}\n", document.remedy);
        if stopped_waiting {
            // Whoever asked to wait was promised a tested connection.
            document.ok = false;
            document.exit = Exit::Failed;
        }
    }
    Ok(document.with_text(text))
}

fn test_document(report: &TestReport, data: Value) -> Document {
    let failed = report.stages.iter().find_map(|stage| match &stage.result {
        StageResult::Failed(cause) => Some(Fault {
            code: cause.code.clone(),
            message: cause.message.clone(),
            remedy: cause.remedy.clone(),
        }),
        StageResult::Running
        | StageResult::Passed
        | StageResult::Warned(_)
        | StageResult::Skipped
        | StageResult::Waiting => None,
    });
    match failed {
        Some(fault) => Document::failed(&fault, data),
        None => Document::done("The connection works.", data),
    }
}

/// Our plugin for whoever has no profile.
fn build_plugin(file: &Path, jobs: &[Job]) -> Result<Document, Fault> {
    let jobs = if jobs.is_empty() { &Job::ALL } else { jobs };
    write_plugin(file, rosterbridge_api::plugin_view(jobs, chrono::Utc::now().date_naive())?)
}

/// Our plugin for a profile: its own exchanges unless others are named.
async fn build_profiles_plugin(
    session: &Session,
    file: &Path,
    mut jobs: Vec<Job>,
) -> Result<Document, Fault> {
    if jobs.is_empty() {
        let Response::Setup(view) = session.call(Request::Setup, |_| ()).await? else {
            return Err(unexpected());
        };
        let chosen = view.setup.powerschool.plugin.chosen();
        jobs.extend(Job::ALL.into_iter().filter(|job| chosen.contains(job) || view.setup.job_enabled(*job)));
    }
    match session.call(Request::Plugin { jobs, write: true }, |_| ()).await? {
        Response::Plugin(plugin) => write_plugin(file, *plugin),
        _ => Err(unexpected()),
    }
}

fn write_plugin(file: &Path, mut plugin: PluginView) -> Result<Document, Fault> {
    let bytes = BASE64_STANDARD.decode(std::mem::take(&mut plugin.content)).map_err(|_| unexpected())?;
    std::fs::write(file, &bytes).map_err(|error| file_fault("write", file, &error))?;
    let mut data = to_value(&plugin)?;
    data["file"] = json!(file);
    data["bytes"] = json!(bytes.len());
    Ok(Document::done(
        format!(
            "Wrote {} ({} {}). Install it in PowerSchool under Plugin Management Configuration and enable it.",
            file.display(),
            plugin.name,
            plugin.version
        ),
        data,
    )
    .with_text(text::plugin(file, &plugin)))
}

/// Bytes of a plugin file read at most: more than any plugin PowerSchool takes.
const LONGEST_PLUGIN: u64 = 64 << 20;

fn check_plugin(file: &Path) -> Result<Document, Fault> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(LONGEST_PLUGIN).read_to_end(&mut content))
        .map_err(|error| file_fault("read", file, &error))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let check = rosterbridge_api::check_plugin(&name, &content);
    let data = to_value(&check)?;
    let document = if check.valid {
        Document::done(format!("{name} is a plugin PowerSchool takes."), data)
    } else {
        let errors = check.remarks.iter().filter(|remark| remark.error).count();
        Document::failed(
            &Fault {
                code: "plugin.invalid".to_owned(),
                message: format!("{name} is not a plugin PowerSchool takes: {errors} errors."),
                remedy: "Send the errors to whoever made the plugin, and ask for a corrected one.".to_owned(),
            },
            data,
        )
    };
    Ok(document.with_text(text::plugin_check(&check)))
}

async fn handover(session: &Session, handover: Handover) -> Result<Document, Fault> {
    match handover {
        Handover::Write { file, to } => {
            let to = match to {
                Some(key) => HandoverTo::Recipient(key),
                None => HandoverTo::Passphrase(secret_from_stdin("passphrase")?),
            };
            match session.call(Request::WriteHandover { to }, |_| ()).await? {
                Response::Handover(handover) => {
                    write_owner_only(&file, handover.text.as_bytes())?;
                    let data = json!({
                        "file": file, "subject": handover.subject, "body": handover.body,
                    });
                    let text = text::handover(&file, &handover);
                    Ok(Document::done(format!("Wrote {}.", file.display()), data).with_text(text))
                }
                _ => Err(unexpected()),
            }
        }
        Handover::Open { file } => {
            let text = read_handover(&file)?;
            let passphrase = if rosterbridge_api::handover_needs_passphrase(&text)? {
                Some(secret_from_stdin("passphrase")?)
            } else {
                None
            };
            let request = Request::OpenHandover { text: SecretText::new(text), passphrase };
            match session.call(request, |_| ()).await? {
                Response::Setup(view) => {
                    let powerschool = &view.setup.powerschool;
                    let certificates = match powerschool.extra_roots.len() {
                        0 => String::new(),
                        number => format!(" Certificates trusted besides this computer's: {number}."),
                    };
                    Ok(Document::done(
                        format!(
                            "PowerSchool at {} is set up with Client ID {}.{certificates} Test it with: rosterbridge test \
                             powerschool",
                            powerschool.url, powerschool.client_id
                        ),
                        to_value(&view)?,
                    ))
                }
                _ => Err(unexpected()),
            }
        }
        Handover::Key => match session.call(Request::HandoverKey, |_| ()).await? {
            Response::HandoverKey(key) => Ok(Document::done(key.clone(), json!({ "key": key }))),
            _ => Err(unexpected()),
        },
    }
}

/// Bytes of a handover file read at most: more than it may have, so that one too large is told so.
const LONGEST_HANDOVER: u64 = 1 << 20;

fn read_handover(file: &Path) -> Result<String, Fault> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(LONGEST_HANDOVER).read_to_end(&mut content))
        .map_err(|error| file_fault("read", file, &error))?;
    // A file of another kind is told so by its first line.
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// Shows an event on standard error. A stage under way is shown to somebody who watches only, and overwritten when it
/// has ended.
#[allow(clippy::print_stderr)]
pub fn show(event: &Event) {
    let watched = std::io::stderr().is_terminal();
    match event {
        Event::Stage(StageReport { result: StageResult::Running, name, .. }) => {
            if watched {
                eprint!("...     {name}\r");
            }
        }
        event => {
            if let Some(line) = text::progress(event) {
                eprintln!("{}{line}", if watched { "\x1b[K" } else { "" });
            }
        }
    }
}

/// The folder of all profiles: the one given, else the system's place for application data.
fn home(given: Option<PathBuf>) -> Result<PathBuf, Fault> {
    given.or_else(rosterbridge_api::default_home).ok_or_else(|| Fault {
        code: "profile.no_home".to_owned(),
        message: "There is no folder for RosterBridge's data.".to_owned(),
        remedy: "Name one with --home or in ROSTERBRIDGE_HOME.".to_owned(),
    })
}

pub fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| file_fault("read", path, &error))
}

/// Writes a file only its owner can read.
pub fn write_owner_only(path: &Path, content: &[u8]) -> Result<(), Fault> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| {
            // The mode above is a new file's; one that is there keeps its own.
            #[cfg(unix)]
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            file.write_all(content)
        })
        .map_err(|error| file_fault("write", path, &error))
}

pub fn file_fault(action: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault {
        code: "file.unusable".to_owned(),
        message: format!("Could not {action} {}: {error}.", path.display()),
        remedy: "Check the path, and that you may read and write there.".to_owned(),
    }
}

/// Bytes read from standard input at most: several times the longest private key.
const LONGEST_SECRET: u64 = 64 * 1024;

/// A secret from standard input, without its line end.
pub fn secret_from_stdin(what: &str) -> Result<SecretText, Fault> {
    let empty = |message: String| Fault {
        code: "secret.not_given".to_owned(),
        message,
        remedy: format!("Pipe the {what} into this command; it is never an argument."),
    };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(empty(format!("The {what} is expected on standard input.")));
    }
    let mut value = String::new();
    stdin
        .take(LONGEST_SECRET + 1)
        .read_to_string(&mut value)
        .map_err(|error| empty(format!("The {what} on standard input can't be read: {error}.")))?;
    if value.len() as u64 > LONGEST_SECRET {
        return Err(empty(format!("The {what} on standard input is longer than {LONGEST_SECRET} bytes.")));
    }
    let trimmed = value.trim_end_matches(['\r', '\n']).to_owned();
    if trimmed.is_empty() {
        return Err(empty(format!("There was no {what} on standard input.")));
    }
    Ok(SecretText::new(trimmed))
}

pub fn to_value<T: serde::Serialize>(data: &T) -> Result<Value, Fault> {
    serde_json::to_value(data).map_err(|_| unexpected())
}

/// An answer of another kind than the request's: the two processes are not of one version.
pub fn unexpected() -> Fault {
    Fault {
        code: "session.unexpected_answer".to_owned(),
        message: "The RosterBridge that holds this district gave an answer this one does not know."
            .to_owned(),
        remedy: "Quit the other RosterBridge, then try again.".to_owned(),
    }
}
