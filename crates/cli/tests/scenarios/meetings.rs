//! Which class meeting a tardy is recorded at, at a high school with A and B days, blocks and free hours.

use std::fs;

use rusqlite::params;
use serde_json::{Value, json};

use crate::support::{DATE, District, Profile};

/// The high school of the district, mapped.
struct HighSchool<'a> {
    district: &'a District,
    profile: &'a Profile,
    building: String,
    number: i64,
    reason: String,
    files: usize,
}

/// A student of the school and one of their classes.
struct Sits {
    student: i64,
    cc: i64,
    section: i64,
}

impl<'a> HighSchool<'a> {
    fn of(district: &'a District, profile: &'a Profile) -> Self {
        let setup = profile.setup();
        let rows = setup["mappings"]["buildings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["school_name"].as_str().unwrap().contains("High")).unwrap();
        fs::remove_file(district.tardies()).unwrap();
        profile.run(&["sync", "raptor-roster"]).done();
        Self {
            district,
            profile,
            building: row["building"].as_str().unwrap().to_owned(),
            number: row["school"].as_i64().unwrap(),
            reason: setup["mappings"]["tardy_codes"][0]["reason"].as_str().unwrap().to_owned(),
            files: 0,
        }
    }

    /// The latest day of this cycle day and bell schedule.
    fn day(&self, letter: &str, schedule: &str) -> String {
        let database = self.district.database();
        database
            .query_row(
                "SELECT d.Date_Value FROM Calendar_Day d JOIN Cycle_Day c ON c.ID = d.Cycle_Day_ID
                   JOIN Bell_Schedule b ON b.ID = d.Bell_Schedule_ID
                  WHERE d.SchoolID = ?1 AND c.Letter = ?2 AND b.Name = ?3 AND d.Date_Value <= ?4
                  ORDER BY d.Date_Value DESC LIMIT 1",
                params![self.number, letter, schedule, DATE],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// Students with a class of this expression, in an order of their own.
    fn with_class(&self, expression: &str) -> Vec<Sits> {
        let database = self.district.database();
        let mut statement = database
            .prepare(
                "SELECT s.Student_Number, c.ID, c.SectionID FROM CC c JOIN Students s ON s.ID = c.StudentID
                  WHERE c.SchoolID = ?1 AND c.Expression = ?2 AND c.SectionID > 0 AND s.Enroll_Status = 0
                    AND c.DateEnrolled <= '2026-09-15' AND c.DateLeft > ?3
                    AND (SELECT COUNT(*) FROM CC o WHERE o.StudentID = s.ID AND o.Expression = c.Expression
                            AND o.DateLeft > '2026-09-15') = 1
                  ORDER BY s.ID",
            )
            .unwrap();
        let rows = statement.query_map(params![self.number, expression, DATE], |row| {
            Ok(Sits { student: row.get(0)?, cc: row.get(1)?, section: row.get(2)? })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// What became of one student's signing in.
    fn sign_in(&mut self, student: i64, at: &str) -> Value {
        self.files += 1;
        let text = format!(
            "Building,IdNumber,SignInTime,Reason\n{},{student},{at},{}\n",
            self.building, self.reason
        );
        fs::write(self.district.raptor(&format!("{:03}.csv", self.files)), text).unwrap();
        let sync = self.profile.run(&["sync", "raptor-tardies"]);
        sync.job("raptor-tardies")["rows"].clone()
    }

    /// The enrolment and the number of the period that the last write was about.
    fn recorded(&self) -> (i64, i64) {
        let written = self.district.audit().pop().unwrap();
        assert_eq!(written["att_mode_code"], "ATT_ModeMeeting");
        let number = self
            .district
            .database()
            .query_row(
                "SELECT Period_Number FROM Period WHERE ID = ?1",
                [written["periodid"].as_i64()],
                |row| row.get(0),
            )
            .unwrap();
        (written["ccid"].as_i64().unwrap(), number)
    }

    /// Signs a student in and checks where that is recorded.
    #[track_caller]
    fn recorded_at(&mut self, sits: &Sits, at: &str, period: i64) {
        assert_eq!(self.sign_in(sits.student, at)["written"], 1, "{at}");
        assert_eq!(self.recorded(), (sits.cc, period), "{at}");
    }
}

#[test]
fn a_block_is_recorded_once_and_a_schedule_without_meetings_by_its_expression() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut school = HighSchool::of(&district, &profile);
    let (b, early) = (school.day("B", "Regular Day"), school.day("A", "Early Release"));
    let block = school.with_class("3-4(B)");
    // 12:16 to 13:46 and 13:52 to 15:22, and five minutes between them.
    for (sits, time) in block.iter().zip(["12:30", "14:00", "13:48"]) {
        school.recorded_at(sits, &format!("{b}T{time}"), 3);
    }
    // Early release: the second block is from 9:31 to 10:26 and not from 10:06.
    let second = school.with_class("2(A)");
    school.recorded_at(&second[0], &format!("{early}T09:40"), 2);

    // Without rows of SECTION_MEETING the expression tells the same.
    let taken: Vec<i64> = block[..3].iter().map(|sits| sits.section).collect();
    let sits = block.iter().skip(3).find(|sits| !taken.contains(&sits.section)).unwrap_or(&block[3]);
    district.database().execute("DELETE FROM Section_Meeting WHERE SectionID = ?1", [sits.section]).unwrap();
    fs::remove_file(profile.home().join("profiles/practice/roster.db")).unwrap();
    school.recorded_at(sits, &format!("{b}T14:10"), 3);
}

#[test]
fn what_falls_between_classes_goes_where_the_building_says() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let mut school = HighSchool::of(&district, &profile);
    let a = school.day("A", "Regular Day");
    let (second, third) = (school.with_class("2(A)"), school.with_class("3(A)"));
    // Who has both: lunch lies between them, from 11:36 to 12:16.
    let mut both = second.iter().filter_map(|second| {
        let third = third.iter().find(|third| third.student == second.student)?;
        Some((second, third))
    });
    let number = school.number.to_string();
    let building = school.building.clone();
    let between = |which: &str| {
        profile.run(&["mapping", "set", &building, &number, "--between-classes", which]).done();
    };
    let lunch = format!("{a}T12:00");

    let (held, third_of_held) = both.next().unwrap();
    assert_eq!(school.sign_in(held.student, &lunch)["held"], 1);
    assert_eq!(profile.run(&["held", "list"]).done().data()["rows"][0]["code"], "held.no_meeting_now");
    // The file is still there: with another setting its row is decided anew.
    between("next");
    profile.run(&["sync", "raptor-tardies"]).done();
    assert_eq!(school.recorded(), (third_of_held.cc, 3));
    assert_eq!(profile.run(&["held", "list"]).done().data()["total"], 0);

    between("missed");
    let (second, _) = both.next().unwrap();
    school.recorded_at(second, &lunch, 2);

    // Before the first bell nothing is late, unless such rows are held.
    let (early, _) = both.next().unwrap();
    let morning = format!("{a}T08:10");
    assert_eq!(school.sign_in(early.student, &morning)["noop"], 1);
    profile.change_setup(|setup| setup["raptor"]["before_first_bell"] = json!("hold"));
    let (early, _) = both.next().unwrap();
    assert_eq!(school.sign_in(early.student, &morning)["held"], 1);
    assert_eq!(profile.run(&["held", "list"]).done().data()["rows"][0]["code"], "held.before_first_bell");
}
