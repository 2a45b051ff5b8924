//! PowerSchool's roster tables, one type a table, with the columns the exchange uses. Column names and meanings
//! are those of PowerSchool's data dictionary.

use chrono::NaiveDate;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::id::{
    AttendanceCodeId, BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolDcid,
    SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId, YearId,
};

/// STUDENTS.ENROLL_STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnrollStatus(pub i64);

impl EnrollStatus {
    /// 0: attends now.
    pub const ACTIVE: Self = Self(0);
    /// -1: will attend.
    pub const PRE_REGISTERED: Self = Self(-1);
    /// 2: transferred out.
    pub const TRANSFERRED_OUT: Self = Self(2);
    /// 3: graduated.
    pub const GRADUATED: Self = Self(3);
}

/// A row of SCHOOLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct School {
    /// SCHOOLS.DCID.
    pub dcid: SchoolDcid,
    /// SCHOOLS.SCHOOL_NUMBER.
    pub number: SchoolNumber,
    /// SCHOOLS.NAME.
    pub name: String,
    /// SCHOOLS.ABBREVIATION; empty when the school has none.
    pub abbreviation: String,
}

/// A row of STUDENTS. Text that PowerSchool holds as NULL is empty here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Student {
    /// STUDENTS.DCID.
    pub dcid: StudentDcid,
    /// STUDENTS.ID.
    pub id: StudentId,
    /// STUDENTS.STUDENT_NUMBER.
    pub number: StudentNumber,
    /// STUDENTS.FIRST_NAME.
    pub first_name: CompactString,
    /// STUDENTS.MIDDLE_NAME.
    pub middle_name: CompactString,
    /// STUDENTS.LAST_NAME.
    pub last_name: CompactString,
    /// STUDENTS.DOB.
    pub dob: Option<NaiveDate>,
    /// STUDENTS.GRADE_LEVEL: 0 is kindergarten, negative is pre-kindergarten.
    pub grade_level: i64,
    /// STUDENTS.SCHOOLID.
    pub school: SchoolNumber,
    /// STUDENTS.ENROLL_STATUS.
    pub enroll_status: EnrollStatus,
    /// STUDENTS.ENTRYDATE: first day of the current school enrolment.
    pub entry_date: Option<NaiveDate>,
    /// STUDENTS.EXITDATE: the day *after* the last one.
    pub exit_date: Option<NaiveDate>,
    /// STUDENTS.MAILING_STREET.
    pub mailing_street: CompactString,
    /// STUDENTS.MAILING_CITY.
    pub mailing_city: CompactString,
    /// STUDENTS.MAILING_STATE.
    pub mailing_state: CompactString,
    /// STUDENTS.MAILING_ZIP.
    pub mailing_zip: CompactString,
    /// STUDENTS.GUARDIANEMAIL: may hold several addresses separated by commas.
    pub guardian_email: CompactString,
    /// STUDENTS.HOME_PHONE.
    pub home_phone: CompactString,
    /// STUDENTS.HOME_ROOM.
    pub home_room: CompactString,
}

impl Student {
    /// Whether the student is enrolled at `school` on `date` (PowerSchool: `EntryDate <= date < ExitDate`).
    pub fn attends(&self, school: SchoolNumber, date: NaiveDate) -> bool {
        self.school == school
            && self.entry_date.is_none_or(|entry| entry <= date)
            && self.exit_date.is_none_or(|exit| date < exit)
    }

    /// The school whose enrolment the student had on `date`: the present one, or one of the `earlier`. On the day on
    /// which one ends and another begins it is the new one. Where enrolments overlap all the same, `asked` is taken if it
    /// is among them, else the one that began last.
    pub fn school_on(
        &self,
        earlier: &[Reenrollment],
        date: NaiveDate,
        asked: SchoolNumber,
    ) -> Option<SchoolNumber> {
        let present = self.attends(self.school, date).then_some((self.entry_date, self.school));
        let earlier = earlier
            .iter()
            .filter(|stay| stay.student == self.id && stay.includes(date))
            .map(|stay| (stay.entry_date, stay.school));
        // Of two that began on one day the present one, which comes last.
        earlier
            .chain(present)
            .max_by_key(|(entry, school)| (*school == asked, *entry))
            .map(|(_, school)| school)
    }
}

/// A row of REENROLLMENTS: an enrolment of a student in a school that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reenrollment {
    /// REENROLLMENTS.ID.
    pub id: i64,
    /// REENROLLMENTS.STUDENTID.
    pub student: StudentId,
    /// REENROLLMENTS.SCHOOLID.
    pub school: SchoolNumber,
    /// REENROLLMENTS.ENTRYDATE: the first day.
    pub entry_date: Option<NaiveDate>,
    /// REENROLLMENTS.EXITDATE: the day *after* the last one. The same as the first day for one that never was.
    pub exit_date: NaiveDate,
}

impl Reenrollment {
    /// Whether the enrolment held on `date` (PowerSchool: `EntryDate <= date < ExitDate`).
    pub fn includes(&self, date: NaiveDate) -> bool {
        self.entry_date.is_none_or(|entry| entry <= date) && date < self.exit_date
    }
}

/// What a roster names of a student: some columns of a row of STUDENTS, borrowed from wherever they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterStudent<'a> {
    /// STUDENTS.STUDENT_NUMBER.
    pub number: StudentNumber,
    /// STUDENTS.SCHOOLID.
    pub school: SchoolNumber,
    /// STUDENTS.ENROLL_STATUS.
    pub enroll_status: EnrollStatus,
    /// STUDENTS.FIRST_NAME.
    pub first_name: &'a str,
    /// STUDENTS.MIDDLE_NAME.
    pub middle_name: &'a str,
    /// STUDENTS.LAST_NAME.
    pub last_name: &'a str,
    /// STUDENTS.DOB.
    pub dob: Option<NaiveDate>,
    /// STUDENTS.GRADE_LEVEL.
    pub grade_level: i64,
    /// STUDENTS.HOME_ROOM.
    pub home_room: &'a str,
    /// STUDENTS.GUARDIANEMAIL.
    pub guardian_email: &'a str,
    /// STUDENTS.HOME_PHONE.
    pub home_phone: &'a str,
}

impl<'a> From<&'a Student> for RosterStudent<'a> {
    fn from(student: &'a Student) -> Self {
        Self {
            number: student.number,
            school: student.school,
            enroll_status: student.enroll_status,
            first_name: &student.first_name,
            middle_name: &student.middle_name,
            last_name: &student.last_name,
            dob: student.dob,
            grade_level: student.grade_level,
            home_room: &student.home_room,
            guardian_email: &student.guardian_email,
            home_phone: &student.home_phone,
        }
    }
}

/// A row of CC: one student's enrolment in one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// CC.DCID.
    pub dcid: Dcid,
    /// CC.ID.
    pub id: CcId,
    /// CC.STUDENTID.
    pub student: StudentId,
    /// The absolute value of CC.SECTIONID.
    pub section: SectionId,
    /// The absolute value of CC.TERMID.
    pub term: TermId,
    /// Whether PowerSchool stores the section or term negated: the enrolment was dropped. It still counts for
    /// dates before `date_left`.
    pub dropped: bool,
    /// CC.COURSE_NUMBER.
    pub course_number: CompactString,
    /// CC.SECTION_NUMBER.
    pub section_number: CompactString,
    /// CC.SCHOOLID.
    pub school: SchoolNumber,
    /// CC.TEACHERID.
    pub teacher: TeacherId,
    /// CC.EXPRESSION, e.g. `1-2(A) 3(B)`.
    pub expression: CompactString,
    /// CC.PERIOD_OBSOLETE: what an AutoSend export calls `Period`.
    pub period: CompactString,
    /// CC.DATEENROLLED.
    pub date_enrolled: NaiveDate,
    /// CC.DATELEFT: the day *after* the last one.
    pub date_left: NaiveDate,
}

impl Enrollment {
    /// Whether the student sits in the section on `date` (PowerSchool: `DateEnrolled <= date < DateLeft`).
    pub fn includes(&self, date: NaiveDate) -> bool {
        self.date_enrolled <= date && date < self.date_left
    }
}

/// A row of SECTIONS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// SECTIONS.DCID.
    pub dcid: Dcid,
    /// SECTIONS.ID.
    pub id: SectionId,
    /// SECTIONS.COURSE_NUMBER.
    pub course_number: String,
    /// SECTIONS.SECTION_NUMBER.
    pub section_number: String,
    /// SECTIONS.SCHOOLID.
    pub school: SchoolNumber,
    /// SECTIONS.TERMID.
    pub term: TermId,
    /// SECTIONS.TEACHER.
    pub teacher: TeacherId,
    /// SECTIONS.ROOM.
    pub room: String,
    /// SECTIONS.EXTERNAL_EXPRESSION.
    pub external_expression: String,
    /// SECTIONS.ATT_MODE_CODE, e.g. `ATT_ModeMeeting`.
    pub att_mode_code: String,
    /// SECTIONS.ATTENDANCE_TYPE_CODE: 0 one record for all meetings of a day, 2 each meeting on its own.
    pub attendance_type_code: i64,
}

/// Whether one record stands for all meetings of a day, by SECTIONS.ATTENDANCE_TYPE_CODE (PowerSchool: 0).
pub const fn records_once_a_day(attendance_type_code: i64) -> bool {
    attendance_type_code == 0
}

/// A row of COURSES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// COURSES.DCID.
    pub dcid: Dcid,
    /// COURSES.COURSE_NUMBER.
    pub number: String,
    /// COURSES.COURSE_NAME.
    pub name: String,
}

/// A row of TEACHERS, PowerSchool's view over USERS and SCHOOLSTAFF: one row per person and school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teacher {
    /// TEACHERS.ID, which is SCHOOLSTAFF.ID.
    pub id: TeacherId,
    /// TEACHERS.SCHOOLID.
    pub school: SchoolNumber,
    /// TEACHERS.TEACHERNUMBER.
    pub number: String,
    /// TEACHERS.FIRST_NAME.
    pub first_name: String,
    /// TEACHERS.LAST_NAME.
    pub last_name: String,
    /// TEACHERS.EMAIL_ADDR.
    pub email: String,
    /// TEACHERS.STATUS: 1 is current.
    pub status: i64,
}

/// A row of TERMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// TERMS.DCID.
    pub dcid: Dcid,
    /// TERMS.ID.
    pub id: TermId,
    /// TERMS.YEARID.
    pub year: YearId,
    /// TERMS.SCHOOLID.
    pub school: SchoolNumber,
    /// TERMS.ABBREVIATION.
    pub abbreviation: String,
    /// TERMS.FIRSTDAY.
    pub first_day: NaiveDate,
    /// TERMS.LASTDAY, itself in the term.
    pub last_day: NaiveDate,
}

/// A row of ATTENDANCE_CODE: a code of one school in one year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttendanceCode {
    /// ATTENDANCE_CODE.DCID.
    pub dcid: Dcid,
    /// ATTENDANCE_CODE.ID.
    pub id: AttendanceCodeId,
    /// ATTENDANCE_CODE.ATT_CODE: up to 7 characters; `None` is PowerSchool's NULL, usually 'Present'.
    pub code: Option<String>,
    /// ATTENDANCE_CODE.DESCRIPTION.
    pub description: String,
    /// ATTENDANCE_CODE.PRESENCE_STATUS_CD: `Present` or `Absent`.
    pub presence: String,
    /// ATTENDANCE_CODE.SCHOOLID.
    pub school: SchoolNumber,
    /// ATTENDANCE_CODE.YEARID.
    pub year: YearId,
}

/// A row of PERIOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// PERIOD.ID.
    pub id: PeriodId,
    /// PERIOD.PERIOD_NUMBER.
    pub number: i64,
    /// PERIOD.NAME.
    pub name: String,
    /// PERIOD.ABBREVIATION.
    pub abbreviation: String,
    /// PERIOD.SCHOOLID.
    pub school: SchoolNumber,
    /// PERIOD.YEAR_ID.
    pub year: YearId,
}

/// A row of CYCLE_DAY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleDay {
    /// CYCLE_DAY.ID.
    pub id: CycleDayId,
    /// CYCLE_DAY.DAY_NUMBER: its place in the cycle, from 1.
    pub number: i64,
    /// CYCLE_DAY.LETTER.
    pub letter: String,
    /// CYCLE_DAY.SCHOOLID.
    pub school: SchoolNumber,
    /// CYCLE_DAY.YEAR_ID.
    pub year: YearId,
}

/// A row of CALENDAR_DAY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarDay {
    /// CALENDAR_DAY.ID.
    pub id: CalendarDayId,
    /// CALENDAR_DAY.SCHOOLID.
    pub school: SchoolNumber,
    /// CALENDAR_DAY.DATE_VALUE.
    pub date: NaiveDate,
    /// CALENDAR_DAY.INSESSION.
    pub in_session: bool,
    /// CALENDAR_DAY.CYCLE_DAY_ID; `None` on days out of session.
    pub cycle_day: Option<CycleDayId>,
    /// CALENDAR_DAY.BELL_SCHEDULE_ID; `None` on days out of session.
    pub bell_schedule: Option<BellScheduleId>,
}

/// A row of BELL_SCHEDULE_ITEMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BellScheduleItem {
    /// BELL_SCHEDULE_ITEMS.ID.
    pub id: i64,
    /// BELL_SCHEDULE_ITEMS.BELL_SCHEDULE_ID.
    pub bell_schedule: BellScheduleId,
    /// BELL_SCHEDULE_ITEMS.PERIOD_ID.
    pub period: PeriodId,
    /// BELL_SCHEDULE_ITEMS.START_TIME, seconds since midnight.
    pub start: u32,
    /// BELL_SCHEDULE_ITEMS.END_TIME, seconds since midnight.
    pub end: u32,
}

/// A row of SECTION_MEETING: a section meets in a period on a cycle day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionMeeting {
    /// SECTION_MEETING.ID.
    pub id: i64,
    /// SECTION_MEETING.SECTIONID.
    pub section: SectionId,
    /// SECTION_MEETING.SCHOOLID.
    pub school: SchoolNumber,
    /// SECTION_MEETING.YEAR_ID.
    pub year: YearId,
    /// SECTION_MEETING.PERIOD_NUMBER.
    pub period_number: i64,
    /// SECTION_MEETING.CYCLE_DAY_LETTER.
    pub cycle_day_letter: CompactString,
}

/// A row of PREFS about attendance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchoolPreference {
    /// PREFS.ID.
    pub id: i64,
    /// PREFS.NAME: `ATT_RecordModeMeeting`, `ATT_RecordModeDaily` or `ATT_BridgePeriod`.
    pub name: String,
    /// PREFS.VALUE: `1` or `0`, or a PERIOD.ID; empty for none.
    pub value: String,
    /// PREFS.SCHOOLID; 0 for the whole district.
    pub school: SchoolNumber,
    /// PREFS.YEARID; 0 where it is not of a year.
    pub year: YearId,
}

/// A record of ATTENDANCE as PowerSchool holds it now, with its code's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttendanceRecord {
    /// ATTENDANCE.DCID.
    pub dcid: crate::id::AttendanceDcid,
    /// ATTENDANCE.STUDENTID.
    pub student: StudentId,
    /// ATTENDANCE.SCHOOLID.
    pub school: SchoolNumber,
    /// ATTENDANCE.ATT_DATE.
    pub date: NaiveDate,
    /// ATTENDANCE.ATT_MODE_CODE.
    pub mode: String,
    /// ATTENDANCE.CCID; 0 or NULL outside the meeting mode is `None`.
    pub cc: Option<CcId>,
    /// ATTENDANCE.PERIODID; 0 or NULL outside the meeting mode is `None`.
    pub period: Option<PeriodId>,
    /// ATTENDANCE.ATTENDANCE_CODEID.
    pub code_id: AttendanceCodeId,
    /// ATTENDANCE.ATT_COMMENT.
    pub comment: String,
    /// ATTENDANCE.PROGRAMID; 0 or NULL is `None`. Records of a program are another key than ours.
    pub program: Option<i64>,
}
