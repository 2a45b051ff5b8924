//! Which command goes where, and what it needs open for that.

use std::path::PathBuf;

use rosterbridge_api::{Fault, Request, Response, Session};
use serde_json::json;

use crate::{
    answer::{to_value, unexpected},
    args::{Cli, Command, Handover, Plugin, Practice, Setup},
    care, connection_test, connections,
    document::Document,
    handover, held, hero, jobs, keys, mapping, plugin, practice, profiles, raptor, run, secrets, service,
    setup, status, support_bundle, sync, text, trace,
};

/// Carries out the command line.
pub async fn carry_out(cli: Cli) -> Result<Document, Fault> {
    // These need neither a profile nor a keychain.
    let command = match cli.command {
        Command::Practice(Practice::Serve(serve)) => {
            return practice::serve(serve, cli.json).await;
        }
        Command::Plugin(Plugin::Build { file, jobs, of_profile: false }) => {
            return plugin::build(&file, &jobs);
        }
        Command::Plugin(Plugin::Check { file }) => return plugin::check(&file),
        command => command,
    };
    let home = home(cli.home)?;
    if let Command::Run { as_service } = command {
        return run::run(&home, &cli.profile, as_service).await;
    }
    if let Command::SupportBundle { file, force } = &command {
        return support_bundle::write(&home, &cli.profile, file, *force).await;
    }
    if let Command::Backup(command) = command {
        return care::backup(command, &home, &cli.profile).await;
    }
    if matches!(command, Command::Profiles) {
        return profiles::list(&home).await;
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
        | Command::Run { .. }
        | Command::SupportBundle { .. }
        | Command::Backup(_)
        | Command::Profiles
        | Command::Erase { .. }
        | Command::Service(_) => Err(unexpected()),
        Command::Jobs(jobs) => jobs::carry_out(session, jobs).await,
        Command::Mapping(mapping) => mapping::carry_out(session, mapping).await,
        Command::Connections(command) => connections::carry_out(session, command).await,
        Command::Keys(command) => keys::carry_out(session, command).await,
        Command::Hero(command) => hero::carry_out(session, command).await,
        Command::Raptor(command) => raptor::carry_out(session, command).await,
        Command::Trace(trace) => trace::carry_out(session, trace).await,
        Command::Plugin(Plugin::Build { file, jobs, .. }) => {
            plugin::build_for_profile(session, &file, jobs).await
        }
        Command::Handover(handover) => handover::carry_out(session, handover).await,
        Command::Setup(setup) => setup::carry_out(session, setup, profile).await,
        Command::Secrets(secrets) => secrets::carry_out(session, secrets).await,
        Command::Test(test) => connection_test::run(session, test).await,
        Command::Sync { jobs, dry_run } => sync::sync(session, jobs, dry_run).await,
        Command::Undo { run, dry_run } => sync::undo(session, run, dry_run).await,
        Command::Status => status::show(session).await,
        Command::Runs { limit } => match session.call(Request::Runs { limit }, |_| ()).await? {
            Response::Runs(runs) => {
                Ok(Document::done("Runs", json!({ "runs": to_value(&runs)? })).with_text(text::runs(&runs)))
            }
            _ => Err(unexpected()),
        },
        Command::Guard(guard) => held::decide_guarded(session, guard).await,
        Command::Held(held) => held::carry_out(session, held).await,
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
