//! How the rows of PowerSchool's tables are laid out in the roster.

use chrono::{Datelike, NaiveDate};
use compact_str::CompactString;
use rosterbridge_domain::{
    id::{
        AttendanceCodeId, BellScheduleId, CalendarDayId, CcId, CycleDayId, Dcid, PeriodId, SchoolDcid,
        SchoolNumber, SectionId, StudentDcid, StudentId, StudentNumber, TeacherId, TermId, YearId,
    },
    roster::{
        AttendanceCode, BellScheduleItem, CalendarDay, Course, CycleDay, EnrollStatus, Enrollment, Period,
        Reenrollment, School, Section, SectionMeeting, Student, Teacher, Term,
    },
};
use rusqlite::{Connection, Error, Result, Row, Statement, types::ValueRef};

use super::{RosterCounts, packed::Packing};
use crate::StoreError;

/// A table of PowerSchool's that the roster keeps, as the type of its rows in `rosterbridge_domain::roster`.
pub trait RosterTable: Stored {}

/// What [`RosterTable`] needs, out of reach of other crates: SQLite stays behind this one.
pub trait Stored: Sized {
    /// Which table.
    const NAME: TableName;
    /// The table in the roster.
    const TABLE: &'static str;
    /// Its columns, in the order `bind` and `read` use.
    const COLUMNS: &'static str;
    /// Inserts a row.
    const INSERT: &'static str;
    /// The parameters of one row in `INSERT`, in brackets. Repeated behind it, with commas, they insert more rows.
    const ROW: &'static str;
    /// How many parameters a row has.
    const PARAMETERS: usize;

    /// Binds a row to the parameters of `INSERT` from `first` on; they count from 1.
    fn bind(&self, statement: &mut Statement<'_>, first: usize) -> Result<()>;
    /// Reads a row of `COLUMNS`.
    fn read(row: &Row<'_>) -> Result<Self>;
    /// Whether the row counts as an active student.
    fn is_active_student(&self) -> bool {
        false
    }
    /// Passes rows that are inserted on to the packed tables.
    fn pack(
        _rows: &[Self],
        packing: &mut Packing,
        _connection: &Connection,
    ) -> std::result::Result<(), StoreError> {
        packing.changed(Self::NAME);
        Ok(())
    }
}

/// A table whose rows may be replaced one by one, found by what stays the same when they change.
pub trait FollowedTable: RosterTable + Identified {}

/// What [`FollowedTable`] needs, out of reach of other crates.
pub trait Identified: Stored {
    /// The column that names a row as long as it exists.
    const IDENTITY: &'static str;

    /// Its value.
    fn identity(&self) -> i64;
}

impl FollowedTable for Student {}
impl Identified for Student {
    const IDENTITY: &'static str = "dcid";

    fn identity(&self) -> i64 {
        self.dcid.get()
    }
}

impl FollowedTable for Enrollment {}
impl Identified for Enrollment {
    const IDENTITY: &'static str = "id";

    fn identity(&self) -> i64 {
        self.id.get()
    }
}

impl FollowedTable for Section {}
impl Identified for Section {
    const IDENTITY: &'static str = "id";

    fn identity(&self) -> i64 {
        self.id.get()
    }
}

/// A column's type.
trait Column: Sized {
    fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()>;
    fn read(row: &Row<'_>, index: usize) -> Result<Self>;
}

/// Declares columns that hold an id.
macro_rules! id_columns {
    ($($id:ident),+) => {$(
        impl Column for $id {
            fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
                statement.raw_bind_parameter(index, self.get())
            }
            fn read(row: &Row<'_>, index: usize) -> Result<Self> {
                row.get(index).map(Self::new)
            }
        }
    )+};
}

id_columns!(
    AttendanceCodeId,
    BellScheduleId,
    CalendarDayId,
    CcId,
    CycleDayId,
    Dcid,
    PeriodId,
    SchoolDcid,
    SchoolNumber,
    SectionId,
    StudentDcid,
    StudentId,
    StudentNumber,
    TeacherId,
    TermId,
    YearId
);

/// Declares columns SQLite knows the type of.
macro_rules! plain_columns {
    ($($plain:ty),+) => {$(
        impl Column for $plain {
            fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
                statement.raw_bind_parameter(index, self)
            }
            fn read(row: &Row<'_>, index: usize) -> Result<Self> {
                row.get(index)
            }
        }
    )+};
}

plain_columns!(i64, u32, bool, String);

impl Column for CompactString {
    fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
        statement.raw_bind_parameter(index, self.as_str())
    }
    fn read(row: &Row<'_>, index: usize) -> Result<Self> {
        Ok(row.get_ref(index)?.as_str()?.into())
    }
}

impl Column for EnrollStatus {
    fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
        statement.raw_bind_parameter(index, self.0)
    }
    fn read(row: &Row<'_>, index: usize) -> Result<Self> {
        row.get(index).map(Self)
    }
}

impl Column for NaiveDate {
    fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
        statement.raw_bind_parameter(index, day_number(*self))
    }
    fn read(row: &Row<'_>, index: usize) -> Result<Self> {
        let day: i32 = row.get(index)?;
        Self::from_num_days_from_ce_opt(day)
            .ok_or_else(|| Error::IntegralValueOutOfRange(index, i64::from(day)))
    }
}

impl<T: Column> Column for Option<T> {
    fn bind(&self, statement: &mut Statement<'_>, index: usize) -> Result<()> {
        match self {
            Some(value) => value.bind(statement, index),
            None => statement.raw_bind_parameter(index, rusqlite::types::Null),
        }
    }
    fn read(row: &Row<'_>, index: usize) -> Result<Self> {
        match row.get_ref(index)? {
            ValueRef::Null => Ok(None),
            _ => T::read(row, index).map(Some),
        }
    }
}

/// The date in a column that is not null.
pub fn day(row: &Row<'_>, index: usize) -> Result<NaiveDate> {
    Column::read(row, index)
}

/// A date as the roster stores it: days of the common era.
pub fn day_number(date: NaiveDate) -> i32 {
    date.num_days_from_ce()
}

/// Declares the tables: the domain type, the table, and its fields, which are the columns.
macro_rules! tables {
    ($($row:ident = $table:ident {
        $first:ident $(, $field:ident)* $(,)?
    } $([active $active:expr])? $([packed $packed:ident])?)+) => {
        /// The tables of the roster.
        #[derive(Clone, Copy)]
        pub enum TableName {
            $(
                /// Its row type's name.
                $row,
            )+
        }

        impl TableName {
            /// Where the table's rows are counted.
            pub const fn count(self, counts: &mut RosterCounts) -> &mut u64 {
                match self {
                    $(Self::$row => &mut counts.$table,)+
                }
            }
        }

        $(
            impl RosterTable for $row {}

            impl Stored for $row {
                const NAME: TableName = TableName::$row;
                const TABLE: &'static str = stringify!($table);
                const COLUMNS: &'static str =
                    concat!("\"", stringify!($first), "\"" $(, ", \"", stringify!($field), "\"")*);
                // A failure ends the pull, so what the statement did before it need not be undone.
                const INSERT: &'static str = concat!(
                    "INSERT OR FAIL INTO ", stringify!($table),
                    " (\"", stringify!($first), "\"" $(, ", \"", stringify!($field), "\"")*, ") VALUES (?",
                    $(tables!(@parameter $field),)* ")"
                );
                const ROW: &'static str = concat!("(?", $(tables!(@parameter $field),)* ")");
                const PARAMETERS: usize = 1 $(+ tables!(@one $field))*;

                fn bind(&self, statement: &mut Statement<'_>, first: usize) -> Result<()> {
                    let mut index = first;
                    Column::bind(&self.$first, statement, index)?;
                    $(
                        index += 1;
                        Column::bind(&self.$field, statement, index)?;
                    )*
                    Ok(())
                }

                fn read(row: &Row<'_>) -> Result<Self> {
                    let mut columns = 0..;
                    let mut next = || columns.next().unwrap_or_default();
                    Ok(Self {
                        $first: Column::read(row, next())?,
                        $($field: Column::read(row, next())?,)*
                    })
                }

                $(fn is_active_student(&self) -> bool {
                    let active: fn(&Self) -> bool = $active;
                    active(self)
                })?

                $(fn pack(
                    rows: &[Self],
                    packing: &mut Packing,
                    connection: &Connection,
                ) -> std::result::Result<(), StoreError> {
                    packing.$packed(connection, rows)
                })?
            }
        )+
    };
    (@parameter $field:ident) => { ", ?" };
    (@one $field:ident) => { 1 };
}

tables! {
    School = schools { number, dcid, name, abbreviation }
    Student = students {
        number, dcid, id, first_name, middle_name, last_name, dob, grade_level, school, enroll_status, entry_date,
        exit_date, mailing_street, mailing_city, mailing_state, mailing_zip, guardian_email, home_phone, home_room,
    } [active |student| student.enroll_status == EnrollStatus::ACTIVE] [packed students]
    Reenrollment = reenrollments { student, id, school, entry_date, exit_date }
    Enrollment = enrollments {
        student, id, dcid, section, term, dropped, course_number, section_number, school, teacher, expression,
        period, date_enrolled, date_left,
    } [packed enrollments]
    Section = sections {
        id, dcid, course_number, section_number, school, term, teacher, room, external_expression, att_mode_code,
        attendance_type_code,
    }
    Course = courses { number, dcid, name }
    Teacher = teachers { id, school, number, first_name, last_name, email, status }
    Term = terms { school, id, dcid, year, abbreviation, first_day, last_day }
    AttendanceCode = attendance_codes { school, year, id, dcid, code, description, presence }
    Period = periods { school, year, id, number, name, abbreviation }
    CycleDay = cycle_days { school, year, id, number, letter }
    CalendarDay = calendar_days { school, date, id, in_session, cycle_day, bell_schedule }
    BellScheduleItem = bell_schedule_items { bell_schedule, id, period, start, end }
    SectionMeeting = section_meetings { section, id, period_number, cycle_day_letter, school, year }
}
