//! What a person reads on the terminal.

use std::{fmt::Write, path::Path};

use rosterbridge_api::{
    domain::{job::Outcome, school_year::YearChange},
    report::{
        Event, FieldAccess, FieldView, FileSample, GuardedView, Handover, HeldChoices, HeldPage, JobReport,
        Phase, PluginCheck, PluginView, RunView, StageReport, StageResult, SyncReport, UndoReport,
    },
};

/// An undo, with what stays as it is.
pub fn undo(undo: &UndoReport) -> String {
    let mut text = sync(&undo.report);
    if !undo.left.is_empty() {
        text.push_str("\nLeft as they are:\n");
    }
    for left in &undo.left {
        let student = left.student_number.map_or_else(String::new, |number| number.to_string());
        let _ = writeln!(
            text,
            "  {} student {student} at school {} on {}, code {}: {}",
            left.source, left.school, left.date, left.code, left.message
        );
    }
    text
}

/// A finished run, a line a job and file.
pub fn sync(report: &SyncReport) -> String {
    let mut text = String::new();
    for job in &report.jobs {
        text.push_str(&self::job(job));
    }
    let _ = write!(text, "\nRun {}: {}", report.run, outcome(report.outcome));
    if report.dry_run {
        text.push_str(" (dry run: nothing was written)");
    }
    text.push('\n');
    text
}

fn job(job: &JobReport) -> String {
    let rows = &job.rows;
    let mut text = format!("{:<16} {}", job.job.to_string(), outcome(job.outcome));
    if rows.read > 0 || rows.written > 0 {
        let _ = write!(text, ": {} rows, {} written", rows.read, rows.written);
        for (count, what) in
            [(rows.noop, "needed no write"), (rows.held, "held"), (rows.rejected, "rejected")]
        {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
    }
    text.push('\n');
    for file in &job.files {
        let short = file.sha256.get(..12).unwrap_or(&file.sha256);
        let _ =
            writeln!(text, "    {} ({} rows, {} bytes, sha256 {short}…)", file.name, file.rows, file.bytes);
    }
    for note in &job.notes {
        let _ = writeln!(text, "    {note}");
    }
    if let Some(plan) = &job.plan {
        let _ = writeln!(text, "    plan {}", plan.id);
        for record in &plan.sample {
            let student = record.student_number.map_or_else(String::new, |number| number.to_string());
            let before =
                record.previous_code.as_ref().map_or_else(String::new, |code| format!(" instead of {code}"));
            let _ = writeln!(
                text,
                "      student {student} at school {} on {}: {}{before}",
                record.school, record.date, record.code
            );
        }
    }
    for file in job.plan.iter().flat_map(|plan| &plan.files) {
        text.push_str(&sample(file));
    }
    if let Some(cause) = &job.cause {
        let _ = writeln!(text, "    {} [{}]\n    {}", cause.message, cause.code, cause.remedy);
    }
    text
}

/// The first rows of a planned file, below the names of their columns.
fn sample(file: &FileSample) -> String {
    let mut text = format!("    the first rows of {}:\n", file.name);
    let widths: Vec<usize> = (0..file.columns.len())
        .map(|column| {
            let values = file.rows.iter().chain([&file.columns]).filter_map(|row| row.get(column));
            values.map(|value| value.chars().count()).max().unwrap_or_default()
        })
        .collect();
    for row in std::iter::once(&file.columns).chain(&file.rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(value, width)| format!("{value:<width$}")).collect();
        let _ = writeln!(text, "      {}", cells.join("  ").trim_end());
    }
    text
}

/// An outcome in words.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Running => "running",
        Outcome::Succeeded => "succeeded",
        Outcome::SucceededWithHeldRows => "succeeded, with held rows",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Interrupted => "interrupted",
        Outcome::Skipped => "skipped",
    }
}

/// A stage of a connection test.
pub fn stage(stage: &StageReport) -> String {
    let (mark, rest) = match &stage.result {
        StageResult::Passed => ("ok     ", stage.detail.clone()),
        StageResult::Running => ("...    ", String::new()),
        StageResult::Skipped => ("skipped", stage.detail.clone()),
        StageResult::Waiting => ("waiting", stage.detail.clone()),
        StageResult::Warned(cause) => ("NOTE   ", format!("{} [{}]", cause.message, cause.code)),
        StageResult::Failed(cause) => (
            "FAILED ",
            format!("{} [{}]\n                           {}", cause.message, cause.code, cause.remedy),
        ),
    };
    format!("{mark} {:<18} {rest}", stage.name)
}

/// The plugin that was written.
pub fn plugin(file: &Path, plugin: &PluginView) -> String {
    let mut text = format!("Wrote {}: {} {}\n", file.display(), plugin.name, plugin.version);
    if let Some(before) = &plugin.written_before
        && *before != plugin.version
    {
        let _ =
            writeln!(text, "The one before was {before}. Install the new one over it: the credentials stay.");
    }
    for change in &plugin.changes {
        let _ = writeln!(text, "  {change}");
    }
    let jobs: Vec<&str> = plugin.jobs.iter().map(|job| job.as_str()).collect();
    let written = plugin.asks.iter().filter(|field| field.access == FieldAccess::FullAccess).count();
    let _ = writeln!(
        text,
        "It asks for {} fields, {written} of them for writing, and has {} queries, for: {}\n\
         Install it in PowerSchool under Plugin Management Configuration and enable it.",
        plugin.asks.len(),
        plugin.queries.len(),
        jobs.join(", ")
    );
    text
}

/// A checked plugin.
pub fn plugin_check(check: &PluginCheck) -> String {
    let mut text = String::new();
    for (what, value) in [
        ("Plugin", &check.name),
        ("Version", &check.version),
        ("Publisher", &check.publisher),
        ("Description", &check.description),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{what:<12} {value}");
        }
    }
    for remark in &check.remarks {
        let _ = write!(text, "{} {}", if remark.error { "ERROR" } else { "note " }, remark.file);
        if remark.line > 0 {
            let _ = write!(text, ":{}:{}", remark.line, remark.column);
        }
        let _ = writeln!(text, ": {} [{}]", remark.message, remark.code);
    }
    if !check.summary.is_empty() {
        text.push_str("\nWhat it does\n");
        for sentence in &check.summary {
            let _ = writeln!(text, "  {sentence}");
        }
    }
    if check.valid {
        text.push_str("\nOur exchanges with it\n");
        for exchange in &check.exchanges {
            let _ = writeln!(text, "  {:<16} {}", exchange.job.as_str(), exchange.sentence);
            for field in &exchange.missing {
                let _ = writeln!(text, "    {}", self::field(field));
            }
        }
    }
    text
}

fn field(field: &FieldView) -> String {
    let access = match field.access {
        FieldAccess::NoAccess => "no access",
        FieldAccess::ViewOnly => "ViewOnly",
        FieldAccess::FullAccess => "FullAccess",
    };
    format!("{}.{} ({access})", field.table, field.field)
}

/// A handover file that was written, and the mail to send it with.
pub fn handover(file: &Path, handover: &Handover) -> String {
    format!(
        "Wrote {}. Send it as an attachment with this mail:\n\nSubject: {}\n\n{}",
        file.display(),
        handover.subject,
        handover.body
    )
}

/// The history.
pub fn runs(runs: &[RunView]) -> String {
    if runs.is_empty() {
        return "Nothing has run yet.\n".to_owned();
    }
    let mut text = String::new();
    for run in runs {
        let jobs: Vec<String> = run.jobs.iter().map(|job| job.job.to_string()).collect();
        let _ = writeln!(
            text,
            "{}  {} UTC  {:<26} {}{}",
            run.run,
            run.started_at.format("%Y-%m-%d %H:%M:%S"),
            outcome(run.outcome),
            match (run.dry_run, run.undo) {
                (true, _) => "dry run of ",
                (false, true) => "undo of ",
                (false, false) => "",
            },
            jobs.join(", ")
        );
    }
    text
}

/// Stopped files.
pub fn guarded(message: &str, files: &[GuardedView]) -> String {
    if files.is_empty() {
        return format!("{message}\nNothing is stopped.\n");
    }
    let mut text = format!("{message}\n");
    for file in files {
        let _ =
            writeln!(text, "{}  {} {}: {} rows, now {}", file.id, file.job, file.name, file.before, file.now);
        if let Some(YearChange::NewYear { from, to, .. }) = file.expected {
            let _ = writeln!(text, "    expected: new year, {} before and {} now", from.name(), to.name());
        }
        for school in &file.schools {
            let _ =
                writeln!(text, "    school {}: {} rows, now {}", school.school, school.before, school.now);
        }
        if !file.sample.is_empty() {
            let students: Vec<String> = file.sample.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "    no row any more for students {}", students.join(", "));
        }
    }
    text
}

/// Rows kept for a person.
pub fn held(page: &HeldPage) -> String {
    if page.total == 0 {
        return "No rows are held.\n".to_owned();
    }
    let mut text = format!("{} held rows\n", page.total);
    for row in &page.rows {
        let again = if row.retried { " (decided again by the next run)" } else { "" };
        let _ = writeln!(
            text,
            "{}  {}:{}  {} {}{again}\n    {}",
            row.id, row.file, row.line, row.code, row.detail, row.message
        );
        if let Some(fixed) = &row.fixed {
            let _ = writeln!(text, "    {} decided: {}", fixed.by, fixed.words);
        }
    }
    text
}

/// What there is to pick from for a held row.
pub fn held_choices(choices: &HeldChoices) -> String {
    let mut text = format!("{} {}\n", choices.date, choices.school_name);
    let mut students = choices.students.clone();
    if let Some(picked) = &choices.student
        && !students.contains(picked)
    {
        students.push(picked.clone());
    }
    for student in &students {
        let now = if student.active { "" } else { " (not enrolled now)" };
        let counts = if choices.student.as_ref() == Some(student) { "*" } else { " " };
        let _ = writeln!(
            text,
            "{counts} student {} (STUDENTS.ID {})  {}, grade {}, {}{now}",
            student.number, student.id, student.name, student.grade, student.school_name
        );
    }
    for code in &choices.codes {
        let _ = writeln!(text, "  code {} (ATTENDANCE_CODE.ID {})  {}", code.code, code.id, code.description);
    }
    for meeting in &choices.meetings {
        let _ = match meeting.pick.meeting() {
            None => writeln!(text, "  day"),
            Some(class) => writeln!(
                text,
                "  class {}/{}  {} {}, {}",
                class.cc, class.period, meeting.times, meeting.period, meeting.class
            ),
        };
    }
    text
}

/// A line of progress for standard error, or `None` when the event needs none there.
pub fn progress(event: &Event) -> Option<String> {
    match event {
        Event::RunStarted { jobs, .. } => {
            Some(format!("Running {}", jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        }
        Event::Progress(progress) => {
            let doing = match progress.phase {
                Phase::Pull => "reading",
                Phase::Plan => "planning",
                Phase::Upload => "sending",
                Phase::Download => "fetching",
                Phase::Attendance => "writing",
            };
            let job = progress.job.map_or_else(|| "roster".to_owned(), |job| job.to_string());
            let total = progress.total.map_or_else(String::new, |total| format!(" of {total}"));
            Some(format!("{job}: {doing} {} ({}{total})", progress.subject, progress.done))
        }
        Event::Stage(report) => Some(stage(report)),
        Event::JobFinished(_) | Event::RunFinished(_) | Event::Notice { .. } => None,
    }
}
