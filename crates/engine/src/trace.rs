//! What became of rows, for whoever asks, in sentences.

use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{
    attendance::NoOpReason,
    held::HoldReason,
    id::{SchoolNumber, StudentNumber},
};
use rosterbridge_store::ledger::{
    EventRecord, FOUND_CHANGED, FileFates, RowEvent, RowEventKind, RowPlace as StoredPlace, TAKEN_OVER,
    TraceFilter, TracedLine, UNKNOWN_SINCE_RESTORED,
};

use crate::{
    activity::zone,
    attendance::NOT_SEEN,
    engine::Engine,
    error::EngineError,
    report::{
        NotUndone, ReconciledFile, ReconciledRows, Reconciliation, RowFate, RowsOf, TracePage, TraceQuery,
        TraceStep, TracedRecord, TracedRow,
    },
};

/// What the step is called in which a file with the row was read first.
const READ: &str = "read";

impl Engine {
    /// Rows and what became of them, from file and line to the record in PowerSchool; latest first, at most 500 at once.
    pub async fn trace(&self, query: TraceQuery) -> Result<TracePage, EngineError> {
        let TraceQuery { of, row, limit, offset } = query;
        let filter = TraceFilter { row: row.map(StoredPlace::from), ..TraceFilter::from(of) };
        let (total, rows) = self.ledger(move |ledger| ledger.trace(&filter, limit, offset)).await?;
        Ok(TracePage { total, rows: rows.into_iter().map(traced).collect() })
    }

    /// A day's rows and what became of them; today where no day is named.
    pub async fn reconciliation(
        &self,
        day: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) -> Result<Reconciliation, EngineError> {
        let day = if let Some(day) = day {
            day
        } else {
            now.with_timezone(&zone(&self.setup().await?)).date_naive()
        };
        let files = self.ledger(move |ledger| ledger.fates_on(day)).await?;
        let mut total = ReconciledRows::default();
        let files = files
            .into_iter()
            .map(|file| {
                let FileFates { source, file, sha256, rows, open, written, noop, held, rejected } = file;
                let rows = ReconciledRows { rows, written, noop, held, rejected, open };
                total.rows += rows.rows;
                total.written += rows.written;
                total.noop += rows.noop;
                total.held += rows.held;
                total.rejected += rows.rejected;
                total.open += rows.open;
                ReconciledFile { source: source.to_string(), file, sha256, rows }
            })
            .collect();
        Ok(Reconciliation { day, total, files })
    }
}

impl From<RowsOf> for TraceFilter {
    fn from(RowsOf { student, file, line, day }: RowsOf) -> Self {
        Self { student: student.map(StudentNumber::new), file, line, day, ..Self::default() }
    }
}

pub(crate) fn traced(row: rosterbridge_store::ledger::TracedRow) -> TracedRow {
    use rosterbridge_store::ledger::RowFate as Fate;
    let run = |of: fn(&RowEvent) -> bool| {
        row.events.iter().find(|event| of(event)).and_then(|event| event.run).map(|run| run.to_string())
    };
    let first = row.repeats.as_ref().map(|first| {
        let run = run(|event| event.kind != RowEventKind::Repeated);
        read(first, run)
    });
    let here =
        if row.repeats.is_some() { run(|event| event.kind == RowEventKind::Repeated) } else { run(|_| true) };
    let mut steps: Vec<TraceStep> = first.into_iter().chain([read(&row.at, here)]).collect();
    let mut before = None;
    for event in &row.events {
        steps.push(TraceStep {
            at: event.at,
            run: event.run.map(|run| run.to_string()),
            what: event.kind.as_str().to_owned(),
            code: event.code.clone(),
            sentence: sentence(event, before, row.repeats.as_ref()),
            record: event.record.as_ref().map(record),
            held: event.held.map(|held| held.0),
        });
        before = Some(event);
    }
    // A file is read before anything happens to its rows.
    steps.sort_by_key(|step| step.at);
    TracedRow {
        source: row.at.source.to_string(),
        file: row.at.file,
        file_sha256: row.at.sha256,
        line: row.at.line,
        raw: row.raw,
        student_number: row.student_number.map(StudentNumber::get),
        fate: match row.fate {
            Fate::Open => RowFate::Open,
            Fate::Written => RowFate::Written,
            Fate::Noop => RowFate::Noop,
            Fate::Held => RowFate::Held,
            Fate::Rejected => RowFate::Rejected,
        },
        steps,
    }
}

fn read(line: &TracedLine, run: Option<String>) -> TraceStep {
    TraceStep {
        at: line.first_read,
        run,
        what: READ.to_owned(),
        code: String::new(),
        sentence: format!("Read in {}, line {}.", line.file, line.line),
        record: None,
        held: None,
    }
}

fn record(of: &EventRecord) -> TracedRecord {
    let EventRecord { key, code, previous_code } = of;
    TracedRecord {
        school: SchoolNumber::get(key.school),
        date: key.date,
        mode: key.mode().code().to_owned(),
        cc: key.meeting.map_or(0, |meeting| meeting.cc.get()),
        period: key.meeting.map_or(0, |meeting| meeting.period.get()),
        code: code.clone(),
        previous_code: previous_code.clone(),
    }
}

/// What happened, for a person. `before` is what had happened last.
fn sentence(event: &RowEvent, before: Option<&RowEvent>, repeats: Option<&TracedLine>) -> String {
    let code = event.code.as_str();
    match event.kind {
        RowEventKind::DecidedWrite => match &event.record {
            Some(EventRecord { code, previous_code: Some(before), .. }) => {
                format!("{code} is to be written to PowerSchool in place of {before}.")
            }
            Some(EventRecord { code, previous_code: None, .. }) => {
                format!("{code} is to be written to PowerSchool.")
            }
            None => "It is to be written to PowerSchool.".to_owned(),
        },
        RowEventKind::NoOp => {
            let reason = NoOpReason::ALL.into_iter().find(|reason| reason.as_str() == code);
            let why = reason.map_or("", NoOpReason::sentence);
            format!("Nothing is to be written. {why}").trim_end().to_owned()
        }
        RowEventKind::Held => {
            let reason = HoldReason::ALL.iter().find(|reason| reason.code() == code);
            match (reason.map(|reason| reason.sentence()), event.detail.as_str()) {
                (Some(why), "") => format!("It is held. {why}"),
                (Some(why), detail) => format!("It is held. {why} ({detail})"),
                (None, "") => "It is held.".to_owned(),
                (None, detail) => format!("It is held: {}.", detail.trim_end_matches('.')),
            }
        }
        RowEventKind::Rejected => format!("It is malformed: {}.", event.detail.trim_end_matches('.')),
        RowEventKind::PutOff => {
            "It waits: whether PowerSchool has an earlier write of the same record is not known yet."
                .to_owned()
        }
        RowEventKind::Repeated => match repeats {
            Some(first) => format!(
                "The very same row had come before, in {}, line {}. It is not decided once more.",
                first.file, first.line
            ),
            None => "The very same row was decided before. It is not decided once more.".to_owned(),
        },
        RowEventKind::Sent => "It was sent to PowerSchool.".to_owned(),
        RowEventKind::UndoSent => "Taking it back was sent to PowerSchool.".to_owned(),
        RowEventKind::Unknown | RowEventKind::UndoUnknown => match code {
            NOT_SEEN => {
                "PowerSchool was read back and did not show it. It is looked up once more.".to_owned()
            }
            UNKNOWN_SINCE_RESTORED => {
                "The ledger was restored from a backup. Whether PowerSchool has it is looked up.".to_owned()
            }
            code => format!("No clear answer came ({code}). Whether PowerSchool has it is looked up."),
        },
        RowEventKind::DecidedAgain | RowEventKind::UndoDecidedAgain => {
            "PowerSchool certainly does not have it. It is sent again.".to_owned()
        }
        RowEventKind::Confirmed if code == TAKEN_OVER => {
            "The ledger was restored from a backup, and PowerSchool was found to have it.".to_owned()
        }
        RowEventKind::Confirmed if code == FOUND_CHANGED => {
            "The ledger was restored from a backup. The row had been decided before, and PowerSchool has something else \
             now: that is not written over."
                .to_owned()
        }
        RowEventKind::Confirmed if is_answer(event, before) => "PowerSchool took it.".to_owned(),
        RowEventKind::Confirmed => "PowerSchool was read back and has it.".to_owned(),
        RowEventKind::AlreadyRecorded => {
            "It was not sent: somebody else recorded the same code in PowerSchool first.".to_owned()
        }
        RowEventKind::Retried => "A person asked for it to be decided again.".to_owned(),
        RowEventKind::Fixed => match event.detail.split_once(": ") {
            Some((who, what)) => format!("{who} decided about it: {what}."),
            None => "A person decided about it.".to_owned(),
        },
        RowEventKind::FixTakenBack => format!("{} took back what was decided about it.", event.detail),
        RowEventKind::Discarded => "A person closed it. It is never written.".to_owned(),
        RowEventKind::Resolved => "It is settled otherwise, and held no more.".to_owned(),
        RowEventKind::UndoDecided => match event.record.as_ref().map(|record| record.code.as_str()) {
            Some("") | None => "It is to be taken back: the record is to be without a code again.".to_owned(),
            Some(code) => format!("It is to be taken back: {code} is to stand again."),
        },
        RowEventKind::Undone if is_answer(event, before) => "PowerSchool took it back.".to_owned(),
        RowEventKind::Undone => "PowerSchool was read back: it is taken back.".to_owned(),
        RowEventKind::AlreadyUndone => {
            "It needed not be taken back: what stood before stands again.".to_owned()
        }
        RowEventKind::NotUndone => format!("It was not taken back. {}", NotUndone::of_code(code).sentence()),
    }
}

/// Whether this is PowerSchool's answer to what was sent just before, and was not found out by looking.
fn is_answer(event: &RowEvent, before: Option<&RowEvent>) -> bool {
    before.is_some_and(|before| {
        matches!(before.kind, RowEventKind::Sent | RowEventKind::UndoSent) && before.run == event.run
    })
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::{
        attendance::{AttendanceKey, Source},
        id::StudentId,
    };
    use rosterbridge_store::ledger::{RowFate as Fate, RunId, TracedRow as Row};
    use rstest::rstest;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(second)
    }

    fn event(kind: RowEventKind, code: &str, detail: &str, run: Option<RunId>) -> RowEvent {
        let (code, detail) = (code.to_owned(), detail.to_owned());
        RowEvent { at: at(5), run, kind, code, detail, record: None, held: None }
    }

    #[rstest]
    #[case::held(RowEventKind::Held, "held.unknown_code", "T", "It is held. The school has no such")]
    #[case::nothing(RowEventKind::NoOp, "not_tardy", "", "Nothing is to be written. The student signed in")]
    #[case::malformed(
        RowEventKind::Rejected,
        "",
        "7 columns expected",
        "It is malformed: 7 columns expected."
    )]
    #[case::unclear(
        RowEventKind::Unknown,
        "powerschool.timeout",
        "",
        "No clear answer came (powerschool.timeout)"
    )]
    #[case::looked_up(RowEventKind::Unknown, "not_seen", "", "PowerSchool was read back and did not")]
    #[case::stays(RowEventKind::NotUndone, "changed", "", "It was not taken back. Somebody has changed")]
    fn a_code_is_told_in_words(
        #[case] kind: RowEventKind,
        #[case] code: &str,
        #[case] detail: &str,
        #[case] begins: &str,
    ) {
        let sentence = sentence(&event(kind, code, detail, None), None, None);
        assert!(sentence.starts_with(begins), "{sentence}");
    }

    #[test]
    fn everything_that_can_happen_is_a_sentence() {
        for kind in RowEventKind::ALL {
            for code in ["", "not_seen", "restored", "taken_over", "found_changed", "unheard_of"] {
                let sentence = sentence(&event(*kind, code, "", None), None, None);
                assert!(sentence.ends_with('.') || code == "unheard_of", "{kind:?}: {sentence}");
            }
        }
    }

    #[test]
    fn an_answer_is_told_from_a_record_that_was_looked_up() {
        let (run, later) = (Some(RunId::new(at(0))), Some(RunId::new(at(3))));
        let sent = event(RowEventKind::Sent, "", "", run);
        let told = |run| sentence(&event(RowEventKind::Confirmed, "", "", run), Some(&sent), None);
        assert_eq!(told(run), "PowerSchool took it.");
        assert_eq!(told(later), "PowerSchool was read back and has it.");
    }

    #[test]
    fn a_row_that_repeats_another_shows_what_became_of_that_one() {
        let run = Some(RunId::new(at(0)));
        let line = |file: &str, second, line| TracedLine {
            source: Source::Raptor,
            file: file.to_owned(),
            sha256: "ef".to_owned(),
            first_read: at(second),
            line,
        };
        let key = AttendanceKey {
            school: SchoolNumber::new(100),
            student: StudentId::new(7),
            date: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
            meeting: None,
        };
        let record = Some(EventRecord { key, code: "T".to_owned(), previous_code: Some("A".to_owned()) });
        let decided = RowEvent { at: at(1), record, ..event(RowEventKind::DecidedWrite, "", "", run) };
        let repeated = event(RowEventKind::Repeated, "already_delivered", "", run);
        let row = traced(Row {
            at: line("b.csv", 5, 3),
            repeats: Some(line("a.csv", 1, 2)),
            student_number: Some(StudentNumber::new(5_000)),
            raw: String::new(),
            fate: Fate::Noop,
            events: vec![decided, repeated],
        });
        let told: Vec<_> = row.steps.iter().map(|step| step.sentence.as_str()).collect();
        let expected = [
            "Read in a.csv, line 2.",
            "T is to be written to PowerSchool in place of A.",
            "Read in b.csv, line 3.",
            "The very same row had come before, in a.csv, line 2. It is not decided once more.",
        ];
        assert_eq!(told, expected);
        assert_eq!((row.file.as_str(), row.line, row.fate), ("b.csv", 3, RowFate::Noop));
        assert_eq!(row.steps[1].record.as_ref().unwrap().school, 100);
    }
}
