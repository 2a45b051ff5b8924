//! What a person reads of the exchange with Hero.

use std::fmt::Write;

use rosterbridge_api::report::{
    ExportPreview, ExportProblems, ProblemCount, RemoteFileKind, RemoteFiles, Sheet, SheetEntry, SheetScreen,
    Timeline,
};

/// How far a sheet is entered.
pub fn ticked(sheet: &Sheet) -> String {
    format!("{} of {} rows are ticked.", sheet.ticked, sheet.rows)
}

/// The whole sheet: a row a line.
pub fn sheet(sheet: &Sheet) -> String {
    let mut text = format!("{}: what to enter in PowerSchool and at Hero\n", sheet.account_name);
    for screen in &sheet.screens {
        text.push_str(&self::screen(screen));
    }
    let _ = writeln!(text, "\n{}", ticked(sheet));
    text
}

fn screen(screen: &SheetScreen) -> String {
    let mut text = format!("\n{} ({})\n", screen.title, screen.key);
    if !screen.needed {
        text.push_str("  Nothing has to be entered here.\n");
    }
    for step in &screen.way {
        let _ = writeln!(text, "  > {step}");
    }
    for row in &screen.rows {
        let mark = match (row.ticked, row.changed) {
            (true, _) => "[x]",
            (false, true) => "[!]",
            (false, false) => "[ ]",
        };
        let _ = writeln!(text, "  {mark} {}: {}", row.label, entry(&row.entry));
        for line in [&row.comment, &row.note].into_iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "        {line}");
        }
    }
    for step in &screen.then {
        let _ = writeln!(text, "  > {step}");
    }
    for note in &screen.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}

fn entry(entry: &SheetEntry) -> String {
    match entry {
        SheetEntry::Text { value } => value.clone(),
        SheetEntry::Lines { lines } => lines.iter().fold(String::new(), |mut text, line| {
            let _ = write!(text, "\n          {line}");
            text
        }),
        SheetEntry::Choose { value } => format!("choose {value}"),
        SheetEntry::Check => "check the box".to_owned(),
        SheetEntry::LeaveUnchecked => "leave unchecked".to_owned(),
        SheetEntry::LeaveBlank => "leave blank".to_owned(),
        SheetEntry::Own { what } => format!("({what})"),
    }
}

/// The order of the day, and what does not fit.
pub fn timeline(timeline: &Timeline) -> String {
    let known = if timeline.zone_known { "" } else { ", as far as known: test PowerSchool's connection" };
    let mut text = format!("{} on {} ({}{known})\n", timeline.account_name, timeline.day, timeline.zone);
    for entry in timeline.entries.iter().chain(&timeline.without_time) {
        let time = entry.time.as_deref().unwrap_or("--:--");
        let off = if entry.on { "" } else { ", switched off" };
        let days = if entry.days.is_empty() { String::new() } else { format!("  {}", entry.days) };
        let _ = writeln!(text, "  {time}  {}{days}{off}", entry.title);
    }
    for warning in &timeline.warnings {
        let _ = writeln!(text, "\n{}\n  {}", warning.message, warning.remedy);
    }
    if timeline.warnings.is_empty() {
        text.push_str("\nEverything is in its order.\n");
    }
    text
}

/// An export as it would be sent.
pub fn preview(preview: &ExportPreview) -> String {
    let path = preview.path.as_deref().unwrap_or("no path");
    let mut text = format!("{path} on {}\n", preview.day);
    for problem in &preview.problems {
        let _ = writeln!(text, "{} [{}]\n  {}", problem.message, problem.code, problem.remedy);
    }
    for note in &preview.notes {
        let _ = writeln!(text, "{note}");
    }
    for (number, column) in (1..).zip(&preview.columns) {
        let limit = column.limit.map_or_else(String::new, |limit| format!(", at most {limit} characters"));
        let required = if column.required { ", required" } else { "" };
        let _ = writeln!(
            text,
            "  {number:>2} {:<26} {} ({}{limit}{required})",
            column.name, column.meaning, column.column
        );
    }
    match &preview.rows {
        Some(rows) => {
            let _ = writeln!(
                text,
                "{} rows, {} bytes, by PowerSchool's data of {}; the first:",
                rows.total,
                rows.bytes,
                rows.read_at.format("%Y-%m-%d %H:%M UTC")
            );
            for row in &rows.first {
                let _ = writeln!(text, "  {}", row.join(" | "));
            }
            text.push_str(&counts(&rows.problems));
        }
        None if preview.problems.is_empty() => {
            text.push_str(
                "The rows can't be shown: PowerSchool has not been read yet, or it alone has these fields.\n",
            );
        }
        None => {}
    }
    text
}

fn counts(counts: &[ProblemCount]) -> String {
    counts.iter().fold(String::new(), |mut text, count| {
        let _ = writeln!(text, "{:>7}  {}", count.count, count.meaning);
        text
    })
}

/// The rows of an export that have to be looked at: a page of them.
pub fn problems(problems: &ExportProblems) -> String {
    if problems.total == 0 {
        return format!("Nothing in the last file of {} has to be looked at.\n", problems.job);
    }
    let mut text = counts(&problems.counts);
    for problem in &problems.rows {
        let row = problem.row.map_or_else(|| "no row".to_owned(), |row| format!("row {row}"));
        let _ = writeln!(text, "  {row}, number {}: {}", problem.number, problem.message);
    }
    let shown = problems.rows.len() as u64;
    if shown < problems.total {
        let _ = writeln!(text, "{} more: write all with --csv FILE.", problems.total - shown);
    }
    if problems.more_than_kept {
        text.push_str("There were more than are kept.\n");
    }
    text
}

/// What the server has, folder by folder.
pub fn remote_files(files: &RemoteFiles) -> String {
    let mut text = String::new();
    for folder in &files.folders {
        let name = if folder.folder.is_empty() { "the folder the account starts in" } else { &folder.folder };
        let _ = writeln!(text, "{name}");
        if let Some(cause) = &folder.unread {
            let _ = writeln!(text, "  {} [{}]\n  {}", cause.message, cause.code, cause.remedy);
        } else if folder.files.is_empty() {
            text.push_str("  no files\n");
        }
        for file in &folder.files {
            let modified =
                file.modified.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M UTC").to_string());
            let job = file.job.map_or_else(String::new, |job| job.to_string());
            let is = match file.is {
                RemoteFileKind::Export | RemoteFileKind::Import => job,
                RemoteFileKind::WrongFolder => {
                    format!("{job}, in the wrong folder: Hero takes files from imports only")
                }
                RemoteFileKind::Unfinished => "left by a transfer that is not finished".to_owned(),
                RemoteFileKind::Other => "another file, never imported".to_owned(),
            };
            let _ = writeln!(text, "  {:<32} {:>10}  {modified:<20}  {is}", file.name, file.bytes);
        }
    }
    text
}
