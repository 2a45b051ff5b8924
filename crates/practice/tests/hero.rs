//! The practice Hero server, seen by the SFTP clients of the world: OpenSSH's, libssh2 and russh.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_practice::{
    District,
    district::Plan,
    hero::{
        self, CutOnce, HeroAccountOptions, HeroAccountSettings, HeroFaults, HeroLevel, HeroOptions,
        HeroServer,
    },
    raptor,
};
use rstest::rstest;
use ssh2::{ErrorCode, FileStat, OpenFlags, OpenType, RenameFlags, Session, Sftp};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const USER: &str = "hero-district";
const PASSWORD: &str = "correct horse";
const SEED: u64 = 1;
const STUDENTS: u32 = 240;
const NO_SUCH_FILE: ErrorCode = ErrorCode::SFTP(2);
const PERMISSION_DENIED: ErrorCode = ErrorCode::SFTP(3);

fn date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

/// A district, a Hero server and the runtime it runs on. Tests are blocking, as libssh2 is.
struct Hero {
    server: HeroServer,
    district: District,
    runtime: Runtime,
    host_key: String,
    folder: TempDir,
}

impl Hero {
    fn start(faults: HeroFaults) -> Self {
        Self::start_with(STUDENTS, SEED, faults)
    }

    fn start_with(students: u32, seed: u64, faults: HeroFaults) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { students, schools: 3, seed: SEED, date: date(), keeps_summer: false };
        let district = District::generate(&folder.path().join("district.db"), plan).unwrap();
        let runtime = Runtime::new().unwrap();
        let host_key = hero::generate_host_key().unwrap();
        let server = serve(&runtime, &district, folder.path().join("hero"), &host_key, seed, faults);
        Self { server, district, runtime, host_key, folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("hero")
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    fn session(&self) -> Session {
        let mut session = Session::new().unwrap();
        session.set_tcp_stream(TcpStream::connect(self.server.address()).unwrap());
        session.set_timeout(30_000);
        session.handshake().unwrap();
        session
    }

    fn sftp(&self) -> Sftp {
        let session = self.session();
        session.userauth_password(USER, PASSWORD).unwrap();
        session.sftp().unwrap()
    }

    /// The student file as the exchange's rules ask for it: twelve fields, tab, CRLF.
    fn student_file(&self) -> String {
        let connection = self.district.connect().unwrap();
        let mut students = connection
            .prepare(
                "SELECT Student_Number, First_Name, Last_Name, Grade_Level FROM Students
                  WHERE Enroll_Status = 0 ORDER BY Student_Number",
            )
            .unwrap();
        students
            .query_map((), |row| {
                let (number, first, last): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(format!("{number}\t{first}\t{last}\t\t\t\t\t\t\t\t\t{}\r\n", row.get::<_, i64>(3)?))
            })
            .unwrap()
            .collect::<rusqlite::Result<String>>()
            .unwrap()
    }

    fn export(&self) -> PathBuf {
        self.root().join("export/ATTENDANCE.txt")
    }
}

fn serve(
    runtime: &Runtime,
    district: &District,
    root: PathBuf,
    host_key: &str,
    seed: u64,
    faults: HeroFaults,
) -> HeroServer {
    let _runtime = runtime.enter();
    hero::start(HeroOptions {
        listen: TcpListener::bind("127.0.0.1:0").unwrap(),
        host_keys: vec![host_key.to_owned()],
        accounts: vec![account(root)],
        district: district.clone(),
        date: date(),
        seed,
        faults,
    })
    .unwrap()
}

/// An account of every school.
fn account(root: PathBuf) -> HeroAccountOptions {
    HeroAccountOptions {
        name: "District".to_owned(),
        username: USER.to_owned(),
        password: PASSWORD.to_owned(),
        level: HeroLevel::School,
        schools: Vec::new(),
        root,
        settings: HeroAccountSettings::default(),
    }
}

const SCHEDULE: &str = "100\t10001\t3600\tMATH\tMath\t1\t1\t1(A)\tDoe\tJo\t12\tT1\r\n";
const TEACHERS: &str = "100\tDoe\tJo\tT1\tjo@example.org\tT1\t1\r\n";

/// Uploads as the engine does: a temporary name first, then a rename.
fn deliver(sftp: &Sftp, name: &str, content: &str) {
    let temporary = format!("imports/.{name}.part");
    sftp.create(Path::new(&temporary)).unwrap().write_all(content.as_bytes()).unwrap();
    let target = format!("imports/{name}");
    if sftp.stat(Path::new(&target)).is_ok() {
        sftp.unlink(Path::new(&target)).unwrap();
    }
    sftp.rename(Path::new(&temporary), Path::new(&target), None).unwrap();
}

fn deliver_all(sftp: &Sftp, students: &str) {
    deliver(sftp, "STUDENT.TXT", students);
    deliver(sftp, "SCHEDULE.TXT", SCHEDULE);
    deliver(sftp, "TEACHER.txt", TEACHERS);
}

fn names(sftp: &Sftp, folder: &str) -> Vec<String> {
    let listed = sftp.readdir(Path::new(folder)).unwrap();
    listed.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_export_exists_when_the_third_rename_returns() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    deliver(&sftp, "TEACHER.txt", TEACHERS);
    deliver(&sftp, "STUDENT.TXT", &hero.student_file());
    assert!(names(&sftp, "export").is_empty());
    deliver(&sftp, "SCHEDULE.TXT", SCHEDULE);
    assert!(hero.export().exists());
    assert_eq!(names(&sftp, "export"), ["ATTENDANCE.txt", "REFERRALS.txt"]);
}

#[test]
fn names_that_differ_in_case_are_not_taken() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    deliver(&sftp, "STUDENT.TXT", &hero.student_file());
    deliver(&sftp, "SCHEDULE.TXT", SCHEDULE);
    deliver(&sftp, "TEACHER.TXT", TEACHERS);
    assert!(names(&sftp, "export").is_empty());
}

/// Every row names a class that this student sits in on the practice date.
#[test]
fn the_export_holds_tardies_for_real_classes() {
    let hero = Hero::start(HeroFaults::default());
    deliver_all(&hero.sftp(), &hero.student_file());
    let bytes = fs::read(hero.export()).unwrap();
    assert!(bytes.ends_with(b"\n") && !bytes.contains(&b'\r'));
    let text = String::from_utf8(bytes).unwrap();

    let connection = hero.district.connect().unwrap();
    let mut matches = connection
        .prepare(
            "SELECT COUNT(DISTINCT CC.ID) FROM Students, CC, Section_Meeting, Calendar_Day
              WHERE Students.Student_Number = ?2 AND Students.Enroll_Status = 0
                AND CC.StudentID = Students.ID AND CC.SchoolID = ?1 AND CC.Course_Number = ?3
                AND CC.Section_Number = ?4 AND CC.DateEnrolled <= ?5 AND ?5 < CC.DateLeft
                AND Section_Meeting.SectionID = CC.SectionID
                AND Calendar_Day.SchoolID = CC.SchoolID AND Calendar_Day.Date_Value = ?5
                AND Calendar_Day.InSession = 1
                AND Section_Meeting.Cycle_Day_Letter =
                    (SELECT Letter FROM Cycle_Day WHERE ID = Calendar_Day.Cycle_Day_ID)
                AND (SELECT ID FROM Period WHERE SchoolID = CC.SchoolID AND Abbreviation = ?6
                      AND Year_ID = Section_Meeting.Year_ID
                      AND Period_Number = Section_Meeting.Period_Number)
                    IN (SELECT Period_ID FROM Bell_Schedule_Items
                         WHERE Bell_Schedule_ID = Calendar_Day.Bell_Schedule_ID)",
        )
        .unwrap();
    let mut previous = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [school, number, course, section, day, code, period] = fields.as_slice() else {
            panic!("{line:?} has not seven fields");
        };
        assert_eq!((*day, *code), ("11/20/2026", "T"));
        let count: i64 = matches
            .query_row((school, number, course, section, date().to_string(), period), |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1, "{line:?} is not a class of one enrolment");
        let number: i64 = number.parse().unwrap();
        assert!(previous < number, "not in the order of student numbers");
        previous = number;
    }
    // One student in twenty.
    assert_eq!(text.lines().count(), STUDENTS as usize / 20);
}

#[test]
fn delivering_again_changes_nothing() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let students = hero.student_file();
    deliver_all(&sftp, &students);
    let first = fs::read(hero.export()).unwrap();
    deliver_all(&sftp, &students);
    deliver(&sftp, "STUDENT.TXT", &students);
    assert_eq!(fs::read(hero.export()).unwrap(), first);
}

#[test]
fn another_seed_gives_another_export() {
    let exports = [SEED, SEED + 1].map(|seed| {
        let hero = Hero::start_with(STUDENTS, seed, HeroFaults::default());
        deliver_all(&hero.sftp(), &hero.student_file());
        fs::read(hero.export()).unwrap()
    });
    assert_ne!(exports[0], exports[1]);
}

/// In so small a district two independent draws would meet most of the time.
#[rstest]
fn hero_and_raptor_never_speak_about_the_same_student(#[values(1, 2, 3, 4, 5, 6, 7, 8)] seed: u64) {
    let hero = Hero::start_with(24, seed, HeroFaults::default());
    deliver_all(&hero.sftp(), &hero.student_file());
    let export = fs::read_to_string(hero.export()).unwrap();
    let tardy: Vec<&str> = export.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    raptor::write_folder(&hero.district, date(), seed, None, hero.folder.path()).unwrap();
    let signed_in = fs::read_to_string(hero.folder.path().join("tardies-2026-11-20.csv")).unwrap();
    let signed_in: Vec<&str> =
        signed_in.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!((tardy.len(), signed_in.len()), (5, 3));
    assert!(signed_in.iter().all(|number| !tardy.contains(number)), "{tardy:?} {signed_in:?}");
}

#[test]
fn a_student_who_was_not_uploaded_is_not_exported() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let students = hero.student_file();
    deliver_all(&sftp, &students);
    let before = fs::read_to_string(hero.export()).unwrap();
    let rows: Vec<&str> = before.lines().collect();
    let left_out = rows[1].split('\t').nth(1).unwrap();
    let broken = rows[2].split('\t').nth(1).unwrap();

    let students: String = students
        .split_inclusive('\n')
        .filter(|line| line.split('\t').next() != Some(left_out))
        .map(|line| {
            // One column too few, so Hero cannot know this student either.
            let first = line.split('\t').next();
            if first == Some(broken) { line.replacen("\t\t", "\t", 1) } else { line.to_owned() }
        })
        .collect();
    deliver(&sftp, "STUDENT.TXT", &students);

    let after = fs::read_to_string(hero.export()).unwrap();
    let expected: Vec<&str> = [&rows[..1], &rows[3..]].concat();
    assert_eq!(after.lines().collect::<Vec<_>>(), expected);
    let log = fs::read_to_string(hero.root().join("import-log.txt")).unwrap();
    assert!(log.contains("11 columns instead of 12, skipped"), "{log}");
    assert!(log.contains(&format!("imports/STUDENT.TXT: {} rows taken, 1 skipped", STUDENTS - 2)), "{log}");
}

/// Comma files are quoted, and a group-level account has the SchoolID in front.
#[rstest]
#[case::tab(|line: &str| line.to_owned())]
#[case::comma(|line: &str| {
    let fields: Vec<String> = line.trim_end().split('\t').map(|field| format!("\"{field}\"")).collect();
    fields.join(",") + "\r\n"
})]
#[case::group_level(|line: &str| format!("100\t{line}"))]
fn every_layout_of_the_student_file_is_understood(#[case] layout: fn(&str) -> String) {
    let hero = Hero::start(HeroFaults::default());
    let students: String = hero.student_file().split_inclusive('\n').map(layout).collect();
    deliver_all(&hero.sftp(), &students);
    assert_eq!(fs::read_to_string(hero.export()).unwrap().lines().count(), STUDENTS as usize / 20);
}

#[rstest]
#[case::root("STUDENT.TXT", PERMISSION_DENIED)]
#[case::export("export/ATTENDANCE.txt", PERMISSION_DENIED)]
#[case::out_of_imports("imports/../STUDENT.TXT", PERMISSION_DENIED)]
#[case::out_of_the_account("../outside.txt", PERMISSION_DENIED)]
#[case::far_out("/imports/../../../../outside.txt", PERMISSION_DENIED)]
#[case::absolute("/etc/outside.txt", PERMISSION_DENIED)]
#[case::below_imports("imports/new/file.txt", PERMISSION_DENIED)]
#[case::other_case("IMPORTS/file.txt", PERMISSION_DENIED)]
#[case::windows_separator("imports/..\\..\\outside.txt", NO_SUCH_FILE)]
#[case::windows_drive("imports/c:outside.txt", NO_SUCH_FILE)]
fn nothing_but_imports_can_be_written_to(#[case] path: &str, #[case] expected: ErrorCode) {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    assert_eq!(sftp.create(Path::new(path)).err().unwrap().code(), expected);
    sftp.create(Path::new("imports/a.txt")).unwrap();
    assert_eq!(sftp.rename(Path::new("imports/a.txt"), Path::new(path), None).unwrap_err().code(), expected);
    assert_eq!(names(&sftp, "imports"), ["a.txt"]);
    assert_eq!(names(&sftp, "/"), ["export", "imports"]);
}

#[test]
fn folders_cannot_be_changed() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let denied = [
        sftp.mkdir(Path::new("imports/new"), 0o755).unwrap_err(),
        sftp.rmdir(Path::new("imports")).unwrap_err(),
        sftp.unlink(Path::new("imports")).unwrap_err(),
        sftp.rename(Path::new("imports"), Path::new("imports/x"), None).unwrap_err(),
        sftp.symlink(Path::new("/etc/passwd"), Path::new("imports/passwd")).unwrap_err(),
    ];
    assert!(denied.iter().all(|error| error.code() == PERMISSION_DENIED), "{denied:?}");
}

#[test]
fn paths_are_resolved_inside_the_account() {
    let hero = Hero::start(HeroFaults::default());
    fs::write(hero.folder.path().join("secret.txt"), "not yours").unwrap();
    let sftp = hero.sftp();
    let real = |path: &str| sftp.realpath(Path::new(path)).unwrap();
    assert_eq!(real("."), Path::new("/"));
    assert_eq!(real("imports/./x/../../export"), Path::new("/export"));
    assert_eq!(real("../../../etc/passwd"), Path::new("/etc/passwd"));
    assert_eq!(sftp.open(Path::new("../secret.txt")).err().unwrap().code(), NO_SUCH_FILE);
    assert_eq!(sftp.stat(Path::new("/etc/passwd")).unwrap_err().code(), NO_SUCH_FILE);
}

/// Whatever a client asks for, the answer is a plain path below the account's folder.
#[test]
fn no_path_leaves_the_account() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let part = prop::sample::select(vec!["", ".", "..", "imports", "export", "...", "a b", "..a", "\\", "é"]);
    proptest!(|(parts in prop::collection::vec(part, 0..12))| {
        let asked = parts.join("/");
        // libssh2 asks for nothing when the path is empty.
        prop_assume!(!asked.is_empty());
        let real = sftp.realpath(Path::new(&asked)).unwrap();
        let mut expected = PathBuf::from("/");
        for part in parts.into_iter().filter(|part| !matches!(*part, "" | ".")) {
            if part == ".." {
                // The root's parent is the root.
                expected.pop();
            } else {
                expected.push(part);
            }
        }
        prop_assert_eq!(real, expected);
    });
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    let hero = Hero::start(HeroFaults::default());
    std::os::unix::fs::symlink("/etc", hero.root().join("imports/etc")).unwrap();
    let sftp = hero.sftp();
    for path in ["imports/etc", "imports/etc/passwd"] {
        assert_eq!(sftp.stat(Path::new(path)).unwrap_err().code(), PERMISSION_DENIED);
    }
    assert_eq!(sftp.open(Path::new("imports/etc/passwd")).err().unwrap().code(), PERMISSION_DENIED);
    assert_eq!(sftp.create(Path::new("imports/etc")).err().unwrap().code(), PERMISSION_DENIED);
}

#[test]
fn the_import_log_is_not_part_of_the_account() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    deliver_all(&sftp, &hero.student_file());
    assert!(hero.root().join("import-log.txt").exists());
    assert_eq!(names(&sftp, "/"), ["export", "imports"]);
    assert_eq!(sftp.stat(Path::new("import-log.txt")).unwrap_err().code(), NO_SUCH_FILE);
}

#[test]
fn a_plain_rename_does_not_replace() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    for name in ["imports/a.txt", "imports/b.txt"] {
        sftp.create(Path::new(name)).unwrap().write_all(name.as_bytes()).unwrap();
    }
    let flags = Some(RenameFlags::empty());
    assert!(sftp.rename(Path::new("imports/a.txt"), Path::new("imports/b.txt"), flags).is_err());
    assert_eq!(fs::read(hero.root().join("imports/b.txt")).unwrap(), b"imports/b.txt");
}

#[test]
fn open_flags_and_sizes_mean_what_they_say() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let path = Path::new("imports/a.txt");
    let open = |flags| sftp.open_mode(path, flags, 0o600, OpenType::File);
    sftp.create(path).unwrap().write_all(b"0123456789").unwrap();
    assert!(open(OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE).is_err());
    {
        let mut file = open(OpenFlags::READ | OpenFlags::WRITE).unwrap();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(4)).unwrap();
        file.write_all(b"xy").unwrap();
        assert_eq!(file.stat().unwrap().size, Some(10));
        file.setstat(FileStat { size: Some(8), uid: None, gid: None, perm: None, atime: None, mtime: None })
            .unwrap();
    }
    open(OpenFlags::WRITE | OpenFlags::APPEND).unwrap().write_all(b"end").unwrap();
    let mut text = String::new();
    sftp.open(path).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "0123xy67end");
    assert_eq!(sftp.stat(path).unwrap().size, Some(11));
}

#[test]
fn many_files_are_listed_completely() {
    let hero = Hero::start(HeroFaults::default());
    for number in 0..450 {
        fs::write(hero.root().join(format!("imports/{number:04}.txt")), "").unwrap();
    }
    let expected: Vec<String> = (0..450).map(|number| format!("{number:04}.txt")).collect();
    assert_eq!(names(&hero.sftp(), "imports"), expected);
}

#[rstest]
#[case::password(USER, "wrong")]
#[case::user("somebody", PASSWORD)]
fn wrong_credentials_are_refused(#[case] user: &str, #[case] password: &str) {
    let hero = Hero::start(HeroFaults::default());
    let session = hero.session();
    assert!(session.userauth_password(user, password).is_err());
    assert!(!session.authenticated());
    session.userauth_password(USER, PASSWORD).unwrap();
}

#[test]
fn missing_imports_can_be_played_and_ended() {
    let hero = Hero::start(HeroFaults { missing_imports: true, ..HeroFaults::default() });
    let sftp = hero.sftp();
    assert_eq!(names(&sftp, "/"), ["export"]);
    assert_eq!(sftp.stat(Path::new("imports")).unwrap_err().code(), NO_SUCH_FILE);
    assert_eq!(sftp.create(Path::new("imports/a.txt")).err().unwrap().code(), NO_SUCH_FILE);
    hero.server.set_faults(HeroFaults::default());
    sftp.create(Path::new("imports/a.txt")).unwrap();
}

#[test]
fn renaming_can_be_refused() {
    let hero = Hero::start(HeroFaults { refuse_rename: true, ..HeroFaults::default() });
    let sftp = hero.sftp();
    sftp.create(Path::new("imports/a.txt")).unwrap();
    let refused = sftp.rename(Path::new("imports/a.txt"), Path::new("imports/b.txt"), None).unwrap_err();
    assert_eq!(refused.code(), PERMISSION_DENIED);
    assert_eq!(names(&sftp, "imports"), ["a.txt"]);
}

#[test]
fn the_connection_can_break_in_the_middle_of_an_upload() {
    let hero = Hero::start(HeroFaults { drop_after_bytes: Some(100_000), ..HeroFaults::default() });
    let sftp = hero.sftp();
    let mut file = sftp.create(Path::new("imports/STUDENT.TXT")).unwrap();
    assert!(file.write_all(&vec![b'x'; 1_000_000]).is_err());
    assert!(fs::metadata(hero.root().join("imports/STUDENT.TXT")).unwrap().len() <= 100_000);
    // The server is fine, only that connection is not.
    assert_eq!(names(&hero.sftp(), "imports"), ["STUDENT.TXT"]);
}

#[test]
fn stopping_ends_sessions_and_frees_the_port() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let address = hero.server.address();
    let Hero { server, runtime, .. } = hero;
    runtime.block_on(server.stop());
    assert!(sftp.stat(Path::new("imports")).is_err());
    assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err());
}

#[test]
fn the_host_key_is_kept_by_its_text() {
    let hero = Hero::start(HeroFaults::default());
    let again = hero.folder.path().join("again");
    let faults = HeroFaults::default();
    let server = serve(&hero.runtime, &hero.district, again, &hero.host_key, SEED, faults);
    assert_eq!(server.host_key_sha256(), hero.server.host_key_sha256());
    assert_ne!(Hero::start(faults).server.host_key_sha256(), hero.server.host_key_sha256());
}

#[test]
fn a_broken_host_key_is_refused() {
    let hero = Hero::start(HeroFaults::default());
    let _runtime = hero.runtime.enter();
    let error = hero::start(HeroOptions {
        listen: TcpListener::bind("127.0.0.1:0").unwrap(),
        host_keys: vec!["not a key".to_owned()],
        accounts: vec![account(hero.root())],
        district: hero.district.clone(),
        date: date(),
        seed: SEED,
        faults: HeroFaults::default(),
    })
    .err()
    .unwrap();
    assert_eq!(error.code(), "practice.hero_host_key");
}

/// Bytes whose every position matters, so that a lost or swapped packet shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index ^ (index >> 8) ^ (index >> 16)) & 0xff).unwrap()).collect()
}

#[test]
fn libssh2_carries_large_files_both_ways() {
    let hero = Hero::start(HeroFaults::default());
    let sftp = hero.sftp();
    let sent = pattern(9_000_001);
    sftp.create(Path::new("imports/large.bin")).unwrap().write_all(&sent).unwrap();
    let mut received = Vec::new();
    sftp.open(Path::new("imports/large.bin")).unwrap().read_to_end(&mut received).unwrap();
    assert!(sent == received);
}

mod russh_client {
    use std::sync::Arc;

    use russh::{
        client,
        keys::{HashAlg, PublicKeyOrCertificate},
    };
    use russh_sftp::client::SftpSession;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    struct PinnedKey(String);

    impl client::Handler for PinnedKey {
        type Error = russh::Error;

        async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
            let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
            Ok(key.fingerprint(HashAlg::Sha256).to_string() == self.0)
        }
    }

    #[test]
    fn carries_large_files_both_ways_and_syncs_them() {
        let hero = Hero::start(HeroFaults::default());
        hero.runtime.block_on(async {
            let pinned = PinnedKey(hero.server.host_key_sha256());
            let config = Arc::new(client::Config::default());
            let mut session = client::connect(config, hero.server.address(), pinned).await.unwrap();
            assert!(session.authenticate_password(USER, PASSWORD).await.unwrap().success());
            let channel = session.channel_open_session().await.unwrap();
            channel.request_subsystem(true, "sftp").await.unwrap();
            let sftp = SftpSession::new(channel.into_stream()).await.unwrap();

            let sent = pattern(5_000_001);
            let mut file = sftp.create("imports/large.bin").await.unwrap();
            file.write_all(&sent).await.unwrap();
            file.sync_all().await.unwrap();
            file.shutdown().await.unwrap();
            let mut received = Vec::new();
            sftp.open("imports/large.bin").await.unwrap().read_to_end(&mut received).await.unwrap();
            assert!(sent == received);
        });
    }
}

/// OpenSSH's own client and key tools.
#[cfg(unix)]
mod openssh {
    use std::{
        os::unix::fs::PermissionsExt as _,
        process::{Command, Output, Stdio},
    };

    use super::*;

    fn run(command: &mut Command) -> Output {
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The public key line that belongs to the server's private key.
    fn public_key(hero: &Hero) -> String {
        let file = hero.folder.path().join("host_key");
        fs::write(&file, &hero.host_key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        String::from_utf8(run(Command::new("ssh-keygen").arg("-yf").arg(file)).stdout).unwrap()
    }

    /// Runs a batch with the host key pinned, so that only this server will do.
    fn sftp(hero: &Hero, batch: &str) -> String {
        let known_hosts = hero.folder.path().join("known_hosts");
        fs::write(&known_hosts, format!("[127.0.0.1]:{} {}", hero.port(), public_key(hero))).unwrap();
        let askpass = hero.folder.path().join("askpass");
        fs::write(&askpass, format!("#!/bin/sh\necho '{PASSWORD}'\n")).unwrap();
        fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).unwrap();
        let commands = hero.folder.path().join("batch");
        fs::write(&commands, batch).unwrap();
        let output = run(Command::new("sftp")
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .current_dir(hero.folder.path())
            .args(["-F", "none", "-P", &hero.port().to_string()])
            // Before -b, which would switch the password prompt off.
            .args(["-o", "BatchMode=no", "-o", "PreferredAuthentications=password"])
            .args(["-o", "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=yes"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .arg("-b")
            .arg(commands)
            .arg(format!("{USER}@127.0.0.1")));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn its_key_tool_prints_our_fingerprint() {
        let hero = Hero::start(HeroFaults::default());
        let public = hero.folder.path().join("host_key.pub");
        fs::write(&public, public_key(&hero)).unwrap();
        let listed = run(Command::new("ssh-keygen").arg("-lf").arg(public)).stdout;
        let listed = String::from_utf8(listed).unwrap();
        assert!(listed.contains(&hero.server.host_key_sha256()) && listed.contains("ED25519"), "{listed}");
    }

    #[test]
    fn its_client_does_the_whole_exchange() {
        let hero = Hero::start(HeroFaults::default());
        let files = [("s", hero.student_file()), ("c", SCHEDULE.to_owned()), ("t", TEACHERS.to_owned())];
        for (name, content) in files {
            fs::write(hero.folder.path().join(name), content).unwrap();
        }
        // The last line replaces a file: OpenSSH's rename is the one that may.
        let listed = sftp(
            &hero,
            "pwd\n\
             put s imports/part\n\
             rename imports/part imports/STUDENT.TXT\n\
             put c imports/SCHEDULE.TXT\n\
             put -f t imports/part\n\
             rename imports/part imports/TEACHER.txt\n\
             ls -1 export\n\
             get export/ATTENDANCE.txt fetched\n\
             put s imports/part\n\
             rename imports/part imports/STUDENT.TXT\n\
             get export/ATTENDANCE.txt again\n",
        );
        assert!(listed.contains("export/ATTENDANCE.txt"), "{listed}");
        let fetched = fs::read(hero.folder.path().join("fetched")).unwrap();
        assert_eq!(fetched, fs::read(hero.export()).unwrap());
        assert_eq!(fetched, fs::read(hero.folder.path().join("again")).unwrap());
        assert_eq!(String::from_utf8(fetched).unwrap().lines().count(), STUDENTS as usize / 20);
    }

    #[test]
    fn its_client_carries_large_files_both_ways() {
        let hero = Hero::start(HeroFaults::default());
        let sent = pattern(9_000_001);
        fs::write(hero.folder.path().join("sent"), &sent).unwrap();
        sftp(&hero, "put sent imports/large.bin\nget imports/large.bin received\n");
        assert!(sent == fs::read(hero.folder.path().join("received")).unwrap());
    }

    /// Far more than fits into all buffers on the way, with many reads asked for at once.
    #[test]
    fn its_client_fetches_more_than_the_window() {
        let hero = Hero::start(HeroFaults::default());
        let placed = pattern(1 << 20).repeat(100);
        fs::write(hero.root().join("export/large.bin"), &placed).unwrap();
        sftp(&hero, "get export/large.bin received\n");
        assert!(placed == fs::read(hero.folder.path().join("received")).unwrap());
    }
}

/// The SFTP protocol's own answers, which libssh2 does not show.
mod extensions {
    use std::sync::Arc;

    use rosterbridge_practice::hero::HeroSpace;
    use russh::{client, keys::PublicKeyOrCertificate};
    use russh_sftp::{
        client::RawSftpSession,
        de,
        extensions::{Statvfs, StatvfsExtension},
        protocol::{FileAttributes, OpenFlags, Packet},
    };

    use super::*;

    struct AnyKey;

    impl client::Handler for AnyKey {
        type Error = russh::Error;

        async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
            Ok(true)
        }
    }

    async fn connect(hero: &Hero) -> client::Handle<AnyKey> {
        let config = Arc::new(client::Config::default());
        let mut session = client::connect(config, hero.server.address(), AnyKey).await.unwrap();
        assert!(session.authenticate_password(USER, PASSWORD).await.unwrap().success());
        session
    }

    /// A session and the names and numbers of what it is offered.
    async fn open(session: &client::Handle<AnyKey>) -> (RawSftpSession, Vec<String>) {
        let channel = session.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let sftp = RawSftpSession::new(channel.into_stream());
        let version = sftp.init().await.unwrap();
        let mut offered: Vec<String> =
            version.extensions.iter().map(|(name, number)| format!("{name} {number}")).collect();
        offered.sort();
        (sftp, offered)
    }

    #[rstest]
    #[case::all(HeroFaults::default(), &["fstatvfs", "fsync", "limits", "posix-rename", "statvfs"])]
    #[case::some(
        HeroFaults { no_posix_rename: true, no_fsync: true, ..HeroFaults::default() },
        &["fstatvfs", "limits", "statvfs"]
    )]
    #[case::no_figures(
        HeroFaults { no_statvfs: true, ..HeroFaults::default() },
        &["fsync", "limits", "posix-rename"]
    )]
    fn are_offered_and_answered_alike(#[case] faults: HeroFaults, #[case] expected: &[&str]) {
        let hero = Hero::start(faults);
        hero.runtime.block_on(async {
            let (sftp, offered) = open(&connect(&hero).await).await;
            let expected: Vec<String> = expected
                .iter()
                .map(|name| format!("{name}@openssh.com {}", if name.ends_with("statvfs") { 2 } else { 1 }))
                .collect();
            assert_eq!(offered, expected);
            for name in ["a.txt", "b.txt"] {
                fs::write(hero.root().join("imports").join(name), name).unwrap();
            }
            let offers = |name: &str| expected.iter().any(|offered| offered.starts_with(name));
            let flags = OpenFlags::READ | OpenFlags::WRITE;
            let handle = sftp.open("imports/a.txt", flags, FileAttributes::default()).await.unwrap().handle;
            assert_eq!(sftp.fsync(handle.as_str()).await.is_ok(), offers("fsync@"));
            assert_eq!(sftp.statvfs("imports").await.is_ok(), offers("statvfs@"));
            let data = russh_sftp::ser::to_bytes(&StatvfsExtension { path: handle }).unwrap().to_vec();
            let answer = sftp.extended("fstatvfs@openssh.com", data).await.unwrap();
            assert_eq!(matches!(answer, Packet::ExtendedReply(_)), offers("fstatvfs@"), "{answer:?}");
            let rename = ("imports/a.txt".to_owned(), "imports/b.txt".to_owned());
            let data = russh_sftp::ser::to_bytes(&rename).unwrap().to_vec();
            let answer = sftp.extended("posix-rename@openssh.com", data).await.unwrap();
            assert!(matches!(answer, Packet::Status(_)), "{answer:?}");
            assert_eq!(hero.root().join("imports/a.txt").exists(), !offers("posix-rename"));
        });
    }

    #[test]
    fn tell_the_space_that_is_set() {
        let space = Some(HeroSpace { total_bytes: 1 << 30, free_bytes: 40_960 });
        let hero = Hero::start(HeroFaults { space, ..HeroFaults::default() });
        hero.runtime.block_on(async {
            let (sftp, _) = open(&connect(&hero).await).await;
            let told = sftp.statvfs("/imports").await.unwrap();
            assert_eq!(told.blocks * told.fragment_size, 1 << 30);
            assert_eq!(told.blocks_avail * told.fragment_size, 40_960);
            // A folder that holds only so much has at most that free.
            hero.server.set_faults(HeroFaults { space, imports_hold: Some(8192), ..HeroFaults::default() });
            let folder = sftp.opendir("imports").await.unwrap().handle;
            let data = russh_sftp::ser::to_bytes(&StatvfsExtension { path: folder }).unwrap().to_vec();
            let Packet::ExtendedReply(reply) = sftp.extended("fstatvfs@openssh.com", data).await.unwrap()
            else {
                panic!("no figures")
            };
            let told: Statvfs = de::from_bytes(&mut reply.data.into()).unwrap();
            assert_eq!(told.blocks_avail * told.fragment_size, 8192);
        });
    }

    #[test]
    fn a_connection_may_be_held_to_one_channel() {
        let hero = Hero::start(HeroFaults { one_channel: true, ..HeroFaults::default() });
        hero.runtime.block_on(async {
            let session = connect(&hero).await;
            let (sftp, _) = open(&session).await;
            assert!(session.channel_open_session().await.is_err());
            assert!(sftp.stat("imports").await.is_ok());
            // Other connections have one of their own.
            open(&connect(&hero).await).await;
            hero.server.set_faults(HeroFaults::default());
            open(&session).await;
        });
    }

    /// They can take longer than the fault alone, and never less.
    #[test]
    fn answers_can_be_slow() {
        let hero = Hero::start(HeroFaults { answer_ms: 40, ..HeroFaults::default() });
        hero.runtime.block_on(async {
            let (sftp, _) = open(&connect(&hero).await).await;
            let begun = std::time::Instant::now();
            for _ in 0..3 {
                sftp.stat("imports").await.unwrap();
            }
            assert!(begun.elapsed() >= Duration::from_millis(120));
        });
    }
}

#[test]
fn a_connection_is_cut_once_while_it_sends_or_receives() {
    let hero =
        Hero::start(HeroFaults { cut_once: Some(CutOnce::Received(100_000)), ..HeroFaults::default() });
    let path = Path::new("imports/large.bin");
    let sent = pattern(1_000_000);
    assert!(hero.sftp().create(path).unwrap().write_all(&sent).is_err());
    assert!(fs::metadata(hero.root().join(path)).unwrap().len() <= 100_000);
    hero.sftp().create(path).unwrap().write_all(&sent).unwrap();

    hero.server.set_faults(HeroFaults { cut_once: Some(CutOnce::Sent(100_000)), ..HeroFaults::default() });
    let mut received = Vec::new();
    assert!(hero.sftp().open(path).unwrap().read_to_end(&mut received).is_err());
    assert!(received.len() <= 100_000 && sent.starts_with(&received));
    received.clear();
    hero.sftp().open(path).unwrap().read_to_end(&mut received).unwrap();
    assert!(received == sent);
}

#[test]
fn the_disk_can_be_full() {
    let hero = Hero::start(HeroFaults { imports_hold: Some(100_000), ..HeroFaults::default() });
    let sftp = hero.sftp();
    let path = Path::new("imports/large.bin");
    let failed = sftp.create(path).unwrap().write_all(&pattern(200_000)).unwrap_err();
    assert_eq!(failed.kind(), std::io::ErrorKind::Other, "{failed}");
    assert!(fs::metadata(hero.root().join(path)).unwrap().len() <= 100_000);
    // What was there can be written over, and what is gone makes room.
    sftp.create(path).unwrap().write_all(&pattern(90_000)).unwrap();
    assert!(sftp.create(Path::new("imports/other.bin")).unwrap().write_all(&pattern(20_000)).is_err());
    sftp.unlink(path).unwrap();
    sftp.create(Path::new("imports/other.bin")).unwrap().write_all(&pattern(20_000)).unwrap();
}
