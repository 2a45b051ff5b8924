//! What the shell says outside the page: beside the clock, in the menu bar, in its own questions and notifications.
//!
//! These texts stand in the window's catalogues with all the others, so that they are translated in one place. The page
//! hands them over when it opens, in the language it speaks, with its habits of writing times. They are kept beside the
//! profiles: an app that starts without its window speaks that language too. English is built in, for what was never
//! handed over.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Datelike, Local, Timelike};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tauri::{AppHandle, Manager, State};
use tempfile::NamedTempFile;

use crate::{app_menu, desk::Desk, start::Start, tray, window};

/// They are kept here, beside the profiles.
const FILE: &str = "shell-words.json";

/// The most one of them may have, in characters: what a menu or a dialog can show.
const LONGEST: usize = 200;

/// Every text, by the name it has in `ui/src/shell/words.ts`. What stands in braces is filled in here: a text keeps what it
/// has of that in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Words {
    // Times.
    pub today: String,
    pub tomorrow: String,
    /// A day to come that is neither, with the time.
    pub day: String,
    pub time: String,
    /// In short, from Monday.
    pub weekdays: [String; 7],
    /// In short.
    pub months: [String; 12],
    /// Before noon, and after it.
    pub halves: [String; 2],

    // Beside the clock.
    pub running: String,
    pub other_sender: String,
    pub paused: String,
    pub paused_until: String,
    pub next_run: String,
    pub no_run: String,
    pub none_held: String,
    pub one_held: String,
    pub held: String,
    pub open: String,
    pub run: String,
    pub pause: String,
    pub resume: String,
    pub settings: String,
    pub quit: String,

    // When the window is closed, and before the app is quit.
    pub still_running: String,
    pub still_running_about: String,
    pub quit_question: String,
    pub quit_answer: String,
    pub cancel: String,
    pub keep: String,
    pub goes_on: String,
    pub run_ends: String,
    pub schedule_ends: String,
    pub next_due: String,
    pub nothing_stops: String,
    pub all_stops: String,

    // In the window's title.
    pub practice: String,

    // In the menu bar.
    pub about_app: String,
    pub services: String,
    pub hide_app: String,
    pub hide_others: String,
    pub quit_app: String,
    pub file: String,
    pub close_window: String,
    pub edit: String,
    pub undo: String,
    pub redo: String,
    pub cut: String,
    pub copy: String,
    pub paste: String,
    pub select_all: String,
    pub view: String,
    pub full_screen: String,
    pub window: String,
    pub minimize: String,
    pub zoom: String,
    pub help: String,
}

impl Default for Words {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            today: text("today, {time}"),
            tomorrow: text("tomorrow, {time}"),
            day: text("{weekday}, {month} {day}, {time}"),
            time: text("{hour}:{minute} {half}"),
            weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(text),
            months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
                .map(text),
            halves: ["AM", "PM"].map(text),

            running: text("Running now"),
            other_sender: text("Another sender is active: open RosterBridge"),
            paused: text("Scheduled runs are paused"),
            paused_until: text("Paused until {when}"),
            next_run: text("Next run: {when}"),
            no_run: text("No run is planned"),
            none_held: text("No held records"),
            one_held: text("1 held record…"),
            held: text("{held} held records…"),
            open: text("Open RosterBridge"),
            run: text("Run now"),
            pause: text("Pause scheduled runs"),
            resume: text("Resume scheduled runs"),
            settings: text("Settings…"),
            quit: text("Quit…"),

            still_running: text("RosterBridge is still running"),
            still_running_about: text(
                "Scheduled exchanges go on. Open or quit it with its icon beside the clock.",
            ),
            quit_question: text("Quit RosterBridge?"),
            quit_answer: text("Quit"),
            cancel: text("Cancel"),
            keep: text("Keep it running"),
            goes_on: text("Scheduled exchanges go on: another RosterBridge process runs them."),
            run_ends: text("A run is under way. It is cancelled; the next run takes up what is left."),
            schedule_ends: text("Nothing is exchanged on schedule until RosterBridge is started again."),
            next_due: text("The next run is due {when}."),
            nothing_stops: text("Nothing is scheduled, so nothing stops."),
            all_stops: text("RosterBridge is at work. Nothing is exchanged until it is started again."),

            practice: text("Practice district"),

            about_app: text("About RosterBridge"),
            services: text("Services"),
            hide_app: text("Hide RosterBridge"),
            hide_others: text("Hide Others"),
            quit_app: text("Quit RosterBridge"),
            file: text("File"),
            close_window: text("Close Window"),
            edit: text("Edit"),
            undo: text("Undo"),
            redo: text("Redo"),
            cut: text("Cut"),
            copy: text("Copy"),
            paste: text("Paste"),
            select_all: text("Select All"),
            view: text("View"),
            full_screen: text("Full Screen"),
            window: text("Window"),
            minimize: text("Minimize"),
            zoom: text("Zoom"),
            help: text("Help"),
        }
    }
}

impl Words {
    /// Whether each of them can be shown, and has the places to fill in that it has in English.
    fn fit(&self) -> bool {
        match (serde_json::to_value(self), serde_json::to_value(Self::default())) {
            (Ok(given), Ok(english)) => fits(&given, &english),
            _ => false,
        }
    }

    /// A time to come, by this computer's clock, as the window tells it: `today, 4:00 PM`, `Mon, Nov 30, 3:10 AM`.
    pub fn moment(&self, then: DateTime<Local>, now: DateTime<Local>) -> String {
        let (afternoon, hour) = then.hour12();
        let time = self
            .time
            .replace("{hour}", &hour.to_string())
            .replace("{minute}", &format!("{:02}", then.minute()))
            .replace("{half}", &self.halves[usize::from(afternoon)]);
        let day = match then.date_naive().signed_duration_since(now.date_naive()).num_days() {
            // One that is past is due now.
            ..=0 => self.today.clone(),
            1 => self.tomorrow.clone(),
            2.. => self
                .day
                .replace("{weekday}", &self.weekdays[then.weekday() as usize])
                .replace("{month}", &self.months[then.month0() as usize])
                .replace("{day}", &then.day().to_string()),
        };
        day.replace("{time}", &time)
    }
}

/// Texts that can be shown in the place of others.
fn fits(given: &Value, english: &Value) -> bool {
    match (given, english) {
        (Value::String(given), Value::String(english)) => {
            !given.trim().is_empty()
                && given.chars().count() <= LONGEST
                && !given.contains(char::is_control)
                && places(given) == places(english)
        }
        (Value::Array(given), Value::Array(english)) => {
            given.iter().zip(english).all(|(given, english)| fits(given, english))
        }
        (Value::Object(given), Value::Object(english)) => {
            given.iter().all(|(name, given)| english.get(name).is_some_and(|english| fits(given, english)))
        }
        _ => false,
    }
}

/// What is filled in, in any order: `{hour}`, `{minute}`.
fn places(text: &str) -> Vec<&str> {
    let mut places: Vec<&str> =
        text.split('{').skip(1).map(|rest| rest.split_once('}').map_or("", |(place, _)| place)).collect();
    places.sort_unstable();
    places
}

/// The words in use, shared by the whole shell.
#[derive(Debug)]
pub struct Spoken {
    words: RwLock<Arc<Words>>,
    /// Where they are kept; `None` on a computer without a home.
    file: Option<PathBuf>,
}

impl Spoken {
    /// Those that were kept by an earlier start. Ones that can't be read or shown count as none.
    pub fn kept(start: &Start) -> Self {
        let file = start.home.as_deref().map(|home| home.join(FILE));
        let words = file.as_deref().and_then(read).unwrap_or_default();
        Self { words: RwLock::new(Arc::new(words)), file }
    }

    /// The words as they are now.
    pub fn words(&self) -> Arc<Words> {
        Arc::clone(&self.words.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses and keeps these from now on. Whether they are others than before.
    fn turn(&self, words: Words) -> bool {
        if *self.words() == words {
            return false;
        }
        if let Some(file) = &self.file
            && let Err(error) = keep(file, &words)
        {
            tracing::warn!(%error, "the next start speaks another language until its window is open");
        }
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(words);
        true
    }
}

fn read(file: &Path) -> Option<Words> {
    let words: Words = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    words.fit().then_some(words)
}

/// Whole or not at all, for its owner only.
fn keep(file: &Path, words: &Words) -> io::Result<()> {
    let home = file.parent().unwrap_or(file);
    fs::create_dir_all(home)?;
    let mut whole = NamedTempFile::new_in(home)?;
    whole.write_all(&serde_json::to_vec(words)?)?;
    whole.persist(file)?;
    Ok(())
}

/// The words of the app.
pub fn of(app: &AppHandle) -> Arc<Words> {
    app.state::<Spoken>().words()
}

/// Speaks as the page does from now on.
#[tauri::command]
pub async fn speak(
    app: AppHandle,
    spoken: State<'_, Spoken>,
    desk: State<'_, Desk>,
    words: Words,
) -> Result<(), &'static str> {
    if !words.fit() {
        return Err("these are no words for menus");
    }
    if spoken.turn(words) {
        window::on_main_thread(&app, |app| {
            tray::reword(app);
            app_menu::reword(app);
        });
        desk.entitle().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use rosterbridge_api::domain::held::HoldReason;
    use serde_json::json;

    use super::*;

    /// As the page hands them over in Spanish, some of them.
    fn spanish() -> Words {
        let given = json!({
            "today": "hoy, {time}",
            "day": "{weekday}, {day} {month}, {time}",
            "weekdays": ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
            "months": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"],
            "halves": ["a.\u{a0}m.", "p.\u{a0}m."],
            "practice": "Distrito de práctica",
        });
        serde_json::from_value(given).unwrap()
    }

    fn start(home: &Path) -> Start {
        Start::new(["--home".into(), home.as_os_str().to_owned()], None)
    }

    #[test]
    fn a_time_to_come_is_told_by_how_far_it_is() {
        let at = |day, hour, minute| Local.with_ymd_and_hms(2026, 11, day, hour, minute, 0).unwrap();
        let now = at(20, 15, 0);
        for (then, english, in_spanish) in [
            (at(20, 14, 59), "today, 2:59 PM", "hoy, 2:59 p.\u{a0}m."),
            (at(20, 16, 0), "today, 4:00 PM", "hoy, 4:00 p.\u{a0}m."),
            (at(21, 3, 10), "tomorrow, 3:10 AM", "tomorrow, 3:10 a.\u{a0}m."),
            (at(23, 0, 5), "Mon, Nov 23, 12:05 AM", "lun, 23 nov, 12:05 a.\u{a0}m."),
            (at(29, 12, 5), "Sun, Nov 29, 12:05 PM", "dom, 29 nov, 12:05 p.\u{a0}m."),
        ] {
            assert_eq!(Words::default().moment(then, now), english);
            assert_eq!(spanish().moment(then, now), in_spanish);
        }
    }

    #[test]
    fn what_was_handed_over_is_spoken_by_the_next_start() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().join("not there yet");
        let spoken = Spoken::kept(&start(&home));
        assert_eq!(*spoken.words(), Words::default());
        assert!(spoken.turn(spanish()));
        assert!(!spoken.turn(spanish()), "the same words change nothing");
        assert_eq!(*spoken.words(), spanish());
        assert_eq!(*Spoken::kept(&start(&home)).words(), spanish());
        assert!(spoken.turn(Words::default()));
        assert_eq!(*Spoken::kept(&start(&home)).words(), Words::default());
    }

    #[test]
    fn what_can_not_be_shown_is_neither_taken_nor_read() {
        let home = tempfile::tempdir().unwrap();
        let with = |name: &str, text: &str| -> Result<Words, serde_json::Error> {
            serde_json::from_value(json!({ name: text }))
        };
        assert!(Words::default().fit() && spanish().fit());
        assert!(with("quit", &"x".repeat(LONGEST)).unwrap().fit());
        for (name, text) in [
            ("quit", ""),
            ("quit", " "),
            ("quit", "Quit\nnow"),
            ("quit", "Quit {when}"),
            ("quit", &"x".repeat(LONGEST + 1)),
            ("pausedUntil", "Paused"),
            ("pausedUntil", "Paused until {then}"),
            ("day", "{weekday}, {day} {time}"),
        ] {
            let words = with(name, text).unwrap();
            assert!(!words.fit(), "{name}: {text}");
            keep(&home.path().join(FILE), &words).unwrap();
            assert_eq!(*Spoken::kept(&start(home.path())).words(), Words::default(), "{name}: {text}");
        }
        assert!(with("unknown", "x").is_err());
        fs::write(home.path().join(FILE), "{\"quit\":").unwrap();
        assert_eq!(*Spoken::kept(&start(home.path())).words(), Words::default());
    }

    /// What is built in is what the page would hand over in English, text by text.
    #[test]
    fn english_is_what_the_catalogue_has() {
        let source = include_str!("../ui/src/shell/words.ts");
        let mut said: Vec<(String, String)> = source
            .lines()
            .filter_map(|line| {
                let (name, text) = line.trim().split_once(": say(")?;
                let text = text.trim_end_matches("),").trim_matches(['\'', '`']);
                Some((name.to_owned(), text.replace("${", "{").to_lowercase()))
            })
            .collect();
        let Ok(Value::Object(english)) = serde_json::to_value(Words::default()) else { panic!("no words") };
        let mut built_in: Vec<(String, String)> = english
            .into_iter()
            // The page has how times are written from its own dates.
            .filter(|(name, _)| !["day", "time", "weekdays", "months", "halves"].contains(&name.as_str()))
            .map(|(name, text)| (name, text.as_str().unwrap().to_lowercase()))
            .collect();
        said.sort_unstable();
        built_in.sort_unstable();
        assert_eq!(said, built_in);
    }

    /// The window says in its own languages why a row is held: in English it is what the command line says.
    #[test]
    fn the_window_tells_held_rows_as_the_engine_does() {
        let source = include_str!("../ui/src/held/reasons.ts").replace('’', "'");
        let source = source.split_whitespace().collect::<Vec<_>>().join(" ").replace("say( '", "say('");
        for reason in HoldReason::ALL {
            let said = format!("'{}': say('{}'", reason.code(), reason.sentence());
            assert!(source.contains(&said), "{said}");
        }
    }
}
