//! What Hero's administrators set: accounts, keys, exports; and PowerSchool's own AutoSend and AutoComm.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::SystemTime,
};

use chrono::{DateTime, Utc};
use rosterbridge_practice::{
    AutoComm, AutoSend, HeroAccountAccess, Imported, ServeOptions,
    hero::{AccountReport, HeroLevel, HostKey, generate_host_key},
};
use rstest::rstest;
use russh::keys::{PrivateKey, ssh_key::LineEnding};
use serde_json::{Value, json};
use ssh2::{Session, Sftp};
use support::{Practice, options};

/// A student with all fields of an export, in the layout that Hero asks for.
const STUDENTS: &str = "9001\tJo\tDoe\t\t\t\t\t\t\t\t\t7\r\n";

fn session(practice: &Practice) -> Session {
    let mut session = Session::new().unwrap();
    session.set_tcp_stream(TcpStream::connect(("127.0.0.1", practice.running.ready().hero.port)).unwrap());
    session.set_timeout(30_000);
    session.handshake().unwrap();
    session
}

fn sftp(practice: &Practice, account: &HeroAccountAccess) -> Sftp {
    let session = session(practice);
    session.userauth_password(&account.username, &account.password).unwrap();
    session.sftp().unwrap()
}

fn first(practice: &Practice) -> HeroAccountAccess {
    practice.running.ready().hero_accounts[0].clone()
}

fn put(sftp: &Sftp, name: &str, content: &str) {
    sftp.create(&Path::new("imports").join(name)).unwrap().write_all(content.as_bytes()).unwrap();
}

fn export(account: &HeroAccountAccess) -> PathBuf {
    account.folder.join("export/ATTENDANCE.txt")
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn field(line: &str, number: usize) -> &str {
    line.split('\t').nth(number).unwrap()
}

async fn reports(practice: &Practice) -> Vec<AccountReport> {
    let url = format!("{}/hero/imports", practice.running.control_url());
    let answer: Value = practice.client.get(url).send().await.unwrap().json().await.unwrap();
    serde_json::from_value(answer["accounts"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_at_the_start_and_by_request_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let ready_file = folder.path().join("ready.json");
    let data = Some(folder.path().join("data"));
    let started = ServeOptions { hero_accounts: 3, ready_file: Some(ready_file.clone()), data, ..options() };
    let practice = Practice::start(started.clone()).await;
    let ready: Value = serde_json::from_slice(&fs::read(&ready_file).unwrap()).unwrap();
    assert_eq!(ready["hero_accounts"][0]["username"], ready["hero"]["username"]);
    assert_eq!(ready["hero_accounts"][0]["password"], ready["hero"]["password"]);
    let accounts = practice.running.ready().hero_accounts.clone();
    let shapes: Vec<_> = accounts.iter().map(|account| (account.level, account.schools.len())).collect();
    assert_eq!(shapes, [(HeroLevel::School, 5), (HeroLevel::School, 1), (HeroLevel::Group, 5)]);

    let schools = &accounts[0].schools[3..];
    let body = json!({"name": "North", "level": "group", "schools": schools});
    let added: HeroAccountAccess =
        serde_json::from_value(practice.control("hero/accounts", &body).await).unwrap();
    assert_eq!((added.name.as_str(), added.schools.as_slice()), ("North", schools));

    for account in accounts.iter().chain([&added]) {
        let sftp = sftp(&practice, account);
        put(&sftp, "mine.txt", &account.username);
        assert_eq!(sftp.readdir(Path::new("imports")).unwrap().len(), 1, "{account:?}");
        assert_eq!(fs::read_to_string(account.folder.join("imports/mine.txt")).unwrap(), account.username);
    }
    let other = session(&practice);
    assert!(other.userauth_password(&accounts[1].username, &accounts[0].password).is_err());

    practice.running.stop().await;
    let again = Practice::start(ServeOptions { hero_accounts: 1, ..started.clone() }).await;
    let kept = again.running.ready().hero_accounts.clone();
    assert_eq!(kept.len(), 4);
    assert_eq!((&kept[3].password, &kept[3].folder), (&added.password, &added.folder));
    sftp(&again, &added);
    again.running.stop().await;

    // Another district has other schools.
    let other = Practice::start(ServeOptions { hero_accounts: 1, seed: 2, ..started }).await;
    assert_eq!(other.running.ready().hero_accounts.len(), 1);
    assert!(!added.folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_is_refused() {
    let practice = Practice::start(options()).await;
    let schools = &first(&practice).schools;
    for (level, schools, status) in [
        ("group", &[][..], 400),
        ("school", &schools[..2], 400),
        ("school", &[999_999], 400),
        ("group", &schools[..2], 200),
        ("school", &schools[..1], 200),
    ] {
        let account = json!({"level": level, "schools": schools});
        let answer = practice.ask_control("hero/accounts", &account).await;
        assert_eq!(answer.status().as_u16(), status, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_account_or_setting_is_refused() {
    let practice = Practice::start(options()).await;
    for (path, body, status) in [
        ("hero/settings", json!({"account": "nobody", "settings": {}}), 400),
        ("hero/settings", json!({"settings": {"public_key": "no key"}}), 400),
        ("hero/settings", json!({"settings": {"no_such": true}}), 422),
        ("hero/export", json!({"account": "nobody", "export": {}}), 400),
        ("hero/export", json!({"export": {"name": "../out.txt"}}), 400),
        ("hero/host-keys", json!({"keys": []}), 400),
        ("hero", json!({"no_such": true}), 422),
        ("autosend", json!({"files": ["OTHER.TXT"]}), 400),
        ("autocomm", json!({"account": "nobody"}), 400),
        ("autocomm", json!({"file": "NONE.txt"}), 400),
    ] {
        assert_eq!(practice.ask_control(path, &body).await.status().as_u16(), status, "{path} {body}");
    }
}

/// A school-level account takes twelve student columns of its school, a group-level account thirteen.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_reads_and_exports_its_own_schools() {
    let practice = Practice::start(ServeOptions { hero_accounts: 3, students: 600, ..options() }).await;
    let [_, school, group] = practice.running.ready().hero_accounts.as_slice() else { panic!() };
    for account in [school, group] {
        let sent = practice
            .running
            .auto_send(AutoSend { account: Some(account.username.clone()), ..AutoSend::default() })
            .await
            .unwrap();
        assert!(sent.iter().all(|file| file.rows > 0), "{sent:?}");
    }
    let reports = reports(&practice).await;
    assert!(reports[0].files.is_empty());
    let columns: Vec<_> = reports[1..].iter().map(|report| report.files["STUDENT.TXT"].columns).collect();
    assert_eq!(columns, [12, 13]);
    for report in &reports[1..] {
        assert_eq!(report.files.len(), 3);
        assert!(report.files.values().all(|file| (file.skipped, file.times) == (0, 1)), "{report:?}");
    }
    let own = school.schools[0].to_string();
    let exported = lines(&export(school));
    assert!(!exported.is_empty() && exported.iter().all(|line| field(line, 0) == own), "{exported:?}");

    // The files of the one are not those of the other.
    for name in ["STUDENT.TXT", "SCHEDULE.TXT"] {
        fs::copy(group.folder.join("imports").join(name), school.folder.join("imports").join(name)).unwrap();
    }
    let body = json!({"account": school.username});
    let read: AccountReport = serde_json::from_value(practice.control("hero/read", &body).await).unwrap();
    assert_eq!((read.files["STUDENT.TXT"].rows, read.files["STUDENT.TXT"].columns), (0, 13));
    let schedule = &read.files["SCHEDULE.TXT"];
    assert!(schedule.rows > 0 && schedule.skipped > 0, "{schedule:?}");
}

fn new_key() -> PrivateKey {
    PrivateKey::from_openssh(generate_host_key().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_signs_in_where_its_line_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { hero_accounts: 2, data: Some(folder.path().to_owned()), ..options() };
    let practice = Practice::start(options.clone()).await;
    let [one, two] = practice.running.ready().hero_accounts.clone().try_into().unwrap();
    let key = new_key();
    let private = key.to_openssh(LineEnding::LF).unwrap();
    let line = format!("{} office computer\n", key.public_key().to_openssh().unwrap());
    let signs_in = |practice: &Practice, user: &str, private: &str| {
        session(practice).userauth_pubkey_memory(user, None, private, None).is_ok()
    };
    assert!(!signs_in(&practice, &two.username, &private));
    let body = json!({"account": two.username, "settings": {"public_key": line, "refuse_password": true}});
    practice.control("hero/settings", &body).await;
    assert!(signs_in(&practice, &two.username, &private));
    assert!(!signs_in(&practice, &one.username, &private));
    assert!(!signs_in(&practice, &two.username, &new_key().to_openssh(LineEnding::LF).unwrap()));
    assert!(session(&practice).userauth_password(&two.username, &two.password).is_err());
    assert!(session(&practice).userauth_password(&one.username, &one.password).is_ok());

    practice.running.stop().await;
    let again = Practice::start(options).await;
    assert!(signs_in(&again, &two.username, &private));
    again.control("hero/settings", &json!({"account": two.username, "settings": {}})).await;
    assert!(!signs_in(&again, &two.username, &private));
    assert!(session(&again).userauth_password(&two.username, &two.password).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_away_as_set() {
    let practice = Practice::start(options()).await;
    let account = first(&practice);
    let client = sftp(&practice, &account);
    let there = || client.readdir(Path::new("imports")).unwrap().len();
    practice.control("hero/settings", &json!({"settings": {"taking": "at_once"}})).await;
    put(&client, "STUDENT.TXT", STUDENTS);
    assert_eq!(there(), 0);
    assert!(!export(&account).exists());
    put(&client, "SCHEDULE.TXT", "");
    put(&client, "TEACHER.txt", "");
    assert_eq!(there(), 0);
    // A student nobody is tardy among.
    assert_eq!(fs::read_to_string(export(&account)).unwrap(), "");

    practice.control("hero/settings", &json!({"settings": {"taking": "when_asked"}})).await;
    put(&client, "STUDENT.TXT", &format!("Student_Number\tFirst_Name\r\n{STUDENTS}{STUDENTS}"));
    assert_eq!((there(), reports(&practice).await[0].files["STUDENT.TXT"].times), (1, 1));
    let read: AccountReport =
        serde_json::from_value(practice.control("hero/read", &json!({})).await).unwrap();
    let report = &read.files["STUDENT.TXT"];
    assert_eq!((there(), report.times, report.rows, report.skipped), (0, 2, 2, 1));
    assert!(report.header && report.tabs && report.columns == 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_written_in_halves_and_grows() {
    let practice = Practice::start(options()).await;
    let account = first(&practice);
    let path = export(&account);
    let set = async |export: Value| practice.control("hero/export", &json!({ "export": export })).await;

    let written = set(json!({})).await;
    let whole = fs::read(&path).unwrap();
    assert_eq!(written, json!({"file": "ATTENDANCE.txt", "rows": 7, "bytes": whole.len()}));
    assert!(account.folder.join("export/REFERRALS.txt").exists());

    set(json!({"form": "half"})).await;
    let half = fs::read(&path).unwrap();
    assert!(half.len() > whole.len() / 3 && half.len() < whole.len());
    assert!(whole.starts_with(&half) && !half.ends_with(b"\n"));
    set(json!({})).await;
    assert_eq!(fs::read(&path).unwrap(), whole);

    let grown = set(json!({"more_rows": 3})).await;
    let longer = fs::read(&path).unwrap();
    assert_eq!((&grown["rows"], longer.starts_with(&whole)), (&json!(10), true));
    assert_eq!(lines(&path).len(), 10);

    set(json!({"form": "empty"})).await;
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    assert_eq!(set(json!({"form": "missing"})).await["bytes"], Value::Null);
    assert!(!path.exists());

    // It stays as it is set, whatever arrives.
    practice.running.auto_send(AutoSend::default()).await.unwrap();
    assert!(!path.exists());
    set(json!({"more_rows": 3, "name": "ATT_20261120.txt"})).await;
    assert!(!path.exists());
    assert_eq!(fs::read(account.folder.join("export/ATT_20261120.txt")).unwrap(), longer);
    set(json!({"modified": "2026-11-18T04:00:00Z"})).await;
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let set_to: DateTime<Utc> = "2026-11-18T04:00:00Z".parse().unwrap();
    assert_eq!(modified, SystemTime::from(set_to));
}

/// A file that grows is appended to: whoever reads it meanwhile sees the same file.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_growing_export_stays_the_same_file() {
    use std::os::unix::fs::MetadataExt as _;

    let practice = Practice::start(options()).await;
    let path = export(&first(&practice));
    let mut numbers = Vec::new();
    for form in [json!({"form": "half"}), json!({}), json!({"more_rows": 1})] {
        practice.control("hero/export", &json!({ "export": form })).await;
        numbers.push(fs::metadata(&path).unwrap().ino());
    }
    assert_eq!((numbers[0], numbers[0]), (numbers[1], numbers[2]));
}

#[rstest]
#[case::usual(json!({}), b"a\t\xe9,\"x\"\n1\t\x80\n")]
#[case::utf8(json!({"characters": "utf8"}), "a\té,\"x\"\n1\t€\n".as_bytes())]
#[case::mac_roman(json!({"characters": "mac_roman"}), b"a\t\x8e,\"x\"\n1\t\xdb\n")]
#[case::comma(json!({"delimiter": "comma"}), b"a,\"\xe9,\"\"x\"\"\"\n1,\x80\n")]
#[case::cr(json!({"record_end": "cr"}), b"a\t\xe9,\"x\"\r1\t\x80\r")]
#[case::crlf(json!({"record_end": "crlf"}), b"a\t\xe9,\"x\"\r\n1\t\x80\r\n")]
#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_the_layout_that_is_set(#[case] layout: Value, #[case] expected: &[u8]) {
    let practice = Practice::start(options()).await;
    let mut export_set = layout;
    export_set["text"] = "a\té,\"x\"\n1\t€\n".into();
    let written = practice.control("hero/export", &json!({ "export": export_set })).await;
    assert_eq!(written["rows"], 2);
    assert_eq!(fs::read(export(&first(&practice))).unwrap(), expected);
    practice.control("hero/export", &json!({"export": {"header": true, "text": ""}})).await;
    let header = fs::read_to_string(export(&first(&practice))).unwrap();
    assert_eq!(
        header,
        "SchoolID\tStudent_Number\tCourse_Number\tSection_Number\tAtt_Date\tAttendance Code\tPeriod Abbreviation\n"
    );
}

/// The fingerprint of the key that libssh2 settles on when it asks for one kind.
fn shown(practice: &Practice, kind: &str) -> Option<Vec<u8>> {
    let mut session = Session::new().unwrap();
    session.set_tcp_stream(TcpStream::connect(("127.0.0.1", practice.running.ready().hero.port)).unwrap());
    session.set_timeout(30_000);
    session.method_pref(ssh2::MethodType::HostKey, kind).unwrap();
    session.handshake().ok()?;
    Some(session.host_key_hash(ssh2::HashType::Sha256).unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_change_and_multiply_on_the_running_port() {
    use base64::Engine as _;

    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(folder.path().to_owned()), ..options() };
    let practice = Practice::start(options.clone()).await;
    let set = async |body: Value| -> Vec<HostKey> {
        serde_json::from_value(practice.control("hero/host-keys", &body).await).unwrap()
    };
    let bytes = |key: &HostKey| {
        let text = key.sha256.strip_prefix("SHA256:").unwrap();
        base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).unwrap()
    };
    let open = sftp(&practice, &first(&practice));
    let both = set(json!({"kinds": ["ed25519", "ecdsa"]})).await;
    assert_eq!(both[0].sha256, practice.running.ready().hero.host_key_sha256, "kept");
    assert_eq!(both[1].algorithm, "ecdsa-sha2-nistp256");
    assert!(both[1].public.starts_with("ecdsa-sha2-nistp256 AAAA"));
    assert_eq!(shown(&practice, "ssh-ed25519"), Some(bytes(&both[0])));
    assert_eq!(shown(&practice, "ecdsa-sha2-nistp256"), Some(bytes(&both[1])));

    let changed = set(json!({"new": ["ed25519"]})).await;
    assert_ne!(changed[0].sha256, both[0].sha256);
    assert_eq!(shown(&practice, "ssh-ed25519"), Some(bytes(&changed[0])));
    assert_eq!(shown(&practice, "ecdsa-sha2-nistp256"), None);
    assert!(open.stat(Path::new("imports")).is_ok(), "who was connected stays");

    let given = generate_host_key().unwrap();
    let given = set(json!({ "keys": [given] })).await;
    practice.running.stop().await;
    let again = Practice::start(options).await;
    assert_eq!(again.running.ready().hero.host_key_sha256, given[0].sha256);
    assert_eq!(again.running.hero().host_keys(), given);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rsa_host_key_is_offered() {
    let practice = Practice::start(options()).await;
    let body = json!({"kinds": ["rsa"]});
    let keys: Vec<HostKey> = serde_json::from_value(practice.control("hero/host-keys", &body).await).unwrap();
    assert_eq!(keys[0].algorithm, "ssh-rsa");
    assert!(shown(&practice, "rsa-sha2-512").is_some());
    assert!(shown(&practice, "rsa-sha2-256").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn powerschool_sends_the_files_by_itself() {
    let practice = Practice::start(options()).await;
    let account = first(&practice);
    let sent = practice.control("autosend", &json!({})).await;
    let columns: Vec<_> = sent.as_array().unwrap().iter().map(|file| file["columns"].clone()).collect();
    assert_eq!(columns, [12, 12, 7]);
    assert_eq!(sent[0]["rows"], 150);
    let enrolled = "SELECT COUNT(*) FROM CC JOIN Students ON Students.ID = CC.StudentID
                     WHERE TermID / 100 = 36 AND SectionID > 0 AND CC.SchoolID <> 999999";
    assert_eq!(sent[1]["rows"], practice.number(enrolled));
    assert_eq!(sent[2]["rows"], practice.number("SELECT COUNT(*) FROM SchoolStaff WHERE SchoolID <> 999999"));
    let students = fs::read(account.folder.join("imports/STUDENT.TXT")).unwrap();
    assert!(students.ends_with(b"\r\n"));
    // Hero reads them like anybody's.
    let report = &reports(&practice).await[0];
    assert!(report.files.values().all(|file| file.skipped == 0 && !file.header), "{report:?}");
    assert!(export(&account).exists());

    let body = json!({
        "files": ["STUDENT.TXT"], "in_root": true, "comma": true, "header": true, "without": ["home_phone"],
        "rows": 2, "modified": "2026-11-18T03:00:00Z",
    });
    let sent = practice.control("autosend", &body).await;
    assert_eq!((&sent[0]["rows"], &sent[0]["columns"]), (&json!(2), &json!(11)));
    let mut text = String::new();
    let client = sftp(&practice, &account);
    client.open(Path::new("STUDENT.TXT")).unwrap().read_to_string(&mut text).unwrap();
    let mut rows = text.split("\r\n");
    assert_eq!(
        rows.next(),
        Some(
            "Student_Number,First_Name,Last_Name,Middle_Name,DOB,Mailing_Street,Mailing_City,Mailing_State,\
             Mailing_Zip,GuardianEmail,Grade_Level"
        )
    );
    assert_eq!(rows.count(), 3);
    assert_eq!(client.stat(Path::new("STUDENT.TXT")).unwrap().mtime, Some(1_794_970_800));
    assert_eq!(fs::read(account.folder.join("imports/STUDENT.TXT")).unwrap(), students, "not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn powerschool_reads_the_attendance_by_itself() {
    let practice = Practice::start(options()).await;
    let account = first(&practice);
    practice.running.auto_send(AutoSend::default()).await.unwrap();
    let rows = u32::try_from(lines(&export(&account)).len()).unwrap();
    // The district has attendance of its own that day.
    let database = practice.database();
    database.execute("DELETE FROM Attendance WHERE Att_Date = ?1", [support::DATE]).unwrap();

    let imported: Imported = serde_json::from_value(practice.control("autocomm", &json!({})).await).unwrap();
    assert_eq!(imported, Imported { inserted: rows, ..Imported::default() });
    let stored = format!(
        "SELECT COUNT(*) FROM Attendance A JOIN Attendance_Code C ON C.ID = A.Attendance_CodeID
          WHERE A.Att_Date = '{}' AND C.Att_Code = 'T' AND C.SchoolID = A.SchoolID
            AND (A.Att_Mode_Code = 'ATT_ModeDaily') = (A.CCID = 0)",
        support::DATE
    );
    assert_eq!(practice.number(&stored), i64::from(rows));
    assert!(practice.audit().await.is_empty(), "no program wrote it");
    let again = practice.running.auto_comm(AutoComm::default()).await.unwrap();
    assert_eq!(again, Imported { unchanged: rows, ..Imported::default() });

    // Another code for the first row, and one that names nothing.
    let exported = lines(&export(&account)).remove(0).replace("\tT\t", "\tA\t");
    let text = format!("{exported}\nno row\n");
    practice.control("hero/export", &json!({"export": {"text": text}})).await;
    let changed = practice.running.auto_comm(AutoComm::default()).await.unwrap();
    assert_eq!(changed, Imported { updated: 1, refused: 1, ..Imported::default() });
    assert_eq!(practice.number(&stored), i64::from(rows) - 1);
}
