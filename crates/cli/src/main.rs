//! RosterBridge on the command line.
#![forbid(unsafe_code)]

mod answer;
mod args;
mod care;
mod commands;
mod connection_test;
mod connections;
mod document;
mod files;
mod handover;
mod held;
mod hero;
mod jobs;
mod keys;
mod mapping;
mod plugin;
mod practice;
mod profiles;
mod raptor;
mod run;
mod secrets;
mod service;
mod setup;
mod status;
mod stop;
mod support_bundle;
mod sync;
mod text;
mod trace;
mod watch;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::error::ErrorKind;

use crate::document::Document;

/// How long the program waits at its end for what it started aside and nobody needs any more: a host name being looked
/// up, a folder of another computer that does not answer.
const AT_THE_END: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    rosterbridge_allocator::share_heaps();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("RosterBridge cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(carry_out());
    runtime.shutdown_timeout(AT_THE_END);
    exit
}

async fn carry_out() -> ExitCode {
    rosterbridge_api::logging::start(io::stderr().is_terminal());
    let cli = match args::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
            if !asked_for_json {
                error.exit();
            }
            let document = match help_or_version(&error).or_else(asked_beside_json) {
                Some(text) => Document::done(text, serde_json::Value::Null),
                None => Document::wrong_usage(error.to_string()),
            };
            return finish(&document, true);
        }
    };
    let json = cli.json;
    let document = commands::carry_out(cli).await.unwrap_or_else(Document::from);
    finish(&document, json)
}

/// The help or the version, if that is what was asked for.
fn help_or_version(error: &clap::Error) -> Option<String> {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
        .then(|| error.to_string().trim_end().to_owned())
}

/// The same where `--json` came after `help`, which takes it for a command's name.
fn asked_beside_json() -> Option<String> {
    let others = std::env::args_os().filter(|argument| argument != "--json");
    args::Cli::read(others).err().as_ref().and_then(help_or_version)
}

/// Prints the result and gives the exit code. Nobody listening any more is no failure of ours.
fn finish(document: &Document, json: bool) -> ExitCode {
    let _ = print(document, json);
    document.exit.into()
}

fn print(document: &Document, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, document)?;
        writeln!(out)?;
    } else if document.text.is_empty() && document.ok {
        writeln!(out, "{}", document.message)?;
    } else {
        write!(out, "{}", document.text)?;
    }
    out.flush()?;
    if !json && !document.ok {
        writeln!(io::stderr(), "{} [{}]\n{}", document.message, document.code, document.remedy)?;
    }
    Ok(())
}
