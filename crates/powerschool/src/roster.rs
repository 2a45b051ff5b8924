use std::cmp::Ordering;

use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{
        AttendanceCodeId, AttendanceDcid, BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId,
        SchoolDcid, SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId,
        YearId,
    },
    job::Job,
    roster::{
        AttendanceCode, AttendanceRecord, BellScheduleItem, CalendarDay, Course, CycleDay, EnrollStatus,
        Enrollment, Period, Reenrollment, School, SchoolPreference, Section, SectionMeeting, Student,
        Teacher, Term,
    },
};
use serde_json::{Map, Value, json};

use crate::{
    error::{AnswerProblem, Error, Warning},
    records::{FieldError, Fields},
    tables::{self, Limit, Need, Table},
};

/// What to read of the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullScope {
    /// TERMS.YEARID of the years wanted, read as one span from the first to the last; empty for every year there is.
    pub years: Vec<YearId>,
    /// The first school day of those years, as far as the terms tell; without it June before them.
    pub first_day: Option<NaiveDate>,
    /// The exchanges whose columns are read, so that a plugin written for them is enough; empty for all columns.
    pub jobs: Vec<Job>,
}

impl PullScope {
    /// Every year PowerSchool has, with all columns.
    pub const fn every_year() -> Self {
        Self { years: Vec::new(), first_day: None, jobs: Vec::new() }
    }

    /// Every year, with the columns of these rows' table that a plugin has whatever exchanges it was written for.
    pub(crate) fn of_every_plugin<R: RosterRow>() -> Self {
        let reads_no_more = |job: &Job| !R::TABLE.only_for.iter().any(|only| only.jobs.contains(job));
        let jobs = R::TABLE.jobs.iter().copied().filter(reads_no_more).collect();
        Self { jobs, ..Self::every_year() }
    }

    /// Whether the scope's exchanges read the table of these rows at all.
    pub fn needs<R: RosterRow>(&self) -> bool {
        self.jobs.is_empty() || R::TABLE.needed_by(&self.jobs)
    }

    /// Which of the scope's exchanges cannot do without what `error` says is missing of the table of these rows: those
    /// that read the missing fields, or all that read the table when it is missing altogether. None when the error is
    /// about something else.
    pub fn kept_from<R: RosterRow>(&self, error: &Error) -> Vec<Job> {
        let readers = self.jobs.iter().copied().filter(|job| R::TABLE.needed_by(&[*job]));
        match error {
            Error::NoAccess { fields } | Error::CoreOnly { fields } => {
                let reads = |job: &Job| {
                    R::TABLE.columns_for(&[*job]).into_iter().any(|column| {
                        let named = format!("{}.{column}", R::TABLE.name);
                        fields.iter().any(|field| field.eq_ignore_ascii_case(&named))
                    })
                };
                let kept: Vec<Job> = readers.clone().filter(reads).collect();
                // A field nobody asked for, as in a query that was changed, is everybody's.
                if kept.is_empty() { readers.collect() } else { kept }
            }
            Error::NoQueries { .. } => readers.collect(),
            _ => Vec::new(),
        }
    }

    /// What a person is told where the rows of these can't be read for this reason, and the exchanges work without them;
    /// `None` for every other table and every other reason.
    pub fn without<R: RosterRow>(&self, error: &Error) -> Option<Warning> {
        let Need::Useful(loss) = R::TABLE.need else { return None };
        // What the plugin may not even ask about, it may not read.
        let unknown = matches!(
            error,
            Error::UnexpectedAnswer { problem: AnswerProblem::Status(404) | AnswerProblem::Refused(_), .. }
        );
        (unknown || !self.kept_from::<R>(error).is_empty())
            .then_some(Warning::PartialAccess { table: R::TABLE.name, loss })
    }

    /// First and last YearID. Without years, a span wider than any school's history.
    fn span(&self) -> (i64, i64) {
        let ids = || self.years.iter().map(|year| year.get());
        (ids().min().unwrap_or(1), ids().max().unwrap_or(200))
    }

    /// The days a span of school years can hold: from June before it begins to August after it ends, because no
    /// table says when a school's year begins before its terms are read.
    fn days((first, last): (i64, i64)) -> (String, String) {
        (format!("{}-06-01", 1990 + first), format!("{}-08-31", 1991 + last))
    }

    /// The day after which something has to have ended to matter in the school years.
    fn after(&self) -> String {
        self.first_day.map_or_else(|| Self::days(self.span()).0, |day| day.to_string())
    }
}

/// What a table is narrowed down to.
#[derive(Clone, Debug)]
pub(crate) enum Narrowed<'a> {
    Years(&'a PullScope),
    SchoolDay(SchoolNumber, NaiveDate),
}

impl Narrowed<'_> {
    /// The columns wanted of the table.
    pub(crate) fn columns(&self, table: &Table) -> Vec<&'static str> {
        match self {
            Self::Years(scope) if !scope.jobs.is_empty() => table.columns_for(&scope.jobs),
            _ => table.columns.to_vec(),
        }
    }

    /// Those of the columns that not every plugin's query has.
    pub(crate) fn columns_of_some(&self, table: &Table) -> Vec<&'static str> {
        let of_some = |column: &&str| table.only_for.iter().any(|only| only.columns.contains(column));
        self.columns(table).into_iter().filter(of_some).collect()
    }

    /// The arguments of the table's query.
    pub(crate) fn arguments(&self, limit: Limit) -> Map<String, Value> {
        let arguments = match (self, limit) {
            (Self::Years(scope), Limit::Year(_) | Limit::Term(_)) => {
                let (from, to) = scope.span();
                json!({"yearid_from": from, "yearid_to": to})
            }
            (Self::Years(scope), Limit::Date(_)) => {
                let (from, to) = PullScope::days(scope.span());
                json!({"date_from": from, "date_to": to})
            }
            (Self::Years(scope), Limit::After(_)) => json!({"ended_after": scope.after()}),
            (Self::SchoolDay(school, day), _) => {
                json!({"schoolid": school.get(), "att_date": day.to_string()})
            }
            (Self::Years(_), Limit::None | Limit::SchoolAndDay | Limit::Named(..)) => json!({}),
        };
        match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        }
    }

    /// The same as filters of `/ws/schema/table`, which knows no 'or': the table is read once for each of them, two at
    /// most. Where a row can go from one to the other, the first is the one with few rows.
    pub(crate) fn filters(&self, limit: Limit) -> Vec<String> {
        match (self, limit) {
            (Self::Years(scope), Limit::Year(column)) => {
                let (from, to) = scope.span();
                vec![format!("{column}=ge={from};{column}=le={to}")]
            }
            (Self::Years(scope), Limit::Term(column)) => {
                let (from, to) = scope.span();
                let (from, to) = (from * 100, to * 100 + 99);
                vec![
                    format!("{column}=ge=-{to};{column}=le=-{from}"),
                    format!("{column}=ge={from};{column}=le={to}"),
                ]
            }
            (Self::Years(scope), Limit::Date(column)) => {
                let (from, to) = PullScope::days(scope.span());
                vec![format!("{column}=ge={from};{column}=le={to}")]
            }
            (Self::Years(scope), Limit::After(column)) => vec![format!("{column}=gt={}", scope.after())],
            (Self::SchoolDay(school, day), _) => vec![format!("schoolid=={school};att_date=={day}")],
            (Self::Years(_), Limit::Named(column, begins, _)) => vec![format!("{column}=={begins}*")],
            (Self::Years(_), Limit::None | Limit::SchoolAndDay) => vec![String::new()],
        }
    }
}

mod sealed {
    /// Ties a row to the description of its table.
    pub trait OfTable {
        const TABLE: &'static crate::tables::Table;
    }
}

/// A row of a roster table, as [`Client::pull`](crate::Client::pull) reads it.
pub trait RosterRow: sealed::OfTable + Sized + Send + 'static {
    /// The unique key the rows are sorted by.
    type Key: PartialOrd + Send;

    /// PowerSchool's name of the table.
    fn table() -> &'static str {
        Self::TABLE.name
    }

    /// Reads a row from its columns, in the order they are asked for.
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, FieldError>;

    /// This row's unique key.
    fn key(&self) -> Self::Key;
}

/// Text as part of a key: which text comes first is the database's affair, so it is only ever equal or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextKey(String);

impl PartialOrd for TextKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

/// Implements [`RosterRow`] for rows whose fields are read in the order of the table's columns.
macro_rules! roster_rows {
    ($($row:ident from $table:ident, key $key_type:ty = |$of:ident| $key:expr, read |$fields:ident| $read:expr;)+) => {$(
        impl sealed::OfTable for $row {
            const TABLE: &'static Table = &tables::$table;
        }

        impl RosterRow for $row {
            type Key = $key_type;

            fn read($fields: &mut Fields<'_, '_>) -> Result<Self, FieldError> {
                Ok($read)
            }

            fn key(&self) -> $key_type {
                let $of = self;
                $key
            }
        }
    )+};
}

roster_rows! {
    School from SCHOOLS, key SchoolNumber = |row| row.number, read |fields| Self {
        dcid: SchoolDcid::new(fields.integer()?),
        number: SchoolNumber::new(fields.integer()?),
        name: fields.text()?,
        abbreviation: fields.text()?,
    };

    Student from STUDENTS, key (StudentNumber, StudentDcid) = |row| (row.number, row.dcid), read |fields| Self {
        dcid: StudentDcid::new(fields.integer()?),
        id: StudentId::new(fields.integer()?),
        number: StudentNumber::new(fields.integer()?),
        first_name: fields.text()?,
        middle_name: fields.text()?,
        last_name: fields.text()?,
        dob: fields.optional_date()?,
        grade_level: fields.integer()?,
        school: SchoolNumber::new(fields.integer()?),
        enroll_status: EnrollStatus(fields.integer()?),
        entry_date: fields.optional_date()?,
        exit_date: fields.optional_date()?,
        mailing_street: fields.text()?,
        mailing_city: fields.text()?,
        mailing_state: fields.text()?,
        mailing_zip: fields.text()?,
        guardian_email: fields.text()?,
        home_phone: fields.text()?,
        home_room: fields.text()?,
    };

    Reenrollment from REENROLLMENTS, key (StudentId, i64) = |row| (row.student, row.id), read |fields| Self {
        id: fields.integer()?,
        student: StudentId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        entry_date: fields.optional_date()?,
        exit_date: fields.date()?,
    };

    Enrollment from CC, key (StudentId, CcId) = |row| (row.student, row.id), read |fields| {
        let dcid = Dcid::new(fields.integer()?);
        let id = CcId::new(fields.integer()?);
        let student = StudentId::new(fields.integer()?);
        // PowerSchool negates both ids of a dropped enrolment.
        let section = fields.integer()?;
        let term = fields.integer()?;
        Self {
            dcid,
            id,
            student,
            section: SectionId::new(section.saturating_abs()),
            term: TermId::new(term.saturating_abs()),
            dropped: section < 0 || term < 0,
            course_number: fields.text()?,
            section_number: fields.text()?,
            school: SchoolNumber::new(fields.integer()?),
            teacher: TeacherId::new(fields.integer()?),
            expression: fields.text()?,
            period: fields.text()?,
            date_enrolled: fields.date()?,
            date_left: fields.date()?,
        }
    };

    Section from SECTIONS, key SectionId = |row| row.id, read |fields| Self {
        dcid: Dcid::new(fields.integer()?),
        id: SectionId::new(fields.integer()?),
        course_number: fields.text()?,
        section_number: fields.text()?,
        school: SchoolNumber::new(fields.integer()?),
        term: TermId::new(fields.integer()?.saturating_abs()),
        teacher: TeacherId::new(fields.optional_integer()?.unwrap_or_default()),
        room: fields.text()?,
        external_expression: fields.text()?,
        att_mode_code: fields.text()?,
        attendance_type_code: fields.optional_integer()?.unwrap_or_default(),
    };

    Course from COURSES, key (TextKey, Dcid) = |row| (TextKey(row.number.clone()), row.dcid), read |fields| Self {
        dcid: Dcid::new(fields.integer()?),
        number: fields.text()?,
        name: fields.text()?,
    };

    Teacher from TEACHERS, key TeacherId = |row| row.id, read |fields| Self {
        id: TeacherId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        number: fields.text()?,
        first_name: fields.text()?,
        last_name: fields.text()?,
        email: fields.text()?,
        status: fields.optional_integer()?.unwrap_or_default(),
    };

    Term from TERMS, key (SchoolNumber, TermId) = |row| (row.school, row.id), read |fields| Self {
        dcid: Dcid::new(fields.integer()?),
        id: TermId::new(fields.integer()?),
        year: YearId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        abbreviation: fields.text()?,
        first_day: fields.date()?,
        last_day: fields.date()?,
    };

    AttendanceCode from ATTENDANCE_CODE,
    key (SchoolNumber, YearId, AttendanceCodeId) = |row| (row.school, row.year, row.id),
    read |fields| Self {
        dcid: Dcid::new(fields.integer()?),
        id: AttendanceCodeId::new(fields.integer()?),
        code: fields.optional_text()?,
        description: fields.text()?,
        presence: fields.text()?,
        school: SchoolNumber::new(fields.integer()?),
        year: YearId::new(fields.integer()?),
    };

    Period from PERIOD, key PeriodId = |row| row.id, read |fields| Self {
        id: PeriodId::new(fields.integer()?),
        number: fields.integer()?,
        name: fields.text()?,
        abbreviation: fields.text()?,
        school: SchoolNumber::new(fields.integer()?),
        year: YearId::new(fields.integer()?),
    };

    CycleDay from CYCLE_DAY, key CycleDayId = |row| row.id, read |fields| Self {
        id: CycleDayId::new(fields.integer()?),
        number: fields.optional_integer()?.unwrap_or_default(),
        letter: fields.text()?,
        school: SchoolNumber::new(fields.integer()?),
        year: YearId::new(fields.integer()?),
    };

    CalendarDay from CALENDAR_DAY,
    key (SchoolNumber, NaiveDate, CalendarDayId) = |row| (row.school, row.date, row.id),
    read |fields| Self {
        id: CalendarDayId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        date: fields.date()?,
        in_session: fields.flag()?,
        cycle_day: fields.reference()?.map(CycleDayId::new),
        bell_schedule: fields.reference()?.map(BellScheduleId::new),
    };

    BellScheduleItem from BELL_SCHEDULE_ITEMS, key i64 = |row| row.id, read |fields| Self {
        id: fields.integer()?,
        bell_schedule: BellScheduleId::new(fields.integer()?),
        period: PeriodId::new(fields.integer()?),
        start: fields.seconds()?,
        end: fields.seconds()?,
    };

    SectionMeeting from SECTION_MEETING, key (SectionId, i64) = |row| (row.section, row.id), read |fields| Self {
        id: fields.integer()?,
        section: SectionId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        year: YearId::new(fields.integer()?),
        period_number: fields.integer()?,
        cycle_day_letter: fields.text()?,
    };

    SchoolPreference from PREFS, key i64 = |row| row.id, read |fields| Self {
        id: fields.integer()?,
        name: fields.text()?,
        value: fields.text()?,
        school: SchoolNumber::new(fields.optional_integer()?.unwrap_or_default()),
        year: YearId::new(fields.optional_integer()?.unwrap_or_default()),
    };

    AttendanceRecord from ATTENDANCE,
    key (StudentId, AttendanceDcid) = |row| (row.student, row.dcid),
    read |fields| Self {
        dcid: AttendanceDcid::new(fields.integer()?),
        student: StudentId::new(fields.integer()?),
        school: SchoolNumber::new(fields.integer()?),
        date: fields.date()?,
        mode: fields.text()?,
        cc: fields.reference()?.map(CcId::new),
        period: fields.reference()?.map(PeriodId::new),
        code_id: AttendanceCodeId::new(fields.integer()?),
        comment: fields.text()?,
        program: fields.reference()?,
    };
}
