//! A district and a profile that can be put back to how they were, and what a run leaves behind.

use std::{collections::BTreeMap, env, fs, path::Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{District, Profile, copy_tree, files_below};

/// A district and a profile, and how they were at the beginning.
pub struct Stage {
    pub district: District,
    pub profile: Profile,
    district_before: TempDir,
    home_before: TempDir,
    /// What `sync` is told to run: nothing for all jobs.
    pub jobs: &'static [&'static str],
    /// What is wrong with Hero's server, from every beginning.
    hero_faults: Value,
}

/// Everything a job leaves behind for others to see.
#[derive(Debug, PartialEq)]
pub struct Left {
    /// Attendance PowerSchool accepted, each time it did.
    writes: Vec<String>,
    /// Attendance PowerSchool holds.
    attendance: Vec<(i64, String, i64, i64, i64, String)>,
    /// Files of Hero's account and of the Raptor folder, with their hashes.
    files: BTreeMap<String, String>,
    /// The Raptor integration's status.
    raptor: Value,
}

impl Stage {
    /// The beginning of a run of these jobs.
    pub fn new(jobs: &'static [&'static str], mode: &str) -> Self {
        // So many tardies that not all are sent together.
        let options = ["--students", "40", "--schools", "2", "--tardies", "12", "--attendance", mode];
        let district = District::start(&options);
        let profile = Profile::patient_for(&district, 1);
        match *jobs {
            // Files that are there already are replaced.
            [job @ ("hero-students" | "hero-schedule" | "hero-teachers" | "raptor-roster")] => {
                profile.run(&["sync", job]).done();
                let one =
                    |sql: &str| district.database().query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap();
                let student = one("SELECT Student_Number FROM Students WHERE Enroll_Status = 0 LIMIT 1");
                let teacher = one("SELECT Users_DCID FROM SchoolStaff WHERE Status = 1 LIMIT 1");
                district.change(&json!([
                    {"change": {"table": "Students", "where": {"Student_Number": student},
                                "set": {"Last_Name": "Changed"}}},
                    {"leave": {"student_number": student + 1}},
                    {"change": {"table": "Users", "where": {"DCID": teacher}, "set": {"First_Name": "Changed"}}},
                ]));
            }
            // Hero places its export when it has all of ours.
            ["hero-attendance"] => {
                profile.run(&["sync", "hero-students", "hero-schedule", "hero-teachers"]).done();
            }
            // Tardies are taken in once the integration is initialized.
            ["raptor-tardies"] => {
                profile.run(&["sync", "raptor-roster"]).done();
            }
            _ => {}
        }
        Self::kept(district, profile, jobs)
    }

    /// A beginning that was made otherwise.
    pub fn kept(mut district: District, profile: Profile, jobs: &'static [&'static str]) -> Self {
        let (district_before, home_before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        district.stop();
        copy_tree(&district.data(), district_before.path());
        copy_tree(profile.home(), home_before.path());
        district.restart();
        let hero_faults = json!({});
        Self { district, profile, district_before, home_before, jobs, hero_faults }
    }

    /// The same with something wrong with Hero's server.
    pub fn with_hero_faults(mut self, faults: Value) -> Self {
        self.district.hero_faults(&faults);
        self.hero_faults = faults;
        self
    }

    /// Makes everything as it was at the beginning.
    pub fn rewind(&mut self) {
        self.district.stop();
        for (place, before) in [
            (self.district.data(), self.district_before.path()),
            (self.profile.home().to_owned(), self.home_before.path()),
        ] {
            fs::remove_dir_all(&place).unwrap();
            copy_tree(before, &place);
        }
        self.district.restart();
        self.district.hero_faults(&self.hero_faults);
    }

    /// What is there now.
    pub fn left(&self) -> Left {
        let mut writes: Vec<String> = self
            .district
            .audit()
            .into_iter()
            .map(|mut write| {
                write.as_object_mut().unwrap().remove("seq");
                write.to_string()
            })
            .collect();
        writes.sort();
        let database = self.district.database();
        let mut rows = database
            .prepare(
                "SELECT StudentID, Att_Date, CCID, PeriodID, Attendance_CodeID, Att_Mode_Code FROM Attendance
                 ORDER BY StudentID, Att_Date, CCID, PeriodID, Att_Mode_Code, Attendance_CodeID",
            )
            .unwrap();
        let attendance = rows
            .query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let data = self.district.data();
        let files = ["hero", "raptor"]
            .into_iter()
            .flat_map(|folder| files_below(&data.join(folder)))
            .map(|file| {
                let name = file.strip_prefix(&data).unwrap().to_string_lossy().into_owned();
                (name, hex::encode(Sha256::digest(fs::read(&file).unwrap())))
            })
            .collect();
        let status = self.profile.run(&["status"]).done();
        Left { writes, attendance, files, raptor: status.data()["raptor_status"].clone() }
    }

    /// `sync` of the jobs, to be started.
    pub fn sync(&self) -> std::process::Command {
        self.profile.command(&[&["sync"], self.jobs].concat())
    }
}

/// Writes down what a test tried and survived, for a summary of them all. What is lost or doubled has ended the test
/// before it comes here.
pub fn report(name: &str, report: &Value) {
    if let Some(folder) = env::var_os("ROSTERBRIDGE_FAULT_REPORTS") {
        fs::write(Path::new(&folder).join(format!("{name}.json")), report.to_string()).unwrap();
    }
}
