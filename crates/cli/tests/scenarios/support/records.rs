//! What should be in PowerSchool in the end, and whether it is.

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use rusqlite::named_params;
use serde_json::Value;

use super::{DATE, District, files_in};

/// What an attendance record is about, in PowerSchool's columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub student: i64,
    pub school: i64,
    pub date: String,
    pub mode: String,
    pub cc: i64,
    pub period: i64,
}

/// Records with the id of the code they should have.
pub type Records = BTreeMap<Key, i64>;

/// PowerSchool: school year start - 1990.
fn year_of(date: NaiveDate) -> i64 {
    i64::from(date.year()) - if date.month() >= 7 { 1990 } else { 1991 }
}

impl District {
    /// The records Hero's export asks for, worked out from the district's tables alone.
    pub fn hero_records(&self) -> Records {
        self.records_of_export(&self.hero("export/ATTENDANCE.txt"))
    }

    /// As [`District::hero_records`], of an export in Hero's own layout that is elsewhere.
    pub fn records_of_export(&self, export: &Path) -> Records {
        let database = self.database();
        let mut find = database
            .prepare(
                "SELECT s.ID, sec.Att_Mode_Code, c.ID, p.ID, ac.ID
                   FROM Students s
                   JOIN CC c ON c.StudentID = s.ID AND c.SchoolID = :school AND c.Course_Number = :course
                        AND c.Section_Number = :section AND c.DateEnrolled <= :date AND c.DateLeft > :date
                   JOIN Sections sec ON sec.ID = ABS(c.SectionID)
                   JOIN Period p ON p.SchoolID = :school AND p.Year_ID = :year AND p.Abbreviation = :period
                   JOIN Attendance_Code ac ON ac.SchoolID = :school AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student",
            )
            .unwrap();
        let text = fs::read_to_string(export).unwrap();
        text.lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let [school, student, course, section, date, code, period] = fields[..] else {
                    panic!("{line}")
                };
                let school: i64 = school.parse().unwrap();
                let student: i64 = student.parse().unwrap();
                let date = NaiveDate::parse_from_str(date, "%m/%d/%Y").unwrap();
                find.query_one(
                    named_params! {
                        ":school": school, ":student": student, ":course": course, ":section": section,
                        ":date": date.to_string(), ":year": year_of(date), ":code": code, ":period": period,
                    },
                    |row| {
                        let mode: String = row.get(1)?;
                        let daily = mode == "ATT_ModeDaily";
                        let key = Key {
                            student: row.get(0)?,
                            school,
                            date: date.to_string(),
                            cc: if daily { 0 } else { row.get(2)? },
                            period: if daily { 0 } else { row.get(3)? },
                            mode,
                        };
                        Ok((key, row.get(4)?))
                    },
                )
                .unwrap()
            })
            .collect()
    }

    /// The records a file of Raptor's asks for under the set-up's mappings, worked out from the district's tables
    /// alone.
    pub fn raptor_records(&self, file: &Path, setup: &Value) -> Records {
        let database = self.database();
        let mut daily = database
            .prepare(
                "SELECT s.ID, s.SchoolID, 0, 0, ac.ID FROM Students s
                   JOIN Attendance_Code ac ON ac.SchoolID = s.SchoolID AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student AND :school > 0 AND :date <> '' AND :at > 0",
            )
            .unwrap();
        let mut meeting = database
            .prepare(
                "SELECT s.ID, c.SchoolID, c.ID, p.ID, ac.ID FROM Students s
                   JOIN CC c ON c.StudentID = s.ID AND c.SchoolID = :school
                        AND c.DateEnrolled <= :date AND c.DateLeft > :date
                   JOIN Calendar_Day d ON d.SchoolID = c.SchoolID AND d.Date_Value = :date
                   JOIN Cycle_Day cd ON cd.ID = d.Cycle_Day_ID
                   JOIN Section_Meeting m ON m.SectionID = ABS(c.SectionID) AND m.Cycle_Day_Letter = cd.Letter
                   JOIN Period p ON p.SchoolID = c.SchoolID AND p.Year_ID = :year
                        AND p.Period_Number = m.Period_Number
                   JOIN Bell_Schedule_Items b ON b.Bell_Schedule_ID = d.Bell_Schedule_ID AND b.Period_ID = p.ID
                        AND b.Start_Time <= :at AND b.End_Time > :at
                   JOIN Attendance_Code ac ON ac.SchoolID = c.SchoolID AND ac.YearID = :year AND ac.Att_Code = :code
                  WHERE s.Student_Number = :student",
            )
            .unwrap();
        let mut records = Records::new();
        for row in csv::Reader::from_path(file).unwrap().records() {
            let row = row.unwrap();
            let building = setup["mappings"]["buildings"]
                .as_array()
                .unwrap()
                .iter()
                .find(|mapping| mapping["building"] == row[0])
                .unwrap();
            let code = setup["mappings"]["tardy_codes"]
                .as_array()
                .unwrap()
                .iter()
                .find(|mapping| mapping["reason"] == row[3])
                .unwrap();
            let at: NaiveDateTime = row[2].parse().unwrap();
            let (mode, statement) = match building["method"].as_str().unwrap() {
                "daily" => ("ATT_ModeDaily", &mut daily),
                _ => ("ATT_ModeMeeting", &mut meeting),
            };
            let (key, code) = statement
                .query_one(
                    named_params! {
                        ":student": row[1].parse::<i64>().unwrap(), ":school": building["school"].as_i64(),
                        ":date": at.date().to_string(), ":year": year_of(at.date()),
                        ":at": at.time().num_seconds_from_midnight(), ":code": code["code"].as_str(),
                    },
                    |found| {
                        let key = Key {
                            student: found.get(0)?,
                            school: found.get(1)?,
                            date: at.date().to_string(),
                            mode: mode.to_owned(),
                            cc: found.get(2)?,
                            period: found.get(3)?,
                        };
                        Ok((key, found.get(4)?))
                    },
                )
                .unwrap();
            records.insert(key, code);
        }
        records
    }

    /// Everything the day asks for: Hero's export and Raptor's tardies, wherever that file is now.
    pub fn day(&self, setup: &Value) -> Records {
        let mut records = self.hero_records();
        let tardies = self.tardies();
        let processed = self.raptor(&format!("processed/tardies-{DATE}.csv"));
        records.extend(self.raptor_records(if tardies.exists() { &tardies } else { &processed }, setup));
        records
    }

    /// Checks that PowerSchool holds each record exactly once, with its code, and that nothing else was ever
    /// written, nor anything twice.
    #[track_caller]
    pub fn holds_each_once(&self, expected: &Records) {
        assert!(!expected.is_empty());
        let mut accepted = Vec::new();
        for write in self.audit() {
            let number = |name: &str| write[name].as_i64().unwrap();
            let text = |name: &str| write[name].as_str().unwrap().to_owned();
            let key = Key {
                student: number("studentid"),
                school: number("schoolid"),
                date: text("att_date"),
                mode: text("att_mode_code"),
                cc: number("ccid"),
                period: number("periodid"),
            };
            accepted.push((key, number("attendance_codeid")));
        }
        accepted.sort();
        let expected_writes: Vec<(Key, i64)> =
            expected.iter().map(|(key, code)| (key.clone(), *code)).collect();
        assert_eq!(accepted, expected_writes, "the audit log differs from what the day asks for");

        let database = self.database();
        let mut held = database
            .prepare(
                "SELECT Attendance_CodeID FROM Attendance WHERE StudentID = ?1 AND SchoolID = ?2 AND Att_Date = ?3
                    AND Att_Mode_Code = ?4 AND CCID = ?5 AND PeriodID = ?6 AND ProgramID = 0",
            )
            .unwrap();
        for (key, code) in expected {
            let codes: Vec<i64> = held
                .query_map((key.student, key.school, &key.date, &key.mode, key.cc, key.period), |row| {
                    row.get(0)
                })
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(codes, [*code], "{key:?}");
        }
    }

    /// Checks that nothing went anywhere and Raptor's file waits.
    #[track_caller]
    pub fn is_untouched(&self) {
        assert_eq!(self.audit(), Vec::<Value>::new());
        assert_eq!(files_in(&self.hero("imports")), Vec::<String>::new());
        assert!(!self.raptor("roster").exists());
        assert!(self.tardies().exists());
    }
}
