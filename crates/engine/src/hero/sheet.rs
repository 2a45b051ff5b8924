//! What to enter in PowerSchool and at Hero: every field of every form, in the forms' order.

mod forms;

use std::collections::BTreeSet;

use rosterbridge_domain::{
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    settings::{HeroAccount, Setup},
};
use sha2::{Digest, Sha256};

use self::forms::Forms;
use super::schools::too_many_schools;
use crate::{
    connections::{address, managed},
    engine::Engine,
    error::EngineError,
    report::{Sheet, SheetEntry, SheetRow},
};

impl Engine {
    /// What to enter in PowerSchool and at Hero for an account.
    pub async fn sheet(&self, account: AccountId) -> Result<Sheet, EngineError> {
        let setup = self.setup().await?;
        self.sheet_of(&setup, account).await
    }

    /// Ticks a row of the sheet, or takes its tick away.
    pub async fn tick_sheet(&self, account: AccountId, row: &str, on: bool) -> Result<Sheet, EngineError> {
        let _saving = self.saving_setup.lock().await;
        let mut setup = self.setup().await?;
        let sheet = self.sheet_of(&setup, account).await?;
        let mut rows = sheet.screens.iter().flat_map(|screen| &screen.rows);
        let row =
            rows.find(|known| known.key == row).ok_or_else(|| EngineError::NoSuchRow(row.to_owned()))?;
        let accounts = setup.hero.accounts.iter_mut();
        for kept in accounts.filter(|kept| kept.id == account) {
            kept.ticked.retain(|tick| tick.split_once(' ').map_or(tick.as_str(), |(key, _)| key) != row.key);
            if on {
                kept.ticked.insert(tick(&row.key, &row.entry));
            }
        }
        let kept = setup.clone();
        self.ledger(move |ledger| ledger.save_setup(&kept)).await?;
        self.sheet_of(&setup, account).await
    }

    async fn sheet_of(&self, setup: &Setup, account: AccountId) -> Result<Sheet, EngineError> {
        let job = JobId::new(Job::HeroStudents, account);
        let account = setup.hero.account(account).ok_or(EngineError::NoSuchJob(job))?;
        let pinned = match managed(setup, account.connection).and_then(address) {
            Ok(address) => self.pinned_host_keys(&address).await?,
            // Nothing was accepted for an address that is none.
            Err(_) => Vec::new(),
        };
        let accepted: Vec<String> = pinned.into_iter().map(|key| key.sha256).collect();
        let known = self.known_schools().await?;
        Ok(sheet(setup, account, &accepted, &known))
    }
}

/// The ticks are set by [`Engine::tick_sheet`] alone: whoever saves everything configured may have read it before.
pub(crate) fn keep_ticks(before: &Setup, setup: &mut Setup) {
    for account in &mut setup.hero.accounts {
        if let Some(kept) = before.hero.account(account.id) {
            account.ticked.clone_from(&kept.ticked);
        }
    }
}

/// The sheet of an account; `accepted` are the fingerprints of its server that were accepted here, `known` the district's
/// schools.
fn sheet(setup: &Setup, account: &HeroAccount, accepted: &[String], known: &[SchoolNumber]) -> Sheet {
    let mut screens = Forms::of(setup, account).screens(accepted);
    if let Some(note) = too_many_schools(&setup.hero, account, known) {
        // Where the students are sent, and where the account is made.
        for screen in
            screens.iter_mut().filter(|screen| ["students", "hero-side"].contains(&screen.key.as_str()))
        {
            screen.notes.push(note.clone());
        }
    }
    for row in screens.iter_mut().flat_map(|screen| &mut screen.rows) {
        set_tick(row, &account.ticked);
    }
    let rows = || screens.iter().filter(|screen| screen.needed).flat_map(|screen| &screen.rows);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (all, ticked) = (number(rows().count()), number(rows().filter(|row| row.ticked).count()));
    Sheet { account: account.id, account_name: account.name.clone(), rows: all, ticked, screens }
}

/// A tick as it is kept: the row's key with a digest of what was to be entered, so that one of something else does not
/// pass for done.
fn tick(key: &str, entry: &SheetEntry) -> String {
    let digest = Sha256::digest(serde_json::to_vec(entry).unwrap_or_default());
    format!("{key} {}", hex::encode(&digest[..4]))
}

fn set_tick(row: &mut SheetRow, ticked: &BTreeSet<String>) {
    row.ticked = ticked.contains(&tick(&row.key, &row.entry));
    let before = format!("{} ", row.key);
    row.changed = !row.ticked && ticked.iter().any(|tick| tick.starts_with(&before));
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use rosterbridge_domain::settings::{
        AccountLevel, CharacterSet, ExportKind, FieldDelimiter, LongValues, Owner,
    };
    use rstest::rstest;

    use super::*;
    use crate::report::{SheetScreen, SheetSide};

    /// An account whose files PowerSchool sends and imports.
    fn by_powerschool() -> Setup {
        let mut setup = Setup::default();
        let account = &mut setup.hero.accounts[0];
        for export in [&mut account.students, &mut account.schedule, &mut account.teachers] {
            export.owner = Owner::PowerSchool;
        }
        account.attendance.owner = Owner::PowerSchool;
        setup
    }

    fn sheet_of(setup: &Setup) -> Sheet {
        sheet(setup, &setup.hero.accounts[0], &[], &[])
    }

    fn entry(sheet: &Sheet, key: &str) -> SheetEntry {
        let mut rows = sheet.screens.iter().flat_map(|screen| &screen.rows);
        rows.find(|row| row.key == key).unwrap().entry.clone()
    }

    fn shown(screen: &SheetScreen) -> String {
        let mut text = format!("{} [{}]\n", screen.title, screen.key);
        for step in &screen.way {
            let _ = writeln!(text, "> {step}");
        }
        for row in &screen.rows {
            let entry = match &row.entry {
                SheetEntry::Text { value } => value.clone(),
                SheetEntry::Lines { lines } => lines.join("\n    "),
                SheetEntry::Choose { value } => format!("choose {value}"),
                SheetEntry::Check => "check".to_owned(),
                SheetEntry::LeaveUnchecked => "leave unchecked".to_owned(),
                SheetEntry::LeaveBlank => "leave blank".to_owned(),
                SheetEntry::Own { what } => format!("({what})"),
            };
            let _ = write!(text, "| {} | {entry} | {} |", row.label, row.comment);
            if !row.note.is_empty() {
                let _ = write!(text, " {}", row.note);
            }
            text.push('\n');
        }
        for step in &screen.then {
            let _ = writeln!(text, "> {step}");
        }
        for note in &screen.notes {
            let _ = writeln!(text, "! {note}");
        }
        text
    }

    #[test]
    fn every_field_of_every_form_is_there_in_its_order() {
        let sheet = sheet_of(&by_powerschool());
        let shown: Vec<String> = sheet.screens.iter().map(shown).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn keys_are_unique_and_every_screen_has_its_rows() {
        let sheet = sheet_of(&by_powerschool());
        let rows: Vec<usize> = sheet.screens.iter().map(|screen| screen.rows.len()).collect();
        // Create Connection, AutoSend three times, AutoComm, and Hero's own settings.
        assert_eq!(rows[..5], [10, 18, 18, 18, 19]);
        let keys: BTreeSet<&str> =
            sheet.screens.iter().flat_map(|screen| &screen.rows).map(|row| row.key.as_str()).collect();
        assert_eq!(keys.len(), rows.iter().sum::<usize>());
        assert_eq!(sheet.rows as usize, keys.len());
        assert_eq!(sheet.ticked, 0);
    }

    #[test]
    fn what_rosterbridge_does_is_not_to_be_entered() {
        let mut setup = by_powerschool();
        setup.hero.accounts[0].schedule.owner = Owner::RosterBridge;
        let sheet = sheet_of(&setup);
        let needed: Vec<(&str, bool)> =
            sheet.screens.iter().map(|screen| (screen.key.as_str(), screen.needed)).collect();
        assert_eq!(
            needed,
            [
                ("connection", true),
                ("students", true),
                ("schedule", false),
                ("teachers", true),
                ("attendance", true),
                ("hero-side", true)
            ]
        );
        assert_eq!(entry(&sheet, "students/off"), SheetEntry::LeaveUnchecked);
        // A record that is there would send, too.
        assert_eq!(entry(&sheet, "schedule/off"), SheetEntry::Check);
        // Nothing of PowerSchool's is needed for an account that RosterBridge looks after alone.
        let sheet = sheet_of(&Setup::default());
        let needed = sheet.screens.iter().filter(|screen| screen.needed);
        assert!(needed.clone().all(|screen| screen.at == SheetSide::Hero) && needed.count() == 1);
    }

    #[test]
    fn the_settings_are_what_is_entered() {
        let mut setup = by_powerschool();
        setup.connections[0].name = "Our Hero".to_owned();
        setup.connections[0].host = "sftp://files.example.org".to_owned();
        setup.connections[0].username = "SCH-100".to_owned();
        setup.connections[0].allow_upload = false;
        let account = &mut setup.hero.accounts[0];
        account.level = AccountLevel::Group;
        account.students.name = "Students to Hero".to_owned();
        account.students.field_delimiter = FieldDelimiter::Comma;
        account.students.header = true;
        account.students.email = vec!["it@example.org".to_owned(), "office@example.org".to_owned()];
        account.attendance.character_set = CharacterSet::MacRoman;
        account.attendance.update_existing = false;
        let sheet = sheet_of(&setup);
        let text = |value: &str| SheetEntry::Text { value: value.to_owned() };
        let choose = |value: &str| SheetEntry::Choose { value: value.to_owned() };
        for (key, expected) in [
            ("connection/name", text("Our Hero")),
            ("connection/host", text("sftp://files.example.org")),
            ("connection/username", text("SCH-100")),
            ("connection/allow-upload", SheetEntry::LeaveUnchecked),
            ("students/name", text("Students to Hero")),
            ("students/destination", choose("MANAGED CONNECTION Our Hero")),
            ("students/field-delimiter", choose("Comma")),
            ("students/header", SheetEntry::Check),
            ("students/email", text("it@example.org,office@example.org")),
            ("attendance/destination", choose("MANAGED CONNECTION Our Hero")),
            ("attendance/character-set", choose("Mac Roman")),
            ("attendance/update-existing", SheetEntry::LeaveUnchecked),
            ("hero-side/account", choose("Group")),
            ("hero-side/students-header", SheetEntry::Check),
        ] {
            assert_eq!(entry(&sheet, key), expected, "{key}");
        }
        // A group's student file begins with the school.
        let SheetEntry::Lines { lines } = entry(&sheet, "students/fields") else { panic!() };
        assert_eq!((lines.len(), lines[0].as_str()), (13, "SchoolID"));
    }

    #[rstest]
    #[case::on_the_hour("03:00", true)]
    #[case::ten_past("03:10", false)]
    fn minutes_00_are_advised_against(#[case] time: &str, #[case] told: bool) {
        let mut setup = by_powerschool();
        let job = setup.jobs.iter_mut().find(|job| job.job == JobId::HERO_STUDENTS).unwrap();
        let schedule = job.schedule.as_mut().unwrap();
        schedule.when = rosterbridge_domain::schedule::When::At {
            days: rosterbridge_domain::schedule::Weekdays::SCHOOL_WEEK,
            time: time.parse().unwrap(),
        };
        let sheet = sheet_of(&setup);
        let row = sheet.screens[1].rows.iter().find(|row| row.key == "students/time").unwrap();
        assert_eq!(row.note.contains("on the hour"), told, "{}", row.note);
    }

    #[rstest]
    #[case::fixed("imports/STUDENT.TXT", "export/ATTENDANCE.txt", false)]
    #[case::dated("imports/STUDENT_%Y%m%d.TXT", "export/ATTENDANCE_%Y.txt", true)]
    fn a_date_in_a_path_is_rosterbridges_alone(
        #[case] export: &str,
        #[case] import: &str,
        #[case] told: bool,
    ) {
        let mut setup = by_powerschool();
        export.clone_into(&mut setup.hero.accounts[0].students.path);
        import.clone_into(&mut setup.hero.accounts[0].attendance.path);
        let sheet = sheet_of(&setup);
        for key in ["students/path", "attendance/path", "hero-side/students-file", "hero-side/export-file"] {
            let mut rows = sheet.screens.iter().flat_map(|screen| &screen.rows);
            let row = rows.find(|row| row.key == key).unwrap();
            assert_eq!(row.note.contains("%Y"), told, "{key}: {}", row.note);
        }
    }

    #[test]
    fn a_job_without_a_time_gets_the_persons_own() {
        let mut setup = by_powerschool();
        setup.jobs.clear();
        let sheet = sheet_of(&setup);
        for kind in ExportKind::ALL {
            let job = kind.job().as_str().trim_start_matches("hero-").to_owned();
            assert!(matches!(entry(&sheet, &format!("{job}/time")), SheetEntry::Own { .. }));
            assert_eq!(entry(&sheet, &format!("{job}/days")), SheetEntry::Text { value: "MTWHF".to_owned() });
        }
    }

    #[test]
    fn what_only_rosterbridge_does_is_told_where_powerschool_sends() {
        let mut setup = by_powerschool();
        let notes = |setup: &Setup| sheet_of(setup).screens[2].notes.clone();
        let before = notes(&setup).len();
        let schedule = &mut setup.hero.accounts[0].schedule;
        schedule.only_current_terms = true;
        schedule.long_values = LongValues::Shorten;
        let notes = notes(&setup);
        assert_eq!(notes.len(), before + 1, "{notes:?}");
        assert!(notes.last().unwrap().contains("terms") && notes.last().unwrap().contains("long"));
    }

    #[test]
    fn a_tick_is_of_what_was_to_be_entered() {
        let mut setup = by_powerschool();
        let before = sheet_of(&setup);
        let name = &before.screens[1].rows[0];
        setup.hero.accounts[0].ticked.insert(tick(&name.key, &name.entry));
        let of = |setup: &Setup| {
            let sheet = sheet_of(setup);
            (sheet.ticked, sheet.screens[1].rows[0].ticked, sheet.screens[1].rows[0].changed)
        };
        assert_eq!(of(&setup), (1, true, false));
        setup.hero.accounts[0].students.name = "Another".to_owned();
        assert_eq!(of(&setup), (0, false, true));
        let mut saved = setup.clone();
        saved.hero.accounts[0].ticked.clear();
        keep_ticks(&setup, &mut saved);
        assert_eq!(saved, setup);
    }

    #[test]
    fn an_account_of_one_school_that_takes_several_is_told_so() {
        let setup = by_powerschool();
        let told = |known: &[i64]| {
            let known: Vec<_> = known.iter().copied().map(SchoolNumber::new).collect();
            let sheet = sheet(&setup, &setup.hero.accounts[0], &[], &known);
            let about = |screen: &&SheetScreen| screen.notes.iter().any(|note| note.contains("Group-level"));
            sheet.screens.iter().filter(about).map(|screen| screen.key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(told(&[100, 200]), ["students", "hero-side"]);
        assert_eq!(told(&[100]), [] as [&str; 0]);
    }

    #[test]
    fn what_stands_in_powerschool_is_shown_and_a_tick_that_harms_is_told() {
        let mut setup = by_powerschool();
        let account = &mut setup.hero.accounts[0];
        let fields = &mut account.teachers.in_powerschool;
        fields.sort_order = "Last_Name".to_owned();
        fields.upload_type = true;
        fields.attendance = "Send all Attendance".to_owned();
        fields.duplicate.all_schools = true;
        let fields = &mut account.attendance.in_powerschool;
        fields.synchronize = true;
        fields.mark_students = true;
        fields.duplicate.district_office = true;
        let sheet = sheet_of(&setup);
        let mut noted = Vec::new();
        for (key, expected) in [
            ("teachers/sort-order", SheetEntry::Text { value: "Last_Name".to_owned() }),
            ("teachers/upload-type", SheetEntry::Check),
            ("teachers/attendance", SheetEntry::Choose { value: "Send all Attendance".to_owned() }),
            ("teachers/all-schools", SheetEntry::Check),
            ("teachers/district-office", SheetEntry::LeaveUnchecked),
            ("students/all-schools", SheetEntry::LeaveUnchecked),
            ("attendance/sort-order", SheetEntry::LeaveBlank),
            // These are never to be entered.
            ("attendance/synchronize", SheetEntry::LeaveUnchecked),
            ("attendance/mark-students", SheetEntry::LeaveUnchecked),
            ("attendance/district-office", SheetEntry::Check),
        ] {
            assert_eq!(entry(&sheet, key), expected, "{key}");
            let mut rows = sheet.screens.iter().flat_map(|screen| &screen.rows);
            noted.extend(rows.find(|row| row.key == key && row.note.contains("procedure")).map(|_| key));
        }
        assert_eq!(
            noted,
            [
                "teachers/sort-order",
                "teachers/upload-type",
                "teachers/attendance",
                "teachers/all-schools",
                "attendance/synchronize",
                "attendance/mark-students",
                "attendance/district-office"
            ]
        );
        let import = sheet.screens.iter().find(|screen| screen.key == "attendance").unwrap();
        let warned = import.notes.iter().filter(|note| note.contains("Take the tick off")).count();
        assert_eq!(warned, 2, "{:?}", import.notes);
    }

    #[test]
    fn the_accepted_fingerprint_stands_beside_the_connection() {
        let setup = by_powerschool();
        let sheet = sheet(&setup, &setup.hero.accounts[0], &["SHA256:abc".to_owned()], &[]);
        assert!(sheet.screens[0].notes.iter().any(|note| note.contains("SHA256:abc")));
    }
}
