//! The project's own chores, called as `cargo xtask NAME`.
#![expect(clippy::print_stdout, reason = "progress for a person at a terminal is what this program is for")]

mod bench;
mod cargo;
mod command_line;
mod cross;
mod district;
mod faults;
mod headless;
mod icons;
mod licences;
mod packages;
mod process;
mod reports;
mod run;
mod session_bus;
mod steps;
mod test;
mod test_runner;
mod ui;

use bench::Bench;
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};
use steps::{Failed, Steps};

const USAGE: &str = "Usage: cargo xtask NAME

  run [--home DIR]      build the app and open it on the practice district
                        (without a display: do the same job by command line)
  test                  formatting, lints, all tests
  cross [--full]        build and test for Windows (under Wine), lint for macOS;
                        with --full link the desktop app for Windows too
  bench NAME [--json]   measure one part of the product beside a named peer, in a
                        release build; ends well when it has measured, whether
                        or not a target was met
                        (NAME: main-job, powerschool, engine, raptor, hero,
                        window)
  soak [--kills N] [--seed N]
                        kill whole runs at moments spread over all of their
                        time (200 of each kind, seed 1, unless said otherwise)
  icons                 render the icon files from icons/*.svg
  licences [--check]    write which crates the product is linked with, and under
                        which licences, for its page about them; with --check
                        only tell whether that was done";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Chore {
    Run { home: Option<PathBuf> },
    Test,
    Cross { full: bool },
    Bench { bench: Bench, json: bool },
    Soak { kills: u32, seed: u32 },
    Icons,
    Licences { check: bool },
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Not for a person: nextest calls it for each test.
    if let ["run-test", program, arguments @ ..] = arguments.as_slice() {
        return test_runner::run(program, arguments).map_or_else(
            |error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            },
            ExitCode::from,
        );
    }
    match parse(&arguments) {
        Ok(chore) => match carry_out(chore) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failed) => {
                eprintln!("FAILED in step {failed}");
                ExitCode::FAILURE
            }
        },
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[&str]) -> Result<Chore, String> {
    match arguments {
        ["run"] => Ok(Chore::Run { home: None }),
        // Made absolute: the chore does not stay in the person's folder.
        ["run", "--home", home] => match std::path::absolute(home) {
            Ok(home) => Ok(Chore::Run { home: Some(home) }),
            Err(error) => Err(format!("{home}: {error}")),
        },
        ["test"] => Ok(Chore::Test),
        ["cross"] => Ok(Chore::Cross { full: false }),
        ["cross", "--full"] => Ok(Chore::Cross { full: true }),
        ["bench", name] => bench(name, false),
        ["bench", name, "--json"] => bench(name, true),
        ["soak", options @ ..] => soak(options),
        ["icons"] => Ok(Chore::Icons),
        ["licences"] => Ok(Chore::Licences { check: false }),
        ["licences", "--check"] => Ok(Chore::Licences { check: true }),
        ["help" | "--help" | "-h"] => Ok(Chore::Help),
        [] => Err("Which chore?".to_owned()),
        other => Err(format!("'{}' is not understood.", other.join(" "))),
    }
}

fn bench(name: &str, json: bool) -> Result<Chore, String> {
    match Bench::named(name) {
        Some(bench) => Ok(Chore::Bench { bench, json }),
        None => Err(format!("There is no bench named '{name}'.")),
    }
}

fn soak(mut options: &[&str]) -> Result<Chore, String> {
    let (mut kills, mut seed) = (200, 1);
    while let [name, value, rest @ ..] = options {
        let number = value.parse().map_err(|_| format!("'{value}' is no number."))?;
        match *name {
            "--kills" if number > 0 => kills = number,
            "--seed" => seed = number,
            _ => return Err(format!("'{name} {value}' is not understood.")),
        }
        options = rest;
    }
    match options {
        [] => Ok(Chore::Soak { kills, seed }),
        other => Err(format!("'{}' is not understood.", other.join(" "))),
    }
}

fn carry_out(chore: Chore) -> Result<(), Failed> {
    let root = repository();
    let target =
        cargo::target_folder().map_err(|source| Failed { step: "Find the target folder", source })?;
    match chore {
        Chore::Run { home } => run::run(root, &target, home),
        Chore::Test => test::test(root, &target),
        Chore::Cross { full } => cross::cross(root, &target, full),
        Chore::Bench { bench, json } => bench::run(bench, root, &target, json),
        Chore::Soak { kills, seed } => test::soak(root, &target, kills, seed),
        Chore::Icons => Steps::default().take("Icons", || icons::render(root)),
        Chore::Licences { check: false } => {
            Steps::default().take("Third-party licences", || licences::write(root))
        }
        Chore::Licences { check: true } => {
            Steps::default().take("Third-party licences", || licences::check(root))
        }
        Chore::Help => {
            println!("{USAGE}");
            Ok(())
        }
    }
}

/// The repository this program was built in: the parent of its own package's folder.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chores_are_recognised() {
        assert_eq!(parse(&["test"]), Ok(Chore::Test));
        assert_eq!(parse(&["cross"]), Ok(Chore::Cross { full: false }));
        assert_eq!(parse(&["cross", "--full"]), Ok(Chore::Cross { full: true }));
        assert_eq!(parse(&["run"]), Ok(Chore::Run { home: None }));
        let main_job = |json| Ok(Chore::Bench { bench: Bench::MainJob, json });
        assert_eq!(parse(&["bench", "main-job"]), main_job(false));
        assert_eq!(parse(&["bench", "main-job", "--json"]), main_job(true));
        assert_eq!(parse(&["soak"]), Ok(Chore::Soak { kills: 200, seed: 1 }));
        assert_eq!(parse(&["soak", "--seed", "7", "--kills", "3"]), Ok(Chore::Soak { kills: 3, seed: 7 }));
        let powerschool = Chore::Bench { bench: Bench::PowerSchool, json: false };
        assert_eq!(parse(&["bench", "powerschool"]), Ok(powerschool));
        let engine = Chore::Bench { bench: Bench::Engine, json: true };
        assert_eq!(parse(&["bench", "engine", "--json"]), Ok(engine));
        assert_eq!(parse(&["licences"]), Ok(Chore::Licences { check: false }));
        assert_eq!(parse(&["licences", "--check"]), Ok(Chore::Licences { check: true }));
        assert!(
            matches!(parse(&["run", "--home", "x"]), Ok(Chore::Run { home: Some(home) }) if home.is_absolute())
        );
    }

    #[test]
    fn anything_else_is_wrong_usage() {
        for wrong in [
            &[] as &[&str],
            &["run", "--home"],
            &["test", "--fast"],
            &["cross", "--half"],
            &["licences", "--all"],
            &["bench", "no-such-bench"],
            &["soak", "--kills"],
            &["soak", "--kills", "0"],
            &["soak", "--kills", "many"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
