//! What a person reads of accounts at Hero.

use std::fmt::Write;

use rosterbridge_api::domain::{
    id::SchoolNumber,
    job::JobId,
    schedule::TimeOfDay,
    settings::{
        AccountLevel, CharacterSet, Destination, Duplicate, ExportKind, FieldDelimiter, HandOver,
        HeroAccount, LongValues, Owner, RecordDelimiter, Setup,
    },
};

use super::settings;
use crate::jobs::schedule;

/// 'Account 2 (North)'.
pub fn named(account: &HeroAccount) -> String {
    let number = account.id.number();
    match account.name.trim() {
        "" => format!("Account {number}"),
        name => format!("Account {number} ({name})"),
    }
}

/// An account in a list, with a line for each of its jobs.
pub fn lines(setup: &Setup, account: &HeroAccount) -> String {
    let mut text = format!("{}: {}\n", named(account), for_whom(account));
    for job in account.jobs() {
        let path =
            ExportKind::of(job.kind()).map_or(&account.attendance.path, |kind| &account.export(kind).path);
        let _ = writeln!(text, "  {:<18} {:<28} {}", job.to_string(), path, carried_out(setup, job));
    }
    text
}

/// An account with everything that is set up for it.
pub fn whole(setup: &Setup, account: &HeroAccount) -> String {
    let mut text = format!("{}\n", for_whom(account));
    let side = account.hero_side;
    let at = |time: Option<TimeOfDay>| {
        time.map_or_else(|| "nobody said when".to_owned(), |time| format!("{time} {}", side.zone))
    };
    let _ = writeln!(text, "Hero takes in the files: {}", at(side.imports_at));
    let _ = writeln!(text, "Hero writes its attendance export: {}", at(side.exports_at));
    for kind in ExportKind::ALL {
        text.push_str(&export(setup, account, kind));
    }
    text.push_str(&import(setup, account));
    text
}

fn for_whom(account: &HeroAccount) -> String {
    let level = match account.level {
        AccountLevel::School => "school-level",
        AccountLevel::Group => "group-level",
    };
    let schools = schools(&account.schools, "every school that is in no other account");
    format!("{level}, {schools}, over the connection '{}'", account.connection)
}

fn schools(schools: &[SchoolNumber], every: &str) -> String {
    let numbers: Vec<String> = schools.iter().map(ToString::to_string).collect();
    match numbers.len() {
        0 => every.to_owned(),
        1 => format!("school {}", numbers.concat()),
        _ => format!("schools {}", numbers.join(", ")),
    }
}

/// Who carries a job out, and when.
fn carried_out(setup: &Setup, job: JobId) -> String {
    let settings = settings(setup, job);
    let when = schedule(settings.and_then(|settings| settings.schedule.as_ref()));
    match setup.owner(job) {
        Owner::PowerSchool => format!("by PowerSchool, {when}"),
        Owner::RosterBridge if settings.is_some_and(|settings| settings.enabled) => {
            format!("by RosterBridge, {when}")
        }
        Owner::RosterBridge => format!("off; {when}"),
    }
}

/// A line of a form.
fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<18} {value}");
}

/// An export, field by field.
pub fn export(setup: &Setup, account: &HeroAccount, kind: ExportKind) -> String {
    let (job, settings) = (JobId::new(kind.job(), account.id), account.export(kind));
    let mut text = format!("{job}: {}\n", settings.name);
    line(&mut text, "carried out", &carried_out(setup, job));
    handed_over(&mut text, settings.hand_over.as_ref());
    let place = match &settings.destination {
        Destination::Connection => format!("{} over '{}'", settings.path, account.connection),
        Destination::Folder { folder } => format!("{} in the folder {folder}", settings.path),
    };
    line(&mut text, "to", &place);
    let format = [
        delimiters(settings.field_delimiter, settings.record_delimiter),
        characters(settings.character_set),
        header(settings.header),
    ];
    line(&mut text, "format", &format.join(", "));
    line(&mut text, "fields", &settings.fields.join(" "));
    line(&mut text, "schools", &schools(&settings.schools, "all of the account"));
    if kind == ExportKind::Schedule {
        let terms =
            if settings.only_current_terms { "those that contain the day" } else { "all of the year" };
        line(&mut text, "terms", terms);
    }
    let long = match settings.long_values {
        LongValues::AsIs => "sent as they are",
        LongValues::Shorten => "shortened to what Hero takes",
    };
    line(&mut text, "long values", long);
    let unchanged = if settings.skip_unchanged { "not sent again on the same day" } else { "sent again" };
    line(&mut text, "an unchanged file", unchanged);
    line(&mut text, "reports to", &reports(&settings.email));
    let record = &settings.in_powerschool;
    let more = [(record.upload_type, "Include 'upload_type'")];
    in_record(&mut text, &record.sort_order, &more, record.duplicate);
    line(&mut text, "in PowerSchool", &record.attendance);
    text
}

/// An import, field by field.
pub fn import(setup: &Setup, account: &HeroAccount) -> String {
    let settings = &account.attendance;
    let [_, _, _, job] = account.jobs();
    let mut text = format!("{job}: {}\n", settings.name);
    line(&mut text, "carried out", &carried_out(setup, job));
    handed_over(&mut text, settings.hand_over.as_ref());
    line(&mut text, "from", &format!("{} over '{}'", settings.path, account.connection));
    let format = [
        delimiters(settings.field_delimiter, settings.record_delimiter),
        characters(settings.character_set),
        header(settings.header),
    ];
    line(&mut text, "format", &format.join(", "));
    let fields: Vec<&str> = settings.fields.iter().map(|field| field.as_str()).collect();
    line(&mut text, "fields", &fields.join(", "));
    let existing = if settings.update_existing { "updated" } else { "left as they are" };
    line(&mut text, "existing records", existing);
    line(&mut text, "reports to", &reports(&settings.email));
    let record = &settings.in_powerschool;
    let more = [(record.synchronize, "Synchronize Mode"), (record.mark_students, "Mark students")];
    in_record(&mut text, &record.sort_order, &more, record.duplicate);
    text
}

fn handed_over(text: &mut String, hand_over: Option<&HandOver>) {
    if let Some(HandOver { record, confirmed_at, confirmed_by }) = hand_over {
        let at = confirmed_at.format("%Y-%m-%d %H:%M UTC");
        line(text, "handed over", &format!("record '{record}' turned off, {at} by {confirmed_by}"));
    }
}

/// What is ticked in PowerSchool's record that Hero's procedure leaves blank.
fn in_record(text: &mut String, sort_order: &str, ticks: &[(bool, &str)], duplicate: Duplicate) {
    if !sort_order.trim().is_empty() {
        line(text, "in PowerSchool", &format!("Sort Order {sort_order}"));
    }
    let duplicates = [
        (duplicate.all_schools, "Duplicate this: all schools"),
        (duplicate.district_office, "Duplicate this: district office"),
    ];
    for (_, what) in ticks.iter().chain(&duplicates).filter(|(ticked, _)| *ticked) {
        line(text, "in PowerSchool", &format!("{what} is ticked"));
    }
}

fn delimiters(field: FieldDelimiter, record: RecordDelimiter) -> String {
    let field = match field {
        FieldDelimiter::Tab => "tab",
        FieldDelimiter::Comma => "comma",
    };
    let record = match record {
        RecordDelimiter::Crlf => "CRLF",
        RecordDelimiter::Lf => "LF",
        RecordDelimiter::Cr => "CR",
    };
    format!("{field}, {record}")
}

fn characters(characters: CharacterSet) -> String {
    match characters {
        CharacterSet::WindowsAnsi => "Windows ANSI".to_owned(),
        CharacterSet::Utf8 => "UTF-8".to_owned(),
        CharacterSet::MacRoman => "Mac Roman".to_owned(),
    }
}

fn header(header: bool) -> String {
    if header { "field names first".to_owned() } else { "no field names".to_owned() }
}

fn reports(email: &[String]) -> String {
    if email.is_empty() { "nobody".to_owned() } else { email.join(", ") }
}

/// What is worth knowing, a line each.
pub fn notes(notes: &[String]) -> String {
    notes.iter().fold(String::new(), |mut text, note| {
        let _ = writeln!(text, "Note: {note}");
        text
    })
}

/// What becomes of everything an account has, in sentences.
pub fn removal(setup: &Setup, account: &HeroAccount) -> String {
    let mut text =
        "Its settings, its times and the ticks of its sheet are forgotten; what it sent and imported stays in the \
         history, and its files stay at Hero."
            .to_owned();
    let by_powerschool: Vec<String> = account
        .jobs()
        .into_iter()
        .filter(|job| setup.owner(*job) == Owner::PowerSchool)
        .map(|job| job.to_string())
        .collect();
    if !by_powerschool.is_empty() {
        let _ = write!(
            text,
            " PowerSchool goes on with {}, and nobody looks after that any more.",
            by_powerschool.join(", ")
        );
    }
    let others = || setup.hero.accounts.iter().filter(|other| other.id != account.id);
    if !account.schools.is_empty() {
        let of = schools(&account.schools, "");
        let _ = match others().find(|other| other.schools.is_empty()) {
            Some(other) => write!(text, " From then on {} has its rows of {of}.", named(other)),
            None => write!(text, " From then on no account has rows of {of}."),
        };
    }
    if account.schools.is_empty() && !others().any(|other| other.schools.is_empty()) {
        text.push_str(
            " From then on no account takes every other school: only the schools that an account names are sent and \
             imported.",
        );
    }
    if !others().any(|other| other.connection == account.connection) {
        let _ = write!(text, " The connection '{}' and its secrets stay.", account.connection);
    }
    text
}
