//! What the plugin reads: one named query a table, with its columns, key and arguments. The plugin's files, its
//! access request, the queries' bodies and the paged reading of the same tables all come from here, and so does which
//! exchange needs what: a plugin asks for no more than the exchanges in use.

use rosterbridge_domain::job::Job;

/// What limits a query to some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// All rows.
    None,
    /// By a column that holds a school year's id.
    Year(&'static str),
    /// By a column that holds a term's id, negated for dropped enrolments: `YearID * 100` and what follows it.
    Term(&'static str),
    /// By a column with a date within the school years.
    Date(&'static str),
    /// By a column with a date after the first day of the school years.
    After(&'static str),
    /// One school on one day.
    SchoolAndDay,
    /// By a column whose text begins with this and is one of these.
    Named(&'static str, &'static str, &'static [&'static str]),
}

/// A table as the exchange reads it.
#[derive(Debug)]
pub struct Table {
    /// PowerSchool's name, in capitals as in its data dictionary.
    pub name: &'static str,
    /// The named query: five parts (PowerSchool's rule for plugins).
    pub query: &'static str,
    /// The exchanges that read it.
    pub jobs: &'static [Job],
    /// Every column that any exchange reads, in lower case and in the order they are asked for.
    pub columns: &'static [&'static str],
    /// Those of the columns that only some of the table's exchanges read. Of such a column no value means the same as
    /// an absent column: text, an optional date or an optional number.
    pub only_for: &'static [OnlyFor],
    /// The columns of the unique key the rows are sorted by.
    pub key: &'static [&'static str],
    /// What limits the rows.
    pub limit: Limit,
    /// What the query is for, told to the administrator who installs the plugin.
    pub purpose: &'static str,
    /// How much the exchanges need it.
    pub need: Need,
}

/// How much the exchanges need a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// They can't do without it.
    Essential,
    /// They work without it, and a person is told what that costs: this.
    Useful(&'static str),
    /// It only makes the set-up easier: a plugin without access to it lacks nothing.
    SetUp,
}

/// Columns that only some of a table's exchanges read.
#[derive(Debug)]
pub struct OnlyFor {
    /// The exchanges.
    pub jobs: &'static [Job],
    /// The columns.
    pub columns: &'static [&'static str],
}

/// The exchanges that name students.
const WITH_STUDENTS: &[Job] =
    &[Job::HeroStudents, Job::HeroSchedule, Job::HeroAttendance, Job::RaptorRoster, Job::RaptorTardies];

/// The exchanges that read who sits in which section.
const WITH_ENROLMENTS: &[Job] = &[Job::HeroSchedule, Job::HeroAttendance, Job::RaptorTardies];

/// The exchanges that write attendance.
const WITH_ATTENDANCE: &[Job] = &[Job::HeroAttendance, Job::RaptorTardies];

/// Every query of the plugin.
pub(crate) const ALL: [&Table; 16] = [
    &SCHOOLS,
    &STUDENTS,
    &REENROLLMENTS,
    &CC,
    &SECTIONS,
    &COURSES,
    &TEACHERS,
    &TERMS,
    &ATTENDANCE_CODE,
    &PERIOD,
    &CYCLE_DAY,
    &CALENDAR_DAY,
    &BELL_SCHEDULE_ITEMS,
    &SECTION_MEETING,
    &ATTENDANCE,
    &PREFS,
];

pub(crate) static SCHOOLS: Table = Table {
    name: "SCHOOLS",
    query: "com.rosterbridge.roster.schools.all",
    jobs: &Job::ALL,
    columns: &["dcid", "school_number", "name", "abbreviation"],
    only_for: &[OnlyFor { jobs: &[Job::RaptorRoster, Job::RaptorTardies], columns: &["abbreviation"] }],
    key: &["school_number"],
    limit: Limit::None,
    purpose: "Schools of the district",
    need: Need::Essential,
};

pub(crate) static STUDENTS: Table = Table {
    name: "STUDENTS",
    query: "com.rosterbridge.roster.students.all",
    jobs: WITH_STUDENTS,
    columns: &[
        "dcid",
        "id",
        "student_number",
        "first_name",
        "middle_name",
        "last_name",
        "dob",
        "grade_level",
        "schoolid",
        "enroll_status",
        "entrydate",
        "exitdate",
        "mailing_street",
        "mailing_city",
        "mailing_state",
        "mailing_zip",
        "guardianemail",
        "home_phone",
        "home_room",
    ],
    only_for: &[
        OnlyFor {
            jobs: &[Job::HeroStudents, Job::RaptorRoster],
            columns: &["first_name", "middle_name", "last_name", "dob", "guardianemail", "home_phone"],
        },
        OnlyFor {
            jobs: &[Job::HeroStudents],
            columns: &["mailing_street", "mailing_city", "mailing_state", "mailing_zip"],
        },
        OnlyFor { jobs: &[Job::RaptorRoster], columns: &["home_room"] },
        OnlyFor { jobs: &[Job::RaptorTardies], columns: &["entrydate", "exitdate"] },
    ],
    key: &["student_number", "dcid"],
    limit: Limit::None,
    purpose: "Students",
    need: Need::Essential,
};

pub(crate) static REENROLLMENTS: Table = Table {
    name: "REENROLLMENTS",
    query: "com.rosterbridge.roster.reenrollments.ended_after",
    jobs: &[Job::RaptorTardies],
    columns: &["id", "studentid", "schoolid", "entrydate", "exitdate"],
    only_for: &[],
    key: &["studentid", "id"],
    limit: Limit::After("exitdate"),
    purpose: "Students' earlier enrolments in schools, of this school year",
    need: Need::Useful(
        "tardies of students who have changed schools since, or left and came back, are held where the school takes daily attendance",
    ),
};

pub(crate) static CC: Table = Table {
    name: "CC",
    query: "com.rosterbridge.roster.enrollments.of_years",
    jobs: WITH_ENROLMENTS,
    columns: &[
        "dcid",
        "id",
        "studentid",
        "sectionid",
        "termid",
        "course_number",
        "section_number",
        "schoolid",
        "teacherid",
        "expression",
        "period_obsolete",
        "dateenrolled",
        "dateleft",
    ],
    only_for: &[
        OnlyFor {
            jobs: &[Job::HeroSchedule, Job::HeroAttendance],
            columns: &["course_number", "section_number"],
        },
        OnlyFor { jobs: &[Job::HeroSchedule], columns: &["period_obsolete"] },
    ],
    key: &["studentid", "id"],
    limit: Limit::Term("termid"),
    purpose: "Students' enrolments in sections, by school year",
    need: Need::Essential,
};

pub(crate) static SECTIONS: Table = Table {
    name: "SECTIONS",
    query: "com.rosterbridge.roster.sections.of_years",
    jobs: WITH_ENROLMENTS,
    columns: &[
        "dcid",
        "id",
        "course_number",
        "section_number",
        "schoolid",
        "termid",
        "teacher",
        "room",
        "external_expression",
        "att_mode_code",
        "attendance_type_code",
    ],
    only_for: &[
        OnlyFor { jobs: &[Job::HeroSchedule], columns: &["teacher", "room", "external_expression"] },
        OnlyFor { jobs: WITH_ATTENDANCE, columns: &["att_mode_code", "attendance_type_code"] },
    ],
    key: &["id"],
    limit: Limit::Term("termid"),
    purpose: "Sections, by school year",
    need: Need::Essential,
};

pub(crate) static COURSES: Table = Table {
    name: "COURSES",
    query: "com.rosterbridge.roster.courses.all",
    jobs: &[Job::HeroSchedule],
    columns: &["dcid", "course_number", "course_name"],
    only_for: &[],
    key: &["course_number", "dcid"],
    limit: Limit::None,
    purpose: "Courses",
    need: Need::Essential,
};

pub(crate) static TEACHERS: Table = Table {
    name: "TEACHERS",
    query: "com.rosterbridge.roster.teachers.all",
    jobs: &[Job::HeroSchedule, Job::HeroTeachers],
    columns: &["id", "schoolid", "teachernumber", "first_name", "last_name", "email_addr", "status"],
    only_for: &[OnlyFor { jobs: &[Job::HeroTeachers], columns: &["email_addr", "status"] }],
    key: &["id"],
    limit: Limit::None,
    purpose: "Teachers",
    need: Need::Essential,
};

pub(crate) static TERMS: Table = Table {
    name: "TERMS",
    query: "com.rosterbridge.roster.terms.all",
    jobs: &Job::ALL,
    columns: &["dcid", "id", "yearid", "schoolid", "abbreviation", "firstday", "lastday"],
    only_for: &[],
    key: &["schoolid", "id"],
    limit: Limit::None,
    purpose: "Terms",
    need: Need::Essential,
};

pub(crate) static ATTENDANCE_CODE: Table = Table {
    name: "ATTENDANCE_CODE",
    query: "com.rosterbridge.attendance.codes.of_years",
    jobs: WITH_ATTENDANCE,
    columns: &["dcid", "id", "att_code", "description", "presence_status_cd", "schoolid", "yearid"],
    only_for: &[],
    key: &["schoolid", "yearid", "id"],
    limit: Limit::Year("yearid"),
    purpose: "Attendance codes, by school year",
    need: Need::Essential,
};

pub(crate) static PERIOD: Table = Table {
    name: "PERIOD",
    query: "com.rosterbridge.calendar.periods.of_years",
    jobs: WITH_ATTENDANCE,
    columns: &["id", "period_number", "name", "abbreviation", "schoolid", "year_id"],
    only_for: &[],
    key: &["id"],
    limit: Limit::Year("year_id"),
    purpose: "Periods, by school year",
    need: Need::Essential,
};

pub(crate) static CYCLE_DAY: Table = Table {
    name: "CYCLE_DAY",
    query: "com.rosterbridge.calendar.cycle_days.of_years",
    jobs: WITH_ATTENDANCE,
    columns: &["id", "day_number", "letter", "schoolid", "year_id"],
    only_for: &[],
    key: &["id"],
    limit: Limit::Year("year_id"),
    purpose: "Cycle days, by school year",
    need: Need::Essential,
};

pub(crate) static CALENDAR_DAY: Table = Table {
    name: "CALENDAR_DAY",
    query: "com.rosterbridge.calendar.days.of_years",
    jobs: WITH_ATTENDANCE,
    columns: &["id", "schoolid", "date_value", "insession", "cycle_day_id", "bell_schedule_id"],
    only_for: &[],
    key: &["schoolid", "date_value", "id"],
    limit: Limit::Date("date_value"),
    purpose: "School calendars, by school year",
    need: Need::Essential,
};

pub(crate) static BELL_SCHEDULE_ITEMS: Table = Table {
    name: "BELL_SCHEDULE_ITEMS",
    query: "com.rosterbridge.calendar.bell_times.all",
    jobs: WITH_ATTENDANCE,
    columns: &["id", "bell_schedule_id", "period_id", "start_time", "end_time"],
    only_for: &[],
    key: &["id"],
    limit: Limit::None,
    purpose: "Times of bell schedules",
    need: Need::Essential,
};

pub(crate) static SECTION_MEETING: Table = Table {
    name: "SECTION_MEETING",
    query: "com.rosterbridge.calendar.section_meetings.of_years",
    jobs: WITH_ATTENDANCE,
    columns: &["id", "sectionid", "schoolid", "year_id", "period_number", "cycle_day_letter"],
    only_for: &[],
    key: &["sectionid", "id"],
    limit: Limit::Year("year_id"),
    purpose: "When sections meet, by school year",
    need: Need::Essential,
};

pub(crate) static ATTENDANCE: Table = Table {
    name: "ATTENDANCE",
    query: "com.rosterbridge.attendance.records.by_day",
    jobs: WITH_ATTENDANCE,
    columns: &[
        "dcid",
        "studentid",
        "schoolid",
        "att_date",
        "att_mode_code",
        "ccid",
        "periodid",
        "attendance_codeid",
        "att_comment",
        "programid",
    ],
    only_for: &[],
    key: &["studentid", "dcid"],
    limit: Limit::SchoolAndDay,
    purpose: "Attendance of one school on one day, to check what was written",
    need: Need::Essential,
};

pub(crate) static PREFS: Table = Table {
    name: "PREFS",
    query: "com.rosterbridge.attendance.preferences.all",
    jobs: &[Job::RaptorTardies],
    columns: &["id", "name", "value", "schoolid", "yearid"],
    only_for: &[],
    key: &["id"],
    limit: Limit::Named(
        "name",
        "ATT_",
        &["ATT_RecordModeMeeting", "ATT_RecordModeDaily", "ATT_BridgePeriod"],
    ),
    purpose: "How each school takes attendance, to suggest it in the set-up",
    need: Need::SetUp,
};

/// Fields of ATTENDANCE that are written, and only named in the access request.
pub(crate) const ATTENDANCE_WRITTEN: [&str; 11] = [
    "att_comment",
    "att_date",
    "att_mode_code",
    "attendance_codeid",
    "calendar_dayid",
    "ccid",
    "dcid",
    "periodid",
    "schoolid",
    "studentid",
    "yearid",
];

/// The tables that any of the exchanges can't do without.
pub(crate) fn essential(jobs: &[Job]) -> impl Iterator<Item = &'static Table> {
    needed(jobs).filter(|table| table.need == Need::Essential)
}

/// The tables whose absence is told: all but those that only make the set-up easier.
pub(crate) fn told(jobs: &[Job]) -> impl Iterator<Item = &'static Table> {
    needed(jobs).filter(|table| table.need != Need::SetUp)
}

/// The tables that any of the exchanges reads.
pub(crate) fn needed(jobs: &[Job]) -> impl Iterator<Item = &'static Table> {
    ALL.into_iter().filter(|table| table.needed_by(jobs))
}

impl Table {
    /// Whether any of the exchanges reads the table.
    pub(crate) fn needed_by(&self, jobs: &[Job]) -> bool {
        overlap(self.jobs, jobs)
    }

    /// The columns that the exchanges read, in the order they are asked for; none when none reads the table.
    pub(crate) fn columns_for(&self, jobs: &[Job]) -> Vec<&'static str> {
        if !self.needed_by(jobs) {
            return Vec::new();
        }
        let wanted = |column: &str| {
            let mut named = self.only_for.iter().filter(|only| only.columns.contains(&column));
            named.next().is_none_or(|only| overlap(only.jobs, jobs))
        };
        self.columns.iter().copied().filter(|column| wanted(column)).collect()
    }

    /// The name as it stands in an address.
    pub(crate) fn path_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// The query's SQL for the exchanges, within what Oracle and SQLite have in common; `TO_DATE` is the one function both are given.
    pub(crate) fn sql(&self, jobs: &[Job]) -> String {
        let columns = self.columns_for(jobs).join(", ");
        let condition = match self.limit {
            Limit::None => String::new(),
            Limit::Year(column) => format!(" WHERE {column} BETWEEN :yearid_from AND :yearid_to"),
            // Written twice instead of with ABS, so that an index on the column serves.
            Limit::Term(column) => format!(
                " WHERE ({column} BETWEEN :yearid_from * 100 AND :yearid_to * 100 + 99 \
                 OR {column} BETWEEN :yearid_to * -100 - 99 AND :yearid_from * -100)"
            ),
            Limit::Date(column) => format!(
                " WHERE {column} BETWEEN TO_DATE(:date_from, 'YYYY-MM-DD') AND TO_DATE(:date_to, 'YYYY-MM-DD')"
            ),
            Limit::After(column) => format!(" WHERE {column} > TO_DATE(:ended_after, 'YYYY-MM-DD')"),
            Limit::Named(column, _, names) => format!(" WHERE {column} IN ('{}')", names.join("', '")),
            Limit::SchoolAndDay => {
                " WHERE schoolid = :schoolid AND att_date = TO_DATE(:att_date, 'YYYY-MM-DD')".to_owned()
            }
        };
        format!("SELECT {columns} FROM {}{condition} ORDER BY {}", self.path_name(), self.key.join(", "))
    }

    /// The query's arguments and what each is.
    pub(crate) fn arguments(&self) -> &'static [(&'static str, &'static str)] {
        match self.limit {
            Limit::None | Limit::Named(..) => &[],
            Limit::Year(_) | Limit::Term(_) => {
                &[("yearid_from", "First school year (YearID)"), ("yearid_to", "Last school year (YearID)")]
            }
            Limit::Date(_) => &[("date_from", "First day, YYYY-MM-DD"), ("date_to", "Last day, YYYY-MM-DD")],
            Limit::After(_) => &[("ended_after", "First day of the school year, YYYY-MM-DD")],
            Limit::SchoolAndDay => &[("schoolid", "School number"), ("att_date", "Day, YYYY-MM-DD")],
        }
    }
}

fn overlap(one: &[Job], other: &[Job]) -> bool {
    one.iter().any(|job| other.contains(job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_some_exchanges_read_is_a_column_once_and_never_of_a_key() {
        for table in ALL {
            assert_eq!(table.columns_for(&Job::ALL), table.columns, "{}", table.name);
            let mut named: Vec<&str> = table.only_for.iter().flat_map(|only| only.columns).copied().collect();
            named.sort_unstable();
            let before = named.len();
            named.dedup();
            assert_eq!(named.len(), before, "{}: a column is named twice", table.name);
            for column in named {
                assert!(table.columns.contains(&column), "{}.{column}", table.name);
                assert!(!table.key.contains(&column), "{}.{column}", table.name);
            }
            for only in table.only_for {
                assert!(only.jobs.iter().all(|job| table.jobs.contains(job)), "{}", table.name);
            }
        }
    }
}
