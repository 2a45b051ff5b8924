//! Changing the district while it is served: what happens in a school office in the course of a year.

use chrono::NaiveDate;
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Plan;
use crate::PracticeError;

/// One change, as `POST /control/district` takes it: `{"add_student": {"student_number": 5, "like": 9012}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DistrictChange {
    /// Sets fields of the rows that a condition finds.
    Change {
        /// A table, not a view, in any case.
        table: String,
        /// Column and value, all of which a row must have.
        #[serde(rename = "where")]
        found_by: Map<String, Value>,
        /// Column and new value.
        set: Map<String, Value>,
    },
    /// Removes the rows that a condition finds, and nothing that refers to them.
    Delete {
        /// A table, not a view, in any case.
        table: String,
        /// Column and value, all of which a row must have.
        #[serde(rename = "where")]
        found_by: Map<String, Value>,
    },
    /// A new student in the school, grade and classes of another.
    AddStudent {
        /// The new Student_Number.
        student_number: i64,
        /// Student_Number of the active student whose place is copied.
        like: i64,
        /// First_Name; none for `New`.
        #[serde(default)]
        first_name: Option<String>,
        /// Last_Name; none for `Student`.
        #[serde(default)]
        last_name: Option<String>,
        /// EntryDate; none for the practice date.
        #[serde(default)]
        on: Option<NaiveDate>,
    },
    /// A student transfers out: Enroll_Status 2, ExitDate, and every class of the year dropped.
    Leave {
        /// Student_Number.
        student_number: i64,
        /// The day after the last one; none for the practice date.
        #[serde(default)]
        on: Option<NaiveDate>,
    },
    /// A student moves to another school of the district: a ReEnrollments row, every class of the year
    /// dropped, and the classes of somebody there.
    Move {
        /// Student_Number.
        student_number: i64,
        /// School_Number.
        to_school: i64,
        /// The first day there; none for the practice date.
        #[serde(default)]
        on: Option<NaiveDate>,
    },
    /// A student's rows disappear: Students, CC, ReEnrollments and Attendance.
    RemoveStudent {
        /// Student_Number.
        student_number: i64,
    },
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Rows that were written or removed.
    pub rows: usize,
    /// The data version that holds the change.
    pub data_version: i64,
}

/// A student as a change finds them.
struct Student {
    id: i64,
    school: i64,
    grade: i64,
}

/// Applies changes, all or none. Blocking.
pub(crate) fn apply(
    connection: &mut Connection,
    plan: Plan,
    changes: &[DistrictChange],
) -> Result<Changed, PracticeError> {
    let transaction = connection.transaction()?;
    let mut rows = 0;
    for change in changes {
        rows += one(&transaction, plan, change)?;
    }
    let data_version = transaction.query_row("SELECT MAX(Seq) FROM Practice_Change", (), |row| row.get(0))?;
    transaction.commit()?;
    Ok(Changed { rows, data_version })
}

fn one(to: &Transaction<'_>, plan: Plan, change: &DistrictChange) -> Result<usize, PracticeError> {
    match change {
        DistrictChange::Change { table, found_by, set } => {
            let columns = columns(to, table)?;
            let (assignments, mut values) = pairs(&columns, set, ", ")?;
            let (condition, found) = pairs(&columns, found_by, " AND ")?;
            values.extend(found);
            let sql = format!("UPDATE \"{table}\" SET {assignments} WHERE {condition}");
            Ok(to.execute(&sql, params_from_iter(values))?)
        }
        DistrictChange::Delete { table, found_by } => {
            let (condition, values) = pairs(&columns(to, table)?, found_by, " AND ")?;
            let sql = format!("DELETE FROM \"{table}\" WHERE {condition}");
            Ok(to.execute(&sql, params_from_iter(values))?)
        }
        DistrictChange::AddStudent { student_number, like, first_name, last_name, on } => {
            let model = student(to, *like)?;
            let on = on.unwrap_or(plan.date);
            let first = first_name.as_deref().unwrap_or("New");
            let last = last_name.as_deref().unwrap_or("Student");
            let added = to.execute(
                "INSERT INTO Students
                 SELECT M.DCID, M.ID, ?2, ?3, NULL, ?4, ?4 || ', ' || ?3, DOB, Gender, Grade_Level, SchoolID,
                        0, ?5, ExitDate, Mailing_Street, Mailing_City, Mailing_State, Mailing_Zip, Street, City,
                        State, Zip, Home_Phone, NULL, Home_Room, NULL, 's' || ?2, NULL
                   FROM Students, (SELECT MAX(DCID) + 1 AS DCID, MAX(ID) + 1 AS ID FROM Students) AS M
                  WHERE Students.ID = ?1",
                params![model.id, student_number, first, last, on.to_string()],
            )?;
            let id = student(to, *student_number)?.id;
            Ok(added + enrol_like(to, plan, id, model.id, model.school, on)?)
        }
        DistrictChange::Leave { student_number, on } => {
            let student = student(to, *student_number)?;
            let on = on.unwrap_or(plan.date);
            let left = to.execute(
                "UPDATE Students SET Enroll_Status = 2, ExitDate = MAX(?2, EntryDate) WHERE ID = ?1",
                (student.id, on.to_string()),
            )?;
            Ok(left + drop_classes(to, plan, student.id, on)?)
        }
        DistrictChange::Move { student_number, to_school, on } => {
            let student = student(to, *student_number)?;
            let on = on.unwrap_or(plan.date);
            let model: i64 = to
                .query_row(
                    "SELECT ID FROM Students WHERE SchoolID = ?1 AND Enroll_Status = 0 AND ID <> ?2
                      ORDER BY ABS(Grade_Level - ?3), ID LIMIT 1",
                    (to_school, student.id, student.grade),
                    |row| row.get(0),
                )
                .optional()?
                .ok_or_else(|| refused(format!("the school {to_school} has no students")))?;
            let mut rows = to.execute(
                "INSERT INTO ReEnrollments
                 SELECT M.DCID, M.ID, Students.ID, SchoolID, Grade_Level, EntryDate, MAX(?2, EntryDate)
                   FROM Students,
                        (SELECT COALESCE(MAX(DCID), 47) + 1 AS DCID, COALESCE(MAX(ID), 39) + 1 AS ID
                           FROM ReEnrollments) AS M
                  WHERE Students.ID = ?1",
                (student.id, on.to_string()),
            )?;
            rows += drop_classes(to, plan, student.id, on)?;
            rows += to.execute(
                "UPDATE Students SET SchoolID = ?2, EntryDate = ?3 WHERE ID = ?1",
                (student.id, to_school, on.to_string()),
            )?;
            Ok(rows + enrol_like(to, plan, student.id, model, *to_school, on)?)
        }
        DistrictChange::RemoveStudent { student_number } => {
            let student = student(to, *student_number)?;
            let mut rows = 0;
            for table in ["CC", "ReEnrollments", "Attendance"] {
                rows += to.execute(&format!("DELETE FROM {table} WHERE StudentID = ?1"), [student.id])?;
            }
            Ok(rows + to.execute("DELETE FROM Students WHERE ID = ?1", [student.id])?)
        }
    }
}

fn refused(reason: String) -> PracticeError {
    PracticeError::Change { reason }
}

fn student(to: &Transaction<'_>, number: i64) -> Result<Student, PracticeError> {
    to.query_row(
        "SELECT ID, SchoolID, Grade_Level FROM Students WHERE Student_Number = ?1",
        [number],
        |row| Ok(Student { id: row.get(0)?, school: row.get(1)?, grade: row.get(2)? }),
    )
    .optional()?
    .ok_or_else(|| refused(format!("there is no student {number}")))
}

/// Drops the classes of this year that are not dropped yet (PowerSchool: negative SectionID and TermID;
/// DateLeft is the day after the last).
fn drop_classes(to: &Transaction<'_>, plan: Plan, student: i64, on: NaiveDate) -> rusqlite::Result<usize> {
    to.execute(
        "UPDATE CC SET SectionID = -SectionID, TermID = -TermID,
                DateLeft = MIN(DateLeft, MAX(?2, DateEnrolled))
          WHERE StudentID = ?1 AND SectionID > 0 AND TermID / 100 = ?3",
        (student, on.to_string(), plan.yearid()),
    )
}

/// Enrols a student in this year's classes of another at a school, as far as these have not ended.
fn enrol_like(
    to: &Transaction<'_>,
    plan: Plan,
    student: i64,
    model: i64,
    school: i64,
    on: NaiveDate,
) -> rusqlite::Result<usize> {
    to.execute(
        "INSERT INTO CC
         SELECT M.DCID + ROW_NUMBER() OVER (ORDER BY CC.ID), M.ID + ROW_NUMBER() OVER (ORDER BY CC.ID), ?1,
                SectionID, TermID, Course_Number, Section_Number, SchoolID, TeacherID, Expression, Period_Obsolete,
                MAX(DateEnrolled, ?4), DateLeft
           FROM CC, (SELECT MAX(DCID) AS DCID, MAX(ID) AS ID FROM CC) AS M
          WHERE StudentID = ?2 AND SchoolID = ?3 AND SectionID > 0 AND TermID / 100 = ?5 AND DateLeft > ?4",
        params![student, model, school, on.to_string(), plan.yearid()],
    )
}

/// The columns of a table that may be changed: PowerSchool's own.
fn columns(to: &Connection, table: &str) -> Result<Vec<String>, PracticeError> {
    let known: bool = to.query_row(
        "SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND LOWER(name) = LOWER(?1)
            AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE 'Practice!_%' ESCAPE '!'",
        [table],
        |row| row.get(0),
    )?;
    if !known {
        return Err(refused(format!("there is no table {table}")));
    }
    let mut info = to.prepare("SELECT name FROM pragma_table_info(?1)")?;
    Ok(info.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// `"column" = ?` for every pair, and the values in that order. A condition on null finds nothing.
fn pairs(
    columns: &[String],
    given: &Map<String, Value>,
    between: &str,
) -> Result<(String, Vec<Stored>), PracticeError> {
    if given.is_empty() {
        return Err(refused("a change needs a condition and values".into()));
    }
    let (mut terms, mut values) = (Vec::new(), Vec::new());
    for (name, value) in given {
        let column = columns
            .iter()
            .find(|column| column.eq_ignore_ascii_case(name))
            .ok_or_else(|| refused(format!("there is no column {name}")))?;
        terms.push(format!("\"{column}\" = ?"));
        values.push(match value {
            Value::Null => Stored::Null,
            Value::Bool(yes) => Stored::Integer(i64::from(*yes)),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Stored::Integer(number),
                None => Stored::Real(number.as_f64().unwrap_or(0.0)),
            },
            // Oracle knows no empty string.
            Value::String(text) if text.is_empty() => Stored::Null,
            Value::String(text) => Stored::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => {
                return Err(refused(format!("{name} must be a text or a number")));
            }
        });
    }
    Ok((terms.join(between), values))
}
