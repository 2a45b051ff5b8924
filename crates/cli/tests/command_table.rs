//! The table of commands in `docs/administrator-guide.md` has a row for every command there is, names its options, and
//! promises none that are gone.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the guide or start the program fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// Options that every command has: the guide names them once, above the table.
const EVERYWHERE: [&str; 5] = ["--home", "--profile", "--json", "--help", "--version"];

/// What `--help` says of a command.
fn help(command: &[String]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rosterbridge")).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "there is no help for '{}'", command.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The names that a help lists under 'Commands:'. What an entry says goes on in lines that are set in further.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let entries = listed.take_while(|line| line.starts_with(' '));
    entries.filter_map(|line| line.strip_prefix("  ").filter(|entry| !entry.starts_with(' '))).filter_map(
        |entry| {
            let name = entry.split(' ').next()?;
            (name != "help").then_some(name)
        },
    )
}

/// The long options a help describes, but for those that every command has. What it says of them is set in further.
fn options(help: &str) -> BTreeSet<String> {
    let entries = help.lines().filter(|line| (2..=6).contains(&(line.len() - line.trim_start().len())));
    let described = entries.filter_map(|line| {
        let line = line.trim_start();
        let line = line.split_once(", ").filter(|(short, _)| short.len() == 2).map_or(line, |(_, long)| long);
        line.starts_with("--").then(|| line.split([' ', '=', '[', '.']).next().unwrap_or_default().to_owned())
    });
    described.filter(|option| !EVERYWHERE.contains(&option.as_str())).collect()
}

/// Every command that does something by itself, with its options.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let mut commands = BTreeMap::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let help = help(&command);
        let below: Vec<_> = subcommands(&help).collect();
        if below.is_empty() {
            commands.insert(command.join(" "), options(&help));
        }
        open.extend(below.into_iter().map(|name| [&command[..], &[name.to_owned()]].concat()));
    }
    commands
}

/// A row of the guide's table: the commands it is about, as they are typed, and all of its text.
struct Row {
    typed: Vec<String>,
    text: String,
}

impl Row {
    /// Whether it is about this command.
    fn is_about(&self, command: &str) -> bool {
        self.typed.iter().any(|typed| calls(typed, command))
    }
}

/// Whether something typed is a call of a command.
fn calls(typed: &str, command: &str) -> bool {
    typed.strip_prefix(command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn table() -> Vec<Row> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/administrator-guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    let rows = guide.lines().skip_while(|line| *line != "| Command | Does |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let command = line.split('|').nth(1).unwrap();
        let typed = command.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Row { typed, text: line.to_owned() }
    });
    rows.collect()
}

/// The options a text names.
fn named_options(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '-' && !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("--") && word.len() > 2)
}

#[test]
fn every_command_has_a_row_that_names_its_options() {
    let table = table();
    let mut missing = Vec::new();
    for (command, options) in commands() {
        let rows: Vec<_> = table.iter().filter(|row| row.is_about(&command)).collect();
        if rows.is_empty() {
            missing.push(command);
            continue;
        }
        let named: BTreeSet<_> = rows.iter().flat_map(|row| named_options(&row.text)).collect();
        missing.extend(
            options
                .iter()
                .filter(|option| !named.contains(option.as_str()))
                .map(|option| format!("{command} {option}")),
        );
    }
    assert!(missing.is_empty(), "the guide's table of commands lacks:\n{}", missing.join("\n"));
}

#[test]
fn no_row_promises_what_is_not_there() {
    let commands = commands();
    let mut stale = Vec::new();
    for row in table() {
        let about: Vec<_> = commands.iter().filter(|(command, _)| row.is_about(command)).collect();
        // 'help' is clap's own, and not listed among the commands.
        let known = |typed: &String| typed == "help" || commands.keys().any(|command| calls(typed, command));
        stale.extend(row.typed.iter().filter(|typed| !known(typed)).cloned());
        let taken: BTreeSet<_> = about.iter().flat_map(|(_, options)| options.iter()).collect();
        let promised = named_options(&row.text).filter(|option| !EVERYWHERE.contains(option));
        stale.extend(
            promised
                .filter(|option| !taken.contains(&(*option).to_owned()))
                .map(|option| format!("{}: {option}", row.typed.join(", "))),
        );
    }
    assert!(stale.is_empty(), "the guide's table of commands has what is gone:\n{}", stale.join("\n"));
}

#[test]
fn the_scan_finds_commands_and_options() {
    let commands = commands();
    assert!(commands.len() > 40, "only {} commands were found", commands.len());
    assert!(commands["sync"].contains("--dry-run"));
    assert!(commands["secrets set"].is_empty());
    assert!(!commands.contains_key("secrets"));
}
