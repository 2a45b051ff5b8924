//! The roster files on a server.

use std::{fs, path::Path};

use rosterbridge_crash_points::CrashPoint;
use rstest::rstest;
use serde_json::{Value, json};

use super::{
    Exchange, Row, files, inactive,
    sshd::{Options, PASSWORD, Sshd},
};
use crate::support::{Output, Profile, crashed};

fn connect(profile: &Profile, sshd: &Sshd, content: &str) {
    let connection = sshd.connection_with_password(PASSWORD);
    let (host, port) = (&connection.address.host, connection.address.port);
    profile.use_server_for_raptor(host, port, &connection.username, "export");
    profile.change_setup(|setup| {
        setup["raptor"]["folder"] = "".into();
        setup["raptor"]["roster"]["content"] = content.into();
    });
}

#[rstest]
fn the_files_go_to_the_server_once_its_key_is_accepted(
    #[values("full", "changes")] content: &str,
    #[values("", "-P rename,posix-rename")] sftp_arguments: &'static str,
) {
    let sshd = Sshd::with(&Options { password_account: true, sftp_arguments, ..Options::default() });
    let mut exchange = Exchange::of(content, "2");
    connect(&exchange.profile, &sshd, content);
    let test = |more: &[&str]| exchange.profile.run(&[&["test", "raptor"], more].concat());
    let stage = |output: &Output, name: &str| {
        let stages = output.data()["stages"].as_array().unwrap().clone();
        stages.into_iter().find(|stage| stage["name"] == name).unwrap_or_default()
    };
    let lacking = test(&[]);
    assert!(lacking.stdout.contains("vault.secret_missing"), "{}", lacking.stdout);
    exchange.profile.set_secret("raptor.password", PASSWORD);
    let unknown = test(&[]);
    assert!(unknown.stdout.contains("sftp.host_key_unknown"), "{}", unknown.stdout);
    assert_eq!(unknown.data()["host_key_sha256"], sshd.pin());
    let refused = exchange.profile.run(&["sync", "raptor-roster"]);
    assert_eq!(refused.code(), "sftp.host_key_unknown");
    let accepted = test(&["--accept-host-key", &sshd.pin()]).done();
    let replacing = if sftp_arguments.is_empty() { "replaced in one step" } else { "written directly" };
    assert_eq!(stage(&accepted, "Upload")["detail"], format!("export/roster: files are {replacing}"));

    let first = exchange.sync();
    let folder = sshd.files().join("export/roster");
    let told = files(&folder);
    let rows: Vec<&Row> = told.values().flatten().collect();
    assert_eq!(told.len(), 2, "{:?}", told.keys());
    assert_eq!(first.job("raptor-roster")["rows"]["written"], rows.len());
    let again = exchange.sync();
    assert_eq!(again.job("raptor-roster")["rows"]["noop"], rows.len(), "{}", again.stdout);
    assert_eq!(files(&folder), told);

    let leaver = exchange.students(exchange.buildings()[0].1, 1)[0];
    exchange.change(&json!({"leave": {"student_number": leaver}}));
    exchange.sync();
    let inactive = |folder: &Path| {
        let rows: Vec<Row> = files(folder).into_values().flatten().collect();
        inactive(&rows).into_iter().map(|(_, number)| number).collect::<Vec<_>>()
    };
    assert_eq!(inactive(&folder), [leaver]);
    exchange.sync();
    assert_eq!(inactive(&folder).len(), usize::from(exchange.changes));
    exchange.seen.clear();
    assert!(files(&folder).keys().all(|name| !name.starts_with('.')));

    // What somebody took away is sent again where it shall be there.
    if exchange.changes {
        return;
    }
    fs::remove_file(folder.join(told.keys().next().unwrap())).unwrap();
    exchange.sync();
    assert_eq!(files(&folder).len(), 2);
    // What is not in use is moved where the server allows it, and told otherwise.
    let moves = sftp_arguments.is_empty();
    let [(renamed, _), (off, _)] = &exchange.buildings()[..] else { panic!("not two buildings") };
    exchange.change_building(0, "building", "Annex".into());
    let notes = exchange.sync().job("raptor-roster")["notes"].to_string();
    assert!(notes.contains(&format!("roster/{renamed}.csv is of a building that takes no part")), "{notes}");
    assert_eq!(notes.contains("It was moved to roster/not-in-use."), moves, "{notes}");
    assert_eq!(notes.contains("Remove it from the server"), !moves, "{notes}");
    exchange.change_building(1, "enabled", false.into());
    let notes = exchange.sync().job("raptor-roster")["notes"].to_string();
    assert!(notes.contains(&format!("roster/{off}.csv is of a building that takes no part")), "{notes}");
    assert_eq!(files(&folder).len(), if moves { 1 } else { 3 });
    if moves {
        let mut aside = [format!("{off}.csv"), format!("{renamed}.csv")];
        aside.sort();
        assert_eq!(crate::support::files_in(&folder.join("not-in-use")), aside);
        // An earlier one stays.
        exchange.change_building(1, "enabled", true.into());
        exchange.sync();
        exchange.change_building(1, "enabled", false.into());
        exchange.sync();
        assert!(folder.join("not-in-use").join(format!("{off} (2).csv")).exists());
    }
}

/// As from the exchange folder: the same names, the same limits, the same errors.
#[test]
fn raptors_lists_are_read_from_the_server() {
    let sshd = Sshd::with(&Options { password_account: true, ..Options::default() });
    let exchange = Exchange::of("full", "2");
    let folder = exchange.district.raptor("");
    let raptor = exchange.profile.setup()["raptor"].clone();
    connect(&exchange.profile, &sshd, "full");
    exchange.profile.set_secret("raptor.password", PASSWORD);
    let list = || exchange.profile.run(&["mapping", "list"]);
    let unread = list().done();
    assert_eq!(unread.data()["lists_unread"]["code"], "sftp.host_key_unknown", "{}", unread.stdout);
    exchange.profile.run(&["test", "raptor", "--accept-host-key", &sshd.pin()]).done();
    let names =
        |list: &Output| (list.data()["unmapped_buildings"].clone(), list.data()["unmapped_reasons"].clone());
    let without = list().done();
    assert_eq!(without.data()["lists_unread"], Value::Null);
    assert!(!without.stdout.contains("Quayside"), "{}", without.stdout);

    let export = sshd.files().join("export");
    let write = |name: &str, text: &str| {
        fs::write(export.join(name), text).unwrap();
        fs::write(folder.join(name), text).unwrap();
    };
    write("buildings.csv", "Building\nQuayside Annex\n");
    write("student-reasons.csv", "Building,Reason\nQuayside Annex,Ferry\nElsewhere,Ferry\n");
    let listed = list().done();
    assert!(listed.stdout.contains("Quayside Annex") && listed.stdout.contains("Ferry"), "{}", listed.stdout);

    let many = |start: &str| (0..20_001).fold(start.to_owned(), |text, name| text + &format!("B{name}\n"));
    let broken = [
        ("buildings.csv", "Nonsense\n1\n".to_owned()),
        ("buildings.csv", many("Building\n")),
        ("student-reasons.csv", "Building\nNorth\n".to_owned()),
    ];
    let with = |name: &str, text: &str| {
        let before = fs::read_to_string(folder.join(name)).unwrap();
        write(name, text);
        let list = list();
        write(name, &before);
        list
    };
    let over_sftp = broken.each_ref().map(|(name, text)| {
        // The schools can be mapped all the same, and to what the other list names.
        let list = with(name, text).done();
        let other = if *name == "buildings.csv" { "Ferry" } else { "Quayside Annex" };
        assert!(list.stdout.contains(other), "{}", list.stdout);
        list.data()["lists_unread"]["code"].as_str().unwrap().to_owned()
    });
    exchange.profile.change_setup(|setup| setup["raptor"] = raptor);
    assert_eq!(names(&list().done()), names(&listed));
    assert_eq!(over_sftp, broken.each_ref().map(|(name, text)| with(name, text).code().to_owned()));
    assert!(over_sftp.iter().all(|code| code.starts_with("raptor.")), "{over_sftp:?}");
}

#[test]
fn an_end_between_two_names_is_finished_on_the_server() {
    let sshd = Sshd::with(&Options { password_account: true, ..Options::default() });
    let exchange = Exchange::of("changes", "2");
    connect(&exchange.profile, &sshd, "changes");
    exchange.profile.set_secret("raptor.password", PASSWORD);
    exchange.profile.run(&["test", "raptor", "--accept-host-key", &sshd.pin()]).done();
    for place in [CrashPoint::RosterFileWritten, CrashPoint::RosterFilesStaged, CrashPoint::RosterFileNamed] {
        let output = exchange
            .profile
            .command(&["sync", "raptor-roster"])
            .env("ROSTERBRIDGE_CRASH_AT", place.as_str())
            .output()
            .unwrap();
        assert!(crashed(output.status), "{place:?}");
        exchange.sync();
        let folder = sshd.files().join("export/roster");
        let told = files(&folder);
        assert_eq!(told.len(), 2, "{place:?}: {:?}", told.keys());
        let mut numbers: Vec<i64> = told.values().flatten().map(|row| row.1).collect();
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "{place:?}");
        assert_eq!(exchange.sync().job("raptor-roster")["files"], json!([]), "{place:?}");
        // Everybody anew for the next place: the dates look different.
        fs::remove_dir_all(&folder).unwrap();
        exchange.profile.change_setup(|setup| {
            let dates = if setup["raptor"]["roster"]["layout"] == "us" { "iso" } else { "us" };
            let layout = json!({
                "name": dates, "columns": columns(), "delimiter": "comma", "line_end": "crlf", "header": true,
                "byte_order_mark": false, "dates": dates,
            });
            setup["raptor"]["roster"]["layouts"] = json!([layout]);
            setup["raptor"]["roster"]["layout"] = dates.into();
        });
    }
}

fn columns() -> Value {
    let fields = [
        "building",
        "id_number",
        "first_name",
        "middle_name",
        "last_name",
        "date_of_birth",
        "grade",
        "homeroom",
        "guardian_email",
        "phone",
        "status",
    ];
    fields.iter().map(|field| json!({"title": field, "field": field})).collect()
}
