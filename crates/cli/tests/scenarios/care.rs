//! A damaged database, a full disk, a lost key and an erased district: nothing lost, nothing doubled, nothing left.

#[cfg(target_os = "linux")]
mod full_disk;
mod keychain;
mod undo;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

pub use self::keychain::{entries, identity, in_keychain};
use crate::{
    crash_care::{corrected, ledger, marked},
    raptor_tardies::{drop_file, take_from_server},
    support::{District, EXPORTS, Profile, crashed, until},
    tardy_order::Daily,
};

impl Profile {
    pub fn folder(&self) -> PathBuf {
        self.home().join("profiles/practice")
    }

    pub fn held(&self) -> Value {
        let mut held = self.run(&["held", "list"]).done().data()["rows"].clone();
        // Held by another run, and so at another time.
        for row in held.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|name, _| ["raw", "reason", "line"].contains(&name.as_str()));
        }
        held
    }
}

/// Somebody in the office changes the record that was made last; no code clears it.
pub fn correct_the_last_record(district: &District, code: Option<&str>) {
    let corrected = district
        .database()
        .execute(
            "UPDATE Attendance SET Attendance_CodeID = (SELECT ID FROM Attendance_Code c
                 WHERE c.SchoolID = Attendance.SchoolID AND c.YearID = Attendance.YearID AND c.Att_Code IS ?1)
              WHERE DCID = (SELECT MAX(DCID) FROM Attendance)",
            [code],
        )
        .unwrap();
    assert_eq!(corrected, 1);
}

/// The only row that is held, because its record may have been corrected.
#[track_caller]
pub fn held_as_corrected(profile: &Profile) -> Value {
    let held = profile.run(&["held", "list"]).done();
    let [row] = &held.data()["rows"].as_array().unwrap()[..] else { panic!("{}", held.stdout) };
    assert_eq!(row["code"], "held.corrected_in_powerschool");
    row.clone()
}

fn blank_the_last_record(district: &District) {
    correct_the_last_record(district, None);
}

/// What is said of a held row where nobody knows whether somebody corrected what was written.
const MAY_BE_CORRECTED: &str =
    "The ledger was restored from a backup: what PowerSchool has may be a correction.";

/// After a restoration a run waits so many seconds for what left before.
const ANSWER_SECONDS: u32 = 2;

/// Ways a ledger may be damaged.
fn cut_off(ledger: &Path) {
    File::options().write(true).open(ledger).unwrap().set_len(10_000).unwrap();
}

pub fn flipped(ledger: &Path) {
    let mut bytes = fs::read(ledger).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0xff;
    }
    fs::write(ledger, bytes).unwrap();
}

fn gone(ledger: &Path) {
    fs::remove_file(ledger).unwrap();
}

/// Of a day's files, the part that is there in the morning.
pub struct Day {
    export: PathBuf,
    pub lines: Vec<String>,
    pub tardies: Vec<String>,
}

impl Day {
    pub fn of(district: &District) -> Self {
        let lines = |path: &Path| -> Vec<String> {
            fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
        };
        let export = district.hero("export/ATTENDANCE.txt");
        let day = Self { lines: lines(&export), tardies: lines(&district.tardies()), export };
        fs::remove_file(district.tardies()).unwrap();
        day
    }

    /// Hero's export has its first `lines` rows, and further ones.
    pub fn export(&self, lines: usize, further: &str) {
        fs::write(&self.export, self.lines[..lines].concat() + further).unwrap();
    }

    /// Raptor drops a file with some of the day's tardies.
    pub fn drop_tardies(&self, district: &District, name: &str, rows: std::ops::Range<usize>) {
        let rows = self.tardies[1..][rows].concat();
        fs::write(district.raptor(name), format!("{}{rows}", self.tardies[0])).unwrap();
    }
}

#[rstest]
#[case::cut_off(cut_off, &[])]
#[case::flipped(flipped, &[])]
#[case::gone(gone, &[])]
#[case::where_a_double_write_adds_a_row(cut_off, &["--attendance", "insert"])]
fn after_a_restored_ledger_nothing_is_lost_and_nothing_doubled(
    #[case] damage: fn(&Path),
    #[case] options: &[&str],
) {
    let district = District::start(options);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    // Each of Hero's three files makes Hero write its own anew, so they are sent once only.
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let sync = ["sync", "hero-attendance", "raptor-tardies"];
    let day = Day::of(&district);
    let (rows, tardies) = (day.lines.len(), day.tardies.len() - 1);
    assert!(rows > 20 && tardies >= 6, "{rows} {tardies}");

    // In the morning.
    day.export(rows / 2, "");
    day.drop_tardies(&district, "tardies-morning.csv", 0..tardies / 2);
    profile.run(&sync).done();
    profile.run(&["backup", "now"]).done();
    let backed_up = district.audit().len();

    // Later that day; a student nobody knows is held.
    let unknown = day.lines[0].replacen(day.lines[0].split('\t').nth(1).unwrap(), "99999999", 1);
    day.export(rows - 3, &unknown);
    day.drop_tardies(&district, "tardies-noon.csv", tardies / 2..tardies - 2);
    // The first of them has to be recorded again by the restored ledger, with the file where it is.
    profile.run(&sync).ended(3, "sync.held_rows");
    let written = district.audit();
    assert!(written.len() > backed_up + 10);
    let held = profile.held();
    assert_eq!(held.as_array().unwrap().len(), 1);
    assert!(district.raptor("processed/tardies-noon.csv").exists());

    damage(&profile.folder().join("ledger.db"));
    // A dry run says that it can't know all.
    let dry = profile.run(&[sync.as_slice(), &["--dry-run"]].concat());
    assert_eq!(dry.data()["dry_run"], true, "{}", dry.stdout);
    let again = profile.run(&sync).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written twice");
    assert_eq!(profile.held(), held, "what was held is held again");
    let notes = again.job("hero-attendance")["notes"].to_string();
    assert!(notes.contains("restored from a backup"), "{notes}");
    let mails: String = fs::read_dir(district.data().join("mail"))
        .unwrap()
        .map(|mail| String::from_utf8_lossy(&fs::read(mail.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert_eq!(mails.matches("Subject: RosterBridge (practice): The ledger was restored").count(), 1);

    // The end of the day: what is new is written, and what we wrote may be corrected by its source.
    let last = &day.lines[rows - 4];
    let fields: Vec<&str> = last.trim_end().split('\t').collect();
    let mut corrected = fields.clone();
    corrected[5] = if fields[5] == "T" { "A" } else { "T" };
    day.export(rows - 4, &format!("{}\n{}", corrected.join("\t"), day.lines[rows - 3..].concat()));
    day.drop_tardies(&district, "tardies-evening.csv", tardies - 2..tardies);
    profile.run(&sync).done();
    let all = district.audit();
    assert_eq!(all.len(), written.len() + 1 + 3 + 2, "a correction, three rows, two tardies");

    // And the very same again changes nothing.
    let notes = profile.run(&sync).done().job("hero-attendance")["notes"].to_string();
    assert!(!notes.contains("restored"), "{notes}");
    assert_eq!(district.audit(), all);
    assert_eq!(profile.held(), held);
}

/// A source that is switched off when the ledger is restored is read again when it is switched on, and holds up nobody.
#[rstest]
fn a_source_that_is_switched_off_stays_to_be_read_again(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let (rows, tardies) = (day.lines.len(), day.tardies.len() - 1);
    let switch = |on: bool| {
        profile.change_setup(|setup| {
            let jobs = setup["jobs"].as_array_mut().unwrap();
            jobs.iter_mut().find(|job| job["job"] == "raptor-tardies").unwrap()["enabled"] = on.into();
        });
    };
    let (hero, both) = (["sync", "hero-attendance"], ["sync", "hero-attendance", "raptor-tardies"]);
    day.export(rows / 2, "");
    switch(false);
    profile.run(&hero).done();
    profile.run(&["backup", "now"]).done();
    switch(true);
    day.export(rows - 1, "");
    day.drop_tardies(&district, "tardies.csv", 0..tardies);
    profile.run(&both).done();
    // Somebody in the office clears a tardy.
    blank_the_last_record(&district);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    // Raptor's tardies are switched off again, as they were at the time of the backup.
    let off = profile.run(&hero).done();
    assert!(off.job("hero-attendance")["notes"].to_string().contains("known again"), "{}", off.stdout);
    assert_eq!(district.audit(), written);
    day.export(rows, "");
    assert_eq!(profile.run(&hero).done().job("hero-attendance")["rows"]["written"], 1);
    let written = district.audit();

    switch(true);
    fs::copy(district.raptor("processed/tardies.csv"), district.raptor("again.csv")).unwrap();
    let on = profile.run(&both).done();
    assert!(on.stdout.contains("known again"), "{}", on.stdout);
    assert_eq!(on.job("raptor-tardies")["rows"]["noop"], tardies);
    assert_eq!(district.audit(), written, "nothing is written twice");
    let notes = profile.run(&both).done().stdout;
    assert!(!notes.contains("known again"), "it was read once: {notes}");
}

/// An import that was never in use, or is PowerSchool's, keeps no restoration open. What it takes in is read again before
/// it does anything, should it have been this program's since the backup.
#[rstest]
#[case::never_used(|setup: &mut Value| {
    let jobs = setup["jobs"].as_array_mut().unwrap();
    jobs.iter_mut().find(|job| job["job"] == "hero-attendance").unwrap()["enabled"] = false.into();
})]
#[case::powerschools(|setup: &mut Value| {
    setup["hero"]["accounts"][0]["attendance"]["owner"] = "power_school".into();
})]
fn what_nobody_reads_keeps_no_restoration_open(#[case] change: fn(&mut Value)) {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let before = profile.setup();
    profile.change_setup(change);
    profile.run(&["sync", "raptor-tardies"]).done();
    profile.run(&["backup", "now"]).done();
    // Nobody knows of this once the ledger is restored.
    let is_ours_again = || {
        if profile.setup()["hero"]["accounts"][0]["attendance"]["owner"] == "power_school" {
            let record = ["--record", "Hero Attendance", "--yes"];
            profile.run(&[["hero", "hand-over", "hero-attendance"].as_slice(), &record].concat()).done();
        } else {
            profile.change_setup(|setup| *setup = before.clone());
        }
    };
    is_ours_again();
    profile.run(&["sync", "hero-attendance"]).done();
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&["sync", "raptor-tardies"]).done();
    let open = ledger(&profile)
        .query_one("SELECT count(*) FROM facts WHERE name = 'ledger.restoration'", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap();
    assert_eq!(open, 0, "the restoration is complete");
    let is_told = |job: &str| {
        let planned = profile.run(&["sync", job, "--dry-run"]).done();
        planned.job(job)["notes"].to_string().contains("restored from a backup")
    };
    assert!(!is_told("raptor-tardies"));
    is_ours_again();
    assert!(is_told("hero-attendance"));
    let again = profile.run(&["sync", "hero-attendance"]).done();
    assert!(again.stdout.contains("known again"), "{}", again.stdout);
    assert_eq!(district.audit(), written, "nothing is written twice");
    assert!(!is_told("hero-attendance"));
}

/// A tardy waits in Raptor's folder, the restored ledger does not know whether it was written, and its record has no code,
/// as that of a student who is present: somebody may have cleared it.
#[rstest]
fn a_waiting_tardy_is_held_where_a_restored_ledger_finds_a_blank_record(
    #[values("upsert", "insert")] mode: &str,
    #[values(false, true)] held_before: bool,
) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let sync = ["sync", "raptor-tardies"];
    let file = "tardies-noon.csv";
    let waits = || {
        if held_before {
            let fields: Vec<&str> = day.tardies[1].split(',').collect();
            let unknown = day.tardies[1].replacen(fields[1], "8000001", 1);
            fs::write(district.raptor(file), format!("{}{unknown}", day.tardies[0])).unwrap();
        } else {
            day.drop_tardies(&district, file, 0..1);
        }
    };
    if held_before {
        waits();
        profile.run(&sync).ended(3, "sync.held_rows");
        let id = profile.run(&["held", "list"]).done().data()["rows"][0]["id"].to_string();
        // Before what happens next.
        profile.run(&["held", "retry", &id]).done();
    }
    profile.run(&["backup", "now"]).done();
    if held_before {
        let like: i64 = day.tardies[1].split(',').nth(1).unwrap().parse().unwrap();
        district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like}}]));
    } else {
        waits();
    }
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    blank_the_last_record(&district);
    fs::rename(district.raptor("processed").join(file), district.raptor(file)).unwrap();
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    let exit = if held_before { 0 } else { 3 };
    let again = profile.run(&sync).ended(exit, "sync.held_rows");
    assert_eq!(again.job("raptor-tardies")["rows"]["held"], 1, "{}", again.stdout);
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    assert!(district.raptor(file).exists(), "the file waits");
    let held = profile.run(&["held", "list"]).done();
    let [row] = &held.data()["rows"].as_array().unwrap()[..] else { panic!("{}", held.stdout) };
    assert_eq!(
        (&row["code"], &row["retried"]),
        (&"held.corrected_in_powerschool".into(), &Value::Bool(false))
    );

    // A person says that it is right.
    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), written.len() + 1);
    assert_eq!(profile.held().as_array().unwrap().len(), 0);
    assert!(!district.raptor(file).exists());
    // It is ours again like any other: never again, and never over a correction.
    fs::copy(district.raptor("processed").join(file), district.raptor("again.csv")).unwrap();
    profile.run(&sync).done();
    assert_eq!(district.audit().len(), written.len() + 1);
}

/// The same of Hero's export, which states it again every time.
#[rstest]
fn a_row_of_heros_is_held_where_a_restored_ledger_finds_a_blank_record(
    #[values("upsert", "insert")] mode: &str,
    #[values(false, true)] held_before: bool,
) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let sync = ["sync", "hero-attendance"];
    let student = day.lines[0].split('\t').nth(1).unwrap().to_owned();
    let line = if held_before { day.lines[0].replacen(&student, "8000001", 1) } else { day.lines[0].clone() };
    day.export(0, if held_before { &line } else { "" });
    if held_before {
        profile.run(&sync).ended(3, "sync.held_rows");
    }
    profile.run(&["backup", "now"]).done();
    if held_before {
        let like: i64 = student.parse().unwrap();
        district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like}}]));
    }
    day.export(0, &line);
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    blank_the_last_record(&district);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    let exit = if held_before { 0 } else { 3 };
    let again = profile.run(&sync).ended(exit, "sync.held_rows");
    assert_eq!(again.job("hero-attendance")["rows"]["held"], 1, "{}", again.stdout);
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let row = held_as_corrected(&profile);

    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    profile.run(&sync).done();
    assert_eq!(district.audit().len(), written.len() + 1);
    assert_eq!(profile.held().as_array().unwrap().len(), 0);
    // Somebody clears it once more, and that stands.
    blank_the_last_record(&district);
    profile.run(&sync).done();
    assert_eq!(district.audit().len(), written.len() + 1);
}

/// At the time of the backup PowerSchool had writes that the ledger did not know the fate of. Later they were found to be
/// there, and one of them was corrected by its source: the restored ledger must not send it again over the correction.
#[rstest]
fn writes_under_way_at_the_backup_are_not_sent_again(#[values("upsert", "insert")] mode: &str) {
    let district = District::start(&["--attendance", mode]);
    let profile = Profile::patient_for(&district, 1);
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let export = district.hero("export/ATTENDANCE.txt");
    let stated = fs::read_to_string(&export).unwrap();
    let sync = ["sync", "hero-attendance"];
    let place = CrashPoint::WritesAnswered.as_str();
    let ended = profile.command(&sync).env("ROSTERBRIDGE_CRASH_AT", format!("{place}@1")).output().unwrap();
    assert!(crashed(ended.status), "it did not end at {place}");
    profile.run(&["backup", "now"]).done();

    profile.run(&sync).done();
    let corrected = stated.replacen("\tT\t", "\tA\t", 1);
    assert_ne!(corrected, stated);
    fs::write(&export, &corrected).unwrap();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).done();
    assert_eq!(district.audit(), written, "nothing is written twice");
    fs::write(&export, &stated).unwrap();
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), written.len() + 1);
}

/// A request that left before the ledger was restored, and of which it knows nothing, arrives only afterwards.
#[test]
fn what_left_before_the_restoration_is_waited_for() {
    let district = District::start(&["--attendance", "insert"]);
    let profile = Profile::patient_for(&district, 8);
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    day.export(1, "");
    profile.run(&["backup", "now"]).done();
    district.faults(&json!({"attendance": {"apply_late": {"n": 1, "seconds": 6}}}));
    let sync = ["sync", "hero-attendance"];
    let mut running = profile.spawn(&sync);
    until("the write has left", || (district.faults_left()["attendance"] == Value::Null).then_some(()));
    running.kill().unwrap();
    running.wait().unwrap();
    // What a killed process leaves in the log beside it would stand in for a page that is flipped.
    marked(&profile.folder().join("ledger.db"));
    let again = profile.run(&sync).done();
    assert_eq!(again.job("hero-attendance")["rows"]["written"], 0, "{}", again.stdout);
    district.holds_each_once(&district.hero_records());
}

/// What a teacher had recorded as Hero stated it, Hero changed after the backup, and now it states it again.
#[rstest]
fn what_a_source_states_again_is_held_where_another_recorded_it_first(
    #[values(false, true)] replaceable: bool,
) {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    profile.run(&[&["sync"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let (first, second) = (&day.lines[0], corrected(&day.lines[0]));
    let code = |line: &str| line.split('\t').nth(5).unwrap().to_owned();
    let codes = if replaceable { vec![code(first), code(&second)] } else { vec![code(first)] };
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = codes.into());
    let sync = ["sync", "hero-attendance"];
    day.export(0, first);
    assert_eq!(teacher.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["noop"], 1);
    profile.run(&["backup", "now"]).done();
    day.export(0, &second);
    assert_eq!(profile.run(&sync).done().job("hero-attendance")["rows"]["written"], 1);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    day.export(0, first);
    profile.run(&sync).ended(3, "sync.held_rows");
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let row = held_as_corrected(&profile);
    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    let retried = profile.run(&sync);
    assert_eq!(
        retried.job("hero-attendance")["rows"]["written"],
        u64::from(replaceable),
        "{}",
        retried.stdout
    );
}

/// What somebody in the office corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Corrected {
    /// A code of ours that had replaced another one's: that one's again.
    BackToAnothers,
    /// The same, and it is cleared.
    Cleared,
    /// A later code of ours: back to our first one.
    BackToOurFirst,
}

/// Files of a server are only read: after a restoration all of them are read again. The ledger has forgotten that it wrote
/// a tardy, and somebody has corrected that since, to what may be replaced otherwise.
#[rstest]
#[case::back_to_anothers(Corrected::BackToAnothers, false)]
#[case::cleared(Corrected::Cleared, false)]
#[case::back_to_our_first(Corrected::BackToOurFirst, false)]
#[case::and_the_restored_set_up_lacks_the_reason(Corrected::BackToAnothers, true)]
#[case::and_so_of_a_cleared_one(Corrected::Cleared, true)]
fn a_correction_stands_though_a_restored_ledger_has_forgotten_what_was_corrected(
    #[case] corrected: Corrected,
    #[case] mapped_since: bool,
) {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    let anothers = Daily::of(&district, &teacher);
    let sync = ["sync", "raptor-tardies"];
    let ours = ["Came late", "Left and came back"];
    let map = || {
        for (reason, code) in ours.into_iter().zip(["T", "A"]) {
            profile.run(&["mapping", "code", reason, code]).done();
        }
    };
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!(["A", "T"]));
    profile.run(&["sync", "raptor-roster"]).done();
    if !mapped_since {
        map();
    }
    if corrected == Corrected::BackToAnothers {
        anothers.map("Called", "A");
        fs::write(district.raptor("called.csv"), anothers.text(&[("08:05", "Called")])).unwrap();
        assert_eq!(teacher.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    }
    take_from_server(&district, &profile);
    let drop = |name: &str, rows: &[(&str, &str)]| {
        drop_file(&district.hero("export").join(name), anothers.text(rows).as_bytes());
    };
    let first = ("08:20", ours[0]);
    let second = ("11:40", ours[1]);
    if corrected == Corrected::BackToOurFirst {
        drop("morning.csv", &[first]);
        assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    }
    profile.run(&["backup", "now"]).done();
    if mapped_since {
        map();
    }
    drop("noon.csv", &[if corrected == Corrected::BackToOurFirst { second } else { first }]);
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    let stands = match corrected {
        Corrected::BackToAnothers => Some("A"),
        Corrected::Cleared => None,
        Corrected::BackToOurFirst => Some("T"),
    };
    correct_the_last_record(&district, stands);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    if mapped_since {
        let held = profile.run(&["held", "list"]).done();
        assert_eq!(held.data()["rows"][0]["code"], "held.reason_not_mapped");
        map();
        // Somebody may ask for it because it is mapped now, which says nothing of the record.
        profile.run(&["held", "retry", &held.data()["rows"][0]["id"].to_string()]).done();
    }
    profile.run(&sync).ended(0, "sync.held_rows");
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let row = held_as_corrected(&profile);

    // A person says that it is right.
    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), written.len() + 1);
    assert_eq!(profile.held().as_array().unwrap().len(), 0);
    // It is ours again like any other: never again, and never over a correction.
    correct_the_last_record(&district, stands);
    profile.run(&sync).done();
    assert_eq!(district.audit().len(), written.len() + 1);
}

/// A row that was held at the time of the backup, and whose file is gone, was written since. The ledger has forgotten that,
/// and somebody has corrected it, to what may be replaced otherwise.
#[rstest]
fn a_held_row_without_its_file_is_not_written_over_a_correction(
    #[values(Some("A"), None)] stands: Option<&str>,
    #[values(false, true)] of_a_server: bool,
) {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    let daily = Daily::of(&district, &teacher);
    let sync = ["sync", "raptor-tardies"];
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!(["A"]));
    profile.run(&["sync", "raptor-roster"]).done();
    if stands.is_some() {
        daily.map("Called", "A");
        fs::write(district.raptor("called.csv"), daily.text(&[("08:05", "Called")])).unwrap();
        assert_eq!(teacher.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    }
    if of_a_server {
        take_from_server(&district, &profile);
    }
    let file = if of_a_server { district.hero("export/late.csv") } else { district.raptor("late.csv") };
    drop_file(&file, daily.text(&[("08:20", "Came late")]).as_bytes());
    profile.run(&sync).ended(3, "sync.held_rows");
    fs::remove_file(&file).unwrap();
    profile.run(&["backup", "now"]).done();
    let map = || profile.run(&["mapping", "code", "Came late", "T"]).done();
    map();
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    correct_the_last_record(&district, stands);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).ended(0, "sync.held_rows");
    map();
    profile.run(&sync).ended(0, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let row = held_as_corrected(&profile);
    let detail = row["detail"].as_str().unwrap();
    assert!(detail.starts_with(MAY_BE_CORRECTED), "{detail}");

    // A person says that it is right.
    profile.run(&["held", "retry", &row["id"].to_string()]).done();
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    assert_eq!(district.audit().len(), written.len() + 1);
}

/// After the backup a sign-in came again with an earlier time and another reason, which was written. Perhaps somebody has
/// gone back to the first code in PowerSchool since.
#[rstest]
fn a_sign_in_corrected_to_an_earlier_time_is_written_once(#[values(false, true)] went_back: bool) {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    let daily = Daily::of(&district, &teacher);
    let sync = ["sync", "raptor-tardies"];
    profile.run(&["sync", "raptor-roster"]).done();
    profile.run(&["mapping", "code", "Left and came back", "A"]).done();
    take_from_server(&district, &profile);
    let drop = |name: &str, row: (&str, &str)| {
        drop_file(&district.hero("export").join(name), daily.text(&[row]).as_bytes());
    };
    drop("late.csv", ("11:40", &daily.mapped));
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    profile.run(&["backup", "now"]).done();
    drop("corrected.csv", ("08:20", "Left and came back"));
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    if went_back {
        correct_the_last_record(&district, Some("T"));
    }
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    let again = profile.run(&sync);
    assert_eq!(district.audit(), written, "nothing is written unasked");
    assert_eq!(again.job("raptor-tardies")["rows"]["held"], u64::from(went_back), "{}", again.stdout);
    if went_back {
        let held = profile.run(&["held", "list"]).done();
        let row = &held.data()["rows"][0];
        assert_eq!(row["code"], "held.corrected_in_powerschool");
        assert!(row["detail"].as_str().unwrap().starts_with(MAY_BE_CORRECTED), "{row}");
    }
}

/// The same in a folder: the corrected file was moved when its row was written, so what it states is known again.
#[test]
fn what_was_moved_after_the_backup_is_known_again_whatever_its_time() {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    let daily = Daily::of(&district, &teacher);
    let sync = ["sync", "raptor-tardies"];
    profile.run(&["sync", "raptor-roster"]).done();
    profile.run(&["mapping", "code", "Left and came back", "A"]).done();
    let written_of = |name: &str, row: (&str, &str)| {
        drop_file(&district.raptor(name), daily.text(&[row]).as_bytes());
        profile.run(&sync).done().job("raptor-tardies")["rows"]["written"].clone()
    };
    assert_eq!(written_of("late.csv", ("11:40", &daily.mapped)), 1);
    profile.run(&["backup", "now"]).done();
    assert_eq!(written_of("corrected.csv", ("08:20", "Left and came back")), 1);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).done();
    assert_eq!(district.audit(), written, "nothing is written unasked");
    assert_eq!(written_of("later.csv", ("11:50", &daily.mapped)), 1);
}

/// In a folder, too, a correction of what was written after the backup stands: the file was moved, and somebody has changed
/// its record to what may be replaced otherwise.
#[rstest]
fn a_later_sign_in_is_not_written_over_a_correction_of_a_moved_one(
    #[values(Some("E"), None)] stands: Option<&str>,
) {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    let daily = Daily::of(&district, &teacher);
    let sync = ["sync", "raptor-tardies"];
    profile.change_setup(|setup| setup["mappings"]["replaceable_codes"] = json!(["E"]));
    profile.run(&["sync", "raptor-roster"]).done();
    profile.run(&["mapping", "code", "Left and came back", "A"]).done();
    profile.run(&["backup", "now"]).done();
    drop_file(&district.raptor("late.csv"), daily.text(&[("08:20", &daily.mapped)]).as_bytes());
    assert_eq!(profile.run(&sync).done().job("raptor-tardies")["rows"]["written"], 1);
    correct_the_last_record(&district, stands);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&sync).done();
    let later = [("11:40", "Left and came back")];
    drop_file(&district.raptor("later.csv"), daily.text(&later).as_bytes());
    profile.run(&sync).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written, "nothing is written unasked");
    let held = profile.run(&["held", "list"]).done();
    assert_eq!(held.data()["rows"][0]["code"], "held.corrected_in_powerschool");
}

/// At the time of the backup a tardy of Raptor's was decided and not sent. Another code for its record, of Hero's, says
/// nothing of whether it was.
#[test]
fn what_one_source_states_does_not_settle_a_write_of_the_other() {
    let district = District::start(&[]);
    let (profile, teacher) = (Profile::patient_for(&district, ANSWER_SECONDS), Profile::of(&district));
    profile.run(&[&["sync", "raptor-roster"], EXPORTS.as_slice()].concat()).done();
    let day = Day::of(&district);
    let file = "tardies.csv";
    let setup = profile.setup();
    let tardy = (0..day.tardies.len() - 1).find_map(|row| {
        day.drop_tardies(&district, file, row..row + 1);
        district.raptor_records(&district.raptor(file), &setup).into_keys().find(|key| key.cc > 0)
    });
    let key = tardy.expect("a tardy of a class meeting");
    let line: String = district
        .database()
        .query_one(
            "SELECT c.SchoolID || char(9) || s.Student_Number || char(9) || c.Course_Number || char(9)
                 || c.Section_Number || char(9) || '11/18/2026' || char(9) || 'A' || char(9) || p.Abbreviation
               FROM CC c JOIN Students s ON s.ID = c.StudentID JOIN Period p ON p.ID = ?2 WHERE c.ID = ?1",
            (key.cc, key.period),
            |row| row.get(0),
        )
        .unwrap();
    day.export(0, "");
    let place = CrashPoint::DecisionsRecorded.as_str();
    let mut tardies = profile.command(&["sync", "raptor-tardies"]);
    let ended = tardies.env("ROSTERBRIDGE_CRASH_AT", place).output().unwrap();
    assert!(crashed(ended.status), "it did not end at {place}");
    profile.run(&["backup", "now"]).done();
    day.export(0, &format!("{line}\r\n"));
    assert_eq!(teacher.run(&["sync", "hero-attendance"]).done().job("hero-attendance")["rows"]["written"], 1);
    let written = district.audit();

    flipped(&profile.folder().join("ledger.db"));
    profile.run(&["sync", "hero-attendance", "raptor-tardies"]).ended(3, "sync.held_rows");
    assert_eq!(district.audit(), written);
    let held = profile.run(&["held", "list"]).done();
    let [row] = &held.data()["rows"].as_array().unwrap()[..] else { panic!("{}", held.stdout) };
    assert_eq!(row["source"], "raptor");
    assert!(district.raptor(file).exists(), "the file waits");
}

#[test]
fn without_a_backup_a_person_begins_anew() {
    let district = District::start(&[]);
    let profile = Profile::patient_for(&district, ANSWER_SECONDS);
    profile.run(&["sync"]).done();
    let written = district.audit();
    cut_off(&profile.folder().join("ledger.db"));
    let refused = profile.run(&["sync"]).ended(1, "store.no_backup");
    assert!(refused.document["remedy"].as_str().unwrap().contains("backup restore --begin-anew"));
    profile.run(&["backup", "restore"]).ended(1, "store.no_backup");
    let begun = profile.run(&["backup", "restore", "--begin-anew"]).done();
    assert!(Path::new(begun.data()["set_aside"].as_str().unwrap()).exists());
    assert_eq!(profile.run(&["backup", "list"]).done().data()["backups"], Value::Array(Vec::new()));

    // Set up again, it takes note of what is there.
    let ready = district.ready_file();
    profile.run(&["setup", "import", "--practice", ready.to_str().unwrap()]).done();
    profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = ANSWER_SECONDS.into());
    profile.run(&["sync"]).done();
    assert_eq!(district.audit(), written);
    district.holds_each_once(&district.day(&profile.setup()));
}

#[rstest]
#[case::cut_off(cut_off)]
#[case::flipped(flipped)]
#[case::gone(gone)]
fn a_damaged_roster_is_read_again(#[case] damage: fn(&Path)) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync"]).done();
    damage(&profile.folder().join("roster.db"));
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
    assert!(profile.run(&["status"]).done().data()["students"].as_u64().unwrap() > 0);
}
