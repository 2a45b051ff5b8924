//! Who is told what, and when.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use rosterbridge_domain::{
    integration::{IntegrationEvent, IntegrationStatus},
    job::{AccountId, FileReceipt, Job, JobId, Outcome, RowCounts},
    notice::{
        Again, Alert, AlertKind, AlertSubject, Completion, DIGEST_EVERY, Failure, Happening, InterruptedRun,
        MOST_NAMED, MOST_REMEMBERED, MissedRuns, Notice, REPEAT_AFTER, Reason, SchoolYearNews, StatusChange,
        StoppedFile, Told,
    },
};
use rstest::rstest;

const HERO: Option<JobId> = Some(JobId::HERO_STUDENTS);

fn at(minute: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 18, 3, 10, 0).unwrap() + TimeDelta::minutes(minute)
}

fn failure(job: Option<JobId>, code: &str, ids: &[&str]) -> Failure {
    let stopped = ids
        .iter()
        .map(|id| StoppedFile { id: (*id).to_owned(), name: format!("{id}.csv"), before: 600, now: 12 })
        .collect();
    Failure { job, reason: Reason { code: code.to_owned(), remedy: format!("Mend {code}.") }, stopped }
}

fn fails(job: Option<JobId>, code: &str) -> Happening {
    Happening::Failed(failure(job, code, &[]))
}

fn stops(ids: &[&str]) -> Happening {
    Happening::Failed(failure(HERO, "guard.large_change", ids))
}

fn change(to: IntegrationStatus) -> StatusChange {
    StatusChange {
        from: IntegrationStatus::Initializing,
        to,
        event: IntegrationEvent::SyncFailed,
        reason: Some(Reason {
            code: "raptor.folder_unusable".to_owned(),
            remedy: "Choose another.".to_owned(),
        }),
    }
}

fn cut_off(run: &str) -> Happening {
    Happening::RunInterrupted(InterruptedRun { run: run.to_owned(), started_at: at(-5), undo: false })
}

/// A notice in a word or two, for tables.
fn brief(notice: &Notice) -> String {
    let job = |job: &Option<JobId>| job.map_or_else(|| "run".to_owned(), |job| job.to_string());
    match notice {
        Notice::StatusChanged(change) => format!("{} to {}", change.from, change.to),
        Notice::Failed { failure, again: None, .. } => {
            format!("{} {}", job(&failure.job), failure.reason.code)
        }
        Notice::Failed { failure, again: Some(Again { times, .. }), .. } => {
            format!("{} {} {times} more", job(&failure.job), failure.reason.code)
        }
        Notice::Recovered { job: of, failures, .. } => format!("{} works after {failures}", job(of)),
        Notice::Digest { held, missed } => {
            format!("digest of {} held, {} missed", held.values().sum::<u64>(), missed.len())
        }
        Notice::RunsInterrupted { runs, more } => {
            let runs: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
            format!("{} cut off, {more} more", runs.join(" "))
        }
        Notice::SchoolYear(_) => "school year".to_owned(),
        Notice::LedgerRestored { .. } => "restored".to_owned(),
        Notice::BackupFailed { reason } => format!("no backup {}", reason.code),
        Notice::Alerted(alert) => format!("{} {}", alert.subject.file, alert.reason.code),
        Notice::InOrderAgain { subject, since } => format!("{} right, wrong since {since}", subject.file),
        Notice::Completed(completion) => format!("{} of {}", completion.job, completion.run),
    }
}

#[rstest]
#[case::first_at_once(vec![(0, vec![fails(HERO, "sftp.down")])], &["0 hero-students sftp.down"])]
#[case::the_same_is_silent(
    vec![(0, vec![fails(HERO, "sftp.down")]), (60, vec![fails(HERO, "sftp.down")])],
    &["0 hero-students sftp.down"]
)]
#[case::the_same_again_with_its_count(
    vec![
        (0, vec![fails(HERO, "sftp.down")]),
        (60, vec![fails(HERO, "sftp.down")]),
        (239, vec![fails(HERO, "sftp.down")]),
        (240, vec![fails(HERO, "sftp.down")]),
    ],
    &["0 hero-students sftp.down", "240 hero-students sftp.down 3 more"]
)]
#[case::told_again_without_a_further_run(
    vec![(0, vec![fails(HERO, "sftp.down")]), (60, vec![fails(HERO, "sftp.down")]), (240, vec![]), (480, vec![])],
    &["0 hero-students sftp.down", "240 hero-students sftp.down 1 more"]
)]
#[case::another_code_at_once(
    vec![(0, vec![fails(HERO, "sftp.down")]), (60, vec![fails(HERO, "sftp.full")])],
    &["0 hero-students sftp.down", "60 hero-students sftp.full"]
)]
#[case::another_exchange_at_once(
    vec![(0, vec![fails(HERO, "sftp.down"), fails(Some(JobId::HERO_TEACHERS), "sftp.down")])],
    &["0 hero-students sftp.down", "0 hero-teachers sftp.down"]
)]
#[case::success_is_not_news(vec![(0, vec![Happening::Succeeded(HERO)])], &[])]
#[case::the_first_success_once(
    vec![
        (0, vec![fails(HERO, "sftp.down")]),
        (60, vec![fails(HERO, "sftp.full")]),
        (70, vec![fails(HERO, "sftp.full")]),
        (80, vec![Happening::Succeeded(HERO)]),
        (90, vec![Happening::Succeeded(HERO)]),
    ],
    &["0 hero-students sftp.down", "60 hero-students sftp.full", "80 hero-students works after 3"]
)]
#[case::success_of_another_exchange_says_nothing(
    vec![(0, vec![fails(HERO, "sftp.down")]), (60, vec![Happening::Succeeded(Some(JobId::HERO_TEACHERS))])],
    &["0 hero-students sftp.down"]
)]
#[case::back_and_forth_is_told_once(
    vec![
        (0, vec![fails(HERO, "sftp.down")]),
        (10, vec![Happening::Succeeded(HERO)]),
        (20, vec![fails(HERO, "sftp.down")]),
        (30, vec![Happening::Succeeded(HERO)]),
        (300, vec![fails(HERO, "sftp.down")]),
    ],
    &["0 hero-students sftp.down", "10 hero-students works after 1", "300 hero-students sftp.down"]
)]
#[case::down_again_and_staying_down_is_told_later(
    vec![
        (0, vec![fails(HERO, "sftp.down")]),
        (10, vec![Happening::Succeeded(HERO)]),
        (20, vec![fails(HERO, "sftp.down")]),
        (240, vec![]),
        (250, vec![Happening::Succeeded(HERO)]),
    ],
    &[
        "0 hero-students sftp.down",
        "10 hero-students works after 1",
        "240 hero-students sftp.down 1 more",
        "250 hero-students works after 1",
    ]
)]
#[case::a_run_that_came_to_no_exchange(
    vec![(0, vec![fails(None, "powerschool.timeout")]), (60, vec![Happening::Succeeded(None)])],
    &["0 run powerschool.timeout", "60 run works after 1"]
)]
#[case::another_stop_at_once_the_same_one_not(
    vec![(0, vec![stops(&["a1"])]), (10, vec![stops(&["a1"])]), (20, vec![stops(&["b2"])])],
    &["0 hero-students guard.large_change", "20 hero-students guard.large_change"]
)]
#[case::held_rows_gather(
    vec![
        (0, vec![Happening::RowsHeld { job: JobId::HERO_ATTENDANCE, rows: 3 }]),
        (20, vec![Happening::RowsHeld { job: JobId::HERO_ATTENDANCE, rows: 4 }]),
        (40, vec![Happening::RowsHeld { job: JobId::RAPTOR_TARDIES, rows: 5 }]),
        (60, vec![]),
        (200, vec![]),
    ],
    &["0 digest of 3 held, 0 missed", "60 digest of 9 held, 0 missed"]
)]
#[case::missed_runs_are_in_the_digest(
    vec![(0, vec![Happening::RunsMissed { job: JobId::HERO_ATTENDANCE, times: 1, latest: at(-60) }])],
    &["0 digest of 0 held, 1 missed"]
)]
#[case::a_run_cut_off_is_told_at_once_and_the_next_ones_together(
    vec![
        (0, vec![cut_off("a")]),
        (1, vec![cut_off("b")]),
        (20, vec![cut_off("c")]),
        (60, vec![]),
        (200, vec![]),
        (300, vec![cut_off("d")]),
    ],
    &["0 a cut off, 0 more", "60 b c cut off, 0 more", "300 d cut off, 0 more"]
)]
#[case::every_status_change(
    vec![(0, vec![
        Happening::StatusChanged(change(IntegrationStatus::Reinitializing)),
        Happening::StatusChanged(change(IntegrationStatus::Reinitializing)),
    ])],
    &["0 Initializing to Reinitializing", "0 Initializing to Reinitializing"]
)]
#[case::what_is_rare_is_told_each_time(
    vec![
        (0, vec![Happening::LedgerRestored { backup_made_at: at(-600) }]),
        (1, vec![Happening::BackupFailed(failure(None, "store.disk_full", &[]).reason)]),
        (2, vec![Happening::SchoolYear(SchoolYearNews::default())]),
        (3, vec![Happening::SchoolYear(SchoolYearNews::default())]),
    ],
    &["0 restored", "1 no backup store.disk_full", "2 school year", "3 school year"]
)]
#[case::a_clock_put_back_silences_nothing_for_long(
    vec![
        (10_000, vec![fails(HERO, "sftp.down"), Happening::RowsHeld { job: JobId::HERO_ATTENDANCE, rows: 1 }]),
        (0, vec![fails(HERO, "sftp.down"), Happening::RowsHeld { job: JobId::HERO_ATTENDANCE, rows: 1 }]),
        (60, vec![]),
        (240, vec![]),
    ],
    &[
        "10000 hero-students sftp.down",
        "10000 digest of 1 held, 0 missed",
        "60 digest of 1 held, 0 missed",
        "240 hero-students sftp.down 1 more",
    ]
)]
fn the_rules(#[case] steps: Vec<(i64, Vec<Happening>)>, #[case] told: &[&str]) {
    let mut before = Told::default();
    let mut notices = Vec::new();
    for (minute, happenings) in steps {
        // As it is kept between two runs of the program.
        before = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
        let due = before.tell(happenings, at(minute));
        notices.extend(due.iter().map(|notice| format!("{minute} {}", brief(notice))));
    }
    assert_eq!(notices, told);
}

#[test]
fn a_notice_names_a_limited_number_of_files_and_counts_the_rest() {
    let ids: Vec<String> = (0..MOST_NAMED + 3).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let notices = Told::default().tell(vec![stops(&ids)], at(0));
    let [Notice::Failed { failure, more_stopped: 3, again: None }] = &notices[..] else {
        panic!("{notices:?}")
    };
    assert_eq!(failure.stopped.len(), MOST_NAMED);
}

#[test]
fn a_limited_number_of_runs_that_were_cut_off_is_named() {
    let runs: Vec<String> = (0..MOST_NAMED + 3).map(|number| number.to_string()).collect();
    let notices = Told::default().tell(runs.iter().map(|run| cut_off(run)).collect(), at(0));
    let [Notice::RunsInterrupted { runs, more: 3 }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(runs.len(), MOST_NAMED);
}

#[test]
fn missed_runs_are_counted_with_the_latest() {
    let missed =
        |minute, times| Happening::RunsMissed { job: JobId::RAPTOR_TARDIES, times, latest: at(minute) };
    let notices = Told::default().tell(vec![missed(-30, 1), missed(-90, 2)], at(0));
    let expected = BTreeMap::from([(JobId::RAPTOR_TARDIES, MissedRuns { times: 3, latest: at(-30) })]);
    assert_eq!(notices, [Notice::Digest { held: BTreeMap::new(), missed: expected }]);
}

fn any_job() -> impl Strategy<Value = Option<JobId>> {
    prop_oneof![Just(None), Just(HERO), Just(Some(JobId::RAPTOR_TARDIES))]
}

/// What is in a stopped file, and with it its id, may be another each run: to a person it is the same stop.
#[test]
fn a_stop_whose_content_changes_is_told_once() {
    let mut told = Told::default();
    let stop = |id: &str| {
        let mut failure = failure(HERO, "guard.large_change", &["students"]);
        id.clone_into(&mut failure.stopped[0].id);
        vec![Happening::Failed(failure)]
    };
    assert_eq!(told.tell(stop("first"), at(0)).len(), 1);
    assert_eq!(told.tell(stop("second"), at(60)), []);
    let again = told.tell(stop("third"), at(240));
    let [Notice::Failed { failure, again: Some(Again { times: 2, .. }), .. }] = &again[..] else {
        panic!("{again:?}")
    };
    assert_eq!(failure.stopped[0].id, "third", "the one that can be accepted now");
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let status = prop::sample::select(IntegrationStatus::ALL.to_vec());
    prop_oneof![
        status.prop_map(|status| Happening::StatusChanged(change(status))),
        (any_job(), 0..3_u8).prop_map(|(job, code)| fails(job, &format!("code.{code}"))),
        (0..3_u8).prop_map(|id| stops(&[&id.to_string()])),
        any_job().prop_map(Happening::Succeeded),
        (1..50_u64).prop_map(|rows| Happening::RowsHeld { job: JobId::HERO_ATTENDANCE, rows }),
        (1..50_u64).prop_map(|rows| Happening::RowsHeld { job: JobId::RAPTOR_TARDIES, rows }),
    ]
}

fn any_steps() -> impl Strategy<Value = Vec<(i64, Vec<Happening>)>> {
    let steps = prop::collection::vec((0..180_i64, prop::collection::vec(any_happening(), 0..5)), 0..40);
    steps.prop_map(|steps| {
        let mut minute = 0;
        let later = |(wait, happenings)| {
            minute += wait;
            (minute, happenings)
        };
        steps.into_iter().map(later).collect()
    })
}

fn name(failure: &Failure) -> String {
    let ids: Vec<&str> = failure.stopped.iter().map(|file| file.id.as_str()).collect();
    format!("{:?} {} {ids:?}", failure.job, failure.reason.code)
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_told_too_often(steps in any_steps()) {
        let mut told = Told::default();
        let mut last_told: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        let mut failing: BTreeMap<Option<JobId>, bool> = BTreeMap::new();
        let (mut held, mut in_digests, mut last_digest) = (0, 0, None);
        let mut now = at(0);
        let end = steps.last().map_or(0, |(minute, _)| *minute) + DIGEST_EVERY.num_minutes();
        for (minute, happenings) in steps.into_iter().chain([(end, Vec::new())]) {
            now = at(minute);
            let changes: Vec<_> = happenings.iter().filter_map(|happening| match happening {
                Happening::StatusChanged(change) => Some(change.clone()),
                _ => None,
            }).collect();
            held += happenings.iter().map(|happening| match happening {
                Happening::RowsHeld { rows, .. } => *rows,
                _ => 0,
            }).sum::<u64>();
            let fresh: Vec<_> = happenings.iter().filter_map(|happening| match happening {
                Happening::Failed(failure) => Some(name(failure)),
                _ => None,
            }).filter(|name| last_told.get(name).is_none_or(|at| now - *at >= REPEAT_AFTER)).collect();
            let succeeded: Vec<_> = happenings.iter().filter_map(|happening| match happening {
                Happening::Succeeded(job) => Some(*job),
                _ => None,
            }).collect();

            let mut told_changes = Vec::new();
            let mut told_now = Vec::new();
            for notice in told.tell(happenings, now) {
                match notice {
                    Notice::StatusChanged(change) => told_changes.push(change),
                    Notice::Failed { failure, .. } => {
                        let name = name(&failure);
                        if let Some(before) = last_told.insert(name.clone(), now) {
                            prop_assert!(now - before >= REPEAT_AFTER, "{} twice in the window", name);
                        }
                        failing.insert(failure.job, true);
                        told_now.push(name);
                    }
                    Notice::Recovered { job, failures, since } => {
                        prop_assert_eq!(failing.insert(job, false), Some(true), "{:?} was not told to fail", job);
                        prop_assert!(succeeded.contains(&job) && failures > 0 && since <= now);
                    }
                    Notice::Digest { held, .. } => {
                        prop_assert!(last_digest.is_none_or(|at| now - at >= DIGEST_EVERY));
                        last_digest = Some(now);
                        in_digests += held.values().sum::<u64>();
                    }
                    other => prop_assert!(false, "{:?} did not happen", other),
                }
            }
            // Each change by itself, in order.
            prop_assert_eq!(told_changes, changes);
            // A failure not told lately is told at once, unless the same step saw it mended already.
            for name in fresh {
                let mended = succeeded.iter().any(|job| name.starts_with(&format!("{job:?} ")));
                prop_assert!(mended || told_now.contains(&name), "{} was not told", name);
            }
        }
        prop_assert_eq!(in_digests, held, "after {}", now);
    }

    #[test]
    fn what_is_remembered_is_bounded(codes in prop::collection::vec(0..100_000_u32, 0..600)) {
        let mut told = Told::default();
        for (minute, code) in (0..).zip(codes) {
            told.tell(vec![fails(HERO, &format!("code.{code}"))], at(minute));
        }
        let kept = serde_json::to_value(&told).unwrap();
        prop_assert!(kept["failures"].as_array().unwrap().len() <= MOST_REMEMBERED);
    }
}

const FILE: &str = "imports/STUDENT.TXT";

fn subject(kind: AlertKind, file: &str) -> AlertSubject {
    AlertSubject { kind, job: JobId::HERO_STUDENTS, file: file.to_owned() }
}

/// What is wrong with a file on a day of November 2026.
fn wrong(kind: AlertKind, file: &str, day: u32, code: &str) -> Happening {
    Happening::Alerted(Alert {
        subject: subject(kind, file),
        day: NaiveDate::from_ymd_opt(2026, 11, day).unwrap(),
        what: format!("{file} is wrong."),
        reason: Reason { code: code.to_owned(), remedy: "Look.".to_owned() },
    })
}

fn told(state: &mut Told, happening: Happening, minute: i64) -> Vec<String> {
    state.tell(vec![happening], at(minute)).iter().map(brief).collect()
}

#[test]
fn a_file_that_is_wrong_is_told_once_a_day_and_once_when_it_is_right_again() {
    use AlertKind::{OtherSender, Watch};
    let mut state = Told::default();
    let missing = |day| wrong(Watch, FILE, day, "hero.watch_missing");
    let right = || Happening::InOrder(subject(Watch, FILE));
    assert_eq!(told(&mut state, right(), 0), [""; 0], "nothing was wrong");
    assert_eq!(told(&mut state, missing(18), 30), ["imports/STUDENT.TXT hero.watch_missing"]);
    assert_eq!(told(&mut state, missing(18), 90), [""; 0]);
    assert_eq!(
        told(&mut state, wrong(Watch, FILE, 18, "hero.watch_rows"), 91),
        [""; 0],
        "the same file and day"
    );
    let others = ["imports/TEACHER.txt hero.watch_old"];
    assert_eq!(told(&mut state, wrong(Watch, "imports/TEACHER.txt", 18, "hero.watch_old"), 92), others);
    let sender = [format!("{FILE} hero.other_sender")];
    assert_eq!(told(&mut state, wrong(OtherSender, FILE, 18, "hero.other_sender"), 93), sender);
    assert_eq!(told(&mut state, missing(19), 24 * 60), ["imports/STUDENT.TXT hero.watch_missing"]);
    assert_eq!(
        told(&mut state, right(), 25 * 60),
        ["imports/STUDENT.TXT right, wrong since 2026-11-18 03:40:00 UTC"]
    );
    assert_eq!(told(&mut state, right(), 26 * 60), [""; 0], "it was told");
    assert_eq!(told(&mut state, missing(19), 27 * 60), [""; 0], "once a day, whatever happens on it");
    assert_eq!(told(&mut state, right(), 28 * 60), [""; 0], "nobody was told that it was wrong again");
    assert_eq!(told(&mut state, missing(20), 48 * 60), ["imports/STUDENT.TXT hero.watch_missing"]);
}

#[test]
fn a_pause_is_told_each_time_it_begins_and_ends() {
    let mut state = Told::default();
    let pause = |day| wrong(AlertKind::OtherSender, FILE, day, "hero.other_sender");
    let over = || Happening::InOrder(subject(AlertKind::OtherSender, FILE));
    let begins = [format!("{FILE} hero.other_sender")];
    assert_eq!(told(&mut state, pause(18), 0), begins);
    // Whatever was told of it before, and not ended: a job that is paused already does not look again.
    assert_eq!(told(&mut state, pause(18), 24 * 60), begins);
    let ends = [format!("{FILE} right, wrong since 2026-11-19 03:10:00 UTC")];
    assert_eq!(told(&mut state, over(), 25 * 60), ends);
    assert_eq!(told(&mut state, pause(19), 26 * 60), begins, "the second of a day, too");
    assert_eq!(told(&mut state, over(), 27 * 60).len(), 1);
    assert_eq!(told(&mut state, over(), 28 * 60), [""; 0]);
}

fn completed(run: &str, job: JobId, notes: usize) -> Happening {
    Happening::Completed(Completion {
        job,
        name: "Hero Student Info".to_owned(),
        run: run.to_owned(),
        outcome: Outcome::Succeeded,
        rows: RowCounts::default(),
        newly_held: 0,
        files: vec![FileReceipt { name: FILE.to_owned(), rows: 1, bytes: 9, sha256: "00".to_owned() }; notes],
        notes: vec!["Row 1 needs a look.".to_owned(); notes],
        more_notes: 0,
        reason: None,
    })
}

#[test]
fn the_end_of_a_job_is_told_once_for_each_run() {
    let mut state = Told::default();
    let teachers = JobId::new(Job::HeroTeachers, AccountId::FIRST);
    assert_eq!(told(&mut state, completed("a", JobId::HERO_STUDENTS, 0), 0), ["hero-students of a"]);
    assert_eq!(told(&mut state, completed("a", teachers, 0), 0), ["hero-teachers of a"]);
    assert_eq!(told(&mut state, completed("a", JobId::HERO_STUDENTS, 0), 1), [""; 0], "found cut off later");
    assert_eq!(told(&mut state, completed("b", JobId::HERO_STUDENTS, 0), 2), ["hero-students of b"]);
    for run in 0..2 * MOST_REMEMBERED {
        let run = format!("run {run}");
        assert_eq!(told(&mut state, completed(&run, teachers, 0), 3), [format!("hero-teachers of {run}")]);
    }
    let kept = serde_json::to_string(&state).unwrap();
    assert!(kept.len() < 20_000, "{} bytes for {MOST_REMEMBERED} runs", kept.len());
}

#[test]
fn a_completion_report_is_bounded() {
    let notices = Told::default().tell(vec![completed("a", JobId::HERO_STUDENTS, MOST_NAMED + 5)], at(0));
    let [Notice::Completed(report)] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!((report.notes.len(), report.more_notes, report.files.len()), (MOST_NAMED, 5, MOST_NAMED));
}
