//! What a mail says, before it is laid out: no student's name, and nothing that changes what it means by its looks.

use std::fmt::Display;

use chrono::{DateTime, TimeZone, Utc};
use rosterbridge_domain::{
    integration::IntegrationEvent,
    job::{JobId, Outcome},
    notice::{
        Again, AlertKind, AlertSubject, Completion, InterruptedRun, MissedRuns, Notice, SchoolYearNews,
    },
    school_year::{TardyCodeFault, YearChange},
};

use super::post::Waiting;

/// Whose mail it is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The profile's name.
    pub(super) profile: String,
    /// PowerSchool's server; empty when it is not set up.
    pub(super) server: String,
}

/// A mail's content.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) subject: String,
    /// Which district it is about.
    pub(super) about: String,
    pub(super) sections: Vec<Section>,
    /// Why somebody gets it.
    pub(super) footer: &'static str,
}

/// One thing it tells.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) title: String,
    /// Facts with their names.
    pub(super) facts: Vec<(String, String)>,
    /// What to do; empty when nothing is.
    pub(super) advice: String,
}

const FOOTER: &str = "RosterBridge sends this because its settings name your address. It names no student: what \
    happened in detail is in RosterBridge under Activity, and every code is explained in its troubleshooting guide.";

impl Letter {
    /// The mail about some notices, with times in `zone`.
    pub(super) fn new<Z: TimeZone>(place: &Place, waiting: &[Waiting], dropped: u64, zone: &Z) -> Self
    where
        Z::Offset: Display,
    {
        let mut sections: Vec<Section> = waiting.iter().map(|waiting| section(waiting, zone)).collect();
        let first = sections.first().map_or_else(String::new, |section| section.title.clone());
        let subject = match sections.len() {
            0 | 1 => format!("RosterBridge ({}): {first}", place.profile),
            several => format!("RosterBridge ({}): {first}, and {} more", place.profile, several - 1),
        };
        if dropped > 0 {
            sections.push(Section {
                title: "Some notices were given up".to_owned(),
                facts: vec![("Not sent".to_owned(), counted(dropped, "notice", "notices"))],
                advice: "Mail could not be sent for a while, and too much waited. See the runs of that time under \
                         Activity."
                    .to_owned(),
            });
        }
        Self { subject, about: about(place), sections, footer: FOOTER }
    }

    /// The mail of the test.
    pub(super) fn test(place: &Place) -> Self {
        Self {
            subject: "RosterBridge test mail".to_owned(),
            about: about(place),
            sections: vec![Section {
                title: "This is a test mail from RosterBridge".to_owned(),
                facts: Vec::new(),
                advice: "If you can read it, reports will reach you.".to_owned(),
            }],
            footer: FOOTER,
        }
    }
}

fn about(place: &Place) -> String {
    if place.server.is_empty() {
        format!("Profile {}", place.profile)
    } else {
        format!("Profile {}, PowerSchool server {}", place.profile, place.server)
    }
}

/// A notice in a few words.
pub(super) fn title(notice: &Notice) -> String {
    match notice {
        Notice::StatusChanged(change) => format!("Raptor integration is now {}", change.to),
        Notice::Failed { failure, again, .. } => match (failure.job, failure.stopped.is_empty(), again) {
            (Some(job), true, None) => format!("{job} failed"),
            (Some(job), true, Some(_)) => format!("{job} still fails"),
            (Some(job), false, None) => format!("{job} was stopped before a large change"),
            (Some(job), false, Some(_)) => format!("{job} is still stopped before a large change"),
            (None, _, None) => "A run came to no exchange".to_owned(),
            (None, _, Some(_)) => "Runs still come to no exchange".to_owned(),
        },
        Notice::Recovered { job: Some(job), .. } => format!("{job} works again"),
        Notice::Recovered { job: None, .. } => "Runs work again".to_owned(),
        Notice::SchoolYear(news) => news_title(news).to_owned(),
        Notice::RunsInterrupted { runs, more } => {
            let number = u64::try_from(runs.len()).unwrap_or(u64::MAX).saturating_add(*more);
            counted(number, "run was cut off", "runs were cut off")
        }
        Notice::LedgerRestored { .. } => "The ledger was restored from a backup".to_owned(),
        Notice::BackupFailed { .. } => "The nightly backup failed".to_owned(),
        Notice::Alerted(alert) => match alert.subject.kind {
            AlertKind::Watch => format!("{}: a file is not as it should be", alert.subject.job),
            AlertKind::OtherSender => {
                format!("{} is paused: another sender is active", alert.subject.job)
            }
            AlertKind::Look => "Hero could not be looked at".to_owned(),
        },
        Notice::InOrderAgain { subject, .. } => match subject.kind {
            AlertKind::Watch => format!("{}: the file is as it should be again", subject.job),
            AlertKind::OtherSender => format!("{} is no longer paused", subject.job),
            AlertKind::Look => "Hero can be looked at again".to_owned(),
        },
        Notice::Completed(completion) => {
            format!("{} {}", completion.name, ended(completion.outcome))
        }
        Notice::Digest { held, missed } => {
            let rows = held.values().fold(0, |sum: u64, rows| sum.saturating_add(*rows));
            let runs = missed.values().fold(0, |sum: u64, missed| sum.saturating_add(missed.times));
            let held = || counted(rows, "row was held", "rows were held");
            let missed = || counted(runs, "scheduled run was missed", "scheduled runs were missed");
            match (rows, runs) {
                (_, 0) => held(),
                (0, _) => missed(),
                _ => format!("{}, {}", held(), missed()),
            }
        }
    }
}

/// A notice in a sentence or two, below its title.
pub(super) fn in_short(notice: &Notice) -> String {
    let reason = match notice {
        Notice::StatusChanged(change) => match &change.reason {
            None => return format!("{}.", happened(change.event)),
            Some(reason) => reason,
        },
        Notice::Failed { failure, .. } => &failure.reason,
        Notice::Recovered { failures, .. } => {
            return format!("It had failed {}.", counted(*failures, "time", "times"));
        }
        Notice::LedgerRestored { .. } => return format!("{RESTORED_ADVICE} [{RESTORED}]"),
        Notice::BackupFailed { reason } => reason,
        Notice::Alerted(alert) => {
            return format!("{} {} [{}]", alert.what, alert.reason.remedy, alert.reason.code);
        }
        Notice::InOrderAgain { subject, .. } => return in_order_again(subject),
        Notice::Completed(completion) => return rows(completion),
        Notice::SchoolYear(news) => return news_advice(news),
        Notice::RunsInterrupted { runs, .. } => return cut_off_advice(runs),
        Notice::Digest { held, missed } => return digest_advice(held.is_empty(), missed.is_empty()),
    };
    format!("{} [{}]", reason.remedy, reason.code)
}

/// That something told before is right again, in a sentence.
fn in_order_again(subject: &AlertSubject) -> String {
    let AlertSubject { kind, file, .. } = subject;
    match kind {
        AlertKind::Watch => format!("Nothing is wrong with {file} any more."),
        AlertKind::OtherSender => format!("A person settled who sends or takes in {file}."),
        AlertKind::Look => format!("The connection '{file}' works again."),
    }
}

fn what_it_is_about(subject: &AlertSubject) -> (String, String) {
    let name = match subject.kind {
        AlertKind::Watch | AlertKind::OtherSender => "File",
        AlertKind::Look => "Connection",
    };
    fact(name, &subject.file)
}

/// The code under which a restored ledger is told.
pub(crate) const RESTORED: &str = "store.restored";
const RESTORED_ADVICE: &str = "The damaged file was set aside. The next runs read the kept files and PowerSchool again \
    before they write anything. Look at the held rows then, and in Raptor for students who came and left after the \
    backup. Have the disk checked.";
const CUT_OFF_ADVICE: &str = "RosterBridge or this computer ended in the middle of it. The next run makes it good: what was \
    under way is finished first, and nothing is written twice.";
const UNDO_CUT_OFF_ADVICE: &str = "An undo takes back the rest when you start it again.";
const HELD_ADVICE: &str = "See the held rows in RosterBridge, or with: rosterbridge held list";
const MISSED_ADVICE: &str = "RosterBridge was paused or not running, or this computer was off or asleep, when these runs \
    were due. What was made up for is under Activity.";

fn section<Z: TimeZone>(waiting: &Waiting, zone: &Z) -> Section
where
    Z::Offset: Display,
{
    let mut facts = vec![fact("When", time(waiting.at, zone))];
    let mut advice = String::new();
    match &waiting.notice {
        Notice::StatusChanged(change) => {
            facts.push(fact("Status before", change.from.title()));
            facts.push(fact("Status now", change.to.title()));
            facts.push(fact("Cause", happened(change.event)));
            if let Some(reason) = &change.reason {
                facts.push(fact("Code", &reason.code));
                advice.clone_from(&reason.remedy);
            }
        }
        Notice::Failed { failure, more_stopped, again } => {
            facts.push(fact("Code", &failure.reason.code));
            if let Some(Again { times, since }) = again {
                let times = counted(*times, "time", "times");
                facts.push(fact("Again", format!("{times} since {}", time(*since, zone))));
            }
            for file in &failure.stopped {
                let rows = format!("{} rows sent last, {} now; id {}", file.before, file.now, file.id);
                facts.push((file.name.clone(), rows));
            }
            if *more_stopped > 0 {
                facts.push(fact("And", counted(*more_stopped, "more file", "more files")));
            }
            advice.clone_from(&failure.reason.remedy);
        }
        Notice::Recovered { failures, since, .. } => {
            let times = counted(*failures, "time", "times");
            facts.push(fact("It had failed", format!("{times} since {}", time(*since, zone))));
        }
        Notice::LedgerRestored { backup_made_at } => {
            facts.push(fact("Code", RESTORED));
            facts.push(fact("Backup of", time(*backup_made_at, zone)));
            RESTORED_ADVICE.clone_into(&mut advice);
        }
        Notice::BackupFailed { reason } => {
            facts.push(fact("Code", &reason.code));
            advice.clone_from(&reason.remedy);
        }
        Notice::Alerted(alert) => {
            facts.push(what_it_is_about(&alert.subject));
            facts.push(fact("Seen", &alert.what));
            facts.push(fact("Code", &alert.reason.code));
            advice.clone_from(&alert.reason.remedy);
        }
        Notice::InOrderAgain { subject, since } => {
            facts.push(what_it_is_about(subject));
            let before = match subject.kind {
                AlertKind::Watch => "It was not",
                AlertKind::OtherSender => "It was paused",
                AlertKind::Look => "It could not be looked at",
            };
            facts.push(fact(before, format!("since {}", time(*since, zone))));
        }
        Notice::Completed(completion) => {
            completed(completion, &mut facts);
            advice = what_to_look_at(completion);
        }
        Notice::SchoolYear(news) => {
            facts.extend(news.changes.iter().copied().map(year_change));
            facts.extend(news.faults.iter().map(code_fault));
            if news.more > 0 {
                facts.push(fact("And", format!("{} more of these", news.more)));
            }
            advice = news_advice(news);
        }
        Notice::RunsInterrupted { runs, more } => {
            for run in runs {
                let what = if run.undo { "undo, begun" } else { "begun" };
                facts.push((format!("Run {}", run.run), format!("{what} {}", time(run.started_at, zone))));
            }
            if *more > 0 {
                facts.push(fact("And", counted(*more, "more run", "more runs")));
            }
            advice = cut_off_advice(runs);
        }
        Notice::Digest { held, missed } => {
            for (job, rows) in held {
                facts
                    .push((job.to_string(), counted(*rows, "row held or rejected", "rows held or rejected")));
            }
            for (job, missed) in missed {
                facts.push(missed_runs(*job, *missed, zone));
            }
            advice = digest_advice(held.is_empty(), missed.is_empty());
        }
    }
    Section { title: title(&waiting.notice), facts, advice }
}

fn digest_advice(none_held: bool, none_missed: bool) -> String {
    let parts = [(none_held, HELD_ADVICE), (none_missed, MISSED_ADVICE)];
    let parts: Vec<&str> = parts.iter().filter(|(none, _)| !none).map(|(_, advice)| *advice).collect();
    parts.join("\n")
}

/// How a job ended, without a full stop.
fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Running => "is under way",
        Outcome::Succeeded => "is done",
        Outcome::SucceededWithHeldRows => "is done, and rows were held or rejected",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "was stopped",
        Outcome::Interrupted => "was cut off",
        Outcome::Skipped => "was not begun",
    }
}

/// The rows of a job in a sentence.
fn rows(completion: &Completion) -> String {
    let rows = completion.rows;
    format!(
        "{} read, {} written, {} unchanged, {} held, {} rejected.",
        rows.read, rows.written, rows.noop, rows.held, rows.rejected
    )
}

/// What a completion report tells.
fn completed(completion: &Completion, facts: &mut Vec<(String, String)>) {
    facts.push(fact("Job", completion.job.to_string()));
    facts.push(fact("Run", &completion.run));
    facts.push(fact("Rows", rows(completion)));
    if completion.newly_held > 0 {
        facts.push(fact("Held or rejected for the first time", completion.newly_held.to_string()));
    }
    for file in &completion.files {
        let size = format!("{}, {} bytes", counted(file.rows, "row", "rows"), file.bytes);
        facts.push(fact("File", &file.name));
        facts.push(fact("Size", size));
        facts.push(fact("SHA256", &file.sha256));
    }
    if let Some(reason) = &completion.reason {
        facts.push(fact("Code", &reason.code));
    }
}

/// What somebody who reads a completion report should look at.
fn what_to_look_at(completion: &Completion) -> String {
    let mut lines: Vec<String> = completion.notes.clone();
    if completion.more_notes > 0 {
        lines.push(format!("{} more notes are under Activity.", completion.more_notes));
    }
    lines.extend(completion.reason.as_ref().map(|reason| reason.remedy.clone()));
    if completion.rows.held > 0 {
        lines.push(HELD_ADVICE.to_owned());
    }
    lines.join("\n")
}

/// What becomes of runs that were cut off.
fn cut_off_advice(runs: &[InterruptedRun]) -> String {
    let undo = runs.iter().any(|run| run.undo).then_some(UNDO_CUT_OFF_ADVICE);
    [Some(CUT_OFF_ADVICE), undo].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn missed_runs<Z: TimeZone>(job: JobId, missed: MissedRuns, zone: &Z) -> (String, String)
where
    Z::Offset: Display,
{
    let runs = counted(missed.times, "run missed", "runs missed");
    (job.to_string(), format!("{runs}, the latest due {}", time(missed.latest, zone)))
}

fn news_title(news: &SchoolYearNews) -> &'static str {
    let new_year = |change: &YearChange| matches!(change, YearChange::NewYear { .. });
    if news.changes.iter().any(new_year) {
        "A new school year"
    } else if news.changes.is_empty() {
        "Tardy codes are missing in PowerSchool"
    } else {
        "A new term"
    }
}

fn news_advice(news: &SchoolYearNews) -> String {
    let mut advice = Vec::new();
    if news.changes.iter().any(|change| matches!(change, YearChange::NewYear { .. })) {
        advice.push(
            "What is sent is now that of the new year. A file that would lose many rows by it stops and asks you.",
        );
    } else if !news.changes.is_empty() {
        advice.push("Nothing has to be done.");
    }
    if !news.faults.is_empty() {
        advice.push(
            "Tardies with these codes are held until PowerSchool has each code exactly once, or the tardy table names \
             another.",
        );
    }
    advice.join(" ")
}

fn year_change(change: YearChange) -> (String, String) {
    match change {
        YearChange::NewYear { school, from, to } => {
            (format!("School {school}"), format!("year {} after {}", to.name(), from.name()))
        }
        YearChange::NewTerm { school, from: Some(from), to, .. } => {
            (format!("School {school}"), format!("term {to} after {from}"))
        }
        YearChange::NewTerm { school, from: None, to, .. } => {
            (format!("School {school}"), format!("term {to}, the first of the year"))
        }
    }
}

fn code_fault(fault: &TardyCodeFault) -> (String, String) {
    let TardyCodeFault { school, year, reason, code, why } = fault;
    (format!("School {school}, {reason}"), format!("code {code} in {}: {}", year.name(), why.code()))
}

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// What happened to the integration, without a full stop.
fn happened(event: IntegrationEvent) -> &'static str {
    match event {
        IntegrationEvent::Enabled => "The integration was switched on",
        IntegrationEvent::Disabled => "The integration was switched off",
        IntegrationEvent::WindowOpened => "The daily window opened, or somebody started a run",
        IntegrationEvent::WindowClosed => "The daily window closed",
        IntegrationEvent::SyncSucceeded => "A full synchronization succeeded",
        IntegrationEvent::SyncFailed => "A full synchronization failed",
        IntegrationEvent::FetchSucceeded => "An update was followed",
        IntegrationEvent::FetchFailed => "Following an update failed",
    }
}

fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

fn time<Z: TimeZone>(at: DateTime<Utc>, zone: &Z) -> String
where
    Z::Offset: Display,
{
    at.with_timezone(zone).format("%Y-%m-%d %H:%M (UTC%:z)").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeDelta;
    use chrono_tz::America::Chicago;
    use rosterbridge_domain::{
        held::HoldReason,
        id::{SchoolNumber, TermId, YearId},
        integration::IntegrationStatus,
        job::{FileReceipt, RowCounts},
        notice::{Alert, Failure, Reason, StatusChange, StoppedFile},
    };
    use rstest::rstest;

    use super::{
        super::{html, text},
        *,
    };

    fn at(minute: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 18, 9, 10, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn letter(dropped: u64, notices: Vec<Notice>) -> Letter {
        let place = Place { profile: "oak-hill".to_owned(), server: "ps.example.org".to_owned() };
        let waiting: Vec<Waiting> = (1..)
            .zip(notices)
            .map(|(id, notice)| Waiting { id, at: at(0), notice, run: None, sent_to: Vec::new() })
            .collect();
        Letter::new(&place, &waiting, dropped, &Chicago)
    }

    fn shown(letter: &Letter) -> String {
        format!("{}\n\n{}\n{}", letter.subject, text::write(letter), html::write(letter))
    }

    fn failed(job: Option<JobId>, code: &str, remedy: &str, again: Option<Again>) -> Notice {
        let reason = Reason { code: code.to_owned(), remedy: remedy.to_owned() };
        Notice::Failed { failure: Failure { job, reason, stopped: Vec::new() }, more_stopped: 0, again }
    }

    fn stopped(name: &str, remedy: &str) -> Notice {
        let stopped =
            vec![StoppedFile { id: "1f2e3d4c".to_owned(), name: name.to_owned(), before: 600, now: 12 }];
        let reason = Reason { code: "guard.large_change".to_owned(), remedy: remedy.to_owned() };
        Notice::Failed {
            failure: Failure { job: Some(JobId::RAPTOR_ROSTER), reason, stopped },
            more_stopped: 3,
            again: None,
        }
    }

    fn news(changes: Vec<YearChange>, faults: bool) -> Notice {
        let (school, year) = (SchoolNumber::new(102), YearId::new(36));
        let fault = TardyCodeFault {
            school,
            year,
            reason: "Traffic".to_owned(),
            code: "T".to_owned(),
            why: HoldReason::UnknownCode,
        };
        let faults = if faults { vec![fault] } else { Vec::new() };
        Notice::SchoolYear(SchoolYearNews { changes, faults, more: 3 })
    }

    fn new_year() -> YearChange {
        YearChange::NewYear { school: SchoolNumber::new(102), from: YearId::new(35), to: YearId::new(36) }
    }

    fn new_term() -> YearChange {
        let (from, to) = (Some(TermId::new(3601)), TermId::new(3602));
        YearChange::NewTerm { school: SchoolNumber::new(103), year: YearId::new(36), from, to }
    }

    #[test]
    fn a_new_school_year() {
        insta::assert_snapshot!(shown(&letter(0, vec![news(vec![new_year(), new_term()], true)])));
    }

    fn digest() -> Notice {
        Notice::Digest {
            held: BTreeMap::from([(JobId::HERO_ATTENDANCE, 3), (JobId::RAPTOR_TARDIES, 1)]),
            missed: BTreeMap::from([(JobId::HERO_ATTENDANCE, MissedRuns { times: 2, latest: at(-600) })]),
        }
    }

    #[test]
    fn several_things_in_one_mail() {
        let remedy = "Check that the server's name is right and that the network is there.";
        insta::assert_snapshot!(shown(&letter(
            7,
            vec![
                failed(
                    Some(JobId::HERO_STUDENTS),
                    "sftp.unreachable",
                    remedy,
                    Some(Again { times: 3, since: at(-240) })
                ),
                stopped("Oak Hill Elementary.csv", "Nothing was sent. Check PowerSchool first."),
                Notice::Recovered { job: None, failures: 2, since: at(-90) },
                digest(),
            ],
        )));
    }

    fn cut_off(more: u64, undo: bool) -> Notice {
        let run =
            |id: &str, minute, undo| InterruptedRun { run: id.to_owned(), started_at: at(minute), undo };
        Notice::RunsInterrupted {
            runs: vec![run("20261118-0310", -360, false), run("20261118-0900", -10, undo)],
            more,
        }
    }

    fn right_again(kind: AlertKind, file: &str) -> Notice {
        let subject = AlertSubject { kind, job: JobId::HERO_STUDENTS, file: file.to_owned() };
        Notice::InOrderAgain { subject, since: at(-90) }
    }

    fn could_not_look() -> Notice {
        let subject =
            AlertSubject { kind: AlertKind::Look, job: JobId::HERO_STUDENTS, file: "Our Hero".to_owned() };
        let reason = Reason { code: "sftp.bad_password".to_owned(), remedy: "Enter it anew.".to_owned() };
        let what = "The server does not know the password.".to_owned();
        Notice::Alerted(Alert { subject, day: at(0).date_naive(), what, reason })
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be() {
        let subject =
            |kind, file: &str| AlertSubject { kind, job: JobId::HERO_STUDENTS, file: file.to_owned() };
        let alert = |kind, what: &str, code: &str| {
            let reason = Reason { code: code.to_owned(), remedy: "Look at AutoSend Setup.".to_owned() };
            let day = at(0).date_naive();
            let subject = subject(kind, "imports/STUDENT.TXT");
            Notice::Alerted(Alert { subject, day, what: what.to_owned(), reason })
        };
        let right = subject(AlertKind::Watch, "imports/TEACHER.txt");
        insta::assert_snapshot!(shown(&letter(
            0,
            vec![
                alert(AlertKind::Watch, "imports/STUDENT.TXT is not there.", "hero.watch_missing"),
                alert(AlertKind::OtherSender, "AutoSend is still running.", "hero.other_sender"),
                Notice::InOrderAgain { subject: right, since: at(-90) },
            ],
        )));
    }

    #[test]
    fn a_completion_report() {
        let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned();
        let file = FileReceipt { name: "imports/STUDENT.TXT".to_owned(), rows: 600, bytes: 61_234, sha256 };
        let report = Completion {
            job: JobId::HERO_STUDENTS,
            name: "Hero Student Info".to_owned(),
            run: "20261118-0310".to_owned(),
            outcome: Outcome::SucceededWithHeldRows,
            rows: RowCounts { read: 600, written: 590, noop: 7, held: 2, rejected: 1 },
            newly_held: 3,
            files: vec![file],
            notes: vec!["Row 12: a value is longer than Hero takes.".to_owned()],
            more_notes: 4,
            reason: Some(Reason { code: "hero.file_write".to_owned(), remedy: "Run it again.".to_owned() }),
        };
        insta::assert_snapshot!(shown(&letter(0, vec![Notice::Completed(report)])));
    }

    #[test]
    fn runs_that_were_cut_off() {
        insta::assert_snapshot!(shown(&letter(0, vec![cut_off(2, true)])));
    }

    #[rstest]
    #[case::failed(
        "failed",
        IntegrationEvent::SyncFailed,
        IntegrationStatus::Reinitializing,
        Some("raptor.folder_unusable")
    )]
    #[case::on("switched_on", IntegrationEvent::Enabled, IntegrationStatus::PendingInitialization, None)]
    fn a_change_of_status(
        #[case] name: &str,
        #[case] event: IntegrationEvent,
        #[case] to: IntegrationStatus,
        #[case] code: Option<&str>,
    ) {
        let reason = code
            .map(|code| Reason { code: code.to_owned(), remedy: "Choose a folder that exists.".to_owned() });
        let change = StatusChange { from: IntegrationStatus::Initializing, to, event, reason };
        insta::assert_snapshot!(
            format!("a_change_of_status_{name}"),
            shown(&letter(0, vec![Notice::StatusChanged(change)]))
        );
    }

    #[test]
    fn what_comes_from_outside_is_text_in_html() {
        let hostile = "<img src=x onerror=\"alert(1)\"> & 'more'";
        let html = html::write(&letter(0, vec![stopped(hostile, hostile)]));
        assert!(!html.contains("<img"), "{html}");
        let shown = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &#39;more&#39;";
        assert_eq!(html.matches(shown).count(), 2, "{html}");
    }

    #[rstest]
    #[case(
        failed(None, "powerschool.timeout", "Wait.", None),
        "A run came to no exchange",
        "Wait. [powerschool.timeout]"
    )]
    #[case(
        failed(Some(JobId::HERO_TEACHERS), "sftp.unreachable", "Wait.", None),
        "hero-teachers failed",
        "Wait. [sftp.unreachable]"
    )]
    #[case(
        stopped("A.csv", "Check."),
        "raptor-roster was stopped before a large change",
        "Check. [guard.large_change]"
    )]
    #[case(
        Notice::Recovered { job: Some(JobId::HERO_TEACHERS), failures: 1, since: at(0) },
        "hero-teachers works again",
        "It had failed 1 time."
    )]
    #[case(
        cut_off(0, false),
        "2 runs were cut off",
        "RosterBridge or this computer ended in the middle of it. The next run makes it good: what was under way is finished first, and nothing is written twice."
    )]
    #[case(
        Notice::Digest {
            held: BTreeMap::new(),
            missed: BTreeMap::from([(JobId::HERO_ATTENDANCE, MissedRuns { times: 1, latest: at(-600) })]),
        },
        "1 scheduled run was missed",
        "RosterBridge was paused or not running, or this computer was off or asleep, when these runs were due. What was made up for is under Activity."
    )]
    #[case(news(vec![new_term()], false), "A new term", "Nothing has to be done.")]
    #[case(
        could_not_look(),
        "Hero could not be looked at",
        "The server does not know the password. Enter it anew. [sftp.bad_password]"
    )]
    #[case(
        right_again(AlertKind::Watch, "imports/TEACHER.txt"),
        "hero-students: the file is as it should be again",
        "Nothing is wrong with imports/TEACHER.txt any more."
    )]
    #[case(
        right_again(AlertKind::OtherSender, "imports/STUDENT.TXT"),
        "hero-students is no longer paused",
        "A person settled who sends or takes in imports/STUDENT.TXT."
    )]
    #[case(
        right_again(AlertKind::Look, "Our Hero"),
        "Hero can be looked at again",
        "The connection 'Our Hero' works again."
    )]
    #[case(
        news(Vec::new(), true),
        "Tardy codes are missing in PowerSchool",
        "Tardies with these codes are held until PowerSchool has each code exactly once, or the tardy table names another."
    )]
    fn what_the_desktop_shows(#[case] notice: Notice, #[case] heading: &str, #[case] body: &str) {
        assert_eq!((title(&notice).as_str(), in_short(&notice).as_str()), (heading, body));
    }
}
