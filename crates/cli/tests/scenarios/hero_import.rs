//! Hero's attendance export in whatever form it is set up, growing, unfinished, empty or not there: each row arrives once.

use std::{
    fs,
    io::BufRead as _,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    care::flipped,
    support::{District, EXPORTS, Output, Profile, Records, files_in},
};

const IMPORT: &str = "hero-attendance";

/// A district whose Hero has written its export, which has not been taken in yet.
fn exported() -> (District, Profile, Records) {
    let district = District::start(&["--students", "300"]);
    let profile = Profile::of(&district);
    profile.run(&[["sync"].as_slice(), &EXPORTS].concat()).done();
    let records = district.hero_records();
    assert!(records.len() >= 10);
    (district, profile, records)
}

/// Sets fields of the first account's import.
fn set(profile: &Profile, changes: &Value) {
    profile.change_setup(|setup| {
        for (field, value) in changes.as_object().unwrap() {
            setup["hero"]["accounts"][0]["attendance"][field] = value.clone();
        }
    });
}

fn import(profile: &Profile) -> Output {
    profile.run(&["sync", IMPORT])
}

/// Rows that were read, written, and had nothing new to say.
fn rows(run: &Output) -> [usize; 3] {
    ["read", "written", "noop"]
        .map(|name| usize::try_from(run.job(IMPORT)["rows"][name].as_u64().unwrap()).unwrap())
}

fn text(district: &District) -> String {
    fs::read_to_string(district.hero("export/ATTENDANCE.txt")).unwrap()
}

#[rstest]
#[case::comma(json!({"field_delimiter": "comma"}), json!({"delimiter": "comma"}))]
#[case::crlf(json!({"record_delimiter": "crlf"}), json!({"record_end": "crlf"}))]
#[case::cr(json!({"record_delimiter": "cr"}), json!({"record_end": "cr"}))]
#[case::header(json!({"header": true}), json!({"header": true}))]
#[case::all_of_it(
    json!({"field_delimiter": "comma", "record_delimiter": "crlf", "header": true, "character_set": "utf8"}),
    json!({"delimiter": "comma", "record_end": "crlf", "header": true, "characters": "utf8"})
)]
fn every_form_is_read(#[case] settings: Value, #[case] export: Value) {
    let (district, profile, records) = exported();
    district.hero_export(None, &export);
    // Set up otherwise than Hero writes it, nothing of it is taken in; but for line ends that can be told apart.
    set(&profile, &settings);
    let run = import(&profile).done();
    assert_eq!(rows(&run), [records.len(), records.len(), 0]);
    district.holds_each_once(&records);
    assert_eq!(rows(&import(&profile).done()), [records.len(), 0, records.len()]);
    district.holds_each_once(&records);
}

/// A code that only the right character set spells as PowerSchool has it.
#[rstest]
fn every_character_set_is_read(
    #[values("windows_ansi", "utf8", "mac_roman")] written: &str,
    #[values("windows_ansi", "utf8", "mac_roman")] read: &str,
) {
    let (district, profile, records) = exported();
    let codes = json!({"table": "Attendance_Code", "where": {"Att_Code": "T"}, "set": {"Att_Code": "Té"}});
    district.change(&json!([{ "change": codes }]));
    let rows = text(&district).replace("\tT\t", "\tTé\t");
    district.hero_export(None, &json!({"text": rows, "characters": written}));
    set(&profile, &json!({"character_set": read}));
    let run = import(&profile);
    if read == written {
        assert_eq!(run.done().job(IMPORT)["rows"]["written"], records.len());
        district.holds_each_once(&records);
    } else {
        assert_ne!(run.exit, 0, "{}", run.stdout);
        assert!(district.audit().is_empty(), "no other code is written");
    }
}

#[test]
fn the_fields_may_stand_in_any_order() {
    let (district, profile, records) = exported();
    let turned = |row: &str| row.split('\t').rev().collect::<Vec<_>>().join("\t") + "\n";
    let rows_turned: String = text(&district).lines().map(turned).collect();
    district.hero_export(None, &json!({"text": rows_turned}));
    let mut fields = profile.setup()["hero"]["accounts"][0]["attendance"]["fields"].take();
    fields.as_array_mut().unwrap().reverse();
    set(&profile, &json!({"fields": fields}));
    assert_eq!(rows(&import(&profile).done()), [records.len(), records.len(), 0]);
    district.holds_each_once(&records);
}

/// Rows that come later in the day are read on; what was read before says nothing again.
#[test]
fn a_file_that_grows_is_read_on() {
    let (district, profile, morning) = exported();
    import(&profile).done();
    district.holds_each_once(&morning);
    for more in [1, 4] {
        let before = district.hero_records().len();
        district.hero_export(None, &json!({"more_rows": more}));
        let now = district.hero_records();
        assert!(now.len() > before);
        assert_eq!(rows(&import(&profile).done()), [now.len(), now.len() - before, before]);
        district.holds_each_once(&now);
    }
}

/// The run waits while Hero is writing, and says so.
#[test]
fn a_file_that_is_being_written_is_waited_for() {
    let (district, profile, records) = exported();
    district.hero_export(None, &json!({"form": "half"}));
    let (running, mut progress) = profile.under_way(&["sync", IMPORT]);
    let mut told = String::new();
    while !told.contains("still being written") {
        told.clear();
        assert!(progress.read_line(&mut told).unwrap() > 0, "it ended without a word about the wait");
    }
    assert!(district.audit().is_empty(), "nothing of half a file is written");
    district.hero_export(None, &json!({}));
    // Whoever writes progress has to get rid of it.
    progress.lines().for_each(drop);
    let run = profile.finish(running).done();
    assert_eq!(rows(&run), [records.len(), records.len(), 0]);
    district.holds_each_once(&records);
}

/// A file that nobody finishes does not hold up its whole rows for ever, and the rest comes when it comes.
#[test]
fn whole_rows_of_a_file_that_nobody_finishes_arrive() {
    let (district, profile, records) = exported();
    district.hero_export(None, &json!({"form": "half"}));
    let half = text(&district).lines().count() - 1;
    let run = import(&profile).ended(3, "sync.held_rows");
    assert_eq!(run.job(IMPORT)["rows"]["written"], half, "{}", run.stdout);
    assert_eq!(district.audit().len(), half);
    district.hero_export(None, &json!({}));
    let finished = import(&profile);
    assert_eq!(rows(&finished), [records.len(), records.len() - half, half], "{}", finished.stdout);
    district.holds_each_once(&records);
}

#[rstest]
#[case::no_bytes(json!({"form": "empty"}), json!({}))]
#[case::no_rows(json!({"text": ""}), json!({}))]
#[case::only_a_header(json!({"text": "", "header": true}), json!({"header": true}))]
fn an_empty_file_is_fine_and_said_so(#[case] export: Value, #[case] settings: Value) {
    let (district, profile, _) = exported();
    district.hero_export(None, &export);
    set(&profile, &settings);
    let is_said = |run: &Output| run.job(IMPORT)["notes"].to_string().contains("Hero's export is empty");
    let dry = profile.run(&["sync", IMPORT, "--dry-run"]).done();
    assert!(is_said(&dry), "{}", dry.stdout);
    // The second time it is known to say nothing, and the third time it is known from the ledger.
    for _ in 0..3 {
        let run = import(&profile).done();
        assert_eq!((rows(&run), &run.job(IMPORT)["outcome"]), ([0, 0, 0], &json!("succeeded")));
        assert!(is_said(&run), "{}", run.stdout);
    }
    assert!(district.audit().is_empty());
    // And what comes then is taken in.
    district.hero_export(None, &json!({}));
    set(&profile, &json!({"header": false}));
    let run = import(&profile).done();
    assert!(!is_said(&run), "{}", run.stdout);
    district.holds_each_once(&district.hero_records());
}

#[test]
fn a_missing_file_fails_and_comes_later() {
    let (district, profile, records) = exported();
    district.hero_export(None, &json!({"form": "missing"}));
    let dry = profile.run(&["sync", IMPORT, "--dry-run"]).done();
    assert!(dry.job(IMPORT)["notes"].to_string().contains("is not there yet"), "{}", dry.stdout);
    import(&profile).ended(1, "hero.export_missing");
    assert!(district.audit().is_empty());
    district.hero_export(None, &json!({}));
    import(&profile).done();
    district.holds_each_once(&records);
    // Gone again after it was taken in: that nothing is there is told, and nothing else happens.
    district.hero_export(None, &json!({"form": "missing"}));
    import(&profile).ended(1, "hero.export_missing");
    district.holds_each_once(&records);
}

/// Hero places all its exports in one folder: one of them is fetched, and all are left as they are.
#[test]
fn other_files_are_never_imported_nor_touched() {
    let (district, profile, records) = exported();
    let others = text(&district).replace("\tT\t", "\tA\t");
    for name in ["ATTENDANCE.TXT.bak", "ATTENDANCE_2.txt", ".ATTENDANCE.txt", "HALL_PASSES.txt"] {
        fs::write(district.hero("export").join(name), &others).unwrap();
    }
    let all = || -> Vec<_> {
        let names = files_in(&district.hero("export"));
        let of = |name: &String| {
            let path = district.hero("export").join(name);
            (name.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())
        };
        names.iter().map(of).collect()
    };
    let before = all();
    assert_eq!(before.len(), 6, "with its referrals");
    let run = import(&profile).done();
    let names: Vec<&Value> =
        run.job(IMPORT)["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["export/ATTENDANCE.txt"]);
    assert!(all() == before);
    district.holds_each_once(&records);
}

#[test]
fn a_dated_name_is_that_of_the_day() {
    let (mut district, profile, records) = exported();
    set(&profile, &json!({"path": "export/ATTENDANCE_%Y%m%d.txt"}));
    // The file without a date, and the day before's, say something else.
    let others = text(&district).replace("\tT\t", "\tA\t");
    fs::write(district.hero("export/ATTENDANCE.txt"), &others).unwrap();
    fs::write(district.hero("export/ATTENDANCE_20261117.txt"), &others).unwrap();
    let missing = import(&profile).ended(1, "hero.export_missing");
    assert!(missing.document["message"].as_str().unwrap().contains("ATTENDANCE_20261118.txt"));
    district.hero_export(None, &json!({"name": "ATTENDANCE_20261118.txt"}));
    let run = import(&profile).done();
    assert_eq!(run.job(IMPORT)["files"][0]["name"], "export/ATTENDANCE_20261118.txt");
    district.holds_each_once(&records);
    // On the next day it is no longer looked at.
    district.move_to("2026-11-19");
    let missing = import(&profile).ended(1, "hero.export_missing");
    assert!(missing.document["message"].as_str().unwrap().contains("ATTENDANCE_20261119.txt"));
}

/// The names of the files a run of the import took in, in order.
fn files(run: &Output) -> Vec<&str> {
    run.job(IMPORT)["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

/// A district whose import has the day in its path, and the lines of an export.
fn dated() -> (District, Profile, Vec<String>) {
    let (district, profile, _) = exported();
    set(&profile, &json!({"path": "export/ATTENDANCE_%Y%m%d.txt"}));
    let lines = text(&district).split_inclusive('\n').map(str::to_owned).collect();
    (district, profile, lines)
}

/// Noon of a day, by UTC.
fn noon(day: &str) -> SystemTime {
    format!("{}-{}-{}T12:00:00Z", &day[..4], &day[4..6], &day[6..]).parse::<DateTime<Utc>>().unwrap().into()
}

/// Hero writes an export at a time.
fn write_at(district: &District, name: &str, lines: &[String], at: SystemTime) {
    let file = district.hero("export").join(name);
    fs::write(&file, lines.concat()).unwrap();
    fs::File::options().write(true).open(file).unwrap().set_modified(at).unwrap();
}

/// Hero writes the export of a day.
fn write_for(district: &District, day: &str, lines: &[String]) {
    let at = if day.len() == 8 { noon(day) } else { SystemTime::now() };
    write_at(district, &format!("ATTENDANCE_{day}.txt"), lines, at);
}

/// The computer was off, the server away, or the run came after midnight.
#[test]
fn the_file_of_a_missed_day_is_taken_in_later_and_once() {
    let (mut district, profile, lines) = dated();
    write_for(&district, "20261118", &lines[..3]);
    assert_eq!(rows(&import(&profile).done()), [3, 3, 0]);
    // Hero adds to it after the run, and nothing runs on the day after.
    write_for(&district, "20261118", &lines[..4]);
    write_for(&district, "20261119", &lines[4..6]);
    let others = [lines[6].replace("\tT\t", "\tA\t")];
    for name in ["20261119.txt.bak", "2026119", "20261117", "20260119"] {
        write_for(&district, name, &others);
    }
    district.move_to("2026-11-20");
    let planned = profile.run(&["sync", IMPORT, "--dry-run"]).done();
    assert_eq!(rows(&planned), [6, 3, 3], "{}", planned.stdout);
    let notes = planned.job(IMPORT)["notes"].to_string();
    assert!(notes.contains("ATTENDANCE_20261119.txt, of an earlier day, would be taken in now"), "{notes}");
    assert!(notes.contains("ATTENDANCE_20261120.txt is not there yet"), "{notes}");
    // The day's own is looked for again, as any that is not there.
    let late = import(&profile).ended(1, "hero.export_missing");
    assert!(
        late.document["message"].as_str().unwrap().contains("ATTENDANCE_20261120.txt"),
        "{}",
        late.stdout
    );
    assert_eq!(files(&late), ["export/ATTENDANCE_20261118.txt", "export/ATTENDANCE_20261119.txt"]);
    assert_eq!(rows(&late), [6, 3, 3]);
    let notes = late.job(IMPORT)["notes"].to_string();
    assert!(notes.contains("ATTENDANCE_20261119.txt, of an earlier day, is taken in now"), "{notes}");
    import(&profile).ended(1, "hero.export_missing");
    // The day's own, which corrects a row of the day before.
    let corrected = [lines[5].replace("\tT\t", "\tA\t"), lines[6].clone()];
    write_for(&district, "20261120", &corrected);
    let own = import(&profile).done();
    assert_eq!((files(&own), rows(&own)), (vec!["export/ATTENDANCE_20261120.txt"], [2, 2, 0]));
    // There is no school at the weekend.
    district.move_to("2026-11-23");
    write_for(&district, "20261123", &lines[7..9]);
    let own = import(&profile).done();
    assert_eq!((files(&own), rows(&own)), (vec!["export/ATTENDANCE_20261123.txt"], [2, 2, 0]));
    assert_eq!(rows(&import(&profile).done()), [2, 0, 2]);
    // Two weeks are looked through, and what lies before them is said.
    district.move_to("2026-12-10");
    write_for(&district, "20261125", &others);
    write_for(&district, "20261126", &lines[7..9]);
    let late = import(&profile);
    assert_eq!(files(&late), ["export/ATTENDANCE_20261126.txt"], "{}", late.stdout);
    let notes = late.job(IMPORT)["notes"].to_string();
    assert!(notes.contains("was read last for 2026-11-23") && notes.contains("of 2 days before"), "{notes}");
}

/// Who confirms the hand-over anew says nothing about days that nobody has read. What PowerSchool had meanwhile is its.
#[rstest]
#[case::confirmed_anew(false)]
#[case::given_to_powerschool_meanwhile(true)]
fn days_that_were_not_read_are_read_unless_they_were_powerschools(#[case] given_back: bool) {
    let (mut district, profile, lines) = dated();
    write_for(&district, "20261118", &lines[..3]);
    import(&profile).done();
    write_for(&district, "20261119", &lines[3..5]);
    write_for(&district, "20261120", &lines[5..7]);
    district.move_to("2026-11-20");
    if given_back {
        profile.run(&["hero", "take-back", IMPORT]).done();
    }
    profile.run(&["hero", "hand-over", IMPORT, "--record", "Hero Attendance", "--yes"]).done();
    let run = import(&profile).done();
    let todays = "export/ATTENDANCE_20261120.txt";
    let expected = if given_back { vec![todays] } else { vec!["export/ATTENDANCE_20261119.txt", todays] };
    assert_eq!((files(&run), rows(&run)[1]), (expected, if given_back { 2 } else { 4 }));
    assert_eq!(district.audit().len(), if given_back { 2 } else { 4 });
}

/// The first run after the hand-over may come after midnight: the file of the day before is its own, that of no other day.
#[test]
fn the_day_of_the_hand_over_is_not_left_out() {
    let (district, profile, lines) = dated();
    let confirmed =
        json!({"record": "Hero Attendance", "confirmed_at": "2026-11-17T18:00:00Z", "confirmed_by": "ada"});
    set(&profile, &json!({"hand_over": confirmed}));
    write_for(&district, "20261116", &lines[..2]);
    write_for(&district, "20261117", &lines[2..4]);
    write_for(&district, "20261118", &lines[4..6]);
    let run = import(&profile).done();
    assert_eq!(files(&run), ["export/ATTENDANCE_20261117.txt", "export/ATTENDANCE_20261118.txt"]);
    assert_eq!(rows(&run), [4, 4, 0]);
}

/// Where the path holds no year and no month, last month's file is still there.
#[test]
fn a_file_of_another_month_is_no_missed_day() {
    let (mut district, profile, lines) = dated();
    set(&profile, &json!({"path": "export/ATTENDANCE_%d.txt"}));
    write_at(&district, "ATTENDANCE_18.txt", &lines[..2], noon("20261118"));
    import(&profile).done();
    write_at(&district, "ATTENDANCE_19.txt", &lines[2..4], noon("20261019"));
    write_at(&district, "ATTENDANCE_20.txt", &lines[4..6], noon("20261120"));
    write_at(&district, "ATTENDANCE_21.txt", &lines[6..8], noon("20261121"));
    district.move_to("2026-11-21");
    let run = import(&profile).done();
    assert_eq!(files(&run), ["export/ATTENDANCE_20.txt", "export/ATTENDANCE_21.txt"]);
    assert_eq!(rows(&run), [4, 4, 0]);
}

/// Hero writes the day's export again after its last run, with other rows and as many bytes.
#[test]
fn a_file_that_was_written_again_is_read_again_whatever_its_size() {
    let (mut district, profile, lines) = dated();
    let lines: Vec<String> = lines.iter().filter(|line| line.len() == lines[1].len()).cloned().collect();
    write_for(&district, "20261118", &lines[..2]);
    import(&profile).done();
    assert_eq!(rows(&import(&profile).done()), [2, 0, 2]);
    let later = noon("20261118") + Duration::from_hours(1);
    write_at(&district, "ATTENDANCE_20261118.txt", &lines[2..4], later);
    write_for(&district, "20261119", &lines[4..5]);
    district.move_to("2026-11-19");
    let run = import(&profile).done();
    assert_eq!(files(&run), ["export/ATTENDANCE_20261118.txt", "export/ATTENDANCE_20261119.txt"]);
    assert_eq!(rows(&run), [3, 3, 0]);
    // And once: nothing of it is new on the day after.
    write_for(&district, "20261120", &lines[4..5]);
    district.move_to("2026-11-20");
    assert_eq!(files(&import(&profile).done()), ["export/ATTENDANCE_20261120.txt"]);
}

/// What an earlier day's file says of a record is not written where a later one at hand says otherwise.
#[test]
fn of_missed_files_about_one_record_only_the_latest_is_written() {
    let (mut district, profile, lines) = dated();
    write_for(&district, "20261118", &lines[..3]);
    import(&profile).done();
    let line = lines[3..].iter().find(|line| line.contains("\tT\t")).unwrap();
    let corrected = line.replace("\tT\t", "\tA\t");
    write_for(&district, "20261119", std::slice::from_ref(line));
    write_for(&district, "20261120", &[corrected]);
    write_for(&district, "20261121", &lines[..2]);
    district.move_to("2026-11-21");
    let run = import(&profile).done();
    assert_eq!(files(&run).len(), 3);
    assert_eq!(rows(&run), [4, 1, 3], "{}", run.stdout);
    assert_eq!(district.audit().len(), 1);
}

/// An earlier day's file that is no export is told of, once, and holds up no other.
#[test]
fn a_missed_file_that_cannot_be_read_holds_up_nothing() {
    let (mut district, profile, lines) = dated();
    write_for(&district, "20261118", &lines[..3]);
    import(&profile).done();
    write_for(&district, "20261119", &["no\texport\n".to_owned()]);
    write_for(&district, "20261120", &lines[3..5]);
    district.move_to("2026-11-20");
    let run = import(&profile).ended(1, "hero.wrong_columns");
    assert_eq!((files(&run), rows(&run)), (vec!["export/ATTENDANCE_20261120.txt"], [2, 2, 0]));
    assert!(run.job(IMPORT)["notes"].to_string().contains("ATTENDANCE_20261119.txt"), "{}", run.stdout);
    assert_eq!(rows(&import(&profile).done()), [2, 0, 2]);
}

/// A restored ledger does not know the days since its backup: their files are read again.
#[test]
fn the_files_of_the_days_since_a_backup_are_read_again() {
    let (mut district, profile, lines) = dated();
    profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = json!(2));
    write_for(&district, "20261118", &lines[..3]);
    import(&profile).done();
    profile.run(&["backup", "now"]).done();
    district.move_to("2026-11-20");
    write_for(&district, "20261119", &lines[3..6]);
    assert_eq!(rows(&import(&profile).ended(1, "hero.export_missing")), [3, 3, 0]);
    write_for(&district, "20261120", &lines[6..8]);
    flipped(&profile.folder().join("ledger.db"));
    let run = import(&profile).done();
    assert!(run.stdout.contains("3 records written since were found"), "{}", run.stdout);
    assert_eq!(rows(&run), [5, 2, 3], "{}", run.stdout);
    assert_eq!(rows(&import(&profile).done()), [2, 0, 2]);
}

/// Files of two days since the backup that differ about a record: what the earlier one says of it is not written again.
#[test]
fn what_a_later_day_corrected_stays_after_a_restoring() {
    let (mut district, profile, lines) = dated();
    profile.change_setup(|setup| setup["powerschool"]["answer_seconds"] = json!(2));
    write_for(&district, "20261118", &lines[..3]);
    import(&profile).done();
    profile.run(&["backup", "now"]).done();
    let line = lines[3..].iter().find(|line| line.contains("\tT\t")).unwrap();
    district.move_to("2026-11-20");
    write_for(&district, "20261119", std::slice::from_ref(line));
    assert_eq!(rows(&import(&profile).ended(1, "hero.export_missing")), [1, 1, 0]);
    write_for(&district, "20261120", &[line.replace("\tT\t", "\tA\t")]);
    assert_eq!(rows(&import(&profile).done()), [1, 1, 0]);
    assert_eq!(district.audit().len(), 2);
    flipped(&profile.folder().join("ledger.db"));
    let run = import(&profile).done();
    assert_eq!((files(&run).len(), rows(&run)), (2, [2, 0, 2]), "{}", run.stdout);
    assert_eq!(district.audit().len(), 2);
}

/// 'Update existing records' off: a code that is there is left to a person.
#[rstest]
fn existing_records_are_updated_where_the_import_says_so(#[values(true, false)] update: bool) {
    let (district, profile, records) = exported();
    import(&profile).done();
    district.holds_each_once(&records);
    let writes = district.audit().len();
    set(&profile, &json!({"update_existing": update}));
    let changed = text(&district).replacen("\tT\t", "\tA\t", 2);
    district.hero_export(None, &json!({"text": changed}));
    let run = import(&profile);
    if update {
        assert_eq!(run.done().job(IMPORT)["rows"]["written"], 2);
        assert_eq!(district.audit().len(), writes + 2);
    } else {
        assert_eq!(run.ended(3, "sync.held_rows").job(IMPORT)["rows"]["held"], 2);
        let held = profile.run(&["held", "list"]).done();
        assert_eq!(held.data()["rows"][0]["code"], "held.update_existing_off", "{}", held.stdout);
        district.holds_each_once(&records);
    }
}

/// A connection that breaks while the export is on its way, and a server that can do little.
#[rstest]
#[case::cut_at_once(json!({"cut_once": {"sent": 0}}))]
#[case::cut_within(json!({"cut_once": {"sent": 100}}))]
#[case::one_channel(json!({"one_channel": true}))]
fn every_server_hands_the_export_over(#[case] faults: Value) {
    let (district, profile, records) = exported();
    district.hero_faults(&faults);
    assert_eq!(rows(&import(&profile).done()), [records.len(), records.len(), 0]);
    district.holds_each_once(&records);
}
