//! Where requests are carried out: each one becomes a call of the engine.

use std::{path::Path, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::Utc;
use rosterbridge_domain::settings::ConnectionId;
use rosterbridge_engine::{
    Engine, EngineError, PowerSchoolAccess, building_names, check_key, legacy_algorithms, reason_names,
    report::{Event, PluginCheck},
    setup_revision,
};
use secrecy::SecretString;

use crate::{
    handover, recovery_file,
    request::{Fault, NamesOf, Request, Response, SecretText, SetupView},
    setup_file,
};

/// Told what happens while a request is carried out.
pub(crate) type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        let cause = error.cause();
        Self { code: cause.code, message: cause.message, remedy: cause.remedy }
    }
}

impl From<SecretText> for SecretString {
    fn from(text: SecretText) -> Self {
        Self::from(text.0.clone())
    }
}

/// Carries out a request. What it logs goes to the profile's log.
#[tracing::instrument(name = "request", skip_all, fields(profile = engine.profile_name()))]
pub(crate) async fn carry_out(
    engine: &Arc<Engine>,
    request: Request,
    on_event: OnEvent,
) -> Result<Response, Fault> {
    Ok(match request {
        Request::Status => Response::Status(Box::new(engine.status().await?)),
        Request::Runs { limit } => Response::Runs(engine.runs(limit).await?),
        Request::Held { limit, offset, source, reason, detail } => {
            Response::Held(engine.held(limit, offset, (source, reason, detail)).await?)
        }
        Request::HeldChoices { id } => Response::HeldChoices(engine.held_choices(id).await?),
        Request::FindStudents { text } => Response::Students(engine.find_students(&text).await?),
        Request::FixHeld { ids, fix } => {
            engine.fix_held(ids, fix, Utc::now()).await?;
            Response::Done
        }
        Request::TakeBackHeldFix { ids } => {
            engine.take_back_held_fix(ids, Utc::now()).await?;
            Response::Done
        }
        Request::Setup => Response::Setup(setup_view(engine).await?),
        Request::SaveSetup { setup, revision } => {
            engine.save_setup(*setup, &revision).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ImportSetup { text, passphrase } => {
            let (setup, secrets) =
                blocking(move || setup_file::read(&text.0, passphrase.map(SecretString::from))).await?;
            engine.import_setup(setup, secrets).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ImportPractice { ready, pin } => {
            engine.import_practice(&ready.0, pin).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ExportSetup { passphrase } => {
            let setup = engine.setup().await?;
            let secrets = if passphrase.is_some() { engine.secrets().await? } else { Vec::new() };
            let passphrase = passphrase.map(SecretString::from);
            Response::Exported(blocking(move || setup_file::write(&setup, &secrets, passphrase)).await?)
        }
        Request::SetSecret { name, value } => {
            Response::Secret(engine.set_secret(&name, SecretString::from(value)).await?)
        }
        Request::CheckSecret { name } => Response::Secret(engine.check_secret(&name).await?),
        Request::TestPowerSchool { offline } => {
            let test = engine.test_powerschool(offline, |stage| on_event(Event::Stage(stage))).await?;
            Response::PowerSchoolTest(Box::new(test))
        }
        Request::CancelTest => {
            engine.cancel_test().await?;
            Response::Done
        }
        Request::AwaitTest => Response::PowerSchoolTest(Box::new(
            engine.await_test(|stage| on_event(Event::Stage(stage))).await?,
        )),
        // Whoever holds the profile is told as it is.
        Request::Listen => Response::Done,
        Request::LastTest => Response::LastTest(engine.last_test().await?.map(Box::new)),
        Request::TrustCertificate { sha256 } => {
            engine.trust_certificate(&sha256).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::Plugin { jobs, write } => Response::Plugin(Box::new(engine.plugin(jobs, write).await?)),
        Request::CheckPlugin { file_name, content } => {
            let check = blocking(move || check_plugin(&file_name, &content)).await?;
            Response::PluginCheck(Box::new(check))
        }
        Request::WriteHandover { to } => {
            let access = engine.powerschool_access().await?;
            Response::Handover(blocking(move || handover::write(&access, &to)).await?)
        }
        Request::OpenHandover { text, passphrase } => {
            let identity = engine.handover_identity().await?;
            let access = blocking(move || open_handover(&text.0, passphrase, identity.as_ref())).await?;
            engine.take_over_powerschool(access).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::HandoverKey => Response::HandoverKey(handover_key(engine).await?),
        Request::TestConnection { connection, accept_host_key } => Response::ConnectionTest(
            engine
                .test_connection(connection, accept_host_key, |stage| on_event(Event::Stage(stage)))
                .await?,
        ),
        Request::TestRaptor { accept_host_key } => Response::ConnectionTest(
            engine.test_raptor(accept_host_key, |stage| on_event(Event::Stage(stage))).await?,
        ),
        Request::TestMail { to } => Response::Test(engine.test_mail(to).await?),
        Request::RaptorConfirmation { setup } => {
            Response::RaptorConfirmation(Box::new(engine.raptor_confirmation(*setup, Utc::now()).await?))
        }
        Request::RaptorHistory { limit, before } => {
            Response::RaptorHistory(engine.raptor_history(limit, before).await?)
        }
        Request::RosterPreview { roster, building } => {
            Response::RosterPreview(Box::new(engine.roster_preview(*roster, building.as_deref()).await?))
        }
        Request::ReadNames { text, of } => Response::Names(match of {
            NamesOf::Buildings => building_names(&text)?,
            NamesOf::Reasons => reason_names(&text)?,
        }),
        Request::Trace { query } => Response::Trace(engine.trace(query).await?),
        Request::Rows { list, start, limit } => Response::Rows(engine.rows(list, start, limit).await?),
        Request::ExportRows { list, file, overwrite } => {
            Response::RowsWritten(engine.export_rows(list, Path::new(&file), overwrite).await?)
        }
        Request::RunHistory { days, until } => {
            Response::RunHistory(engine.run_history(days, until, Utc::now()).await?)
        }
        Request::DayRuns { day } => Response::DayRuns(engine.day_runs(day, Utc::now()).await?),
        Request::Reconciliation { day } => {
            Response::Reconciliation(engine.reconciliation(day, Utc::now()).await?)
        }
        Request::Choices => Response::Choices(engine.choices().await?),
        Request::Sync { jobs, dry_run } => Response::Sync(engine.sync(jobs, dry_run, on_event).await?),
        Request::Undo { run, dry_run } => {
            Response::Undo(Box::new(engine.undo(&run, dry_run, on_event).await?))
        }
        Request::RetryHeld { ids } => Response::Retried(engine.retry_held(ids).await?),
        Request::DiscardHeld { ids } => {
            engine.discard_held(ids).await?;
            Response::Done
        }
        Request::Guarded => Response::Guarded(engine.guarded().await?),
        Request::DecideGuarded { id, accept } => Response::Guarded(engine.decide_guarded(&id, accept).await?),
        Request::Cancel { run } => {
            match run {
                Some(run) => engine.cancel_run(&run),
                None => engine.cancel(),
            }
            Response::Done
        }
        Request::Pause { pause } => {
            engine.set_pause(pause).await?;
            Response::Status(Box::new(engine.status().await?))
        }
        Request::Backups => Response::Backups(engine.backups().await?),
        Request::BackUp => Response::BackedUp(engine.back_up(Utc::now()).await?),
        Request::RecoveryFile { passphrase } => {
            let recovery = engine.recovery_key();
            Response::RecoveryFile(
                blocking(move || recovery_file::write(&recovery, passphrase.into())).await?,
            )
        }
        Request::Metrics => Response::Metrics(Box::new(engine.metrics(Utc::now()).await?)),
        Request::Watch { account } => {
            Response::Watch(Box::new(engine.watch(account, Utc::now(), &on_event).await?))
        }
        Request::Sheet { account } => Response::Sheet(engine.sheet(account).await?),
        Request::TickSheet { account, row, on } => {
            Response::Sheet(engine.tick_sheet(account, &row, on).await?)
        }
        Request::Timeline { account } => Response::Timeline(engine.timeline(account, Utc::now()).await?),
        Request::ExportPreview { account, kind, job, rows } => Response::ExportPreview(Box::new(
            engine.export_preview(account, kind, *job, rows, Utc::now()).await?,
        )),
        Request::ExportProblems { job, skip } => {
            Response::ExportProblems(engine.export_problems(job, skip).await?)
        }
        Request::RemoteFiles { account } => {
            Response::RemoteFiles(engine.remote_files(account, Utc::now()).await?)
        }
        Request::FacultyFile { account, role, account_type, file, overwrite } => Response::FacultyFile(
            engine.faculty_file(account, role, account_type, Path::new(&file), overwrite).await?,
        ),
        Request::CancelConnectionTest => {
            engine.cancel_connection_test();
            Response::Done
        }
        Request::ReplaceHostKey { connection, presented_sha256, typed } => {
            Response::HostKeyReplaced(engine.replace_host_key(connection, &presented_sha256, &typed).await?)
        }
        Request::HostKeyHistory { connection } => {
            Response::HostKeyHistory(engine.host_key_history(connection).await?)
        }
        Request::ReadKnownHosts { connection, text } => {
            Response::KnownHosts(engine.read_known_hosts(connection, &text).await?)
        }
        Request::AcceptKnownHosts { connection, text, sha256 } => {
            Response::HostKeyHistory(engine.accept_known_hosts(connection, &text, &sha256).await?)
        }
        Request::CheckKey { text, passphrase } => {
            Response::Key(check_key(text.into(), passphrase.map(SecretString::from)).await?)
        }
        Request::GenerateKey { connection, replace } => {
            Response::PublicKey(engine.generate_key(connection, replace).await?)
        }
        Request::PublicKey { connection } => Response::PublicKey(engine.public_key(connection).await?),
        Request::LegacyAlgorithms => Response::LegacyAlgorithms(legacy_algorithms()),
        Request::DeleteConnection { connection } => {
            engine.delete_connection(connection).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::HandOver { job, record } => Response::OwnerChanged(engine.hand_over(job, &record).await?),
        Request::TakeBack { job } => Response::OwnerChanged(engine.take_back(job).await?),
        Request::ConfirmOneSender { job } => Response::OwnerChanged(engine.confirm_one_sender(job).await?),
        Request::SupportBundle { file, overwrite } => {
            Response::SupportBundle(engine.support_bundle(Path::new(&file), overwrite, Utc::now()).await?)
        }
    })
}

async fn setup_view(engine: &Engine) -> Result<Box<SetupView>, Fault> {
    let setup = engine.setup().await?;
    // Only to be told by: what was saved is saved, whether or not the roster can be read at this moment.
    let schools = engine.known_schools().await.unwrap_or_else(|error| {
        tracing::warn!(code = error.code(), "the schools of the last roster can't be read");
        Vec::new()
    });
    Ok(Box::new(SetupView {
        secrets: engine.secret_states().await?,
        host_keys: engine.accepted_host_keys().await?,
        practice: engine.is_practice().await?,
        test_waiting: engine.is_test_waiting(),
        next_connection: ConnectionId::unused(&setup.connections),
        schools,
        next_account: setup.hero.next_account(),
        revision: setup_revision(&setup),
        setup,
    }))
}

fn check_plugin(file_name: &str, content: &str) -> Result<PluginCheck, Fault> {
    let content = BASE64_STANDARD.decode(content).map_err(|_| Fault {
        code: "file.unusable".to_owned(),
        message: format!("{file_name} did not arrive whole."),
        remedy: "Choose the file again.".to_owned(),
    })?;
    Ok(rosterbridge_engine::check_plugin(file_name, &content))
}

fn open_handover(
    text: &str,
    passphrase: Option<SecretText>,
    identity: Option<&SecretString>,
) -> Result<PowerSchoolAccess, Fault> {
    match (handover::needs_passphrase(text)?, passphrase, identity) {
        (true, Some(passphrase), _) => handover::read_with_passphrase(text, passphrase.into()),
        (true, None, _) => Err(handover::passphrase_needed()),
        (false, _, Some(identity)) => handover::read_with_identity(text, identity),
        (false, _, None) => Err(handover::wrong_recipient()),
    }
}

/// The public key of this profile, made on first use. One that the keychain has lost or spoiled is made anew.
async fn handover_key(engine: &Engine) -> Result<String, Fault> {
    if let Some(public) = engine.handover_identity().await?.and_then(|kept| handover::public_key(&kept)) {
        return Ok(public);
    }
    let (identity, public) = handover::new_identity();
    engine.keep_handover_identity(&identity).await?;
    Ok(public)
}

/// Runs slow arithmetic (age's key derivation) aside.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(EngineError::from)?
}
