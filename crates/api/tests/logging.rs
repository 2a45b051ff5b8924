//! What goes to a profile's log and what does not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

use std::{
    fs, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use rosterbridge_api::logging::{self, ProfileLog};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt;

/// A part of the program: what a test says itself would count as somebody else's.
const OURS: &str = "rosterbridge_engine::run";

/// What belongs to no profile goes to every open log, so one test at a time has some open.
static OPEN: Mutex<()> = Mutex::new(());

/// Does `work` while the logs of profiles of these names are open; their lines.
fn logged(profiles: &[&str], work: impl FnOnce()) -> Vec<Vec<Value>> {
    let _alone = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let folders: Vec<TempDir> = profiles.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    let open: Vec<ProfileLog> = profiles
        .iter()
        .zip(&folders)
        .map(|(profile, folder)| ProfileLog::open(profile, folder.path()).unwrap())
        .collect();
    let subscriber = tracing_subscriber::registry().with(logging::to_files());
    tracing::subscriber::with_default(subscriber, work);
    drop(open);
    folders.iter().map(|folder| lines(folder.path())).collect()
}

fn lines(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines
}

#[test]
fn a_line_has_its_run_and_job_and_goes_to_its_profile_alone() {
    let found = logged(&["logged-a", "logged-b"], || {
        let run = tracing::info_span!(target: OURS, "run", profile = "logged-a", run = tracing::field::Empty);
        run.record("run", "r-1");
        run.in_scope(|| {
            tracing::info!(target: OURS, jobs = 2, "starts");
            tracing::info_span!(target: OURS, "job", job = "hero-students").in_scope(|| {
                tracing::warn!(target: OURS, code = "sftp.timeout", held = 3_u64, "again");
            });
        });
        tracing::info!(target: OURS, "for whoever listens");
    });
    let shape = |line: &Value| (line["message"].clone(), line["run"].clone(), line["job"].clone());
    let (mine, other): (Vec<_>, Vec<_>) =
        (found[0].iter().map(shape).collect(), found[1].iter().map(shape).collect());
    let general = (json!("for whoever listens"), Value::Null, Value::Null);
    assert_eq!(
        mine,
        [
            (json!("starts"), json!("r-1"), Value::Null),
            (json!("again"), json!("r-1"), json!("hero-students")),
            general.clone()
        ]
    );
    assert_eq!(other, [general]);
    assert_eq!(found[0][1]["level"], "warn");
    assert_eq!(found[0][1]["fields"], json!({"code": "sftp.timeout", "held": 3}));
}

#[test]
fn a_text_that_may_be_about_a_person_is_left_out() {
    let found = logged(&["logged-c"], || {
        tracing::info!(target: OURS, last_name = "Marrowby", student = ?("Ada", "Marrowby"), number = 10_317, "a row");
        tracing::info_span!(target: OURS, "row", raw = "10317,Marrowby")
            .in_scope(|| tracing::info!(target: OURS, "inside"));
    });
    let text = json!(found[0]).to_string();
    assert_eq!(found[0].len(), 2, "{text}");
    assert!(!text.contains("Marrowby"), "{text}");
    assert_eq!(found[0][0]["fields"]["number"], 10_317);
    assert_eq!(found[0][0]["fields"]["last_name"], "…");
}

#[test]
fn a_text_from_outside_stays_short_and_on_its_line() {
    let said = format!("first\n{{\"at\":\"forged\"}}\r\u{1b}[31m{}", "x".repeat(10_000));
    let found = logged(&["logged-d"], || {
        let error = io::Error::other(said.clone());
        tracing::warn!(target: OURS, %error, "said");
    });
    assert_eq!(found[0].len(), 1);
    let kept = found[0][0]["fields"]["error"].as_str().unwrap();
    assert!(kept.starts_with("first {") && kept.ends_with("x…"), "{kept}");
    assert!(kept.chars().count() <= 501 && !kept.chars().any(char::is_control), "{kept}");
}

#[test]
fn other_crates_and_details_stay_out() {
    let found = logged(&["logged-e"], || {
        tracing::error!(target: "hyper::proto", "somebody else's");
        tracing::debug!(target: OURS, "a detail");
        tracing::info!(target: OURS, "ours");
    });
    let messages: Vec<&Value> = found[0].iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["ours"]);
}

#[test]
fn a_closed_log_gets_nothing_more() {
    let _alone = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let log = ProfileLog::open("logged-f", folder.path()).unwrap();
    assert_eq!(log.profile(), "logged-f");
    let subscriber = tracing_subscriber::registry().with(logging::to_files());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!(target: OURS, "run", profile = "logged-f")
            .in_scope(|| tracing::info!(target: OURS, "open"));
        drop(log);
        tracing::info_span!(target: OURS, "run", profile = "logged-f")
            .in_scope(|| tracing::info!(target: OURS, "closed"));
    });
    let found = lines(folder.path());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["message"], "open");
}
