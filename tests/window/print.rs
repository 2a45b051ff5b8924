//! The sheet of what to enter in PowerSchool on paper: through the system's own print dialog to a PDF.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{driver::PATIENCE, support::Window};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_sheet_comes_out_of_the_print_dialog() {
    let window = Window::open().await;
    window.click("welcome-practice").await;
    window.find("field-url").await;
    window.click("step-hero").await;
    // One exchange that there is something to enter for.
    window.click("hero-schedule-owner-power_school").await;
    window.click("hand-over-do").await;
    window.until("hero-schedule-owner-power_school", "data-state", "checked").await;
    window.click("sheet-open").await;
    window.click("screen-schedule").await;
    window.click("tick-schedule/path").await;
    window.until("tick-schedule/path", "aria-checked", "true").await;
    window.click("sheet-print").await;
    let printed = print_to_file(&window).await;
    window.picture("printed").await;

    let sheet = window.command_line(&["hero", "sheet"]);
    let mut rest = printed.as_str();
    let mut rows = 0_usize;
    for screen in sheet["data"]["screens"].as_array().unwrap() {
        rest = after(rest, screen["title"].as_str().unwrap(), &printed);
        for row in screen["rows"].as_array().unwrap() {
            rest = after(rest, row["label"].as_str().unwrap(), &printed);
            rest = entered(&row["entry"]).iter().fold(rest, |rest, value| after(rest, value, &printed));
            rows += 1;
        }
    }
    assert_eq!(printed.matches('☑').count(), 1);
    assert_eq!(printed.matches('☐').count() + 1, rows);
    window.close().await;
}

/// What stands on the paper in a row's second column; none where it says how a box or field is left.
fn entered(entry: &Value) -> Vec<&str> {
    match entry["kind"].as_str().unwrap() {
        "text" | "choose" => vec![entry["value"].as_str().unwrap()],
        "lines" => entry["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect(),
        "own" => vec![entry["what"].as_str().unwrap()],
        _ => Vec::new(),
    }
}

/// What follows these words on the paper, which has to hold them.
#[track_caller]
fn after<'a>(rest: &'a str, words: &str, all: &str) -> &'a str {
    let words = letters(words);
    let Some(at) = rest.find(&words) else { panic!("{words} is missing, or not in its place:\n{all}") };
    &rest[at + words.len()..]
}

/// Letters, digits and boxes alone: lines break elsewhere on paper, and a font has marks that no text knows.
fn letters(text: &str) -> String {
    text.chars().filter(|&character| character.is_alphanumeric() || "☑☐".contains(character)).collect()
}

/// Chooses the printer that writes files, prints, and reads what was printed.
async fn print_to_file(window: &Window) -> String {
    let started = Instant::now();
    loop {
        if let Some(text) = printed(window) {
            return letters(&text);
        }
        if let Some(dialog) = dialog() {
            // The list of printers has the keyboard, and a printer is taken by Enter.
            let keys = ["windowfocus", "--sync", &dialog, "key", "Down", "Return"];
            let _ = Command::new("xdotool").args(keys).status().expect("xdotool starts");
        }
        assert!(started.elapsed() < PATIENCE, "nothing was printed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The window of the system's print dialog, once it is there.
fn dialog() -> Option<String> {
    let search = ["search", "--onlyvisible", "--name", "^Print$"];
    let found = Command::new("xdotool").args(search).output().expect("xdotool starts");
    String::from_utf8(found.stdout).unwrap().lines().next().map(str::to_owned)
}

/// The text of the PDF among the person's documents, once it is whole.
fn printed(window: &Window) -> Option<String> {
    let files = fs::read_dir(window.documents()).unwrap();
    let pdf = files
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "pdf"))?;
    let text = Command::new("pdftotext")
        .arg("-raw")
        .arg(pdf)
        .arg("-")
        .output()
        .expect("pdftotext (poppler-utils) starts");
    (text.status.success() && !text.stdout.is_empty()).then(|| String::from_utf8(text.stdout).unwrap())
}
