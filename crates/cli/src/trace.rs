//! `trace`: what became of rows, and whether a day's rows add up.

use std::fmt::Write;

use rosterbridge_api::{
    Fault, Request, Response, Session,
    report::{ReconciledRows, Reconciliation, RowFate, RowsOf, TracePage, TraceQuery, TracedRecord},
};

use crate::{
    answer::{to_value, unexpected},
    args::Trace,
    document::Document,
};

/// Carries out `trace`.
pub async fn carry_out(session: &Session, trace: Trace) -> Result<Document, Fault> {
    let Trace { student, file, line, day, limit, offset, reconcile } = trace;
    if reconcile {
        return match session.call(Request::Reconciliation { day }, |_| ()).await? {
            Response::Reconciliation(day) => {
                let message = format!("{} rows were read first on {}.", day.total.rows, day.day);
                Ok(Document::done(message, to_value(&day)?).with_text(reconciliation(&day)))
            }
            _ => Err(unexpected()),
        };
    }
    let query = TraceQuery { of: RowsOf { student, file, line, day }, row: None, limit, offset };
    match session.call(Request::Trace { query }, |_| ()).await? {
        Response::Trace(page) => {
            let message = format!("{} of {} rows.", page.rows.len(), page.total);
            Ok(Document::done(message, to_value(&page)?).with_text(rows(&page)))
        }
        _ => Err(unexpected()),
    }
}

fn fate(fate: RowFate) -> &'static str {
    match fate {
        RowFate::Open => "under way",
        RowFate::Written => "written",
        RowFate::Noop => "nothing to write",
        RowFate::Held => "held",
        RowFate::Rejected => "rejected",
    }
}

fn rows(page: &TracePage) -> String {
    if page.total == 0 {
        return "No such rows are known.\n".to_owned();
    }
    let mut text = format!("{} of {} rows, latest first\n", page.rows.len(), page.total);
    for row in &page.rows {
        let _ = write!(text, "\n{}  {}:{}  {}", row.source, row.file, row.line, fate(row.fate));
        if let Some(student) = row.student_number {
            let _ = write!(text, "  student {student}");
        }
        text.push('\n');
        if !row.raw.is_empty() {
            let _ = writeln!(text, "  {}", row.raw);
        }
        for step in &row.steps {
            let _ = write!(text, "  {} UTC  {}", step.at.format("%Y-%m-%d %H:%M:%S"), step.sentence);
            if let Some(record) = &step.record {
                let _ = write!(text, " [{}]", self::record(record));
            }
            if let Some(held) = step.held {
                let _ = write!(text, " [held row {held}]");
            }
            text.push('\n');
        }
    }
    text
}

/// Where in PowerSchool a record is.
fn record(record: &TracedRecord) -> String {
    let TracedRecord { school, date, mode, cc, period, .. } = record;
    match cc {
        0 => format!("school {school}, {date}, {mode}"),
        cc => format!("school {school}, {date}, {mode}, CCID {cc}, PERIODID {period}"),
    }
}

fn reconciliation(day: &Reconciliation) -> String {
    if day.files.is_empty() {
        return format!("No file was read first on {}.\n", day.day);
    }
    let mut text = format!("Rows read first on {}\n", day.day);
    let _ = writeln!(text, "{}  file", counted(["rows", "written", "no-op", "held", "rejected", "open"]));
    for file in &day.files {
        let _ = writeln!(text, "{}  {} {}", numbers(&file.rows), file.source, file.file);
    }
    let _ = writeln!(text, "{}  in all", numbers(&day.total));
    text
}

fn numbers(rows: &ReconciledRows) -> String {
    let ReconciledRows { rows, written, noop, held, rejected, open } = *rows;
    counted([rows, written, noop, held, rejected, open])
}

fn counted<T: std::fmt::Display>(columns: [T; 6]) -> String {
    columns.map(|column| format!("{column:>8}")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_in_columns() {
        let rows = ReconciledRows { rows: 12, written: 9, noop: 1, held: 1, rejected: 1, open: 0 };
        let file = rosterbridge_api::report::ReconciledFile {
            source: "raptor".to_owned(),
            file: "tardies.csv".to_owned(),
            sha256: "ef".to_owned(),
            rows,
        };
        let day = "2026-11-20".parse().unwrap();
        let text = reconciliation(&Reconciliation { day, total: rows, files: vec![file] });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "      12       9       1       1       1       0  raptor tardies.csv");
        assert!(lines[3].ends_with("in all") && lines.len() == 4, "{text}");
        let none = Reconciliation { day, total: ReconciledRows::default(), files: Vec::new() };
        assert_eq!(reconciliation(&none), "No file was read first on 2026-11-20.\n");
    }
}
