//! Two accounts at Hero, one for a school and one for a group of schools, each with a connection, files and an import of
//! its own: what one does says nothing about the other.

use std::{collections::HashSet, fs, path::PathBuf};

use rosterbridge_practice::HeroAccountAccess;
use serde_json::{Value, json};

use crate::{
    care::flipped,
    support::{DATE, District, Output, Profile, Records, files_in},
};

/// After a restoration a run waits so many seconds for what left before.
const ANSWER_SECONDS: u32 = 2;

const EXPORTS: [&str; 3] = ["hero-students", "hero-schedule", "hero-teachers"];
const EXPORTS_2: [&str; 3] = ["hero-students-2", "hero-schedule-2", "hero-teachers-2"];
const IMPORTS: [&str; 2] = ["hero-attendance", "hero-attendance-2"];

/// A district, a profile for it, and the two accounts.
struct Accounts {
    district: District,
    profile: Profile,
    school: HeroAccountAccess,
    group: HeroAccountAccess,
}

impl Accounts {
    fn new(options: &[&str]) -> Self {
        let district = District::start(&[&["--students", "300", "--schools", "3"], options].concat());
        let schools = district.ready.hero_accounts[0].schools.clone();
        let school = district.add_hero_account("North", "school", &schools[..1]);
        let group = district.add_hero_account("The others", "group", &schools[1..]);
        let profile = Profile::patient_for(&district, ANSWER_SECONDS);
        profile.change_setup(|setup| {
            let first = &mut setup["connections"][0];
            first["username"] = json!(school.username);
            let mut second = first.clone();
            second["id"] = json!("connection-3");
            second["name"] = json!("Hero SFTP Connection of the others");
            second["username"] = json!(group.username);
            setup["connections"].as_array_mut().unwrap().push(second);
            let first = &mut setup["hero"]["accounts"][0];
            first["schools"] = json!(school.schools);
            first["name"] = json!("North");
            let second = json!({
                "id": 2, "name": "The others", "level": "group", "schools": group.schools,
                "connection": "connection-3",
            });
            setup["hero"]["accounts"].as_array_mut().unwrap().push(second);
            let jobs = setup["jobs"].as_array_mut().unwrap();
            for job in EXPORTS_2.iter().chain(&IMPORTS[1..]) {
                jobs.push(json!({"job": job, "enabled": true}));
            }
        });
        profile.set_secret("hero.password", &school.password);
        profile.set_secret("connection-3.password", &group.password);
        Self { district, profile, school, group }
    }

    /// The same, with both of Hero's exports in place.
    fn exported(options: &[&str]) -> Self {
        let accounts = Self::new(options);
        accounts.sync(&[EXPORTS, EXPORTS_2].concat()).done();
        assert!(accounts.export(0).exists() && accounts.export(1).exists());
        accounts
    }

    fn sync(&self, jobs: &[&str]) -> Output {
        self.profile.run(&[&["sync"], jobs].concat())
    }

    /// The attendance export of an account.
    fn export(&self, account: usize) -> PathBuf {
        [&self.school, &self.group][account].folder.join("export/ATTENDANCE.txt")
    }

    fn lines(&self, account: usize) -> Vec<String> {
        let text = fs::read_to_string(self.export(account)).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    /// The records both exports ask for.
    fn records(&self) -> Records {
        let mut records = self.district.records_of_export(&self.export(0));
        records.extend(self.district.records_of_export(&self.export(1)));
        records
    }

    /// The rows of a file an account was sent.
    fn sent(account: &HeroAccountAccess, file: &str) -> Vec<Vec<String>> {
        let text = fs::read_to_string(account.folder.join("imports").join(file)).unwrap();
        text.split_terminator("\r\n").map(|row| row.split('\t').map(str::to_owned).collect()).collect()
    }

    /// Sets a field of an account's job.
    fn set(&self, account: usize, job: &str, field: &str, value: Value) {
        self.profile.change_setup(|setup| setup["hero"]["accounts"][account][job][field] = value);
    }
}

fn column(rows: &[Vec<String>], column: usize) -> HashSet<i64> {
    rows.iter().map(|row| row[column].parse().unwrap()).collect()
}

fn set_of(numbers: &[i64]) -> HashSet<i64> {
    numbers.iter().copied().collect()
}

/// Rows of an import: read, written, without news.
fn rows(run: &Output, job: &str) -> [usize; 3] {
    ["read", "written", "noop"]
        .map(|name| usize::try_from(run.job(job)["rows"][name].as_u64().unwrap()).unwrap())
}

#[test]
fn each_account_has_its_own_files_and_its_own_import() {
    let accounts = Accounts::new(&[]);
    let Accounts { district, profile, school, group } = &accounts;
    for connection in ["hero", "connection-3"] {
        let test = profile.run(&["test", "connection", connection]).done();
        assert_eq!(test.data()["passed"], true, "{}", test.stdout);
    }
    let sync = accounts.sync(&[]).done();
    let names: Vec<&str> = sync.data()["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|report| report["job"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "hero-students",
            "hero-students-2",
            "hero-schedule",
            "hero-schedule-2",
            "hero-teachers",
            "hero-teachers-2",
            "hero-attendance",
            "hero-attendance-2",
            "raptor-roster",
            "raptor-tardies"
        ]
    );

    // The school's students as the procedure has them; the group's with their school in front.
    let students = Accounts::sent(school, "STUDENT.TXT");
    assert!(students.iter().all(|row| row.len() == 12));
    let of_group = Accounts::sent(group, "STUDENT.TXT");
    assert!(of_group.iter().all(|row| row.len() == 13));
    assert_eq!(column(&of_group, 0), set_of(&group.schools));
    let enrolled = |schools: &[i64]| -> HashSet<i64> {
        let database = district.database();
        let mut of_school = database
            .prepare("SELECT Student_Number FROM Students WHERE Enroll_Status = 0 AND SchoolID = ?1")
            .unwrap();
        schools
            .iter()
            .flat_map(|school| {
                of_school
                    .query_map([school], |row| row.get(0))
                    .unwrap()
                    .map(Result::unwrap)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(column(&students, 0), enrolled(&school.schools));
    assert_eq!(column(&of_group, 1), enrolled(&group.schools));
    assert_eq!(students.len() + of_group.len(), 300);
    for file in ["SCHEDULE.TXT", "TEACHER.txt"] {
        assert_eq!(column(&Accounts::sent(school, file), 0), set_of(&school.schools), "{file}");
        assert_eq!(column(&Accounts::sent(group, file), 0), set_of(&group.schools), "{file}");
    }
    // Hero takes a row of another school or shape in no account.
    for (account, jobs) in [(school, EXPORTS), (group, EXPORTS_2)] {
        let read = district.hero_read(&account.username);
        for (job, file) in jobs.iter().zip(["STUDENT.TXT", "SCHEDULE.TXT", "TEACHER.txt"]) {
            assert_eq!(read[file]["skipped"], 0, "{job}: {read}");
            assert_eq!(read[file]["rows"], sync.job(job)["rows"]["written"], "{job}");
        }
    }
    assert_eq!(files_in(&district.hero("imports")), Vec::<String>::new(), "nobody else's account is used");

    // Both imports, each record once, and the same again changes nothing.
    let mut expected = accounts.records();
    let processed = district.raptor(&format!("processed/tardies-{DATE}.csv"));
    expected.extend(district.raptor_records(&processed, &profile.setup()));
    district.holds_each_once(&expected);
    let read = [0, 1].map(|account| accounts.lines(account).len());
    for _ in 0..2 {
        let again = accounts.sync(&IMPORTS).done();
        assert_eq!(IMPORTS.map(|job| rows(&again, job)), read.map(|read| [read, 0, read]));
    }
    district.holds_each_once(&expected);

    // Every one of the jobs is in the list, in the runs and in the schedule.
    let status = profile.run(&["status"]).done();
    let listed: Vec<&str> =
        status.data()["jobs"].as_array().unwrap().iter().map(|job| job["job"].as_str().unwrap()).collect();
    assert_eq!(listed, names);
    let runs = profile.run(&["runs"]).done();
    let of_run = runs.data()["runs"].as_array().unwrap().iter().find(|run| run["run"] == sync.data()["run"]);
    assert!(of_run.unwrap()["jobs"].to_string().contains("\"hero-students-2\""));
    let set = profile.run(&["jobs", "set", "hero-students-2", "--at", "03:17", "--days", "MTWHF"]).done();
    let scheduled =
        set.data()["jobs"].as_array().unwrap().iter().filter(|job| job["schedule"] != Value::Null);
    let scheduled: Vec<&Value> = scheduled.map(|job| &job["job"]).collect();
    assert_eq!(scheduled, ["hero-students-2"]);
}

/// What is lost in one account's file stops that file alone.
#[test]
fn each_account_is_guarded_by_itself() {
    let accounts = Accounts::exported(&[]);
    let database = accounts.district.database();
    for school in &accounts.group.schools {
        let sql = "UPDATE Students SET Enroll_Status = 2 WHERE SchoolID = ?1 AND Enroll_Status = 0 AND DCID % 2 = 0";
        assert!(database.execute(sql, [school]).unwrap() > 20);
    }
    let run = accounts.sync(&["hero-students", "hero-students-2"]).ended(3, "guard.large_change");
    assert_eq!(run.job("hero-students")["outcome"], "succeeded");
    assert_ne!(run.job("hero-students-2")["outcome"], "succeeded");
    let stopped = accounts.profile.run(&["guard", "list"]).done();
    let stopped = stopped.data()["stopped"].as_array().unwrap();
    assert_eq!(stopped.len(), 1);
    assert_eq!(
        (&stopped[0]["job"], &stopped[0]["name"]),
        (&json!("hero-students-2"), &json!("imports/STUDENT.TXT"))
    );
    let before = Accounts::sent(&accounts.group, "STUDENT.TXT").len();
    accounts.profile.run(&["guard", "accept", stopped[0]["id"].as_str().unwrap()]).done();
    accounts.sync(&["hero-students", "hero-students-2"]).done();
    assert!(Accounts::sent(&accounts.group, "STUDENT.TXT").len() < before - 20);
}

/// A connection that does not come about fails the jobs of its own account.
#[test]
fn a_connection_that_fails_leaves_the_other_accounts_jobs_alone() {
    let accounts = Accounts::new(&[]);
    let Accounts { district, profile, .. } = &accounts;
    let jobs = [EXPORTS.as_slice(), &IMPORTS[..1]].concat();
    let jobs_2 = [EXPORTS_2.as_slice(), &IMPORTS[1..]].concat();
    let all = [jobs.as_slice(), &jobs_2].concat();
    for (secret, password, failing, fine) in [
        ("connection-3.password", &accounts.group.password, &jobs_2, &jobs),
        ("hero.password", &accounts.school.password, &jobs, &jobs_2),
    ] {
        profile.set_secret(secret, "a wrong password");
        let run = accounts.sync(&all);
        assert_eq!(run.exit, 1, "{}", run.stdout);
        for job in fine {
            assert_eq!(run.job(job)["outcome"], "succeeded", "{job}: {}", run.stdout);
        }
        for (place, job) in failing.iter().enumerate() {
            // A wrong password is not tried again.
            let outcome = if place == 0 { "failed" } else { "skipped" };
            assert_eq!(run.job(job)["outcome"], outcome, "{job}: {}", run.stdout);
            assert_eq!(run.job(job)["cause"]["code"], "sftp.bad_password", "{job}: {}", run.stdout);
            assert_eq!(run.job(job)["rows"]["written"], 0, "{job}: nothing of it has left");
        }
        profile.set_secret(secret, password);
    }
    accounts.sync(&all).done();
    district.holds_each_once(&accounts.records());
}

/// What PowerSchool itself sends or takes in is neither run by itself nor when it is named.
#[test]
fn what_powerschool_does_is_left_to_it() {
    let accounts = Accounts::exported(&[]);
    let Accounts { district, profile, group, .. } = &accounts;
    accounts.set(1, "students", "owner", json!("power_school"));
    accounts.set(1, "attendance", "owner", json!("power_school"));
    let file = group.folder.join("imports/STUDENT.TXT");
    fs::remove_file(&file).unwrap();
    for job in ["hero-students-2", "hero-attendance-2"] {
        let refused = accounts.sync(&[job]);
        assert_eq!((refused.exit, refused.code()), (1, "hero.owned_by_powerschool"), "{}", refused.stdout);
        assert!(refused.document["message"].as_str().unwrap().contains(job), "{}", refused.stdout);
    }
    let run = accounts.sync(&[]).done();
    let ran: Vec<&Value> =
        run.data()["jobs"].as_array().unwrap().iter().map(|report| &report["job"]).collect();
    assert!(!ran.iter().any(|job| *job == "hero-students-2" || *job == "hero-attendance-2"), "{ran:?}");
    assert!(ran.iter().any(|job| *job == "hero-schedule-2"), "the account's other jobs are ours: {ran:?}");
    assert!(!file.exists());
    // The other account's import does not take the group's rows in.
    let mut expected = district.records_of_export(&accounts.export(0));
    let processed = district.raptor(&format!("processed/tardies-{DATE}.csv"));
    expected.extend(district.raptor_records(&processed, &profile.setup()));
    district.holds_each_once(&expected);
    let listed = profile.run(&["jobs", "list"]).done();
    let jobs = listed.data()["jobs"].as_array().unwrap();
    let owner = |name: &str| &jobs.iter().find(|job| job["job"] == name).unwrap()["owner"];
    assert_eq!(
        (owner("hero-students-2"), owner("hero-students")),
        (&json!("power_school"), &json!("roster_bridge"))
    );
}

/// 'Update existing records' is each import's own.
#[test]
fn each_import_has_its_own_rule_for_existing_records() {
    let accounts = Accounts::exported(&[]);
    accounts.sync(&IMPORTS).done();
    accounts.set(0, "attendance", "update_existing", json!(false));
    let writes = accounts.district.audit().len();
    for account in [0, 1] {
        let text = accounts.lines(account).concat();
        fs::write(accounts.export(account), text.replacen("\tT\t", "\tA\t", 1)).unwrap();
    }
    let run = accounts.sync(&IMPORTS).ended(3, "sync.held_rows");
    let outcome = |job: &str| ["written", "held"].map(|name| run.job(job)["rows"][name].as_u64().unwrap());
    assert_eq!((outcome(IMPORTS[0]), outcome(IMPORTS[1])), ([0, 1], [1, 0]), "{}", run.stdout);
    assert_eq!(accounts.district.audit().len(), writes + 1);
}

/// A run in which both imports wrote is taken back as one.
#[test]
fn a_run_of_both_imports_is_taken_back() {
    let accounts = Accounts::exported(&["--attendance", "insert"]);
    let Accounts { district, profile, .. } = &accounts;
    let run = accounts.sync(&IMPORTS).done();
    let records = accounts.records();
    district.holds_each_once(&records);
    let run = run.data()["run"].as_str().unwrap();
    let undo = profile.run(&["undo", run]).done();
    let jobs = undo.data()["report"]["jobs"].as_array().unwrap();
    let written: u64 = jobs.iter().map(|job| job["rows"]["written"].as_u64().unwrap()).sum();
    assert_eq!(written, records.len() as u64, "{}", undo.stdout);
    assert_eq!(undo.data()["left"], json!([]));
    assert_eq!(district.audit().len(), 2 * records.len());
    let sql = "SELECT COUNT(*) FROM Attendance a JOIN Attendance_Code c ON c.ID = a.Attendance_CodeID
               WHERE c.Att_Code = 'T' AND a.Att_Date = ?1";
    let left: i64 = district.database().query_one(sql, [DATE], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    // Hero's files still say the same, and that is not written again.
    let again = accounts.sync(&IMPORTS).done();
    assert_eq!(IMPORTS.map(|job| rows(&again, job)[1]), [0, 0]);
    assert_eq!(district.audit().len(), 2 * records.len());
}

/// A ledger is restored from a backup that both imports have outrun.
#[test]
fn a_restored_ledger_knows_again_what_both_imports_wrote() {
    let accounts = Accounts::exported(&["--attendance", "insert"]);
    let lines = [0, 1].map(|account| accounts.lines(account));
    for (account, lines) in lines.iter().enumerate() {
        fs::write(accounts.export(account), lines[..lines.len() / 2].concat()).unwrap();
    }
    accounts.sync(&IMPORTS).done();
    accounts.profile.run(&["backup", "now"]).done();
    for (account, lines) in lines.iter().enumerate() {
        fs::write(accounts.export(account), lines.concat()).unwrap();
    }
    accounts.sync(&IMPORTS).done();
    let records = accounts.records();
    accounts.district.holds_each_once(&records);

    flipped(&accounts.profile.folder().join("ledger.db"));
    let run = accounts.sync(&IMPORTS).done();
    assert!(run.stdout.contains("known again"), "{}", run.stdout);
    accounts.district.holds_each_once(&records);
    let again = accounts.sync(&IMPORTS).done();
    assert!(!again.stdout.contains("known again"), "it was read once: {}", again.stdout);
    accounts.district.holds_each_once(&records);
}

/// An export that is being written when the ledger is restored is waited for by its own import only.
#[test]
fn an_export_that_grows_after_a_restoration_is_waited_for_by_its_own_account() {
    let accounts = Accounts::exported(&["--attendance", "insert"]);
    let profile = &accounts.profile;
    accounts.sync(&IMPORTS).done();
    profile.run(&["backup", "now"]).done();
    let whole = fs::read(accounts.export(1)).unwrap();
    fs::write(accounts.export(1), &whole[..whole.len() - 10]).unwrap();
    flipped(&profile.folder().join("ledger.db"));
    accounts.sync(&IMPORTS[..1]).done();
    let is_read_first = |job: &str| {
        let planned = profile.run(&["sync", job, "--dry-run"]);
        planned.job(job)["notes"].to_string().contains("restored from a backup")
    };
    assert!(is_read_first(IMPORTS[1]));
    fs::write(accounts.export(1), whole).unwrap();
    accounts.sync(&IMPORTS[1..]).done();
    assert!(!is_read_first(IMPORTS[1]));
    accounts.district.holds_each_once(&accounts.records());
}

/// One of the exports is not there when the ledger is restored: that import waits for it, and the other one does not.
#[test]
fn an_export_that_is_missing_after_a_restoration_holds_up_its_own_account() {
    let accounts = Accounts::exported(&["--attendance", "insert"]);
    let Accounts { district, profile, .. } = &accounts;
    let lines = [0, 1].map(|account| accounts.lines(account));
    profile.run(&["backup", "now"]).done();
    for account in [0, 1] {
        fs::write(accounts.export(account), lines[account][..lines[account].len() - 1].concat()).unwrap();
    }
    accounts.sync(&IMPORTS).done();
    let written = district.audit();
    // Somebody in the office clears a tardy of the group.
    let school = accounts.group.schools[0];
    let cleared = "UPDATE Attendance SET Attendance_CodeID = (
            SELECT ID FROM Attendance_Code c WHERE c.SchoolID = Attendance.SchoolID AND c.YearID = Attendance.YearID
               AND COALESCE(c.Att_Code, '') = '')
          WHERE DCID = (SELECT MAX(DCID) FROM Attendance WHERE SchoolID = ?1 AND Att_Date = ?2)";
    assert_eq!(district.database().execute(cleared, (school, DATE)).unwrap(), 1);

    fs::remove_file(accounts.export(1)).unwrap();
    flipped(&profile.folder().join("ledger.db"));
    for _ in 0..2 {
        let run = accounts.sync(&IMPORTS).ended(1, "hero.export_missing");
        assert_eq!(run.job(IMPORTS[0])["outcome"], "succeeded", "{}", run.stdout);
        assert_eq!(run.job(IMPORTS[1])["outcome"], "failed", "{}", run.stdout);
        assert_eq!(district.audit(), written);
    }
    // The account that is there goes on.
    fs::write(accounts.export(0), lines[0].concat()).unwrap();
    let run = accounts.sync(&IMPORTS).ended(1, "hero.export_missing");
    assert_eq!(rows(&run, IMPORTS[0]), [lines[0].len(), 1, lines[0].len() - 1]);

    // And once the other one is there again, it is read before anything of it is written: the cleared record stays so.
    fs::write(accounts.export(1), lines[1].concat()).unwrap();
    let run = accounts.sync(&IMPORTS);
    let counts = &run.job(IMPORTS[1])["rows"];
    assert_eq!((&counts["written"], &counts["held"]), (&json!(1), &json!(1)), "{}", run.stdout);
    assert_eq!(district.audit().len(), written.len() + 2);
}
