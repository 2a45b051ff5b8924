//! Tardy files that are hostile, broken or many, and those on a server: every row is accounted for, no file keeps another
//! from being taken, and nothing is written beside the exchange folder.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{DATE, District, Output, Profile, files_in, until};

const HEADER: &str = "Building,IdNumber,SignInTime,Reason,Comment";

/// A district whose Raptor integration is initialized.
fn initialized(options: &[&str]) -> (District, Profile) {
    let district = District::start(options);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    (district, profile)
}

/// The rows of the day's tardies, without comments; the file is taken away.
fn take_tardies(district: &District) -> Vec<[String; 4]> {
    let mut file = csv::Reader::from_path(district.tardies()).unwrap();
    let rows = file.records().map(|row| {
        let row = row.unwrap();
        [0, 1, 2, 3].map(|column| row[column].to_owned())
    });
    let rows = rows.collect();
    fs::remove_file(district.tardies()).unwrap();
    rows
}

/// Drops a file that nobody has written to for a while.
pub fn drop_file(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    age(path);
}

fn age(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_mins(1);
    File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

/// Read, written, no-op, held, rejected.
#[track_caller]
fn counts(output: &Output) -> [u64; 5] {
    ["read", "written", "noop", "held", "rejected"]
        .map(|name| output.job("raptor-tardies")["rows"][name].as_u64().unwrap())
}

#[track_caller]
fn notes(output: &Output) -> Vec<&str> {
    let notes = output.job("raptor-tardies")["notes"].as_array().unwrap();
    notes.iter().map(|note| note.as_str().unwrap()).collect()
}

/// What is beside the exchange folder, and in it but for the files dropped and decided.
fn beside(district: &District) -> Vec<String> {
    let folder = &district.ready.raptor.folder;
    let mut names = files_in(folder.parent().unwrap());
    names.extend(files_in(folder).into_iter().filter(|name| !name.contains(".csv") && name != "processed"));
    // SQLite's, which come and go.
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names
}

#[test]
fn every_row_of_a_hostile_file_is_accounted_for() {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let around = beside(&district);
    let tardies = take_tardies(&district);
    let [[building, student, time, reason], [other_building, other_student, other_time, other_reason], ..] =
        tardies.as_slice()
    else {
        panic!("{tardies:?}")
    };
    let good = format!("{building},{student},{time},{reason},=1+1");
    let rows = [
        good.clone(),
        good.clone(),
        format!("{building},8000001,{time},{reason},"),
        format!("..\\..\\x,{student},{time},{reason},"),
        format!("/etc/passwd,{student},{time},{reason},"),
        format!("CON,{student},{time},{reason},"),
        format!("{building},{student},{time},=cmd|' /C calc'!A0,"),
        format!("{building},{student},1899-12-31T08:12,{reason},"),
        format!("{building},{student},2999-01-01T08:12,{reason},"),
        format!("{building},{student}"),
        format!("\"{building}\"x,{student},{time},{reason},"),
        format!("{building},{student},{time},{reason},zero\0"),
        format!("{building},{student},{time},{reason},{}", "x".repeat(100_000)),
        format!("{other_building},{other_student},{other_time},{other_reason},"),
    ];
    drop_file(&district.raptor("a.csv"), format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    drop_file(&district.raptor("b.csv"), format!("{HEADER}\n{good}\n").as_bytes());

    let sync = profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    assert_eq!(counts(&sync), [15, 2, 2, 6, 5], "{}", sync.stdout);
    let held = profile.run(&["held", "list"]).done();
    let mut by_reason: Vec<Value> = held.data()["by_reason"].as_array().unwrap().clone();
    by_reason.sort_by_key(ToString::to_string);
    assert_eq!(
        Value::from(by_reason),
        json!([
            ["held.building_not_mapped", 3],
            ["held.reason_not_mapped", 1],
            ["held.too_old", 1],
            ["held.unknown_student", 1]
        ])
    );
    let held_lines: Vec<&Value> =
        held.data()["rows"].as_array().unwrap().iter().map(|row| &row["line"]).collect();
    assert_eq!(held_lines, [4, 5, 6, 7, 8, 9]);
    for line in 10..=14 {
        let rejected = format!("a.csv line {line} was rejected: ");
        assert!(notes(&sync).iter().any(|note| note.starts_with(&rejected)), "{:?}", notes(&sync));
    }
    assert_eq!(district.audit().len(), 2);
    let formulas = "SELECT count(*) FROM Attendance WHERE Att_Comment = '=1+1'";
    let formulas: i64 = district.database().query_one(formulas, [], |row| row.get(0)).unwrap();
    assert_eq!(formulas, 1, "a formula is text");

    // Its held rows keep one file where it is; the other is decided. Nothing else has come to be.
    assert_eq!(files_in(&district.raptor("processed")), ["b.csv"]);
    assert!(district.raptor("a.csv").exists());
    assert_eq!(beside(&district), around);

    let again = profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    let [read, written, noop, held, rejected] = counts(&again);
    assert_eq!((read, written, noop + held + rejected), (14, 0, 14));
    assert_eq!(district.audit().len(), 2);
}

/// What is dropped beside a good file.
#[cfg(target_os = "linux")]
enum Hostile {
    Bytes(Vec<u8>),
    /// So many zeros after a header and a good row, which take no room on the disk.
    Sparse(u64),
    Link,
    Folder,
    Pipe,
}

#[cfg(target_os = "linux")]
impl Hostile {
    fn put(&self, path: &Path, good: &str) {
        match self {
            Self::Bytes(bytes) => drop_file(path, bytes),
            Self::Sparse(bytes) => {
                drop_file(path, format!("{HEADER}\n{good}\n").as_bytes());
                File::options().write(true).open(path).unwrap().set_len(*bytes).unwrap();
                age(path);
            }
            Self::Link => {
                let target = path.with_file_name("elsewhere");
                drop_file(&target, format!("{HEADER}\n{good}\n").as_bytes());
                std::os::unix::fs::symlink(&target, path).unwrap();
            }
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Pipe => assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success()),
        }
    }
}

/// The most memory a run may take, in KiB: a fraction of what the hostile files are long.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 400 * 1024;

/// Runs a command and looks how much memory it takes.
#[cfg(target_os = "linux")]
fn measured(profile: &Profile, arguments: &[&str]) -> Output {
    let child = profile.spawn(arguments);
    let status = format!("/proc/{}/status", child.id());
    let watching = std::thread::spawn(move || {
        let mut peak = 0;
        // Gone with the process, or without memory once it has ended.
        while let Ok(text) = fs::read_to_string(&status) {
            let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { break };
            peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    let output = profile.finish(child);
    let peak = watching.join().unwrap();
    assert!((1..MOST_MEMORY).contains(&peak), "{peak} KiB");
    output
}

#[cfg(target_os = "linux")]
#[rstest]
#[case::ten_gibibytes(Hostile::Sparse(10 << 30), Some("raptor.file_too_large"))]
#[case::a_line_of_a_gibibyte(Hostile::Sparse(1 << 30), Some("raptor.file_too_large"))]
#[case::one_line_of_zeros(Hostile::Sparse(60 << 20), None)]
#[case::ten_thousand_columns(Hostile::Bytes(format!("{HEADER}{}\n", ",".repeat(9_995)).into()), Some("raptor.too_many_columns"))]
#[case::a_long_header(Hostile::Bytes(vec![b'x'; 1 << 20]), Some("raptor.header_too_long"))]
#[case::too_many_rows(Hostile::Bytes(format!("{HEADER}\n{}", "x\n".repeat(100_001)).into()), Some("raptor.file_too_large"))]
#[case::zeros(Hostile::Bytes(vec![0; 100]), Some("raptor.wrong_columns"))]
#[case::utf_16(Hostile::Bytes(b"\xFF\xFEB\0u\0".to_vec()), Some("raptor.wrong_characters"))]
#[case::a_link(Hostile::Link, Some("raptor.file_link"))]
#[case::a_folder(Hostile::Folder, None)]
#[case::a_pipe(Hostile::Pipe, None)]
fn a_hostile_file_keeps_no_other_from_being_taken(#[case] hostile: Hostile, #[case] code: Option<&str>) {
    let (district, profile) = initialized(&[]);
    let expected = district.raptor_records(&district.tardies(), &profile.setup());
    let good = fs::read_to_string(district.tardies()).unwrap().lines().nth(1).unwrap().to_owned();
    let path = district.raptor("a hostile file.csv");
    hostile.put(&path, &good);
    let before = fs::symlink_metadata(&path).unwrap().len();

    let sync = measured(&profile, &["sync", "raptor-tardies"]);
    let rejected = u64::from(matches!(hostile, Hostile::Sparse(_)) && code.is_none());
    let [read, written, noop, held, bad] = counts(&sync);
    assert_eq!((written, held, bad), (6, 0, rejected), "{}", sync.stdout);
    assert_eq!(read, written + noop + held + bad);
    district.holds_each_once(&expected);
    let processed = files_in(&district.raptor("processed"));
    if rejected > 0 {
        // The row is kept, with file and line.
        let kept = "a hostile file.csv line 3 was rejected: the row is longer than 16 KiB.";
        assert!(notes(&sync).contains(&kept), "{:?}", notes(&sync));
        assert_eq!(processed, ["a hostile file.csv".to_owned(), format!("tardies-{DATE}.csv")]);
        return;
    }
    assert_eq!(processed, [format!("tardies-{DATE}.csv")]);
    assert_eq!(fs::symlink_metadata(&path).unwrap().len(), before);
    let told = sync.job("raptor-tardies")["cause"]["code"].as_str();
    assert_eq!(told, code, "{}", sync.stdout);
    if let Some(code) = code {
        let of_file = notes(&sync).into_iter().filter(|note| note.contains("a hostile file.csv"));
        let of_file: Vec<&str> = of_file.collect();
        assert!(of_file.len() == 1 && of_file[0].ends_with(&format!("[{code}]")), "{of_file:?}");
    }
}

/// Far more rows than are in memory at a time: they are decided in several goes, and a record that several of them name
/// is what the last one says.
#[cfg(target_os = "linux")]
#[test]
fn more_rows_than_are_decided_at_once_are_all_decided() {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let expected = district.raptor_records(&district.tardies(), &profile.setup());
    let long = "x".repeat(16 * 1024);
    let rubbish = format!("{long}\n").repeat(1_100);
    for name in ["a.csv", "b.csv"] {
        // No two rows are the same.
        let rows = rubbish.lines().zip(0..).map(|(line, row)| format!("{name}{row}{}\n", &line[20..]));
        let numbered = rows.collect::<Vec<_>>().concat();
        drop_file(&district.raptor(name), format!("{HEADER}\n{numbered}").as_bytes());
    }
    let sync = measured(&profile, &["sync", "raptor-tardies"]);
    assert_eq!(counts(&sync), [2_206, 6, 0, 0, 2_200], "{}", sync.stdout);
    assert!(notes(&sync).len() <= 20, "{}", notes(&sync).len());
    assert_eq!(files_in(&district.raptor("processed")).len(), 3);
    district.holds_each_once(&expected);
}

#[test]
fn a_thousand_tiny_files_are_taken() {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let tardies = take_tardies(&district);
    for number in 0..1_000 {
        let [building, student, time, reason] = &tardies[number % tardies.len()];
        let row = format!("{building},{student},{time},{reason},{}", number / tardies.len());
        drop_file(&district.raptor(&format!("{number:04}.csv")), format!("{HEADER}\n{row}\n").as_bytes());
    }
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    let [read, written, noop, held, rejected] = counts(&sync);
    assert_eq!((read, written, held, rejected), (1_000, 6, 0, 0));
    assert_eq!(noop, 994, "of the rows about one record one is written");
    assert_eq!(files_in(&district.raptor("processed")).len(), 1_000);
    assert_eq!(district.audit().len(), 6);
}

/// Lets the profile take its tardies from the folder `export` of the practice district's SFTP server.
pub fn take_from_server(district: &District, profile: &Profile) {
    let hero = &district.ready.hero;
    fs::create_dir_all(district.hero("export")).unwrap();
    for name in files_in(&district.hero("export")) {
        fs::remove_file(district.hero("export").join(name)).unwrap();
    }
    profile.use_server_for_raptor(&hero.host, hero.port, &hero.username, "export");
    profile.set_secret("raptor.password", &hero.password);
}

#[test]
fn files_of_a_server_are_only_read_and_each_once() {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let setup = profile.setup();
    let content = fs::read(district.tardies()).unwrap();
    let expected = district.raptor_records(&district.tardies(), &setup);
    fs::remove_file(district.tardies()).unwrap();
    take_from_server(&district, &profile);
    let remote = district.hero("export/late.csv");
    drop_file(&remote, &content);
    drop_file(&district.hero("export/visitors.csv"), b"Visitor,Host\nA,B\n");

    let sync = profile.run(&["sync", "raptor-tardies"]).ended(1, "raptor.wrong_columns");
    assert_eq!(counts(&sync), [6, 6, 0, 0, 0], "{}", sync.stdout);
    district.holds_each_once(&expected);
    assert_eq!(files_in(&district.hero("export")), ["late.csv", "visitors.csv"]);
    assert_eq!(fs::read(&remote).unwrap(), content);
    fs::remove_file(district.hero("export/visitors.csv")).unwrap();

    // It is decided: neither read again, nor once only its time has changed.
    let again = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&again), [0; 5]);
    File::options().write(true).open(&remote).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let touched = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&touched), [0; 5]);

    // A row that waits lets it be read again and again, until that row is decided too.
    let text = String::from_utf8(content).unwrap();
    let like: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
    let row = format!("{},8000001,{},{},", like[0], like[2], like[3]);
    drop_file(&remote, format!("{text}{row}\n").as_bytes());
    let grown = profile.run(&["sync", "raptor-tardies"]).ended(3, "sync.held_rows");
    assert_eq!(counts(&grown), [7, 0, 6, 1, 0], "{}", grown.stdout);
    let waits = profile.run(&["sync", "raptor-tardies"]).ended(0, "sync.held_rows");
    assert_eq!(counts(&waits), [7, 0, 6, 1, 0]);
    let like: i64 = like[1].parse().unwrap();
    district.change(&json!([{"add_student": {"student_number": 8_000_001, "like": like}}]));
    let decided = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&decided), [7, 1, 6, 0, 0]);
    assert_eq!(counts(&profile.run(&["sync", "raptor-tardies"]).done()), [0; 5]);
    assert_eq!(district.audit().len(), 7);
}

#[test]
fn a_server_that_is_away_is_told_as_raptors() {
    let (district, profile) = initialized(&[]);
    take_from_server(&district, &profile);
    profile.change_setup(|setup| setup["connections"][1]["port"] = 1.into());
    let sync = profile.run(&["sync", "raptor-tardies"]);
    assert_eq!(sync.exit, 1, "{}", sync.stdout);
    let code = sync.job("raptor-tardies")["cause"]["code"].as_str().unwrap().to_owned();
    // Nobody has accepted a key of what is there now; nothing is there, either.
    assert!(code.starts_with("sftp."), "{code}");
    assert!(district.tardies().exists(), "the folder is not what is exchanged over");
}

/// The last row of a file may be half a row while a slow program writes it; one that nobody goes on with is whole.
#[rstest]
#[case::in_the_folder(false)]
#[case::on_a_server(true)]
fn half_a_row_is_not_decided(#[case] on_server: bool) {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let content = fs::read_to_string(district.tardies()).unwrap();
    let expected = district.raptor_records(&district.tardies(), &profile.setup());
    fs::remove_file(district.tardies()).unwrap();
    let path = if on_server {
        take_from_server(&district, &profile);
        district.hero("export/late.csv")
    } else {
        district.raptor("late.csv")
    };
    let (half, rest) = content.trim_end().split_at(content.trim_end().len() - 10);
    fs::write(&path, half).unwrap();
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&sync), [0; 5], "{}", sync.stdout);
    assert!(notes(&sync)[0].starts_with("late.csv does not end with a line end"), "{:?}", notes(&sync));

    File::options().append(true).open(&path).unwrap().write_all(rest.as_bytes()).unwrap();
    age(&path);
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&sync), [6, 6, 0, 0, 0], "{}", sync.stdout);
    district.holds_each_once(&expected);
}

/// A file that somebody is writing is left until it is whole.
#[test]
fn a_file_that_grows_is_left_for_later() {
    let (district, profile) = initialized(&["--attendance", "insert"]);
    let content = fs::read_to_string(district.tardies()).unwrap();
    let expected = district.raptor_records(&district.tardies(), &profile.setup());
    let (half, rest) = content.split_at(content.len() - 10);
    fs::write(district.tardies(), half).unwrap();
    let mut file = File::options().append(true).open(district.tardies()).unwrap();
    // As by a clock that goes ahead: it counts as written to a moment ago, whenever it is looked at.
    let ahead = SystemTime::now() + Duration::from_hours(1);
    file.set_modified(ahead).unwrap();
    let mut child = profile.spawn(&["sync", "raptor-tardies"]);
    let mut seconds = 0;
    until("it has run", || {
        // A file that is another one at every look.
        seconds += 1;
        file.set_modified(ahead + Duration::from_secs(seconds)).unwrap();
        child.try_wait().unwrap()
    });
    let sync = profile.finish(child).done();
    assert_eq!(counts(&sync), [0; 5], "{}", sync.stdout);
    assert_eq!(notes(&sync).len(), 1);
    assert!(notes(&sync)[0].contains("is still being written"), "{:?}", notes(&sync));
    file.write_all(rest.as_bytes()).unwrap();
    age(&district.tardies());
    let sync = profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(counts(&sync), [6, 6, 0, 0, 0]);
    district.holds_each_once(&expected);
}
