//! What happened, for a person who looks back: the runs of a day or of many days, and rows in lists and files.

use std::{io, path::Path, thread, time::Duration};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rosterbridge_domain::{id::SchoolNumber, settings::Setup};
use rosterbridge_store::ledger::{
    ListedRow, RowColumn, RowCursor as StoredCursor, RowFate as Fate, RowOrder, RowPlace as StoredPlace,
    RowSnapshot, RunSpan, TRACED_AT_ONCE, TraceFilter, Trigger,
};
use tempfile::NamedTempFile;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    csv_export::CsvExport,
    engine::{Engine, blocking},
    error::EngineError,
    report::{
        DayRuns, OutcomeRuns, RowCursor, RowFate, RowList, RowPage, RowPageStart, RowPlace, RowSort,
        RowSummary, RunDay, RunHistory, RunView, WrittenRows,
    },
    support_bundle::{place, refuse_existing},
    trace::traced,
};

/// Days whose runs are counted at once, at most.
const MOST_DAYS: u32 = 400;

/// Runs of a day that are answered, at most.
const RUNS_OF_A_DAY: u32 = 500;

/// How long the place of a file may take for a page of rows. A disk takes far less, and so does a network share whose
/// computer can be reached.
const PAGE_TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// A page of a list on its way into a file. The last one is empty.
type Page = Vec<ListedRow>;

/// The columns of a file of rows.
const COLUMNS: [&str; 16] = [
    "Read",
    "Source",
    "File",
    "Line",
    "Student_Number",
    "Came to",
    "Since",
    "Reason",
    "What happened last",
    "School",
    "Att_Date",
    "Att_Mode_Code",
    "Att_Code",
    "Att_Code before",
    "SHA-256 of the file",
    "Row as it came",
];

impl Engine {
    /// The runs of `days` days, counted day by day; the last one is `until`, or today in the district.
    pub async fn run_history(
        &self,
        days: u32,
        until: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) -> Result<RunHistory, EngineError> {
        let zone = zone(&self.setup().await?);
        let today = now.with_timezone(&zone).date_naive();
        let last = until.unwrap_or(today);
        let days = days.clamp(1, MOST_DAYS);
        let first = last.checked_sub_days(Days::new(u64::from(days - 1))).unwrap_or(last);
        let (from, to) = (start_of(first, zone), start_of(next(last), zone));
        let spans = self.ledger(move |ledger| ledger.run_spans(from, to)).await?;
        let days = first.iter_days().take_while(|day| *day <= last).map(|day| counted(day, &spans, zone));
        Ok(RunHistory { today, days: days.collect() })
    }

    /// The runs that started on a day of the district, today where none is named.
    pub async fn day_runs(&self, day: Option<NaiveDate>, now: DateTime<Utc>) -> Result<DayRuns, EngineError> {
        let zone = zone(&self.setup().await?);
        let day = day.unwrap_or_else(|| now.with_timezone(&zone).date_naive());
        let (from, to) = (start_of(day, zone), start_of(next(day), zone));
        let runs = self.ledger(move |ledger| ledger.runs_started(from, to, RUNS_OF_A_DAY)).await?;
        Ok(DayRuns { day, from, to, runs: runs.into_iter().map(RunView::from).collect() })
    }

    /// A page of a list of rows, of at most `limit` and 500.
    pub async fn rows(&self, list: RowList, start: RowPageStart, limit: u32) -> Result<RowPage, EngineError> {
        let (filter, order) = (filter(&list), order(&list));
        let after = start.after.map(StoredCursor::from);
        self.ledger(move |ledger| {
            // The first page says what the list is.
            let (total, until) = match start.until {
                Some(until) => (None, Some(StoredPlace::from(until))),
                None => (Some(ledger.listed_row_count(&filter)?), ledger.last_row_place()?),
            };
            let rows = ledger.listed_rows(&filter, order, until, after, start.skip, limit)?;
            Ok(RowPage {
                total,
                until: until.map(RowPlace::from),
                rows: rows.into_iter().map(summary).collect(),
            })
        })
        .await
    }

    /// Writes a list of rows as CSV to `file`, which must be an absolute path, for its owner only. A file that is there is
    /// replaced only when `overwrite` says so. A place that takes nothing for half a minute is given up, and nobody else
    /// waits for it meanwhile.
    pub async fn export_rows(
        &self,
        list: RowList,
        file: &Path,
        overwrite: bool,
    ) -> Result<WrittenRows, EngineError> {
        let key = self.key().clone();
        let rows = self.ledger(move |ledger| ledger.row_snapshot(key.expose())).await?;
        let place = file.to_owned();
        export(rows, list, file, PAGE_TAKEN_WITHIN, move |pages, wanted| {
            write_rows(pages, wanted, &place, overwrite)
        })
        .await
    }
}

/// The district's zone: that of its schedule.
pub(crate) fn zone(setup: &Setup) -> Tz {
    let schedule = setup.jobs.iter().find_map(|job| job.schedule);
    schedule.map_or(setup.raptor.window.zone, |schedule| schedule.zone)
}

/// When a day begins. Where clocks skip midnight, with the first time there is.
fn start_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let times =
        (0..4).map(|hours| zone.from_local_datetime(&(midnight + TimeDelta::hours(hours))).earliest());
    times.flatten().next().map_or_else(|| midnight.and_utc(), |start| start.to_utc())
}

fn next(day: NaiveDate) -> NaiveDate {
    day.succ_opt().unwrap_or(day)
}

fn counted(day: NaiveDate, spans: &[RunSpan], zone: Tz) -> RunDay {
    let mut counted = RunDay { day, outcomes: Vec::new(), dry_runs: 0 };
    for span in spans.iter().filter(|span| span.started_at.with_timezone(&zone).date_naive() == day) {
        if span.trigger == Trigger::DryRun {
            counted.dry_runs += 1;
            continue;
        }
        let took = span.finished_at.map_or(0, |end| (end - span.started_at).num_milliseconds());
        let millis = u64::try_from(took).unwrap_or(0);
        match counted.outcomes.iter_mut().find(|known| known.outcome == span.outcome) {
            Some(known) => {
                known.runs += 1;
                known.millis += millis;
            }
            None => counted.outcomes.push(OutcomeRuns { outcome: span.outcome, runs: 1, millis }),
        }
    }
    counted
}

impl From<RowPlace> for StoredPlace {
    fn from(RowPlace { file, line }: RowPlace) -> Self {
        Self { file, line }
    }
}

impl From<StoredPlace> for RowPlace {
    fn from(StoredPlace { file, line }: StoredPlace) -> Self {
        Self { file, line }
    }
}

impl From<RowCursor> for StoredCursor {
    fn from(RowCursor { key, row }: RowCursor) -> Self {
        Self { key, row: row.into() }
    }
}

impl From<RowFate> for Fate {
    fn from(fate: RowFate) -> Self {
        match fate {
            RowFate::Open => Self::Open,
            RowFate::Written => Self::Written,
            RowFate::Noop => Self::Noop,
            RowFate::Held => Self::Held,
            RowFate::Rejected => Self::Rejected,
        }
    }
}

fn filter(list: &RowList) -> TraceFilter {
    TraceFilter {
        sha256: list.sha256.clone(),
        source: list.source,
        fate: list.fate.map(Fate::from),
        school: list.school.map(SchoolNumber::new),
        ..TraceFilter::from(list.of.clone())
    }
}

const fn order(list: &RowList) -> RowOrder {
    let by = match list.sort {
        RowSort::Read => RowColumn::Read,
        RowSort::Student => RowColumn::Student,
        RowSort::Fate => RowColumn::Fate,
        RowSort::School => RowColumn::School,
    };
    RowOrder { by, descending: list.descending }
}

fn summary(listed: ListedRow) -> RowSummary {
    let ListedRow { cursor, school, row } = listed;
    let (source, line, read_at) = (row.at.source, row.at.line, row.at.first_read);
    let row = traced(row);
    let last = row.steps.last();
    RowSummary {
        cursor: RowCursor { key: cursor.key, row: cursor.row.into() },
        source,
        file: row.file,
        line,
        read_at,
        student_number: row.student_number,
        school: school.map(SchoolNumber::get),
        fate: row.fate,
        at: last.map_or(read_at, |last| last.at),
        code: last.map_or_else(String::new, |last| last.code.clone()),
        sentence: last.map_or_else(String::new, |last| last.sentence.clone()),
    }
}

/// Has a list written to `file`, page by page as it is handed out. The ledger's log grows as long as `rows` are held: so the
/// list is let go of once no page of it is taken for so long as `within`.
async fn export(
    rows: RowSnapshot,
    list: RowList,
    file: &Path,
    within: Duration,
    write: impl FnOnce(mpsc::Receiver<Page>, &dyn Fn() -> bool) -> Result<WrittenRows, EngineError>
    + Send
    + 'static,
) -> Result<WrittenRows, EngineError> {
    let failed = |source| EngineError::io("write", file, source);
    let (pages, to_write) = mpsc::channel(1);
    let (sender, written) = oneshot::channel();
    let writing = move || {
        let result = write(to_write, &|| !sender.is_closed());
        // Whoever asked may have gone.
        let _ = sender.send(result);
    };
    // On a thread of its own: nothing ends a call into a share that is away, and the runtime waits for its own threads when
    // the program ends.
    thread::Builder::new().name("export".to_owned()).spawn(writing).map_err(failed)?;
    let runtime = Handle::current();
    let take = move |page| runtime.block_on(pages.send_timeout(page, within)).is_ok();
    blocking(move || hand_out(&rows, &list, take)).await?;
    match timeout(within, written).await {
        Ok(Ok(written)) => written,
        Ok(Err(_)) | Err(_) => Err(failed(not_taken())),
    }
}

fn not_taken() -> io::Error {
    let why = "it takes nothing, as a network share does whose computer can't be reached";
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// Hands out page after page of one moment: a run that writes meanwhile moves no row from one page to another. It ends early
/// where `take` says that a page is not taken.
fn hand_out(rows: &RowSnapshot, list: &RowList, take: impl Fn(Page) -> bool) -> Result<(), EngineError> {
    let (filter, order) = (filter(list), order(list));
    let mut after = None;
    loop {
        let page = rows.listed_rows(&filter, order, after, TRACED_AT_ONCE)?;
        after = page.last().map(|last| last.cursor);
        if !take(page) || after.is_none() {
            return Ok(());
        }
    }
}

/// Writes pages beside the file's place, and puts the file there when it has all of them and is still `wanted`: who was told
/// that nothing was written must not find it there later.
fn write_rows(
    mut pages: mpsc::Receiver<Page>,
    wanted: &dyn Fn() -> bool,
    file: &Path,
    overwrite: bool,
) -> Result<WrittenRows, EngineError> {
    refuse_existing(file, overwrite)?;
    let failed = |source| EngineError::io("write", file, source);
    let folder = file.parent().unwrap_or(file);
    let mut partial = NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = CsvExport::new(partial.as_file_mut(), &COLUMNS).map_err(failed)?;
    loop {
        // Nobody hands out the rest to whoever took too long.
        let page = pages.blocking_recv().ok_or_else(|| failed(not_taken()))?;
        if page.is_empty() {
            break;
        }
        for row in page {
            write_row(&mut out, row).map_err(failed)?;
        }
    }
    let rows = out.finish().map_err(failed)?;
    // What a share takes its time for is done by then.
    partial.as_file().sync_all().map_err(failed)?;
    if !wanted() {
        return Err(failed(not_taken()));
    }
    let bytes = place(partial, file, overwrite)?;
    Ok(WrittenRows { file: file.display().to_string(), rows, bytes })
}

fn write_row<W: io::Write>(out: &mut CsvExport<W>, listed: ListedRow) -> io::Result<()> {
    let fate = listed.row.fate.as_str();
    let (raw, sha256) = (listed.row.raw.clone(), listed.row.at.sha256.clone());
    let record = listed.row.events.iter().rev().find_map(|event| event.record.clone());
    let row = summary(listed);
    let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fields: [String; 16] = [
        time(row.read_at),
        row.source.to_string(),
        row.file,
        row.line.to_string(),
        number(row.student_number),
        fate.to_owned(),
        time(row.at),
        row.code,
        row.sentence,
        number(row.school),
        record.as_ref().map_or_else(String::new, |record| record.key.date.to_string()),
        record.as_ref().map_or_else(String::new, |record| record.key.mode().code().to_owned()),
        record.as_ref().map_or_else(String::new, |record| record.code.clone()),
        record.and_then(|record| record.previous_code).unwrap_or_default(),
        sha256,
        raw,
    ];
    out.row(fields.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::{
        attendance::{AttendanceKey, Source},
        id::{StudentId, StudentNumber},
        job::{JobId, Outcome},
    };
    use rosterbridge_store::{
        Ledger,
        ledger::{
            Decision, DecisionOutcome, EventRecord, InputFile, RowEvent, RowEventKind, RunId, TracedLine,
            TracedRow,
        },
    };

    use rstest::rstest;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn listed(line: u64, fate: Fate, kind: RowEventKind, code: &str, raw: &str) -> ListedRow {
        let key = AttendanceKey {
            school: SchoolNumber::new(100),
            student: StudentId::new(7),
            date: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
            meeting: None,
        };
        let written = fate == Fate::Written;
        let record = EventRecord { key, code: "T".to_owned(), previous_code: Some("A".to_owned()) };
        let read = at("2026-11-20T14:00:00Z");
        ListedRow {
            cursor: StoredCursor { key: 0, row: StoredPlace { file: 1, line } },
            school: written.then(|| SchoolNumber::new(100)),
            row: TracedRow {
                at: TracedLine {
                    source: Source::Raptor,
                    file: "tardies, north.csv".to_owned(),
                    sha256: "ef".to_owned(),
                    first_read: read,
                    line,
                },
                repeats: None,
                student_number: written.then(|| StudentNumber::new(10_422)),
                raw: raw.to_owned(),
                fate,
                events: vec![RowEvent {
                    at: read + TimeDelta::seconds(4),
                    run: Some(RunId::new(read)),
                    kind,
                    code: code.to_owned(),
                    detail: String::new(),
                    record: written.then_some(record),
                    held: None,
                }],
            },
        }
    }

    #[test]
    fn rows_are_written_as_csv() {
        let mut file = Vec::new();
        let mut out = CsvExport::new(&mut file, &COLUMNS).unwrap();
        let rows = [
            listed(1, Fate::Written, RowEventKind::Confirmed, "", "10422,Car trouble,\"8:05\""),
            listed(2, Fate::Held, RowEventKind::Held, "held.reason_not_mapped", "=1+1,Kim"),
            listed(3, Fate::Rejected, RowEventKind::Rejected, "", "@two\nlines"),
        ];
        for row in rows {
            write_row(&mut out, row).unwrap();
        }
        out.finish().unwrap();
        insta::assert_snapshot!(String::from_utf8(file).unwrap().replace("\r\n", "\\r\\n\n"));
    }

    /// A ledger with two pages of rows.
    fn filled(folder: &Path) -> Ledger {
        let now = at("2026-11-20T14:00:00Z");
        let ledger = Ledger::open(&folder.join("ledger.db"), &[7; 32], now).unwrap();
        let run = RunId::new(now);
        ledger.start_run(run, Trigger::Manual, &[JobId::RAPTOR_TARDIES], now).unwrap();
        let rejected = |line: u64| Decision {
            line,
            row_hash: std::array::from_fn(|byte| line.to_be_bytes()[byte % 8]),
            raw: format!("row {line}"),
            student_number: None,
            happened: None,
            outcome: DecisionOutcome::Reject { detail: "it is short".to_owned() },
        };
        let rows: Vec<Decision> = (1..=u64::from(TRACED_AT_ONCE) + 1).map(rejected).collect();
        let file = InputFile { name: "tardies.csv", sha256: "ef", day: now.date_naive() };
        ledger.record_decisions(run, Source::Raptor, &file, &rows, &[], now).unwrap();
        ledger
    }

    #[tokio::test]
    async fn a_list_longer_than_a_page_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = filled(folder.path());
        let file = folder.path().join("rows.csv");
        let rows = ledger.row_snapshot(&[7; 32]).unwrap();
        let place = file.clone();
        let writing = move |pages, wanted: &dyn Fn() -> bool| write_rows(pages, wanted, &place, false);
        let written = export(rows, RowList::default(), &file, PAGE_TAKEN_WITHIN, writing).await.unwrap();
        assert_eq!(written.rows, u64::from(TRACED_AT_ONCE) + 1);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!((text.lines().count() as u64, text.len() as u64), (written.rows + 1, written.bytes));
        assert!(text.lines().next_back().unwrap().ends_with(",row 501"), "{text}");
    }

    /// As on a network share whose computer is away. The log is folded into the file only once nobody reads an earlier moment.
    #[rstest]
    #[case::before_the_first_page(true)]
    #[case::after_the_last_one(false)]
    #[tokio::test(flavor = "multi_thread")]
    async fn a_place_that_takes_nothing_is_told_and_holds_no_moment_of_the_ledger(#[case] at_once: bool) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = filled(folder.path());
        let file = folder.path().join("rows.csv");
        let rows = ledger.row_snapshot(&[7; 32]).unwrap();
        let (free, hung) = std::sync::mpsc::channel::<()>();
        let (sender, late) = std::sync::mpsc::channel();
        let place = file.clone();
        let writing = move |pages, wanted: &dyn Fn() -> bool| {
            let hang = |here: bool| {
                if here {
                    _ = hung.recv();
                }
            };
            hang(at_once);
            let wanted = || {
                hang(!at_once);
                wanted()
            };
            let written = write_rows(pages, &wanted, &place, false);
            sender.send(written.is_err()).unwrap();
            written
        };
        let error = export(rows, RowList::default(), &file, Duration::from_millis(10), writing).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), "file.unusable");
        assert!(error.to_string().contains("takes nothing"), "{error}");
        ledger.set_value("meanwhile", "written").unwrap();
        ledger.integrity_check().unwrap();
        assert_eq!(std::fs::metadata(folder.path().join("ledger.db-wal")).unwrap().len(), 0);
        // Back again, it does not put half of the list there.
        drop(free);
        assert!(late.recv().unwrap());
        assert!(!file.exists());
    }

    #[test]
    fn a_day_has_the_runs_that_started_on_it_in_the_district() {
        let chicago = chrono_tz::America::Chicago;
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let span = |started: &str, seconds: i64, outcome, trigger| RunSpan {
            trigger,
            started_at: at(started),
            finished_at: (outcome != Outcome::Running).then(|| at(started) + TimeDelta::seconds(seconds)),
            outcome,
        };
        let spans = [
            span("2026-11-20T05:59:59Z", 9, Outcome::Failed, Trigger::Schedule),
            span("2026-11-20T06:00:00Z", 2, Outcome::Succeeded, Trigger::Schedule),
            span("2026-11-20T14:00:00Z", 3, Outcome::Succeeded, Trigger::Manual),
            span("2026-11-20T15:00:00Z", 3, Outcome::Succeeded, Trigger::DryRun),
            span("2026-11-21T05:00:00Z", 3, Outcome::Running, Trigger::Undo),
        ];
        let outcome = |outcome, runs, millis| OutcomeRuns { outcome, runs, millis };
        let before = counted(day(19), &spans, chicago);
        assert_eq!((before.outcomes, before.dry_runs), (vec![outcome(Outcome::Failed, 1, 9_000)], 0));
        let that_day = counted(day(20), &spans, chicago);
        let expected = vec![outcome(Outcome::Succeeded, 2, 5_000), outcome(Outcome::Running, 1, 0)];
        assert_eq!((that_day.outcomes, that_day.dry_runs), (expected, 1));
        // A day of 25 hours, and one that begins at one o'clock.
        assert_eq!(start_of(day(2), chicago) - start_of(day(1), chicago), TimeDelta::hours(25));
        let skipped = start_of(NaiveDate::from_ymd_opt(2026, 9, 6).unwrap(), chrono_tz::America::Santiago);
        assert_eq!(skipped, at("2026-09-06T04:00:00Z"));
    }
}
