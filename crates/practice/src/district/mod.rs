//! The district's data: one SQLite file with PowerSchool's own table and column names.

mod change;
mod generate;
mod names;
mod random;
mod timetable;
mod year;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use crate::PracticeError;
use crate::error::at;

pub(crate) use change::apply;
pub use change::{Changed, DistrictChange};
pub(crate) use year::{is_summer, last_weekday};

/// School_Number of 'Graduated Students', which is a school only in the tables.
pub const GRADUATED: i64 = 999_999;

/// Raised whenever the generator writes something else for the same inputs, so that data of an older
/// version is generated again.
const LAYOUT: i64 = 3;

/// How far an Attendance row's DCID lies above its ID, for the generator and for rows written later.
pub(crate) const ATTENDANCE_DISTANCE: i64 = 41;

/// What a district is generated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Active students (Enroll_Status 0).
    pub students: u32,
    /// Schools, without 'Graduated Students'.
    pub schools: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// The practice date. It is in session, unless it is in summer.
    pub date: NaiveDate,
    /// Whether a date between two school years is in summer. Otherwise the nearest year is stretched
    /// to hold it. False where the date is in no summer.
    pub keeps_summer: bool,
}

impl Plan {
    /// `YearID` of the current school year (PowerSchool: school year start - 1990).
    pub(crate) fn yearid(self) -> i64 {
        year::SchoolYear::of(self).yearid
    }

    /// Whether the other plan is for the same people and schools on an earlier day.
    pub(crate) fn continues(self, before: Self) -> bool {
        self.date > before.date
            && Self { date: before.date, keeps_summer: before.keeps_summer, ..self } == before
    }
}

/// A generated district. Each task opens its own connection, on a blocking thread.
#[derive(Debug, Clone)]
pub struct District {
    path: PathBuf,
}

/// How large a district is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Students with Enroll_Status 0.
    pub students: u32,
    /// Sections of the current school year: the practice date's, in summer the one to come.
    pub sections: u32,
    /// CC rows of that year that are not dropped.
    pub enrollments: u32,
    /// SchoolStaff rows, whatever their status.
    pub teachers: u32,
    /// Schools without 'Graduated Students'.
    pub schools: u32,
}

impl District {
    /// Generates a district into `path`, replacing one that is there. Nothing is left half done: the
    /// file is renamed into place when it is complete.
    pub fn generate(path: &Path, plan: Plan) -> Result<Self, PracticeError> {
        if !(1..=2_000_000).contains(&plan.students) || !(1..=2_000).contains(&plan.schools) {
            return Err(PracticeError::Size { students: plan.students, schools: plan.schools });
        }
        let unfinished = path.with_extension("unfinished");
        remove(&unfinished)?;
        let mut connection = Connection::open(&unfinished)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;",
        )?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(include_str!("schema.sql"))?;
        generate::fill(&transaction, plan)?;
        // Only now: what the generator writes is no change.
        log_changes(&transaction)?;
        transaction.execute_batch(
            "CREATE TABLE Practice_District (Layout INTEGER, Students INTEGER, Schools INTEGER, Seed TEXT, Date TEXT,
              Keeps_Summer INTEGER)",
        )?;
        transaction.execute(
            "INSERT INTO Practice_District VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                LAYOUT,
                plan.students,
                plan.schools,
                plan.seed.to_string(),
                plan.date.to_string(),
                plan.keeps_summer,
            ),
        )?;
        transaction.commit()?;
        connection.close().map_err(|(_, error)| error)?;
        for suffix in ["-wal", "-shm"] {
            let mut side = path.as_os_str().to_owned();
            side.push(suffix);
            remove(Path::new(&side))?;
        }
        std::fs::rename(&unfinished, path).map_err(at(path))?;
        let district = Self { path: path.to_owned() };
        district.connect()?.pragma_update(None, "journal_mode", "WAL")?;
        Ok(district)
    }

    /// The district in `path` and what it was generated from; none when there is no file, or one of
    /// another version.
    pub fn open(path: &Path) -> Result<Option<(Self, Plan)>, PracticeError> {
        if !path.exists() {
            return Ok(None);
        }
        let district = Self { path: path.to_owned() };
        let connection = district.connect()?;
        let known: bool = connection
            .query_row("SELECT 1 FROM sqlite_master WHERE name = 'Practice_District'", (), |_| Ok(()))
            .optional()?
            .is_some();
        if !known {
            return Ok(None);
        }
        let plan = connection
            .query_row(
                "SELECT Students, Schools, Seed, Date, Keeps_Summer FROM Practice_District WHERE Layout = ?1",
                [LAYOUT],
                |row| {
                    let (seed, date): (String, String) = (row.get(2)?, row.get(3)?);
                    Ok((row.get(0)?, row.get(1)?, seed, date, row.get(4)?))
                },
            )
            .optional()?;
        let Some((students, schools, seed, date, keeps_summer)) = plan else { return Ok(None) };
        let (Ok(seed), Ok(date)) = (seed.parse(), date.parse()) else {
            return Err(PracticeError::Corrupt {
                path: path.to_owned(),
                reason: "its seed or date is not readable".into(),
            });
        };
        Ok(Some((district, Plan { students, schools, seed, date, keeps_summer })))
    }

    /// Opens a connection of its own. Blocking.
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        // Long enough for the largest write another task can be in the middle of.
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // A day's attendance, one record a request, fits the log: copying it into the database in between would make
        // single requests wait for the disk.
        connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        Ok(connection)
    }

    /// The numbers of all schools but 'Graduated Students', in order. Blocking.
    pub fn school_numbers(&self) -> rusqlite::Result<Vec<i64>> {
        self.connect()?
            .prepare("SELECT School_Number FROM Schools WHERE School_Number <> ?1 ORDER BY School_Number")?
            .query_map([GRADUATED], |row| row.get(0))?
            .collect()
    }

    /// Counts what the ready file states of a district of this plan. Blocking.
    pub fn summary(&self, plan: Plan) -> Result<Summary, PracticeError> {
        Ok(self.connect()?.query_row(
            "SELECT (SELECT COUNT(*) FROM Students WHERE Enroll_Status = 0),
                    (SELECT COUNT(*) FROM Sections WHERE TermID / 100 = ?2),
                    (SELECT COUNT(*) FROM CC WHERE SectionID > 0 AND TermID > 0 AND TermID / 100 = ?2),
                    (SELECT COUNT(*) FROM SchoolStaff),
                    (SELECT COUNT(*) FROM Schools WHERE School_Number <> ?1)",
            [GRADUATED, plan.yearid()],
            |row| {
                Ok(Summary {
                    students: row.get(0)?,
                    sections: row.get(1)?,
                    enrollments: row.get(2)?,
                    teachers: row.get(3)?,
                    schools: row.get(4)?,
                })
            },
        )?)
    }
}

/// From here on every row that is written is noted in Practice_Change.
fn log_changes(to: &Connection) -> rusqlite::Result<()> {
    let mut tables = to.prepare(
        "SELECT name FROM sqlite_master
          WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE 'Practice!_%' ESCAPE '!'",
    )?;
    for name in tables.query_map((), |row| row.get::<_, String>(0))? {
        let name = name?;
        for (event, row) in [("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")] {
            to.execute_batch(&format!(
                "CREATE TRIGGER {name}_{event} AFTER {event} ON {name} BEGIN
                     INSERT INTO Practice_Change (TableName, RowDCID, Event) VALUES ('{}', {row}.DCID, '{event}');
                 END",
                name.to_lowercase()
            ))?;
        }
    }
    Ok(())
}

/// `YearID` of the school year that a school day belongs to.
pub(crate) fn yearid(date: NaiveDate) -> i64 {
    year::SchoolYear::around(date).yearid
}

fn remove(path: &Path) -> Result<(), PracticeError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}
