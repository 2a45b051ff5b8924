//! What the tests of the exports write.
#![allow(dead_code, reason = "each test program uses a part")]

use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{CcId, Dcid, SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId},
    roster::{Course, EnrollStatus, Enrollment, Section, Student, Teacher},
};
use rosterbridge_hero::fields::{self, Field, FieldList};

/// More problems than a test makes.
pub const ALL_KEPT: usize = 1_000_000;

/// The school of everything below.
pub const SCHOOL: SchoolNumber = SchoolNumber::new(100);

/// Shows every byte: `→` a tab, `␍` and `␊` the ends of lines, `\x..` what is not UTF-8.
pub fn visible(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => shown.push('→'),
                '\r' => shown.push('␍'),
                '\n' => shown.push_str("␊\n"),
                other => shown.push(other),
            }
        }
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    shown
}

/// A field list that can be sent.
pub fn parsed<F: Field>(lines: &[&str]) -> FieldList<F> {
    fields::parse(lines).unwrap()
}

pub fn student(number: i64, first: &str, last: &str) -> Student {
    Student {
        dcid: StudentDcid::new(7_001),
        id: StudentId::new(9_001),
        number: StudentNumber::new(number),
        first_name: first.into(),
        middle_name: "Mae".into(),
        last_name: last.into(),
        dob: NaiveDate::from_ymd_opt(2012, 3, 9),
        grade_level: 8,
        school: SCHOOL,
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: None,
        exit_date: None,
        mailing_street: "12 Oak St".into(),
        mailing_city: "Springfield".into(),
        mailing_state: "IL".into(),
        mailing_zip: "62704".into(),
        guardian_email: "pat@example.org".into(),
        home_phone: "217-555-0101".into(),
        home_room: "8A".into(),
    }
}

pub fn class() -> Enrollment {
    Enrollment {
        dcid: Dcid::new(61),
        id: CcId::new(62),
        student: StudentId::new(9_001),
        section: SectionId::new(63),
        term: TermId::new(3600),
        dropped: false,
        course_number: "MAT07".into(),
        section_number: "02".into(),
        school: SCHOOL,
        teacher: TeacherId::new(31),
        expression: "1(A-B)".into(),
        period: "1".into(),
        date_enrolled: NaiveDate::from_ymd_opt(2026, 8, 24).unwrap(),
        date_left: NaiveDate::from_ymd_opt(2027, 6, 5).unwrap(),
    }
}

pub fn section() -> Section {
    Section {
        dcid: Dcid::new(71),
        id: SectionId::new(63),
        course_number: "MAT07".to_owned(),
        section_number: "02".to_owned(),
        school: SCHOOL,
        term: TermId::new(3600),
        teacher: TeacherId::new(31),
        room: "B 12".to_owned(),
        external_expression: "1(A,B)".to_owned(),
        att_mode_code: "ATT_ModeMeeting".to_owned(),
        attendance_type_code: 2,
    }
}

pub fn course(name: &str) -> Course {
    Course { dcid: Dcid::new(81), number: "MAT07".to_owned(), name: name.to_owned() }
}

pub fn teacher(number: &str, first: &str, last: &str) -> Teacher {
    Teacher {
        id: TeacherId::new(31),
        school: SCHOOL,
        number: number.to_owned(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        email: "ines@example.org".to_owned(),
        status: 1,
    }
}
