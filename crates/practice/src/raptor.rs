//! Raptor's side: the exchange folder, with its buildings, its student reasons and the day's tardies.
//!
//! Raptor has no public interface, so what it would export is written as CSV files, in a layout
//! that an administrator can get from its reports.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use rusqlite::{Connection, OptionalExtension, named_params};

use crate::{
    district::{District, GRADUATED},
    hero::classes::{ActiveStudent, Class, Draw, Share, Timetable, active_students},
};

/// One student in a hundred signs in late.
const STUDENTS_PER_TARDY: usize = 100;
const FEWEST_TARDIES: usize = 3;

/// What a visitor desk can pick from when it signs a late student in.
const REASONS: [&str; 4] = ["Tardy - Traffic", "Tardy - Overslept", "Tardy - Late Bus", "Doctor Appointment"];
/// Most desks leave the comment empty; the others write what they like.
const COMMENTS: [&str; 6] =
    ["", "", "", "Bus 12, flat tire", "Parent said \"sorry\"", "Señora López signed in"];

/// PowerSchool's words and what Raptor's administrators call the same kind of school.
const KINDS: [(&str, &str); 8] = [
    (" Elementary School", " ES"),
    (" Middle School", " MS"),
    (" High School", " HS"),
    (" Elementary", " ES"),
    (" Middle", " MS"),
    (" High", " HS"),
    (" School", ""),
    (" Academy", " Acad."),
];

const QUESTION_REASON: u64 = 11;
const QUESTION_COMMENT: u64 = 12;
const QUESTION_CLASS: u64 = 13;
const QUESTION_MINUTE: u64 = 14;

const MINUTE: u32 = 60;
/// The latest a student of a daily school without classes signs in after the first bell.
const LATEST_MINUTES: u64 = 60;

/// Why the exchange folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RaptorError {
    /// A file or folder of the exchange could not be written.
    #[error("The practice Raptor folder cannot use {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The district's database could not be read.
    #[error("The practice Raptor cannot read the district: {0}")]
    District(#[from] rusqlite::Error),
}

impl RaptorError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "practice.raptor_folder",
            Self::District(_) => "practice.database",
        }
    }

    /// What the person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::File { .. } => "Choose a data folder you may write to, with free space, and start again.",
            Self::District(_) => "Delete the practice data folder (nothing real is in it) and start again.",
        }
    }
}

/// Writes `buildings.csv`, `student-reasons.csv` and `tardies-YYYY-MM-DD.csv` into `folder`.
///
/// The tardies are written once: not again while the file is there, nor after it was moved to
/// `processed/`. Every tardy can become attendance: the student is enrolled in the building's school,
/// and at the sign-in time sits in exactly one class, or, without classes, is late for the first bell.
/// Blocking.
pub fn write_folder(
    district: &District,
    date: NaiveDate,
    seed: u64,
    wanted: Option<u32>,
    folder: &Path,
) -> Result<(), RaptorError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let connection = district.connect()?;
    let buildings = buildings(&connection)?;

    let names: Vec<&String> = buildings.values().collect();
    put(folder, "buildings.csv", &["Building"], names.iter().map(|name| [name.as_str()]))?;
    put(
        folder,
        "student-reasons.csv",
        &["Building", "Reason"],
        names.iter().flat_map(|name| REASONS.map(|reason| [name.as_str(), reason])),
    )?;

    let name = format!("tardies-{date}.csv");
    if folder.join(&name).exists() || folder.join("processed").join(&name).exists() {
        return Ok(());
    }
    let tardies = tardies(&connection, date, seed, wanted, &buildings)?;
    put(
        folder,
        &name,
        &["Building", "IdNumber", "SignInTime", "Reason", "Comment"],
        tardies.iter().map(|tardy| {
            [
                tardy.building.clone(),
                tardy.student.number.to_string(),
                tardy.at.format("%Y-%m-%dT%H:%M:%S").to_string(),
                tardy.reason.to_owned(),
                tardy.comment.to_owned(),
            ]
        }),
    )?;
    // They came a while ago: nobody is writing the file any more.
    let path = folder.join(&name);
    let dropped = File::options().write(true).open(&path).map_err(at(&path))?;
    dropped.set_modified(SystemTime::now() - Duration::from_mins(1)).map_err(at(&path))
}

/// Raptor's building names by school number, in PowerSchool's order of schools.
fn buildings(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, String>> {
    let mut buildings: BTreeMap<i64, String> = BTreeMap::new();
    let mut schools = connection.prepare("SELECT School_Number, Name FROM Schools ORDER BY School_Number")?;
    let mut rows = schools.query(())?;
    while let Some(row) = rows.next()? {
        let (number, school): (i64, String) = (row.get(0)?, row.get(1)?);
        if number == GRADUATED {
            continue;
        }
        let mut name = building_name(&school);
        if buildings.values().any(|taken| *taken == name) {
            name = format!("{name} {number}");
        }
        buildings.insert(number, name);
    }
    Ok(buildings)
}

/// `Central High School No. 2` is `Central HS No. 2` in Raptor.
fn building_name(school: &str) -> String {
    KINDS
        .iter()
        .find_map(|(kind, short)| {
            let (start, rest) = school.split_once(kind)?;
            // Whole words only: `Mount High` but not `Mount Highland`.
            (rest.is_empty() || rest.starts_with(' ')).then(|| format!("{start}{short}{rest}"))
        })
        .unwrap_or_else(|| format!("{school} Campus"))
}

struct Tardy {
    building: String,
    student: ActiveStudent,
    at: NaiveDateTime,
    reason: &'static str,
    comment: &'static str,
}

fn tardies(
    connection: &Connection,
    date: NaiveDate,
    seed: u64,
    wanted: Option<u32>,
    buildings: &BTreeMap<i64, String>,
) -> Result<Vec<Tardy>, RaptorError> {
    let students = active_students(connection, date)?;
    let usual = (students.len() / STUDENTS_PER_TARDY).max(FEWEST_TARDIES);
    let wanted = wanted.map_or(usual, |wanted| wanted as usize);
    let draw = Draw::new(seed, date);
    let mut timetable = Timetable::on(connection, date)?;
    let mut tardies = Vec::with_capacity(wanted);
    for student in draw.order(&students, Share::Raptor) {
        if tardies.len() == wanted {
            break;
        }
        let Some(building) = buildings.get(&student.school) else { continue };
        let classes = timetable.classes_of(&student)?;
        let second = if classes.is_empty() {
            after_first_bell(connection, date, &student, draw)?
        } else {
            inside_one_class(&classes, &student, draw)
        };
        let Some(time) = second.and_then(|second| NaiveTime::from_num_seconds_from_midnight_opt(second, 0))
        else {
            continue;
        };
        tardies.push(Tardy {
            building: building.clone(),
            at: date.and_time(time),
            reason: draw.choose(&student, QUESTION_REASON, &REASONS).copied().unwrap_or_default(),
            comment: draw.choose(&student, QUESTION_COMMENT, &COMMENTS).copied().unwrap_or_default(),
            student,
        });
    }
    tardies.sort_by_key(|tardy| (tardy.at, tardy.student.number));
    Ok(tardies)
}

/// A whole minute strictly inside a class at the student's own school that no other class overlaps.
fn inside_one_class(classes: &[Class], student: &ActiveStudent, draw: Draw) -> Option<u32> {
    let alone: Vec<&Class> = classes
        .iter()
        .enumerate()
        .filter(|(index, class)| {
            class.school == student.school
                && classes
                    .iter()
                    .enumerate()
                    .all(|(other, overlap)| other == *index || !class.overlaps(overlap))
        })
        .map(|(_, class)| class)
        .collect();
    let class = draw.choose(student, QUESTION_CLASS, &alone)?;
    let minutes: Vec<u32> =
        (class.start / MINUTE + 1..class.end.div_ceil(MINUTE)).map(|minute| minute * MINUTE).collect();
    draw.choose(student, QUESTION_MINUTE, &minutes).copied()
}

/// A minute after the first bell of the student's school, if the school is in session that day.
fn after_first_bell(
    connection: &Connection,
    date: NaiveDate,
    student: &ActiveStudent,
    draw: Draw,
) -> rusqlite::Result<Option<u32>> {
    let bell: Option<u32> = connection
        .prepare_cached(
            "SELECT MIN(Bell_Schedule_Items.Start_Time)
               FROM Calendar_Day JOIN Bell_Schedule_Items
                    ON Bell_Schedule_Items.Bell_Schedule_ID = Calendar_Day.Bell_Schedule_ID
              WHERE Calendar_Day.SchoolID = :school AND Calendar_Day.Date_Value = :date
                AND Calendar_Day.InSession = 1",
        )?
        .query_row(named_params! {":school": student.school, ":date": date.to_string()}, |row| row.get(0))
        .optional()?
        .flatten();
    let minutes = u32::try_from(1 + draw.number(student, QUESTION_MINUTE) % LATEST_MINUTES).unwrap_or(1);
    Ok(bell.map(|bell| bell + minutes * MINUTE))
}

/// Writes a CSV file as a whole: a program that watches the folder never sees half of it.
fn put<Row, Field>(
    folder: &Path,
    name: &str,
    header: &[&str],
    rows: impl IntoIterator<Item = Row>,
) -> Result<(), RaptorError>
where
    Row: IntoIterator<Item = Field>,
    Field: AsRef<[u8]>,
{
    let target = folder.join(name);
    let unfinished = folder.join(format!(".{name}.part"));
    let written = (|| -> io::Result<()> {
        let mut writer = csv::Writer::from_path(&unfinished)?;
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.flush()?;
        drop(writer);
        fs::rename(&unfinished, &target)
    })();
    written.map_err(at(&target))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RaptorError {
    let path = path.to_owned();
    move |source| RaptorError::File { path, source }
}
