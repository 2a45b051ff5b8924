//! Identifiers. PowerSchool numbers the same thing in several ways (DCID, ID, a number people know), over
//! overlapping ranges; each way is a type of its own here and none converts into another.

/// Declares a newtype over the integer PowerSchool uses for one kind of identifier.
macro_rules! numeric_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, ts_rs::TS)]
        #[serde(transparent)]
        #[ts(type = "number")]
        pub struct $name(i64);

        impl $name {
            /// Wraps the value as PowerSchool sent it.
            pub const fn new(value: i64) -> Self {
                Self(value)
            }

            /// The bare value, for a request, a file or a database column.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

numeric_id! {
    /// SCHOOLS.SCHOOL_NUMBER: what every other table's `SchoolID` holds.
    SchoolNumber,
    /// SCHOOLS.DCID: the `id` of a school in `/ws/v1`.
    SchoolDcid,
    /// STUDENTS.ID: what CC and ATTENDANCE reference.
    StudentId,
    /// STUDENTS.DCID: the `id` of a student in `/ws/v1`.
    StudentDcid,
    /// STUDENTS.STUDENT_NUMBER: the number people know. Compared as a number, so leading zeros don't matter.
    StudentNumber,
    /// SECTIONS.ID, always positive (a dropped enrolment stores it negated).
    SectionId,
    /// SECTIONS.DCID.
    SectionDcid,
    /// CC.ID: one student's enrolment in one section.
    CcId,
    /// CC.DCID.
    CcDcid,
    /// TERMS.ID: `YearID * 100` for a whole year, plus 1, 2, … for its parts; always positive here.
    TermId,
    /// TERMS.YEARID: the school year's first calendar year less 1990 (2026-27 is 36).
    YearId,
    /// SCHOOLSTAFF.ID, as in TEACHERS.ID, CC.TEACHERID and SECTIONS.TEACHER.
    TeacherId,
    /// PERIOD.ID.
    PeriodId,
    /// CYCLE_DAY.ID.
    CycleDayId,
    /// CALENDAR_DAY.ID.
    CalendarDayId,
    /// BELL_SCHEDULE.ID.
    BellScheduleId,
    /// ATTENDANCE_CODE.ID, which is a code of one school in one year.
    AttendanceCodeId,
    /// ATTENDANCE.DCID.
    AttendanceDcid,
    /// A table's own DCID where no other type refers to it.
    Dcid,
}

impl SchoolNumber {
    /// 'Graduated Students', a school that exists in every PowerSchool and never takes part in an exchange.
    pub const GRADUATED: Self = Self(999_999);
}

impl YearId {
    /// The term id of the whole year (PowerSchool: `YearID * 100`).
    pub const fn year_term(self) -> TermId {
        TermId(self.0 * 100)
    }
}
