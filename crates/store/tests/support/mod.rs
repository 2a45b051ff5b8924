//! Things the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Meeting, MeetingTimes, NoOpReason, Source},
    held::HoldReason,
    id::{AttendanceCodeId, CalendarDayId, CcId, PeriodId, SchoolNumber, StudentId, StudentNumber, YearId},
    job::JobId,
};
use rosterbridge_store::{
    Ledger, ProfileKeyBytes, StoreError,
    ledger::{Decision, DecisionCounts, DecisionOutcome, InputFile, RowHash, RunId, Trigger},
};

pub const KEY: ProfileKeyBytes = *b"0123456789abcdef0123456789ABCDEF";
pub const OTHER_KEY: ProfileKeyBytes = [9; 32];

/// A ledger in a folder of its own, with a run that has started.
pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub ledger: Ledger,
    pub run: RunId,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), &KEY, at(0)).unwrap();
        let run = start_run(&ledger, 0);
        Self { folder, ledger, run }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub fn decide(&self, source: Source, file: &str, decisions: &[Decision], second: i64) -> Counts {
        Counts(record(&self.ledger, self.run, source, file, decisions, at(second)).unwrap())
    }
}

/// Records the decisions about the rows of a file: its content is these rows.
pub fn record(
    ledger: &Ledger,
    run: RunId,
    source: Source,
    file: &str,
    decisions: &[Decision],
    at: DateTime<Utc>,
) -> Result<DecisionCounts, StoreError> {
    let sha256 = content(decisions);
    let file = InputFile { name: file, sha256: &sha256, day: day() };
    ledger.record_decisions(run, source, &file, decisions, &[], at)
}

/// Stands for the SHA-256 of a file with these rows.
pub fn content(decisions: &[Decision]) -> String {
    let mut content = std::hash::DefaultHasher::new();
    for decision in decisions {
        (decision.line, decision.row_hash).hash(&mut content);
    }
    format!("{:064x}", content.finish())
}

/// Decision counts in a form that compares at a glance.
pub struct Counts(pub DecisionCounts);

impl Counts {
    /// To write, no-op, held, newly held, rejected, newly rejected.
    pub fn all(&self) -> [u64; 6] {
        let c = self.0;
        [c.to_write, c.noop, c.held, c.newly_held, c.rejected, c.newly_rejected]
    }
}

pub fn start_run(ledger: &Ledger, second: i64) -> RunId {
    let run = RunId::new(at(second));
    ledger
        .start_run(run, Trigger::Manual, &[JobId::HERO_ATTENDANCE, JobId::RAPTOR_TARDIES], at(second))
        .unwrap();
    run
}

/// Seconds after the morning of a school day.
pub fn at(second: i64) -> DateTime<Utc> {
    "2026-11-20T14:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
}

pub fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

pub fn daily(student: i64) -> AttendanceKey {
    AttendanceKey {
        school: SchoolNumber::new(100),
        student: StudentId::new(student),
        date: day(),
        meeting: None,
    }
}

pub fn meeting(student: i64, cc: i64, period: i64) -> AttendanceKey {
    AttendanceKey {
        meeting: Some(Meeting { cc: CcId::new(cc), period: PeriodId::new(period) }),
        ..daily(student)
    }
}

pub fn attendance(key: AttendanceKey, code: &str) -> AttendanceWrite {
    AttendanceWrite {
        key,
        code: code.to_owned(),
        code_id: AttendanceCodeId::new(17),
        year: YearId::new(36),
        calendar_day: CalendarDayId::new(4711),
        times: key.meeting.map(|_| MeetingTimes { start: 29_700, end: 32_400 }),
        comment: String::new(),
        replaces: None,
        previous_code: None,
        previous_comment: None,
    }
}

pub fn hash(row: u64) -> RowHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&row.to_be_bytes());
    hash
}

/// A decision about the row that `row` stands for.
pub fn decision(row: u64, outcome: DecisionOutcome) -> Decision {
    Decision {
        line: row,
        row_hash: hash(row),
        raw: format!("100\t{row}\tENG9\t1\t11/20/2026\tT\t1"),
        student_number: Some(StudentNumber::new(5_000)),
        happened: None,
        outcome,
    }
}

pub fn write(row: u64, key: AttendanceKey, code: &str) -> Decision {
    decision(row, DecisionOutcome::Write(attendance(key, code)))
}

pub fn noop(row: u64, key: AttendanceKey, code: &str, reason: NoOpReason) -> Decision {
    decision(row, DecisionOutcome::NoOp { key: Some(key), code: code.to_owned(), reason })
}

pub fn hold(row: u64, reason: HoldReason) -> Decision {
    decision(row, DecisionOutcome::Hold { reason, detail: "row in question".to_owned() })
}

pub fn reject(row: u64) -> Decision {
    decision(row, DecisionOutcome::Reject { detail: "7 columns expected".to_owned() })
}

/// Every file below a folder.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Opens a ledger the way SQLCipher's own shell would, to reach what the crate does not offer.
pub fn raw(path: &Path) -> rusqlite::Connection {
    use std::fmt::Write as _;
    let mut digits = String::new();
    for byte in KEY {
        write!(digits, "{byte:02x}").unwrap();
    }
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(&format!("PRAGMA key = \"x'{digits}'\";")).unwrap();
    connection
}
